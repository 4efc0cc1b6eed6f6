"""The header of a graph's file: what is computed, from which inputs, with which weights. Data, and no code.

It is a schema of our own, not torch's: torch's own files are loaded by code that can be made to run other code. An
argument is a number, true, false, null, a list of these, or one of

- `{"v": name}`: a value that stands above: an input, a weight, a constant, or what an earlier node made;
- `{"b": k}`: in a shape alone, k times the rows of the batch. No other number depends on the batch;
- `{"d": dtype}` and `{"t": word}`.
"""

import re
from typing import Literal

import msgspec

from potluck.learning.graph.value import DType

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
MOST_NODES = 4_000
MOST_INPUTS = 64
MOST_RANK = 8
MOST_TEXT = 200
"""Letters of a name."""
MOST_NUMBER = 2**31
"""Beyond any size, padding or axis that a graph needs."""
MOST_WEIGHTS = 2**27
"""Numbers in weights and constants of one graph."""
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.]{0,199}")
"""Of weights, constants and values: plain, for they stand in tables that owners read."""


class Special(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """An argument that is no plain number: exactly one of its fields is there."""

    v: str | None = None
    b: int | None = None
    d: DType | None = None
    t: str | None = None


Argument = Special | tuple[Special | bool | int | float | None, ...] | bool | int | float | None


class Input(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """shape: its first entry is "b", the rows of the batch."""

    name: str
    dtype: DType
    shape: tuple[Literal["b"] | int, ...]


class Weight(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """tensor: its key among the file's tensors, or in the base; train: whether training moves it."""

    name: str
    tensor: str
    dtype: DType
    shape: tuple[int, ...]
    train: bool


class Constant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A tensor that is part of the structure: positions, a mask, running statistics."""

    name: str
    tensor: str
    dtype: DType
    shape: tuple[int, ...]


class Node(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One operation. args: by place; kw: by name; out: the names of what it makes."""

    op: str
    args: tuple[Argument, ...]
    kw: dict[str, Argument]
    out: tuple[str, ...]

    @property
    def takes(self) -> tuple[str, ...]:
        """The names of the values that it takes."""
        given = (one for arg in (*self.args, *self.kw.values()) for one in (arg if isinstance(arg, tuple) else (arg,)))
        return tuple(one.v for one in given if isinstance(one, Special) and one.v is not None)


class Graph(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """base: `sha256:` and the hash of a safetensors file with the frozen weights that this file lacks, null where it
    lacks none; output: the value that the graph is for."""

    format: Literal["potluck graph"]
    version: Literal[1]
    base: str | None
    inputs: tuple[Input, ...]
    weights: tuple[Weight, ...]
    constants: tuple[Constant, ...]
    nodes: tuple[Node, ...]
    output: str

    @property
    def held(self) -> tuple[Weight | Constant, ...]:
        """What has a tensor: weights, then constants."""
        return (*self.weights, *self.constants)


def encoded(graph: Graph) -> bytes:
    """The one spelling of a header."""
    return msgspec.json.encode(graph)
