#!/usr/bin/env python3
"""Writes the encoder of bench_forward.c as ONNX graphs, from its weights.

    export_onnx.py DIRECTORY

makes SHAPE.fp32.onnx and SHAPE.int8.onnx: input_ids int64 [B,T] and mask fp32 [B,T] (0, or a large negative number for
padding) in, hidden fp32 [B,T,H] out. In int8 every linear is DynamicQuantizeLinear + MatMulInteger: unsigned activations
with a scale per tensor, signed weights with a scale per output channel. What makes a graph faster without changing its
results is done: query, key and value are one product, the scale of scores is in the query's weights, and channels of
queries and keys are ordered so that the pairs to rotate are two halves.
"""

import math
import sys

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

SHAPES = {"base": (12, 768, 12), "small": (6, 384, 6)}
LONGEST = 2048


def read_weights(directory, shape):
    flat = numpy.fromfile(f"{directory}/{shape}.weights", dtype="<f4")
    weights, at = {}, 0
    with open(f"{directory}/{shape}.list", encoding="ascii") as listing:
        for line in listing:
            name, rows, columns = line.split()
            size = (int(rows), int(columns)) if int(columns) else (int(rows),)
            count = math.prod(size)
            weights[name] = flat[at : at + count].reshape(size)
            at += count
    return weights


class Graph:
    def __init__(self, weights, quantized):
        self.weights, self.quantized = weights, quantized
        self.nodes, self.constants, self.count, self.quantized_inputs = [], [], 0, {}

    def add(self, op, *inputs, outputs=1, **attributes):
        self.count += 1
        names = [f"v{self.count}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), names, **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, values):
        self.count += 1
        self.constants.append(numpy_helper.from_array(numpy.ascontiguousarray(values), f"c{self.count}"))
        return f"c{self.count}"

    def linear(self, x, weight, bias):
        """weight [N,K], bias [N]"""
        if not self.quantized:
            product = self.add("MatMul", x, self.constant(weight.T))
        else:
            if x not in self.quantized_inputs:
                self.quantized_inputs[x] = self.add("DynamicQuantizeLinear", x, outputs=3)
            values, scale, zero = self.quantized_inputs[x]
            scales = numpy.abs(weight).max(1) / numpy.float32(127)
            rounded = numpy.rint(weight / scales[:, None]).astype(numpy.int8)
            sums = self.add("MatMulInteger", values, self.constant(rounded.T), zero, self.constant(numpy.zeros(len(bias), numpy.int8)))
            product = self.add("Mul", self.add("Cast", sums, to=TensorProto.FLOAT), self.add("Mul", scale, self.constant(scales)))
        return self.add("Add", product, self.constant(bias))

    def dense(self, name, x):
        return self.linear(x, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])

    def norm(self, name, x):
        weight, bias = self.constant(self.weights[f"{name}.weight"]), self.constant(self.weights[f"{name}.bias"])
        return self.add("LayerNormalization", x, weight, bias, axis=-1, epsilon=1e-12)

    def gelu(self, x):
        half = self.add("Mul", x, self.constant(numpy.float32(0.5)))
        erf = self.add("Erf", self.add("Div", x, self.constant(numpy.float32(math.sqrt(2)))))
        return self.add("Mul", half, self.add("Add", erf, self.constant(numpy.float32(1))))


def fused_qkv(weights, layer, heads):
    """Weight and bias of query, key and value as one linear; see above for scale and order."""
    parts = [[], []]
    for part in ("query", "key", "value"):
        for kind, joined in zip(("weight", "bias"), parts):
            values = weights[f"{layer}.attention.self.{part}.{kind}"]
            size = len(values) // heads
            if part != "value":
                order = numpy.concatenate([numpy.arange(0, size, 2), numpy.arange(1, size, 2)])
                values = values.reshape(heads, size, -1)[:, order].reshape(values.shape)
            joined.append(values / numpy.float32(math.sqrt(size)) if part == "query" else values)
    return numpy.concatenate(parts[0]), numpy.concatenate(parts[1])


