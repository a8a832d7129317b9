#!/usr/bin/env python3
"""Writes the encoder of bench_forward.c as GGUF files for llama.cpp, from its weights.

    export_gguf.py DIRECTORY

makes SHAPE.q8_0.gguf and SHAPE.f16.gguf. llama.cpp has no encoder with rotary positions and norms behind the residual:
this is its BERT, the same products of matrices, with position embeddings that are all zero and nothing rotated.
"""

import struct
import sys

import numpy

from export_onnx import SHAPES, read_weights

CONTEXT = 2048
ALIGNMENT = 32
UINT32, FLOAT32, BOOL, STRING, ARRAY, INT32 = 4, 6, 7, 8, 9, 5
F32, F16, Q8_0 = 0, 1, 8
BLOCK = 32
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LINEARS = {
    "attn_q": "attention.self.query",
    "attn_k": "attention.self.key",
    "attn_v": "attention.self.value",
    "attn_output": "attention.output.dense",
    "ffn_up": "intermediate.dense",
    "ffn_down": "output.dense",
}
NORMS = {"attn_output_norm": "attention.output.LayerNorm", "layer_output_norm": "output.LayerNorm"}


def string(text):
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def value(kind, content):
    if kind == STRING:
        return string(content)
    return struct.pack({UINT32: "<I", FLOAT32: "<f", BOOL: "<B", INT32: "<i"}[kind], content)


def entry(key, kind, content, element=None):
    if kind != ARRAY:
        return string(key) + struct.pack("<I", kind) + value(kind, content)
    return string(key) + struct.pack("<IIQ", ARRAY, element, len(content)) + b"".join(value(element, item) for item in content)


def describe(layers, hidden, heads, intermediate, words):
    special = len(SPECIAL)
    return [
        entry("general.architecture", STRING, "bert"),
        entry("general.alignment", UINT32, ALIGNMENT),
        entry("bert.context_length", UINT32, CONTEXT),
        entry("bert.embedding_length", UINT32, hidden),
        entry("bert.feed_forward_length", UINT32, intermediate),
        entry("bert.block_count", UINT32, layers),
        entry("bert.attention.head_count", UINT32, heads),
        entry("bert.attention.layer_norm_epsilon", FLOAT32, 1e-12),
        entry("bert.attention.causal", BOOL, 0),
        entry("bert.pooling_type", UINT32, 1),
        entry("tokenizer.ggml.model", STRING, "bert"),
        entry("tokenizer.ggml.tokens", ARRAY, SPECIAL + [f"\u2581t{i}" for i in range(special, words)], STRING),
        entry("tokenizer.ggml.token_type", ARRAY, [3] * special + [1] * (words - special), INT32),
        entry("tokenizer.ggml.scores", ARRAY, [0.0] * words, FLOAT32),
        entry("tokenizer.ggml.token_type_count", UINT32, 2),
        *(
            entry(f"tokenizer.ggml.{name}_token_id", UINT32, number)
            for name, number in (("padding", 0), ("unknown", 1), ("bos", 2), ("cls", 2), ("eos", 3), ("seperator", 3), ("mask", 4))
        ),
    ]


def quantize(values):
    """Blocks of 32 along a row: a half precision scale and 32 signed bytes."""
    blocks = values.reshape(-1, BLOCK)
    scales = (numpy.abs(blocks).max(1) / 127).astype("<f2")
    divisors = numpy.where(scales == 0, 1, scales.astype("<f4"))[:, None]
    data = numpy.empty((len(blocks), BLOCK + 2), numpy.uint8)
    data[:, :2] = scales.view(numpy.uint8).reshape(-1, 2)
    data[:, 2:] = numpy.rint(blocks / divisors).clip(-127, 127).astype(numpy.int8).view(numpy.uint8)
    return data.tobytes()


def encode(values, kind):
    if kind == Q8_0:
        return quantize(values)
    return values.astype("<f2" if kind == F16 else "<f4").tobytes()


def tensors_of(weights, layers, hidden, kind):
    """Name, values, and type of each tensor in the order in which they are stored."""
    yield "token_embd.weight", weights["embeddings.word_embeddings.weight"], kind
    yield "position_embd.weight", numpy.zeros((CONTEXT, hidden), numpy.float32), F32
    yield "token_types.weight", weights["embeddings.token_type_embeddings.weight"], F32
    for part in ("weight", "bias"):
        yield f"token_embd_norm.{part}", weights[f"embeddings.LayerNorm.{part}"], F32
    for i in range(layers):
        for names, matrix_kind in ((LINEARS, kind), (NORMS, F32)):
            for short, full in names.items():
                yield f"blk.{i}.{short}.weight", weights[f"encoder.layer.{i}.{full}.weight"], matrix_kind
                yield f"blk.{i}.{short}.bias", weights[f"encoder.layer.{i}.{full}.bias"], F32


def write(path, entries, tensors):
    directory, data, at = b"", [], 0
    for name, values, kind in tensors:
        sizes = values.shape[::-1]
        directory += string(name) + struct.pack(f"<I{len(sizes)}QIQ", len(sizes), *sizes, kind, at)
        encoded = encode(values, kind)
        data.append(encoded + bytes(-len(encoded) % ALIGNMENT))
        at += len(data[-1])
    header = b"GGUF" + struct.pack("<IQQ", 3, len(data), len(entries)) + b"".join(entries) + directory
    with open(path, "wb") as file:
        file.write(header + bytes(-len(header) % ALIGNMENT))
        file.writelines(data)


def main():
    directory = sys.argv[1]
    for shape, (layers, hidden, heads) in SHAPES.items():
        weights = read_weights(directory, shape)
        words = len(weights["embeddings.word_embeddings.weight"])
        entries = describe(layers, hidden, heads, 4 * hidden, words)
        for name, kind in (("q8_0", Q8_0), ("f16", F16)):
            write(f"{directory}/{shape}.{name}.gguf", entries, tensors_of(weights, layers, hidden, kind))


if __name__ == "__main__":
    main()
