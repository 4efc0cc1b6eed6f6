"""The tables of tasks that are one round and no sum: how rows are matched, who reads what comes of them, whose model
scores whose rows."""

from typing import Annotated, Literal

import msgspec

from potluck.core.bounds import Bounds, Size
from potluck.core.tables.derived import Names, Text

Shown = Literal["size", "members"]


class Align(msgspec.Struct, frozen=True, kw_only=True):
    """How rows of different owners are matched: by the text of their `keys` columns (`core.spelling`).

    duplicates: what becomes of a second row with the same key; reveal: what `to` (all sites where it is empty) learn
    of an intersection; to fit a model the owners learn the members.
    """

    keys: Annotated[tuple[Text, ...], Size(100)]
    protocol: Literal["rr22", "ecdh"] = "rr22"
    duplicates: Literal["refuse", "first"] = "refuse"
    reveal: Shown = "size"
    to: Names = ()


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """Who reads the model that was fitted over columns at different owners (empty: the target's owner), and of how many
    kept rows at least: to train on, and held out where any are."""

    to: Names = ()
    min_rows: Annotated[int, Bounds(ge=1, le=1 << 22, hint="e.g. 10")] = 10


class Predict(msgspec.Struct, frozen=True, kw_only=True):
    """Whose model scores whose rows. max_rows: most rows that the owner scores in a run; mode: how rows are packed, or
    that the model is a graph or trees; None only where the model is not at hand, so that nobody could choose."""

    owner: Text
    client: Text
    mode: Literal["batch", "single", "graph", "trees"] | None = None
    max_rows: Annotated[int, Bounds(ge=1, le=1_000_000)] = 1000