def rotate(graph, x, cos, sin):
    left, right = graph.add("Split", x, outputs=2, axis=-1)
    turned_left = graph.add("Sub", graph.add("Mul", left, cos), graph.add("Mul", right, sin))
    turned_right = graph.add("Add", graph.add("Mul", right, cos), graph.add("Mul", left, sin))
    return graph.add("Concat", turned_left, turned_right, axis=-1)


def attend(graph, x, layer, heads, hidden, mask, cos, sin):
    weight, bias = fused_qkv(graph.weights, layer, heads)
    split = graph.constant(numpy.array([0, 0, heads, hidden // heads], numpy.int64))
    q, k, v = (
        graph.add("Transpose", graph.add("Reshape", part, split), perm=[0, 2, 1, 3])
        for part in graph.add("Split", graph.linear(x, weight, bias), outputs=3, axis=-1)
    )
    q, k = rotate(graph, q, cos, sin), rotate(graph, k, cos, sin)
    scores = graph.add("Add", graph.add("MatMul", q, graph.add("Transpose", k, perm=[0, 1, 3, 2])), mask)
    context = graph.add("Transpose", graph.add("MatMul", graph.add("Softmax", scores, axis=-1), v), perm=[0, 2, 1, 3])
    return graph.add("Reshape", context, graph.constant(numpy.array([0, 0, hidden], numpy.int64)))


def rotation_tables(graph, size):
    """cos and sin [T,size/2] for the T of this call"""
    angles = numpy.arange(LONGEST)[:, None] / 10000 ** (numpy.arange(0, size, 2) / size)
    tokens = graph.add("Gather", graph.add("Shape", "input_ids"), graph.constant(numpy.array([1], numpy.int64)))
    start, axis = graph.constant(numpy.array([0], numpy.int64)), graph.constant(numpy.array([0], numpy.int64))
    return [graph.add("Slice", graph.constant(table.astype(numpy.float32)), start, tokens, axis) for table in (numpy.cos(angles), numpy.sin(angles))]


def build(weights, layers, hidden, heads, quantized):
    graph = Graph(weights, quantized)
    words = graph.constant(weights["embeddings.word_embeddings.weight"] + weights["embeddings.token_type_embeddings.weight"][0])
    mask = graph.add("Unsqueeze", "mask", graph.constant(numpy.array([1, 2], numpy.int64)))
    cos, sin = rotation_tables(graph, hidden // heads)
    x = graph.norm("embeddings.LayerNorm", graph.add("Gather", words, "input_ids"))
    for i in range(layers):
        layer = f"encoder.layer.{i}"
        context = graph.dense(f"{layer}.attention.output.dense", attend(graph, x, layer, heads, hidden, mask, cos, sin))
        x = graph.norm(f"{layer}.attention.output.LayerNorm", graph.add("Add", context, x))
        inner = graph.gelu(graph.dense(f"{layer}.intermediate.dense", x))
        x = graph.norm(f"{layer}.output.LayerNorm", graph.add("Add", graph.dense(f"{layer}.output.dense", inner), x))
    graph.nodes.append(helper.make_node("Identity", [x], ["hidden"]))
    return graph


def main():
    directory = sys.argv[1]
    for shape, (layers, hidden, heads) in SHAPES.items():
        weights = read_weights(directory, shape)
        for precision in ("fp32", "int8"):
            graph = build(weights, layers, hidden, heads, precision == "int8")
            inputs = [
                helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["rows", "tokens"]),
                helper.make_tensor_value_info("mask", TensorProto.FLOAT, ["rows", "tokens"]),
            ]
            outputs = [helper.make_tensor_value_info("hidden", TensorProto.FLOAT, ["rows", "tokens", hidden])]
            whole = helper.make_graph(graph.nodes, "roformer", inputs, outputs, graph.constants)
            model = helper.make_model(whole, opset_imports=[helper.make_opsetid("", 17)])
            model.ir_version = 8
            onnx.save(model, f"{directory}/{shape}.{precision}.onnx")


if __name__ == "__main__":
    main()
