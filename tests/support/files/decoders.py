"""A small language model, the plan that trains it on notes, and torch's own way to do the same."""

from functools import cache

import tokenizers
import torch
from torch import nn
from torch.nn import functional

import potluck
from support.files import texts

LENGTH, ROUNDS = texts.LENGTH, 10


@cache
def library():
    """The tokenizer as its library has it, which cuts and does not fill up."""
    made = tokenizers.Tokenizer.from_str(texts.files()["wordpiece"].decode())
    made.enable_truncation(LENGTH)
    return made


def vocabulary():
    return library().get_vocab_size()


class Decoder(nn.Module):
    """GPT-2 in small: learnt places, a block of causal attention and two layers behind norms, a head without bias."""

    def __init__(self, words=None, length=LENGTH, width=16, heads=2, causal=True):
        super().__init__()
        torch.manual_seed(5)
        self.heads, self.causal, words = heads, causal, words or vocabulary()
        self.words, self.places = nn.Embedding(words, width), nn.Embedding(length, width)
        self.register_buffer("order", torch.arange(length).unsqueeze(0))
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.head = nn.Linear(width, words, bias=False)

    def forward(self, note):
        x = self.words(note) + self.places(self.order)
        batch, places, width = x.shape
        y = self.norm1(x)
        query, key, value = (
            one(y).reshape(batch, places, self.heads, width // self.heads).transpose(1, 2)
            for one in (self.query, self.key, self.value)
        )
        seen = functional.scaled_dot_product_attention(query, key, value, is_causal=self.causal)
        x = x + self.out(seen.transpose(1, 2).reshape(batch, places, width))
        x = x + self.narrow(functional.gelu(self.wide(self.norm2(x))))
        return self.head(self.norm3(x))


class Adapted(Decoder):
    """The same, frozen but for an adapter (LoRA) on its queries."""

    def __init__(self):
        super().__init__()
        for one in self.parameters():
            one.requires_grad_(False)
        self.down, self.up = nn.Linear(16, 2, bias=False), nn.Linear(2, 16, bias=False)
        nn.init.zeros_(self.up.weight)
        plain, down, up = self.query, self.down, self.up

        class Query(nn.Module):
            def __init__(self):
                super().__init__()
                self.plain = plain

            def forward(self, x):
                return self.plain(x) + up(down(x))

        self.query = Query()


INPUTS = {"note": ("int64", [LENGTH])}


def graph(path, module=None, inputs=None):
    """The file of its graph."""
    potluck.graph(module or Decoder(), inputs=inputs or INPUTS, path=path)
    return path


def plan(graph, tokenizer, scheme="clear", *, note=None, model=None, training=None, data=None, **more):
    """A plan by which notes are learnt."""
    text = {"kind": "text", "tokenizer": str(tokenizer), "length": LENGTH, **(note or {})}
    return potluck.Plan(**{
        "name": "notes", "purpose": "a test", "task": "train",
        "federation": {"sites": list(texts.SITES), "server": "curious"},
        "data": {"columns": {"note": text}, "split": {"test": 0.25}, "max_rows": 100, **(data or {})},
        "model": _said({"kind": "network", "graph": str(graph), "loss": "next-token", "l2": 0.0, **(model or {})}),
        "training": {"method": "gradient", "rounds": ROUNDS, "rate": 0.5, **(training or {})},
        "protect": {"with": scheme},
        "privacy": {"noise": "none"},
        **more,
    })  # fmt: skip


def _said(table):
    """A table without keys that a test takes away."""
    return {key: value for key, value in table.items() if value is not None}


def losses(module, notes):
    """[n] each note's mean loss, by torch, over its own tokens: no number says which of them to leave out."""
    every = [library().encode(note).ids for note in notes]
    made = module(torch.tensor([ids + [0] * (LENGTH - len(ids)) for ids in every]))
    pairs = zip(made, every, strict=True)
    return torch.stack([functional.cross_entropy(row[: len(ids) - 1], torch.tensor(ids[1:])) for row, ids in pairs])
