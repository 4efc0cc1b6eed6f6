"""Of a plan: which rows are made up from its marginals."""

from typing import Annotated

import msgspec

from potluck.core.bounds import Bounds, Size
from potluck.core.tables.derived import Names, Text, Where


class Never(msgspec.Struct, frozen=True, kw_only=True):
    """Conditions that never hold together, as everybody knows: rows in which they do are not drawn."""

    together: Annotated[tuple[Where, ...], Size(10)]


class Synthesize(msgspec.Struct, frozen=True, kw_only=True):
    """How rows are made up. rows: how many; target: a column on whose value all tables depend; bins: of a number, over
    its declared range; whole: columns whose numbers are whole; never: what no row is; seed: of the draw, which is
    public; allow_exact: marginals without noise are meant."""

    rows: Annotated[int, Bounds(ge=1, le=1_000_000, hint="e.g. 10000")] = 10_000
    target: Text | None = None
    bins: Annotated[int, Bounds(ge=3, le=256, hint="e.g. 16")] = 16
    whole: Names = ()
    never: Annotated[tuple[Never, ...], Size(100)] = ()
    seed: int = 0
    allow_exact: bool = False
