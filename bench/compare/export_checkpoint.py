#!/usr/bin/env python3
"""Writes the models of bench_forward.c as directories that load_model reads, and the rows of its batch as texts.

    export_checkpoint.py DIRECTORY

makes DIRECTORY/models/SHAPE and DIRECTORY/batch.tsv: a number and a text a line, each text as many tokens as the row has.
"""

import json
import os
import struct
import sys

SHAPES = {"base": (12, 768, 12), "small": (6, 384, 6)}
SPECIAL = ["[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"]


def write_safetensors(directory, shape, path):
    header, at = {}, 0
    with open(f"{directory}/{shape}.list", encoding="ascii") as listing:
        for line in listing:
            name, rows, columns = line.split()
            size = [int(rows), int(columns)] if int(columns) else [int(rows)]
            end = at + 4 * size[0] * (size[1] if len(size) == 2 else 1)
            header[name] = {"dtype": "F32", "shape": size, "data_offsets": [at, end]}
            at = end
    text = json.dumps(header).encode()
    with open(path, "wb") as file, open(f"{directory}/{shape}.weights", "rb") as weights:
        file.write(struct.pack("<Q", len(text)) + text)
        while block := weights.read(1 << 20):
            file.write(block)
    return header["embeddings.word_embeddings.weight"]["shape"][0]


def write_model(directory, shape):
    layers, hidden, heads = SHAPES[shape]
    path = f"{directory}/models/{shape}"
    os.makedirs(path)
    words = write_safetensors(directory, shape, f"{path}/model.safetensors")
    config = {
        "architectures": ["RoFormerModel"], "model_type": "roformer", "hidden_act": "gelu", "vocab_size": words,
        "embedding_size": hidden, "hidden_size": hidden, "num_hidden_layers": layers, "num_attention_heads": heads,
        "intermediate_size": 4 * hidden, "max_position_embeddings": 512, "type_vocab_size": 2, "layer_norm_eps": 1e-12,
        "pad_token_id": SPECIAL.index("[PAD]"), "rotary_value": False,
    }
    for name, content in (("config.json", config), ("tokenizer_config.json", {"tokenizer_class": "BertTokenizer", "do_lower_case": True})):
        with open(f"{path}/{name}", "w", encoding="ascii") as file:
            json.dump(content, file)
    with open(f"{path}/vocab.txt", "w", encoding="ascii") as file:
        file.writelines(f"{word}\n" for word in SPECIAL + [f"t{i}" for i in range(len(SPECIAL), words)])


def write_texts(directory):
    inputs = {}
    with open(f"{directory}/base.inputs", encoding="ascii") as file:
        for line in file:
            name, *numbers = line.split()
            inputs[name] = [int(number) for number in numbers]
    at = 0
    with open(f"{directory}/batch.tsv", "w", encoding="ascii") as file:
        for row, length in enumerate(inputs["batch64"]):
            words = [max(number, len(SPECIAL)) for number in inputs["ids"][at + 1 : at + length - 1]]
            file.write(f"{row}\t{' '.join(f't{number}' for number in words)}\n")
            at += length


def main():
    directory = sys.argv[1]
    for shape in SHAPES:
        write_model(directory, shape)
    write_texts(directory)


main()
