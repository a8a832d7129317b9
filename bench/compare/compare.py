#!/usr/bin/env python3
"""Lets contestants take turns at the same work on the same core, and writes what they took.

    compare.py WORK OUT [--quick] [--rounds N] [--shapes base,small] [--only NAME,...] [--modules DIRECTORY]

WORK has the program bench_engine and what "bench_forward write", export_onnx.py and export_gguf.py wrote. Contestants are
processes that stay, with their models loaded, and answer one line at a time (the protocol is described in bench_engine.c); only
one computes at any time. Before anything is timed each must give the hidden states of the engine's reference kernels for
rows of the batch, under each policy it knows: a contestant that doesn't is left out, with a word on stderr.

How a batch of 64 rows becomes calls is its policy:

    packed     one call, rows one after the other without padding
    rows       a call for each row
    buckets    eight calls of eight rows of like length, padded to the longest of the eight
    padded     one call, padded to the longest row

The first round tries all policies; a policy that takes 1.25 times as long as the contestant's best isn't tried again, and what
takes more than four seconds is measured in three rounds at most. Padding to the longest is left out of a quick run, and where
it would take 20 seconds. Writes
OUT/checks.tsv and, while it runs, OUT/times.tsv: a line for each round, workload and contestant.
"""

import argparse
import array
import math
import os
import subprocess
import sys
import time

SHAPES = {"base": (12, 768, 3072), "small": (6, 384, 1536)}
CHECK_ROWS = 8
# Largest difference in fp32, else the smallest cosine of a token's hidden states, with those of the reference kernels.
FP32_BOUND = 1e-4
ENGINE_COSINE = {"bf16": 0.9999, "int8": 0.999}
PEER_COSINE = {"bf16": 0.999, "int8": 0.998, "q8_0": 0.995, "f16": 0.999}
SLOWER = 1.25
LONG_GFLOP = 40.0
LONG_SECONDS, LONG_ROUNDS = 4.0, 3
LONGEST_PADDED = 20.0
# Sets that aren't the automatic one, in the precisions they have instructions for.
FORCED = {
    "amx": ("bf16", "int8"),
    "avx512_bf16": ("bf16",),
    "avx512_vnni": ("int8",),
    "avx512": ("fp32",),
    "avx2_vnni": ("int8",),
    "avx2": ("fp32", "int8"),
    "blas": ("fp32",),
}


class Failure(Exception):
    pass


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


