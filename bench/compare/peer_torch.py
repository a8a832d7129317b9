#!/usr/bin/env python3
"""PyTorch as a contestant of compare.py: the encoder of torch_forward.py, one thread.

    peer_torch.py DIRECTORY fp32|bf16

The protocol is described in bench_engine.c. One policy more than others have: "still" is a row at a time without
rotation, with the ids that peer_llama.js computes: what its architecture gives for the same weights.
"""

import sys
import time

import torch

from torch_forward import SHAPES, Encoder, read_inputs, read_weights

BUCKETS = 8
MOST_RUNS = 1000
FAR = -10000.0
SPECIAL, CLS, SEP = 5, 2, 3


class Peer(Encoder):
    def __init__(self, weights, layers, hidden, heads, dtype):
        super().__init__({name: values.to(dtype) for name, values in weights.items()}, layers, hidden, heads)
        self.sin, self.cos = self.sin.to(dtype), self.cos.to(dtype)

    def stop_turning(self):
        self.sin, self.cos = torch.zeros_like(self.sin), torch.ones_like(self.cos)

    def attend_padded(self, qkv, bias):
        rows, tokens, _ = qkv.shape
        size = self.hidden // self.heads
        q, k, v = qkv.view(rows, tokens, 3, self.heads, size).permute(2, 0, 3, 1, 4)
        q, k = self.rotate(q), self.rotate(k)
        scores = torch.matmul(q, k.transpose(-1, -2)) / size**0.5 + bias
        return torch.matmul(scores.softmax(-1), v).transpose(1, 2).reshape(rows, tokens, self.hidden)

    def padded(self, ids, bias):
        """ids [B,T], bias [B,1,1,T]: hidden states [B,T,H]"""
        weights = self.weights
        x = weights["embeddings.word_embeddings.weight"][ids] + weights["embeddings.token_type_embeddings.weight"][0]
        x = self.norm("embeddings.LayerNorm", x)
        for i in range(self.layers):
            layer = f"encoder.layer.{i}"
            context = self.attend_padded(torch.nn.functional.linear(x, *self.qkv[i]), bias)
            x = self.norm(f"{layer}.attention.output.LayerNorm", self.linear(f"{layer}.attention.output.dense", context) + x)
            inner = torch.nn.functional.gelu(self.linear(f"{layer}.intermediate.dense", x))
            x = self.norm(f"{layer}.output.LayerNorm", self.linear(f"{layer}.output.dense", inner) + x)
        return x


def pad(rows, dtype):
    longest = max(len(row) for row in rows)
    ids = torch.zeros(len(rows), longest, dtype=torch.int64)
    bias = torch.full((len(rows), 1, 1, longest), FAR, dtype=dtype)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = row
        bias[i, 0, 0, : len(row)] = 0
    return ids, bias


def padded_calls(encoder, rows, parts, dtype):
    order = sorted(range(len(rows)), key=lambda row: len(rows[row])) if parts > 1 else range(len(rows))
    size = -(-len(rows) // parts)
    groups = [order[at : at + size] for at in range(0, len(rows), size)]
    inputs = [pad([rows[row] for row in group], dtype) for group in groups]

    def run():
        hidden = [None] * len(rows)
        for group, (ids, bias) in zip(groups, inputs):
            for row, states in zip(group, encoder.padded(ids, bias)):
                hidden[row] = states[: len(rows[row])]
        return hidden

    return run


def as_llama_has_it(row):
    row = torch.where(row < SPECIAL, row + SPECIAL, row)
    row[0], row[-1] = CLS, SEP
    return row


def prepare(encoder, rows, policy, dtype):
    if policy == "still":
        rows = [as_llama_has_it(row) for row in rows]
    if policy in ("rows", "still"):
        return lambda: [encoder(row, [len(row)]) for row in rows]
    if policy == "packed":
        ids, lengths = torch.cat(rows), [len(row) for row in rows]
        return lambda: [encoder(ids, lengths)]
    return padded_calls(encoder, rows, BUCKETS if policy == "buckets" else 1, dtype)


def measure(run, seconds):
    if seconds > 0:
        run()
    started, processor, elapsed = time.perf_counter(), [], []
    while not elapsed or (len(elapsed) < MOST_RUNS and time.perf_counter() - started < seconds):
        processor_before, before = time.process_time(), time.perf_counter()
        run()
        elapsed.append(time.perf_counter() - before)
        processor.append(time.process_time() - processor_before)
    return f"{sorted(processor)[len(processor) // 2]:.7f} {sorted(elapsed)[len(elapsed) // 2]:.7f}"


def main():
    directory, dtype = sys.argv[1], {"fp32": torch.float32, "bf16": torch.bfloat16}[sys.argv[2]]
    torch.set_num_threads(1)
    encoders, inputs = {}, {}
    for shape, (layers, hidden, heads, _) in SHAPES.items():
        encoders[shape] = Peer(read_weights(directory, shape), layers, hidden, heads, dtype)
        workloads, ids = read_inputs(directory, shape)
        inputs[shape] = dict(workloads), ids
    print("ready", flush=True)
    for line in sys.stdin:
        verb, shape, *words = line.split()
        workloads, ids = inputs[shape]
        encoder = encoders[shape]
        if verb == "time":
            workload, policy, seconds = words
            lengths = workloads["batch64"] if workload == "batch64" else [int(workload[3:])]
            rows = ids[: sum(lengths)].split(lengths)
            print(measure(prepare(encoder, rows, policy, dtype), float(seconds)), flush=True)
            continue
        policy, count, path = words
        lengths = workloads["batch64"][: int(count)]
        if policy == "still":
            turning = encoder.sin, encoder.cos
            encoder.stop_turning()
        hidden = torch.cat(prepare(encoder, ids[: sum(lengths)].split(lengths), policy, dtype)())
        if policy == "still":
            encoder.sin, encoder.cos = turning
        with open(path, "wb") as file:
            file.write(hidden.float().contiguous().numpy().tobytes())
        print("checked", flush=True)


if __name__ == "__main__":
    with torch.inference_mode():
        main()
