"""What a plan names by hashes and does not hold: its graph and the tokenizers of its texts, as one letter.

    graph | tokenizers, in the order of the plan's columns | length of each tokenizer (8 bytes, little-endian)

A plan without texts has the graph's bytes alone. Hashes are compared before a byte is read for what it says.
"""

import hashlib
import struct
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import msgspec

from potluck.core.errors import GraphError, PlanError
from potluck.core.plan import Plan, required
from potluck.core.slices import Bytes, Sliced, digest_of, whole
from potluck.learning.data.column import COLUMNS
from potluck.learning.data.texts import tokenizer
from potluck.learning.data.texts.table import MOST_BYTES as MOST_TOKENIZER
from potluck.learning.data.texts.worded import Tokenizers
from potluck.learning.graph.file import MOST_BYTES, contents

_LENGTH = struct.Struct("<Q")
HINT = "take the plan's own file"


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a letter, of which no slice is longer than what is asked for."""

    body: Sliced
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    def __getitem__(self, where: slice, /) -> Bytes:
        first, last, _ = where.indices(len(self))
        return self.body[self.start + first : self.start + max(first, last)]


def named(plan: Plan) -> list[str]:
    """The tokenizers that a plan names, each once; a column that is not read needs none."""
    columns = plan.data.columns.values()
    return list(dict.fromkeys(one.digest for one in columns if one.digest is not None and not one.ignored))


def joined(graph: bytes, tokenizers: Tokenizers) -> bytes:
    """The letter."""
    some = [one.content for one in tokenizers.values()]
    return b"".join((graph, *some, *(_LENGTH.pack(len(one)) for one in some)))


def key_of(plan: Plan) -> str:
    """Under which name a party keeps the letter of a plan: 64 digits that follow from all hashes in it."""
    graph = (required(plan.model).digest or "").removeprefix("sha256:")
    some = named(plan)
    return hashlib.sha256(" ".join((graph, *some)).encode()).hexdigest() if some else graph


def stretches(plan: Plan, body: Sliced) -> list[Stretch]:
    """A letter's graph and tokenizers, each of the hash that the plan names. Raises GraphError: they are others."""
    some = named(plan)
    end = len(body) - _LENGTH.size * len(some)
    sizes = [] if end < 0 else list(struct.unpack(f"<{len(some)}Q", whole(Stretch(body, end, len(body)))))
    stops = [end - sum(sizes)]
    for size in sizes:
        stops.append(stops[-1] + size)
    if not 0 <= stops[0] <= MOST_BYTES or any(size > MOST_TOKENIZER for size in sizes):
        raise GraphError("is another graph than the plan names", where="model.graph", hint=HINT)
    graph = Stretch(body, 0, stops[0])
    if digest_of(graph) != required(plan.model).digest:
        raise GraphError("is another graph than the plan names", where="model.graph", hint=HINT)
    found = [Stretch(body, start, stop) for start, stop in pairwise(stops)]
    if [digest_of(one) for one in found] != some:
        raise GraphError("is another tokenizer than the plan names", where="data.columns", hint=HINT)
    return [graph, *found]


def with_tokenizers(plan: Plan, folder: Path, where: str) -> tuple[Plan, Tokenizers]:
    """A plan with the hashes of the tokenizers that lie where it says, and these. Raises UsageError: a file cannot be
    read; DataError: it is no tokenizer; PlanError: not the one of `digest`."""
    columns, found = dict(plan.data.columns), dict[str, tokenizer.Tokenizer]()
    for name, one in columns.items():
        if one.ignored or one.tokenizer is None or not COLUMNS.of(one.kind).worded:
            continue
        content = contents(folder / one.tokenizer)
        digest = digest_of(content)
        at = f"data.columns.{name}.digest"
        if one.digest not in (None, digest):
            raise PlanError(f"{at}: is not that of its tokenizer", where=where, hint=f"this file's is {digest}")
        found[digest] = found.get(digest) or tokenizer.read(content)
        columns[name] = msgspec.structs.replace(one, digest=digest)
    return msgspec.structs.replace(plan, data=msgspec.structs.replace(plan.data, columns=columns)), found
