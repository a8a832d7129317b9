#!/usr/bin/env python3
"""The encoder of bench_forward.c in PyTorch: same weights, same rows, fp32, one thread.

    torch_forward.py DIRECTORY

DIRECTORY is what "bench_forward write" made. Checks hidden states against the engine's first and then
prints the lines that "bench_forward time" prints, with "torch" as the set. A batch is run the way that is
fastest for it: dense layers over all rows' tokens together, attention row by row, no padding.
"""

import sys
import time

import torch

SHAPES = {"base": (12, 768, 12, 3072), "small": (6, 384, 6, 1536)}
BOUND = 1e-4
ENOUGH_SECONDS = 0.5
ENOUGH_RUNS = 3


def read_weights(directory, shape):
    sizes = []
    with open(f"{directory}/{shape}.list", encoding="ascii") as listing:
        for line in listing:
            name, rows, columns = line.split()
            sizes.append((name, int(rows), int(columns)))
    total = sum(rows * max(columns, 1) for _, rows, columns in sizes)
    flat = torch.from_file(f"{directory}/{shape}.weights", size=total, dtype=torch.float32)
    weights, at = {}, 0
    for name, rows, columns in sizes:
        count = rows * max(columns, 1)
        part = flat[at : at + count].clone()
        weights[name] = part.view(rows, columns) if columns else part
        at += count
    return weights


def read_inputs(directory, shape):
    workloads, ids = [], None
    with open(f"{directory}/{shape}.inputs", encoding="ascii") as inputs:
        for line in inputs:
            name, *numbers = line.split()
            numbers = [int(number) for number in numbers]
            if name == "ids":
                ids = torch.tensor(numbers)
            else:
                workloads.append((name, numbers))
    return workloads, ids


class Encoder:
    def __init__(self, weights, layers, hidden, heads):
        self.weights, self.layers, self.hidden, self.heads = weights, layers, hidden, heads
        size = hidden // heads
        positions = torch.arange(2048, dtype=torch.float64)[:, None]
        angles = positions / 10000 ** (torch.arange(0, size, 2, dtype=torch.float64) / size)
        self.sin = angles.sin().repeat_interleave(2, 1).float()
        self.cos = angles.cos().repeat_interleave(2, 1).float()
        # query, key and value in one product, the fastest way here as well
        self.qkv = [
            tuple(
                torch.cat([weights[f"encoder.layer.{i}.attention.self.{part}.{kind}"] for part in ("query", "key", "value")])
                for kind in ("weight", "bias")
            )
            for i in range(layers)
        ]

    def linear(self, name, x):
        return torch.nn.functional.linear(x, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])

    def norm(self, name, x):
        return torch.nn.functional.layer_norm(
            x, x.shape[-1:], self.weights[f"{name}.weight"], self.weights[f"{name}.bias"], 1e-12
        )

    def attend(self, qkv):
        tokens, size = qkv.shape[0], self.hidden // self.heads
        q, k, v = qkv.view(tokens, 3, self.heads, size).permute(1, 2, 0, 3)
        q, k = self.rotate(q), self.rotate(k)
        scores = torch.matmul(q, k.transpose(-1, -2)) / size**0.5
        return torch.matmul(scores.softmax(-1), v).transpose(0, 1).reshape(tokens, self.hidden)

    def rotate(self, x):
        tokens = x.shape[-2]
        turned = torch.stack([-x[..., 1::2], x[..., ::2]], -1).reshape(x.shape)
        return x * self.cos[:tokens] + turned * self.sin[:tokens]

    def __call__(self, ids, lengths):
        weights = self.weights
        x = weights["embeddings.word_embeddings.weight"][ids] + weights["embeddings.token_type_embeddings.weight"][0]
        x = self.norm("embeddings.LayerNorm", x)
        for i in range(self.layers):
            layer = f"encoder.layer.{i}"
            qkv = torch.nn.functional.linear(x, *self.qkv[i])
            context = torch.cat([self.attend(row) for row in qkv.split(lengths)])
            x = self.norm(f"{layer}.attention.output.LayerNorm", self.linear(f"{layer}.attention.output.dense", context) + x)
            inner = torch.nn.functional.gelu(self.linear(f"{layer}.intermediate.dense", x))
            x = self.norm(f"{layer}.output.LayerNorm", self.linear(f"{layer}.output.dense", inner) + x)
        return x


def check(directory, shape, encoder, ids):
    hidden = encoder.hidden
    with open(f"{directory}/{shape}.hidden", "rb") as file:
        expected = torch.frombuffer(bytearray(file.read()), dtype=torch.float32).view(-1, hidden)
    tokens = expected.shape[0]
    difference = (encoder(ids[:tokens], [tokens]) - expected).abs().max().item()
    print(f"check {shape} {difference:.2e}", flush=True)
    if not difference <= BOUND:
        sys.exit(f"torch_forward: hidden states of {shape} differ by {difference}")


def measure(shape, encoder, intermediate, name, lengths, ids):
    tokens, hidden, layers = sum(lengths), encoder.hidden, encoder.layers
    started, best, runs = time.process_time(), float("inf"), 0
    while runs < ENOUGH_RUNS or time.process_time() - started < ENOUGH_SECONDS:
        before = time.process_time()
        encoder(ids[:tokens], lengths)
        best = min(best, time.process_time() - before)
        runs += 1
    flop = layers * 2 * tokens * (4 * hidden * hidden + 2 * hidden * intermediate)
    flop += layers * sum(4 * length * length * hidden for length in lengths)
    print(f"time torch {shape} {name} {tokens} {best:.6f} {flop / 1e9:.3f}", flush=True)


def main():
    directory = sys.argv[1]
    torch.set_num_threads(1)
    with torch.inference_mode():
        for shape, (layers, hidden, heads, intermediate) in SHAPES.items():
            encoder = Encoder(read_weights(directory, shape), layers, hidden, heads)
            workloads, ids = read_inputs(directory, shape)
            check(directory, shape, encoder, ids)
            for name, lengths in workloads:
                measure(shape, encoder, intermediate, name, lengths, ids)


if __name__ == "__main__":
    main()
