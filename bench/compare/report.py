#!/usr/bin/env python3
"""Prints tables of what the benchmarks left in a directory, and draws charts of it there.

    report.py DIRECTORY

Reads system.txt, hardware.tsv (hardware.c), checks.tsv and times.tsv (compare.py), database.tsv and memory.tsv (database.sh); what is
missing is left out. Writes SHAPE-rate.svg, SHAPE-time.svg, SHAPE-policy.svg, SHAPE-kernels.svg, database.svg and summary.tsv.
A figure is the median of its rounds; how many those were, and the least and the most of them, is in summary.tsv.
"""

import csv
import math
import os
import statistics
import sys

import plot

SHAPES = ("base", "small")
ENCODER_WEIGHTS = {"base": 84934656, "small": 10616832}
BYTES = {"fp32": 4, "bf16": 2, "int8": 1}
POLICIES = ("packed", "rows", "buckets", "padded")
PEER_PEAKS = {
    "fp32": ("fma_256", "fma_512"),
    "f16": ("fma_256", "fma_512"),
    "bf16": ("fma_256", "fma_512", "dot_bf16", "amx_bf16"),
    "int8": ("pairs_int8_256", "pairs_int8_512", "dot_int8_256", "dot_int8_512", "amx_int8"),
    "q8_0": ("pairs_int8_256", "pairs_int8_512", "dot_int8_256", "dot_int8_512", "amx_int8"),
}
INT8_PEAKS = {
    "amx": ("amx_int8",),
    "avx512_bf16": ("dot_int8_512",),
    "avx512_vnni": ("dot_int8_512",),
    "avx512": ("pairs_int8_512",),
    "avx2_vnni": ("dot_int8_256",),
    "avx2": ("pairs_int8_256",),
}