class Contestant:
    def __init__(self, engine, kernels, precision, command, policies, reference="engine"):
        self.engine, self.kernels, self.precision, self.command = engine, kernels, precision, command
        self.policies, self.reference, self.seconds = policies, reference, {}
        self.forced = False
        self.name = " ".join(word for word in (engine, kernels, precision) if word)

    def start(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.read("ready")

    def read(self, expected=None):
        line = self.process.stdout.readline().strip()
        if not line or (expected and line != expected):
            raise Failure(f"{self.name} ended or answered {line!r}")
        return line

    def ask(self, *words):
        try:
            self.process.stdin.write(" ".join(str(word) for word in words) + "\n")
            self.process.stdin.flush()
        except OSError as error:
            raise Failure(f"{self.name} is gone: {error}") from error
        return self.read()

    def stop(self):
        self.process.stdin.close()
        self.process.wait()

    def hidden(self, path, shape, policy, rows=CHECK_ROWS):
        self.ask("check", shape, policy, rows, path)
        values = array.array("f")
        with open(path, "rb") as file:
            values.frombytes(file.read())
        os.unlink(path)
        return values


def read_lengths(work):
    with open(f"{work}/base.inputs", encoding="ascii") as inputs:
        for line in inputs:
            name, *lengths = line.split()
            if name == "batch64":
                return [int(length) for length in lengths]
    raise Failure(f"{work}/base.inputs has no batch")


def gflop_of(shape, lengths):
    layers, hidden, intermediate = SHAPES[shape]
    each = 2 * (4 * hidden * hidden + 2 * hidden * intermediate)
    return layers * sum(each * length + 4 * length * length * hidden for length in lengths) / 1e9


def difference(ours, theirs):
    return max((abs(a - b) for a, b in zip(ours, theirs)), default=math.inf)


def cosine(ours, theirs, width):
    """The smallest of all tokens'; -1 where something isn't finite."""
    worst = 1.0
    for at in range(0, len(ours), width):
        a, b = ours[at : at + width], theirs[at : at + width]
        scale = math.sqrt(sum(x * x for x in a) * sum(x * x for x in b))
        dot = sum(x * y for x, y in zip(a, b))
        worst = min(worst, dot / scale if math.isfinite(scale) and scale > 0 and math.isfinite(dot) else -1.0)
    return worst


def mean_rows(values, lengths, width):
    rows, at = array.array("f"), 0
    for length in lengths:
        part = values[at * width : (at + length) * width]
        rows.extend(sum(part[column::width]) / length for column in range(width))
        at += length
    return rows


def verdict_of(contestant, ours, theirs, width):
    """(largest difference, smallest cosine, fault or None)"""
    if len(ours) != len(theirs):
        return math.inf, -1.0, f"{len(theirs)} numbers instead of {len(ours)}"
    worst, least = difference(ours, theirs), cosine(ours, theirs, width)
    if contestant.precision == "fp32":
        fault = None if worst <= FP32_BOUND else f"differs by {worst:.2e}, more than {FP32_BOUND:.0e}"
    else:
        bound = (ENGINE_COSINE if contestant.engine == "roformer" else PEER_COSINE)[contestant.precision]
        fault = None if least >= bound else f"token cosine {least:.6f} is below {bound}"
    return worst, least, fault


class Comparison:
    def __init__(self, options):
        self.options, self.work, self.out = options, options.work, options.out
        self.lengths = read_lengths(self.work)
        self.shapes = options.shapes.split(",")
        self.rows = (16, 512) if options.quick else (16, 64, 128, 512, 1536)
        self.rounds = options.rounds or (2 if options.quick else 4)
        self.enough = 0.15 if options.quick else 0.3
        self.scratch = f"{self.work}/answer"
        self.references = {}

    # ---- contestants ---------------------------------------------------------------------------

    def engine_contestants(self):
        program = f"{self.work}/bench_engine"
        listing = subprocess.run([program, "list"], check=True, stdout=subprocess.PIPE, text=True).stdout
        for line in listing.splitlines():
            kernels, precision, automatic = line.split()
            if automatic == "0" and precision not in FORCED.get(kernels, ()):
                continue
            policies = ("packed", "rows", "buckets", "padded") if automatic == "1" else ("packed",)
            contestant = Contestant("roformer", kernels, precision, [program, "serve", kernels, precision], policies)
            contestant.forced = automatic == "0"
            yield contestant

    def peers(self):
        here, modules = os.path.dirname(os.path.abspath(__file__)), self.options.modules
        padding = ("rows", "buckets", "padded")
        for precision in ("fp32", "int8"):
            command = ["node", f"{here}/peer_onnx.js", modules, self.work, precision]
            yield Contestant("onnxruntime", "", precision, command, padding)
        for precision in ("fp32", "bf16"):
            yield Contestant("torch", "", precision, [sys.executable, f"{here}/peer_torch.py", self.work, precision], ("packed", *padding))
        for kind in ("q8_0", "f16"):
            command = ["node", f"{here}/peer_llama.js", modules, self.work, kind]
            yield Contestant("llama.cpp", "", kind, command, ("rows",), reference="still")

    def enter(self):
        found = [*self.engine_contestants(), *self.peers()]
        if self.options.only:
            wanted = self.options.only.split(",")
            strangers = set(wanted) - {c.engine for c in found}
            if strangers:
                raise Failure(f"there is no contestant {', '.join(sorted(strangers))}")
            found = [c for c in found if c.engine in wanted]
        entered = []
        for contestant in found:
            say(f"loading {contestant.name}")
            try:
                contestant.start()
                entered.append(contestant)
            except (OSError, Failure) as error:
                say(f"LEFT OUT: {contestant.name}: {error}")
        return entered

    # ---- checks --------------------------------------------------------------------------------

    def make_references(self, contestants):
        command = [f"{self.work}/bench_engine", "serve", "ref", "fp32"]
        reference = Contestant("roformer", "ref", "fp32", command, ("packed",))
        reference.start()
        still = next((c for c in contestants if c.name == "torch fp32"), None)
        for shape in self.shapes:
            width = SHAPES[shape][1]
            self.references["engine", shape] = reference.hidden(self.scratch, shape, "packed"), width
            if still:
                values = still.hidden(self.scratch, shape, "still")
                self.references["still", shape] = mean_rows(values, self.lengths[:CHECK_ROWS], width), width
        reference.stop()

    def check(self, contestant, log):
        for shape in self.shapes:
            if (contestant.reference, shape) not in self.references:
                log.write(f"{contestant.name}\t{shape}\trows\t\t\tnot compared: needs torch\n")
                say(f"{contestant.name} is NOT compared: without torch there is nothing of its architecture")
                continue
            expected, width = self.references[contestant.reference, shape]
            for policy in contestant.policies:
                # The engine's padding is rows that are longer: their results are others.
                if contestant.engine == "roformer" and policy in ("buckets", "padded"):
                    continue
                got = contestant.hidden(self.scratch, shape, policy)
                worst, least, fault = verdict_of(contestant, expected, got, width)
                log.write(f"{contestant.name}\t{shape}\t{policy}\t{worst:.2e}\t{least:.6f}\t{fault or 'ok'}\n")
                if fault:
                    raise Failure(f"{shape}, {policy}: {fault}")

    def check_all(self, contestants):
        self.make_references(contestants)
        kept = []
        with open(f"{self.out}/checks.tsv", "w", encoding="ascii") as log:
            log.write("contestant\tshape\tpolicy\tlargest_difference\tsmallest_cosine\tverdict\n")
            for contestant in contestants:
                say(f"comparing {contestant.name}")
                try:
                    self.check(contestant, log)
                    kept.append(contestant)
                except Failure as error:
                    say(f"LEFT OUT: {contestant.name}: {error}")
                    if contestant.engine == "roformer":
                        raise
        return kept

    # ---- times ---------------------------------------------------------------------------------

    def wants(self, contestant, round_number, shape, workload, policy):
        if round_number > LONG_ROUNDS and contestant.seconds.get((shape, workload, policy), 0) > LONG_SECONDS:
            return False
        if workload != "batch64":
            return not contestant.forced or (workload in ("row16", "row128", "row512") and not self.options.quick)
        if policy not in contestant.policies:
            return False
        known = {p: s for (sh, w, p), s in contestant.seconds.items() if sh == shape and w == workload}
        if policy == "padded" and round_number == 1:
            waste = len(self.lengths) * max(self.lengths) / sum(self.lengths)
            return not self.options.quick and waste * min(known.values()) < LONGEST_PADDED
        if round_number == 1:
            return True
        return known.get(policy, math.inf) <= SLOWER * min(known.values())

    def measure(self, contestant, round_number, shape, workload, policy, log):
        lengths = self.lengths if workload == "batch64" else [int(workload[3:])]
        gflop = gflop_of(shape, lengths)
        enough = 0 if gflop > LONG_GFLOP else self.enough
        processor, elapsed = contestant.ask("time", shape, workload, policy, enough).split()
        contestant.seconds.setdefault((shape, workload, policy), float(processor))
        fields = (round_number, shape, workload, policy, contestant.engine, contestant.kernels, contestant.precision)
        log.write("\t".join(map(str, fields)) + f"\t{int(contestant.forced)}\t{sum(lengths)}\t{gflop:.3f}\t{processor}\t{elapsed}\n")
        log.flush()

    def turns(self):
        for workload in [f"row{length}" for length in self.rows]:
            yield workload, "packed"
        for policy in ("packed", "rows", "buckets", "padded"):
            yield "batch64", policy

    def run_round(self, contestants, round_number, log):
        for shape in self.shapes:
            for workload, policy in self.turns():
                asked = [c for c in contestants if self.wants(c, round_number, shape, workload, policy)]
                if not asked:
                    continue
                say(f"round {round_number} of {self.rounds}: {shape} {workload}{' ' + policy if workload == 'batch64' else ''}")
                for contestant in asked:
                    try:
                        self.measure(contestant, round_number, shape, workload, policy, log)
                    except Failure as error:
                        if contestant.engine == "roformer":
                            raise
                        say(f"LEFT OUT from here on: {error}")
                        contestants.remove(contestant)

    def run(self):
        contestants = self.check_all(self.enter())
        with open(f"{self.out}/times.tsv", "w", encoding="ascii") as log:
            log.write("round\tshape\tworkload\tpolicy\tengine\tkernels\tprecision\tforced\ttokens\tgflop\tprocessor_s\telapsed_s\n")
            for round_number in range(1, self.rounds + 1):
                self.run_round(contestants, round_number, log)
        for contestant in contestants:
            contestant.stop()


def main():
    parser = argparse.ArgumentParser(description="see the head of this file")
    parser.add_argument("work")
    parser.add_argument("out")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--shapes", default="base,small")
    parser.add_argument("--only", help="engines: roformer, onnxruntime, torch, llama.cpp")
    parser.add_argument("--modules", default="", help="the node_modules with the peers of Node")
    try:
        Comparison(parser.parse_args()).run()
    except Failure as error:
        sys.exit(f"compare.py: {error}")


if __name__ == "__main__":
    main()
