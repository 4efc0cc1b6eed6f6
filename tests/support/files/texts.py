"""Sites whose rows are short texts, tokenizers' files as the library writes them, and small encoders of texts."""

import json
from functools import cache

import numpy as np
import pandas as pd
import tokenizers
import torch
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers
from torch import nn
from torch.nn import functional

import potluck

SITES = ("a", "b", "c")
LENGTH = 12
SIDE = {"kind": "category", "values": ["0", "1"]}
GOOD = ["the", "patient", "sleeps", "well", "and", "walks", "daily", "without", "pain;", "she", "eats,", "smiles"]
BAD = ["severe", "chest", "pain", "at", "rest,", "he", "cannot", "breathe,", "left", "arm", "numb", "since", "3"]
CORPUS = [" ".join(GOOD), " ".join(BAD), "Schnee fällt über Zürich", "12345 67 mg/dl", "don't we'll it's"] * 3


def _trained(model, trainer, normalizer=None, before=None, after=None, decoder=None):
    made = tokenizers.Tokenizer(model)
    if normalizer is not None:
        made.normalizer = normalizer
    if before is not None:
        made.pre_tokenizer = before
    if decoder is not None:
        made.decoder = decoder
    made.train_from_iterator(CORPUS, trainer)
    if after is not None:
        made.post_processor = after(made)
    return made.to_str().encode()


def _bert(made):
    ends = [(name, made.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    return processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=ends
    )


@cache
def files():
    """Tokenizers as the library writes them, by name."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    quiet = {"show_progress": False}
    bert = normalizers.BertNormalizer()
    return {
        "wordpiece": _trained(
            models.WordPiece(unk_token="[UNK]"),
            trainers.WordPieceTrainer(vocab_size=120, special_tokens=special, **quiet),
            bert,
            pre_tokenizers.BertPreTokenizer(),
            _bert,
            decoders.WordPiece(),
        ),
        "bpe": _trained(
            models.BPE(),
            trainers.BpeTrainer(
                vocab_size=320,
                special_tokens=["<s>", "<pad>"],
                initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
                **quiet,
            ),
            None,
            pre_tokenizers.ByteLevel(add_prefix_space=False),
            lambda made: processors.ByteLevel(trim_offsets=False),
            decoders.ByteLevel(),
        ),
        "unigram": _trained(
            models.Unigram(),
            trainers.UnigramTrainer(vocab_size=80, special_tokens=["<unk>", "<pad>"], unk_token="<unk>", **quiet),
            normalizers.Sequence([normalizers.Replace("``", '"'), normalizers.NFKC(), normalizers.Lowercase()]),
            pre_tokenizers.Metaspace(),
            None,
            decoders.Metaspace(),
        ),
        "wordlevel": _trained(
            models.WordLevel(unk_token="[UNK]"),
            trainers.WordLevelTrainer(special_tokens=special, **quiet),
            normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents()]),
            pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Digits(individual_digits=True)]),
        ),
    }


def changed(name="wordpiece", **keys):
    """The file of a tokenizer with other tables."""
    return json.dumps({**json.loads(files()[name]), **keys}).encode()


class Encoder(nn.Module):
    """MiniLM in small: a frozen encoder with attention under a mask, an adapter (LoRA) on one projection, and the mean
    over the tokens that are real, under a linear head."""

    def __init__(self, words=120, length=LENGTH, width=8):
        super().__init__()
        torch.manual_seed(7)
        self.words, self.places = nn.Embedding(words, width), nn.Embedding(length, width)
        self.register_buffer("order", torch.arange(length).unsqueeze(0))
        self.norm = nn.LayerNorm(width)
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.wide, self.narrow = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        for one in self.parameters():
            one.requires_grad_(False)
        self.down, self.up = nn.Linear(width, 2, bias=False), nn.Linear(2, width, bias=False)
        nn.init.zeros_(self.up.weight)
        self.head = nn.Linear(width, 1)

    def forward(self, note, mask):
        there = mask.float()
        x = self.norm(self.words(note) + self.places(self.order))
        query = self.query(x) + self.up(self.down(x))
        bias = (1.0 - there[:, None, :]) * -1e9
        x = x + functional.softmax(query @ self.key(x).transpose(1, 2) + bias, dim=-1) @ self.value(x)
        x = x + self.narrow(functional.gelu(self.wide(x)))
        weight = there.unsqueeze(-1)
        return self.head((x * weight).sum(1) / torch.clamp(weight.sum(1), min=1.0))


INPUTS = {"note": ("int64", [LENGTH]), "note.mask": ("int64", [LENGTH])}


def graph(path, module=None, inputs=None):
    """The file of its graph."""
    potluck.graph(module or Encoder(), inputs=inputs or INPUTS, path=path)
    return path


def written(path, name="wordpiece"):
    """The file of a tokenizer."""
    path.write_bytes(files()[name])
    return path


def frames(rows=24):
    """By site: notes of two kinds, some shorter and some longer than LENGTH tokens."""
    draw, found = np.random.default_rng(1), {}
    for name in SITES:
        lines = []
        for _ in range(rows):
            side = int(draw.integers(0, 2))
            words = draw.choice(BAD if side else GOOD, int(draw.integers(2, 9)))
            lines.append((" ".join(words), side))
        found[name] = pd.DataFrame(lines, columns=["note", "y"])
    return found


def plan(graph, tokenizer, scheme="clear", note=None, **more):
    """A plan over notes."""
    text = {"kind": "text", "tokenizer": str(tokenizer), "length": LENGTH, **(note or {})}
    return potluck.Plan(**{
        "name": "notes", "purpose": "a test", "task": "train",
        "federation": {"sites": list(SITES), "server": "curious"},
        "data": {
            "columns": {"note": text, "y": SIDE},
            "target": {"column": "y", "positive": ["1"]},
            "split": {"test": 0.25},
            "max_rows": 100,
        },
        "model": {"kind": "network", "graph": str(graph), "l2": 0.0},
        "training": {"method": "average", "rounds": 2, "rate": 0.5, "batch": 8},
        "protect": {"with": scheme},
        "privacy": {"noise": "none"},
        **more,
    })  # fmt: skip
