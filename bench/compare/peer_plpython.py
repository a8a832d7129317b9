"""What the PL/Python functions of database.sh call: mean-pooled embeddings by PyTorch, its model kept in the session.

Texts of the bench are words of the vocabulary between spaces: looking them up is all the tokenizing done here, less than
any tokenizer does.
"""

import os

import torch

from peer_torch import Peer
from torch_forward import SHAPES, read_weights

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
encoders = {}
vocabulary = {}


def encoder_of(shape, precision):
    if (shape, precision) not in encoders:
        directory = os.environ["ROFORMER_BENCH"]
        torch.set_num_threads(1)
        with open(f"{directory}/models/{shape}/vocab.txt", encoding="ascii") as file:
            vocabulary.update((word.rstrip("\n"), number) for number, word in enumerate(file))
        layers, hidden, heads, _ = SHAPES[shape]
        encoders[shape, precision] = Peer(read_weights(directory, shape), layers, hidden, heads, DTYPES[precision])
    return encoders[shape, precision]


def embed(shape, precision, texts):
    encoder = encoder_of(shape, precision)
    with torch.inference_mode():
        rows = [[vocabulary["[CLS]"], *(vocabulary[word] for word in text.split()), vocabulary["[SEP]"]] for text in texts]
        lengths = [len(row) for row in rows]
        hidden = encoder(torch.tensor([number for row in rows for number in row]), lengths)
        return [states.float().mean(0).tolist() for states in hidden.split(lengths)]
