"""A graph's one file: a mark, a header of JSON, and tensors in the safetensors format. Nothing is packed, or is code.

    potluck graph 1\\n | length of the header (8 bytes, little-endian) | header | safetensors

A header has one spelling, which its digest is of. Weights that are frozen may lie elsewhere: then the header says the
SHA-256 of the safetensors file, the base, that holds them.
"""

import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import msgspec
import numpy as np

from potluck.core import private
from potluck.core.errors import GraphError, UsageError, reason, unwritable
from potluck.core.schema import readable
from potluck.core.slices import digest_of
from potluck.learning.graph.check import Checked, check
from potluck.learning.graph.origins import fitting
from potluck.learning.graph.schema import MOST_WEIGHTS, Graph, Weight, encoded
from potluck.learning.graph.strict_json import MOST_HEADER, loads
from potluck.learning.graph.tensors import Array, digest, kind_of, packed, unpacked

MAGIC = b"potluck graph 1\n"
_LENGTH = struct.Struct("<Q")
MOST_BYTES = 8 * MOST_WEIGHTS + 2 * MOST_HEADER + 64


@dataclass(frozen=True, eq=False)
class Network:
    """A graph that was checked, and its tensors by the name of weight or constant, which nothing may change.

    based: names of frozen weights that lie in a base; missing: the same where it was not given, else none. digest: of
    the structure, with constants and which weights train.
    """

    graph: Graph
    checked: Checked
    tensors: Mapping[str, Array] = field(repr=False)
    missing: tuple[str, ...]
    digest: str
    based: tuple[str, ...] = ()

    @cached_property
    def weights(self) -> str:
        """Digest of the weights that the file holds, each with its name."""
        held = [one.name for one in self.graph.weights if one.name in self.tensors and one.name not in self.based]
        return digest(*(part for name in held for part in (name.encode(), self.tensors[name])))


def written(graph: Graph, tensors: Mapping[str, Array]) -> bytes:
    """The file's bytes: tensors in the order of the header, those of the base left out by whoever calls."""
    header = encoded(graph)
    held = {one.tensor: tensors[one.name] for one in graph.held if one.name in tensors}
    return b"".join((MAGIC, _LENGTH.pack(len(header)), header, packed(held)))


def read(path: Path, base: Path | None = None) -> Network:
    """The graph in a file, and with the base its frozen weights. Raises UsageError: it cannot be read; GraphError."""
    data = contents(path)
    if base is None:
        return parsed(data, str(path))
    held = contents(base)
    network = parsed(data, str(path), unpacked(held, str(base), notes=True))
    if network.graph.base != digest_of(held):
        raise GraphError("is another base than the graph names", where=str(base), hint=f"it names {network.graph.base}")
    return network


def parsed(data: bytes | memoryview, where: str, base: Mapping[str, Array] | None = None) -> Network:
    """The graph in a file's bytes. Raises GraphError."""
    data, begin = memoryview(data), len(MAGIC) + _LENGTH.size
    if len(data) < begin or data[: len(MAGIC)] != MAGIC:
        raise GraphError("is no graph", where=where, hint="`potluck graph make` writes one")
    (length,) = _LENGTH.unpack_from(data, len(MAGIC))
    if length > MOST_HEADER or begin + length > len(data):
        hint = f"at most {MOST_HEADER}, and no more than there are"
        raise GraphError(f"its header says {length} bytes", where=where, hint=hint)
    header = bytes(data[begin : begin + length])
    graph = _graph(header, where)
    checked = check(graph, where)
    held = unpacked(data[begin + length :], where)
    tensors, missing = _taken(graph, held, base, where)
    fitting(graph, tensors, checked.below, where)
    constants = [tensors[one.name] for one in graph.constants]
    based = tuple(one.name for one in graph.held if one.tensor not in held)
    return Network(graph, checked, tensors, missing, digest(header, *constants), based)


def with_weights(network: Network, moved: Mapping[str, Array], where: str) -> Network:
    """The same graph with other numbers in some of its weights, of the same types and shapes. Raises GraphError: one is
    no number."""
    for name, array in moved.items():
        _finite(array, f"{where}: {name}")
    return replace(network, tensors={**network.tensors, **moved})


def _graph(header: bytes, where: str) -> Graph:
    loads(header, where)
    try:
        graph = msgspec.json.decode(header, type=readable(Graph))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        hint = "this version reads version 1"
        raise GraphError(f"its header does not fit: {str(error)[:200]}", where=where, hint=hint) from None
    if encoded(graph) != header:
        hint = "take the file as `potluck graph make` wrote it"
        raise GraphError("its header is spelt in another way than it would be written", where=where, hint=hint)
    return graph


def _taken(
    graph: Graph, held: Mapping[str, Array], base: Mapping[str, Array] | None, where: str
) -> tuple[dict[str, Array], tuple[str, ...]]:
    """Tensors by the name of weight or constant, and the names of those that are not here."""
    found: dict[str, Array] = {}
    missing = []
    lacked = False
    for one in graph.held:
        place = f"{where}: {one.name}"
        array = held.get(one.tensor)
        if array is not None and isinstance(one, Weight) and not one.train and base is not None and one.tensor in base:
            raise GraphError("the file and its base both hold this frozen weight", where=place, hint=_TWICE)
        if array is None:
            lacked = True
            if not isinstance(one, Weight) or one.train or graph.base is None:
                hint = "frozen weights alone may lie in a base"
                raise GraphError(f'there is no tensor "{one.tensor}"', where=place, hint=hint)
            if base is None:
                missing.append(one.name)
                continue
            array = base.get(one.tensor)
            if array is None:
                raise GraphError(f'the base has no tensor "{one.tensor}"', where=place)
        if kind_of(array) != one.dtype or array.shape != one.shape:
            raise GraphError(
                f"the tensor is {kind_of(array)} {list(array.shape)}",
                where=place,
                hint=f"the header says {one.dtype} {list(one.shape)}",
            )
        if one.dtype.startswith("float"):
            _finite(array, place, infinite=not isinstance(one, Weight))
        found[one.name] = array
    if graph.base is not None and not lacked:
        raise GraphError("it names a base and lacks no weight", where=where, hint="leave the base out")
    more = set(held) - {one.tensor for one in graph.held}
    if more:
        raise GraphError(f'nothing names the tensor "{min(more)}"', where=where, hint="leave it out")
    return found, tuple(missing)


_TWICE = "the base's number would not be used: leave it out of the file, or make the graph without a base"


def _finite(array: Array, where: str, *, infinite: bool = False) -> None:
    """Raises GraphError: an entry is no number. infinite: minus infinity counts, which masks hold."""
    finite = np.isfinite(array)
    if not (finite | (array == -np.inf) if infinite else finite).all():
        raise GraphError("holds something that is no number", where=where)


def contents(path: Path) -> bytes:
    """All of the file of a graph or a base. Raises UsageError: it is no file, larger than any, or cannot be read."""
    try:
        with private.regular(path) as file:
            if os.fstat(file.fileno()).st_size > MOST_BYTES:
                raise UsageError(f"is larger than {MOST_BYTES} bytes", where=str(path))
            return file.read(MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot be read ({reason(error)})", where=str(path)) from None


def write(path: Path, data: bytes) -> None:
    """Write a new file. Raises UsageError: it is there, or cannot be written."""
    try:
        with path.open("xb") as file:
            file.write(data)
    except FileExistsError:
        raise UsageError("is there already", where=str(path), hint="name a new file with -o") from None
    except OSError as error:
        raise unwritable(error, path, "name another file with -o") from None