def read_tsv(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="ascii", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def read_hardware(directory):
    """{name: value or None where it can't run here}"""
    path, found = f"{directory}/hardware.tsv", {}
    if os.path.exists(path):
        with open(path, encoding="ascii") as file:
            for line in file:
                name, value, _ = line.rstrip("\n").split("\t")
                found[name] = None if value == "-" else float(value)
    return found


class Figure:
    """What one contestant took for one workload under one policy."""

    def __init__(self, row):
        self.engine, self.kernels, self.precision = row["engine"], row["kernels"], row["precision"]
        self.shape, self.workload, self.policy = row["shape"], row["workload"], row["policy"]
        self.forced, self.tokens, self.gflop = row["forced"] == "1", int(row["tokens"]), float(row["gflop"])
        self.name = " ".join(word for word in (self.engine, self.kernels, self.precision) if word)
        self.rows = 64 if self.workload == "batch64" else 1
        self.times = []

    @property
    def seconds(self):
        return statistics.median(self.times)

    @property
    def rate(self):
        return self.tokens / self.seconds

    @property
    def gflops(self):
        return self.gflop / self.seconds


def read_figures(directory):
    figures = {}
    for row in read_tsv(f"{directory}/times.tsv"):
        key = tuple(row[name] for name in ("shape", "workload", "policy", "engine", "kernels", "precision"))
        figures.setdefault(key, Figure(row)).times.append(float(row["processor_s"]))
    return list(figures.values())


def peak_names(figure):
    """Of the hardware's figures those that are the ceiling of this one."""
    kernels, precision = figure.kernels, figure.precision
    if figure.engine != "roformer":
        return PEER_PEAKS[precision]
    if precision == "fp32" or (precision == "bf16" and kernels not in ("amx", "avx512_bf16")):
        return ("fma_256",) if kernels.startswith("avx2") else ("fma_256", "fma_512")
    if precision == "bf16":
        return ("amx_bf16",) if kernels == "amx" else ("dot_bf16",)
    return INT8_PEAKS.get(kernels, ())


def share_of_peak(figure, hardware):
    known = [hardware[name] for name in peak_names(figure) if hardware.get(name)]
    return f"{100 * figure.gflops / max(known):.0f}%" if known else "-"


def bandwidth_at(hardware, size):
    """GB/s of reading so many bytes again and again, between the footprints that were measured."""
    points = sorted((float(name[5:]) * 2**20, value) for name, value in hardware.items() if name.startswith("read_"))
    if not points:
        return None
    for (low, slow), (high, fast) in zip(points, points[1:]):
        if low <= size <= high:
            return slow + (fast - slow) * math.log(size / low) / math.log(high / low)
    return points[-1][1] if size > points[-1][0] else points[0][1]


def table(title, heads, rows, notes=()):
    if not rows:
        return
    cells = [[str(cell) for cell in row] for row in (heads, *rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(heads))]
    print(f"\n{title}\n")
    for n, row in enumerate(cells):
        print("  " + "  ".join(cell.ljust(width) if i == 0 else cell.rjust(width) for i, (cell, width) in enumerate(zip(row, widths))).rstrip())
        if n == 0:
            print("  " + "  ".join("-" * width for width in widths))
    for note in notes:
        print(f"  {note}")


def milliseconds(figure):
    return f"{figure.seconds * 1000:.2f}" if figure.seconds < 0.1 else f"{figure.seconds * 1000:.0f}"


class Report:
    def __init__(self, directory):
        self.directory = directory
        self.figures, self.hardware = read_figures(directory), read_hardware(directory)

    def find(self, shape, workload, engine=None, precision=None, policy=None, kernels=None, forced=None):
        return [
            f
            for f in self.figures
            if (f.shape, f.workload) == (shape, workload)
            and engine in (None, f.engine)
            and precision in (None, f.precision)
            and policy in (None, f.policy)
            and kernels in (None, f.kernels)
            and forced in (None, f.forced)
        ]

    def names(self, shape):
        return list(dict.fromkeys(f.name for f in self.figures if f.shape == shape))

    def lengths(self, shape):
        return sorted({f.tokens for f in self.figures if f.shape == shape and f.workload != "batch64"})

    # ---- tables --------------------------------------------------------------------------------

    def print_hardware(self):
        reads = {name: value for name, value in self.hardware.items() if name.startswith("read_")}
        peaks = {name: value for name, value in self.hardware.items() if name not in reads}
        table(
            "One core's limits, random data",
            ("limit", "measured"),
            [(name, "not here" if value is None else f"{value:.0f} G{'' if 'int8' in name else 'FL'}OP/s") for name, value in peaks.items()]
            + [(f"read, {name[5:]} MB", f"{value:.1f} GB/s") for name, value in reads.items()],
        )

    def print_rows(self, shape):
        lengths = self.lengths(shape)
        for title, show in (
            ("milliseconds for one row", milliseconds),
            ("tokens/s of one row", lambda f: f"{f.rate:.0f}"),
            ("share of the hardware's peak, one row", lambda f: share_of_peak(f, self.hardware)),
        ):
            rows = []
            for name in self.names(shape):
                cells = {f.tokens: show(f) for f in self.figures if f.shape == shape and f.name == name and f.workload != "batch64"}
                rows.append((name, *(cells.get(length, "-") for length in lengths)))
            table(f"{shape}: {title}", ("tokens in the row", *lengths), rows if lengths else [])

    def print_batch(self, shape):
        rows = []
        for name in self.names(shape):
            by_policy = {f.policy: f for f in self.find(shape, "batch64") if f.name == name}
            if not by_policy:
                continue
            best = min(by_policy.values(), key=lambda f: f.seconds)
            cells = [f"{by_policy[p].rate:.0f}" if p in by_policy else "-" for p in POLICIES]
            rows.append((name, *cells, milliseconds(best), f"{best.seconds * 1000 / best.rows:.2f}", share_of_peak(best, self.hardware)))
        table(
            f"{shape}: batch of 64 rows, tokens/s by policy, and the best policy's ms, ms per row and share of the peak",
            ("contestant", *POLICIES, "ms", "ms/row", "peak"),
            rows,
            ("Only real tokens count. Rows of roformer are never padded: its padded and buckets are rows that are really that long.",),
        )

    def print_bandwidth(self, shape):
        rows = []
        for f in self.find(shape, "row16", "roformer", forced=False):
            size = ENCODER_WEIGHTS[shape] * BYTES[f.precision]
            limit = bandwidth_at(self.hardware, size)
            if limit:
                reached = size / f.seconds / 1e9
                rows.append((f.name, f"{size / 2**20:.0f}", f"{reached:.1f}", f"{limit:.1f}", f"{100 * reached / limit:.0f}%"))
        table(f"{shape}: reading weights for one row of 16 tokens", ("contestant", "MB", "GB/s", "limit", "share"), rows)

    def print_checks(self):
        rows = [
            (row["contestant"], row["shape"], row["policy"], row["largest_difference"], row["smallest_cosine"], row["verdict"])
            for row in read_tsv(f"{self.directory}/checks.tsv")
        ]
        table(
            "Hidden states beside those of the reference kernels in fp32: largest difference, smallest cosine of a token",
            ("contestant", "shape", "policy", "difference", "cosine", "verdict"),
            rows,
            (
                "llama.cpp has no such architecture: it runs its BERT with the same matrices, positions zero and nothing rotated, and is compared",
                "with PyTorch's encoder without rotation (means of rows); its times are those of the same products of matrices.",
            ),
        )

    def database_medians(self):
        """{(shape, function, precision): milliseconds a row}"""
        found = {}
        for row in read_tsv(f"{self.directory}/database.tsv"):
            key = row["shape"], row["function"], row["precision"]
            found.setdefault(key, []).append(1000 * float(row["processor_s"]) / int(row["rows"]))
        return {key: statistics.median(values) for key, values in found.items()}

    def print_database(self):
        medians = self.database_medians()
        for shape in SHAPES:
            mine = {key: value for key, value in medians.items() if key[0] == shape}
            rows = []
            for (_, function, precision), value in mine.items():
                peer = mine.get((shape, "PL/Python, " + ("array" if "array" in function else "row"), "fp32"))
                ratio = f"{peer / value:.1f}" if peer else "-"
                rows.append((f"{function} {precision}", f"{value:.2f}", f"{1000 / value:.0f}", ratio))
            table(
                f"{shape}: embeddings in SQL, end to end (texts of the batch)",
                ("function", "ms/row", "rows/s", "x PL/Python fp32"),
                rows,
                ("\"row by row\" is a call a row with roformer.enable_batch_scan off; PL/Python is PyTorch with its model kept in the session.",),
            )

    def print_memory(self):
        rows = []
        for row in read_tsv(f"{self.directory}/memory.tsv"):
            packed, resident, shared = (float(row[name]) for name in ("packed_bytes", "resident_bytes", "shared_bytes"))
            private = (resident - shared) / int(row["sessions"]) / 2**20
            megabytes = [f"{value / 2**20:.1f}" for value in (packed, shared, resident)]
            rows.append((f"{row['model']} {row['precision']}", *megabytes, f"{shared / packed:.3f}", f"{resident / packed:.3f}", f"{private:.1f}"))
        table(
            "Memory of 8 sessions that have used the model, above 8 that haven't (MB)",
            ("model", "packed", "shared", "all", "shared/packed", "all/packed", "each session's own"),
            rows,
        )

    # ---- what was to be reached ----------------------------------------------------------------

    def best(self, *args, **options):
        found = self.find(*args, **options)
        return min(found, key=lambda f: f.seconds) if found else None

    def ratio(self, ours, theirs):
        return theirs.seconds / ours.seconds if ours and theirs else None

    def peak_share(self, figure, peak):
        limit = self.hardware.get(peak)
        return figure.gflops / limit if figure and limit else None

    def goals(self):
        """(what, what this machine gives, to reach, aim, whether it takes AMX, unit)"""
        batch = {p: self.best("base", "batch64", "roformer", p, "packed", forced=False) for p in BYTES}
        small = self.best("small", "batch64", "roformer", "bf16", "packed", forced=False)
        onnx = {p: self.best("base", "batch64", "onnxruntime", p) for p in ("fp32", "int8")}
        row = {n: self.best("base", f"row{n}", "roformer", "bf16", forced=False) for n in (512, 1536)}
        row16 = self.ratio(self.best("base", "row16", "roformer", "int8", forced=False), self.best("base", "row16", "onnxruntime", "int8"))

        def without_amx(precision, *sets):
            found = [f for name in sets for f in self.find("base", "batch64", "roformer", precision, "packed", name)]
            return found[0] if found else None

        yield "bf16 batch / PyTorch bf16", self.ratio(batch["bf16"], self.best("base", "batch64", "torch", "bf16")), 4.2, 5, True, "x"
        yield "bf16 batch / ONNX Runtime fp32", self.ratio(batch["bf16"], onnx["fp32"]), 11.5, 14, True, "x"
        yield "bf16 batch / ONNX Runtime int8", self.ratio(batch["bf16"], onnx["int8"]), 3.0, 3.5, True, "x"
        yield "int8 batch / ONNX Runtime int8", self.ratio(batch["int8"], onnx["int8"]), 4.3, 5.5, True, "x"
        yield "int8 row of 16 / ONNX Runtime int8", row16, 2.1, 2.7, True, "x"
        yield "bf16 row of 512, share of AMX peak", self.peak_share(row[512], "amx_bf16"), 0.38, 0.45, True, "%"
        yield "bf16 row of 1536, share of AMX peak", self.peak_share(row[1536], "amx_bf16"), 0.32, 0.42, True, "%"
        yield "bf16 batch, share of AMX peak", self.peak_share(batch["bf16"], "amx_bf16"), 0.43, 0.55, True, "%"
        yield "int8 batch, share of AMX peak", self.peak_share(batch["int8"], "amx_int8"), 0.31, 0.42, True, "%"
        yield "small bf16 batch / ONNX Runtime int8", self.ratio(small, self.best("small", "batch64", "onnxruntime", "int8")), 3.4, 4.5, True, "x"
        yield "AVX-512, fp32 batch / ONNX Runtime fp32", self.ratio(without_amx("fp32", "avx512"), onnx["fp32"]), 1.1, 1.5, False, "x"
        yield "AVX-512, int8 batch / ONNX Runtime int8", self.ratio(without_amx("int8", "avx512_vnni"), onnx["int8"]), 1.3, 2, False, "x"

    def print_goals(self):
        has_amx = bool(self.hardware.get("amx_bf16"))
        rows = []
        for what, value, least, aim, needs_amx, unit in self.goals():
            show = (lambda v: f"{v:.2f}x") if unit == "x" else (lambda v: f"{100 * v:.0f}%")
            state = "not measured" if value is None else "reached" if value >= least else "not reached"
            if needs_amx and not has_amx:
                state = "needs AMX"
            rows.append((what, show(value) if value is not None else "-", f">= {show(least)}", show(aim), state))
        for row in read_tsv(f"{self.directory}/memory.tsv"):
            for part, name in (("all", "resident_bytes"), ("shared", "shared_bytes")):
                value = float(row[name]) / float(row["packed_bytes"])
                rows.append((f"memory of base {row['precision']}, {part} / packed", f"{value:.3f}x", "<= 1.1x", "", "reached" if value <= 1.1 else "not reached"))
        if self.figures:
            table(
                "Numbers to reach (base unless said; peers with their best policy, roformer packed)",
                ("what", "here", "to reach", "aim", ""),
                rows,
                ("Rows that need AMX were set for a core that has it; \"here\" is what this core gives without.",) if not has_amx else (),
            )

    # ---- charts --------------------------------------------------------------------------------

    def draw(self, shape):
        base = f"{self.directory}/{shape}"
        figures = [f for f in self.figures if f.shape == shape]
        single = [f for f in figures if f.workload != "batch64" and not f.forced]
        if single:
            names = list(dict.fromkeys(f.name for f in single))
            for kind, title, y_title, value in (
                ("rate", "tokens per second", "tokens/s", lambda f: f.rate),
                ("time", "time of a row", "ms per row", lambda f: f.seconds * 1000),
            ):
                series = {name: [(f.tokens, value(f)) for f in single if f.name == name] for name in names}
                plot.lines(f"{base}-{kind}.svg", f"{shape}: {title} by length, one core", "tokens in the row", y_title, series)
        batch = [f for f in figures if f.workload == "batch64"]
        groups = [(p, [(f.name, f.rate) for f in batch if f.policy == p and not f.forced]) for p in POLICIES]
        if any(bars for _, bars in groups):
            names = list(dict.fromkeys(f.name for f in figures if not f.forced))
            plot.bars(f"{base}-policy.svg", f"{shape}: batch of 64 rows by policy, one core", "tokens/s (logarithmic)", [g for g in groups if g[1]], names)
        ours = [f for f in batch if f.engine == "roformer" and f.policy == "packed"]
        sets = [(name, [(f.precision, f.rate) for f in ours if f.kernels == name]) for name in dict.fromkeys(f.kernels for f in ours)]
        if sets:
            plot.bars(f"{base}-kernels.svg", f"{shape}: packed batch by kernel set, one core", "tokens/s (logarithmic)", sets, list(BYTES))

    def draw_database(self):
        medians = self.database_medians()
        groups = {}
        for (shape, function, precision), value in medians.items():
            groups.setdefault(f"{shape} {precision}", []).append((function, 1000 / value))
        if groups:
            names = list(dict.fromkeys(function for _, function, _ in medians))
            plot.bars(f"{self.directory}/database.svg", "Embeddings in SQL, one session", "rows/s (logarithmic)", list(groups.items()), names)

    def write_summary(self):
        with open(f"{self.directory}/summary.tsv", "w", encoding="ascii") as file:
            file.write("shape\tworkload\tpolicy\tcontestant\trounds\tmedian_ms\tleast_ms\tmost_ms\ttokens_s\tgflop_s\tpeak\n")
            for f in self.figures:
                times = [1000 * value for value in (f.seconds, min(f.times), max(f.times))]
                numbers = "\t".join(f"{value:.3f}" for value in times)
                file.write(f"{f.shape}\t{f.workload}\t{f.policy}\t{f.name}\t{len(f.times)}\t{numbers}\t{f.rate:.0f}\t{f.gflops:.1f}\t{share_of_peak(f, self.hardware)}\n")

    def run(self):
        system = f"{self.directory}/system.txt"
        if os.path.exists(system):
            with open(system, encoding="utf-8") as file:
                print(file.read().rstrip())
        self.print_hardware()
        for shape in SHAPES:
            self.print_rows(shape)
            self.print_batch(shape)
            self.print_bandwidth(shape)
            self.draw(shape)
        self.print_database()
        self.draw_database()
        self.print_memory()
        self.print_checks()
        self.print_goals()
        if self.figures:
            self.write_summary()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: report.py DIRECTORY")
    Report(sys.argv[1]).run()
