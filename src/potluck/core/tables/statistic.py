"""Of a plan: what is counted, or fitted, of its columns."""

from typing import Annotated, Literal

import msgspec

from potluck.core.bounds import Bounds, Size
from potluck.core.registry import Known
from potluck.core.tables.derived import Names, Text


class Statistic(msgspec.Struct, frozen=True, kw_only=True):
    """One statistic of a plan. bins: None where its kind reads none; else each kind has its own default.

    rounds: the most sums that it takes; None: one.
    """

    name: Text
    kind: Annotated[str, Known("statistics.kind")]
    column: Text | None = None
    columns: tuple[Text, ...] = ()
    by: Text | None = None
    bins: Annotated[int | None, Bounds(ge=1, le=10_000)] = None
    clip: Annotated[float | None, Bounds(gt=0, lt=0.5, hint="e.g. 0.02")] = None
    cluster: Text | None = None
    errors: Literal["model", "hc0", "cluster"] = "model"
    event: Text | None = None
    events: Names = ()
    family: Annotated[str, Known("statistics.family")] | None = None
    features: tuple[Text, ...] = ()
    horizon: Annotated[float | None, Bounds(gt=0, hint="in the unit of time")] = None
    k: Annotated[int | None, Bounds(ge=1, le=10_000)] = None
    method: Annotated[str, Known("statistics.method")] | None = None
    of: Annotated[str, Known("statistics.of")] | None = None
    offset: Text | None = None
    outcome: Text | None = None
    outcomes: Names = ()
    q: Annotated[tuple[Annotated[float, Bounds(gt=0, lt=1, hint="e.g. 0.5, the median")], ...], Size(100)] = ()
    rounds: Annotated[int | None, Bounds(ge=1, le=100)] = None
    seed: int = 0
    strata: Text | None = None
    target: Text | None = None
    test: Annotated[str | None, Known("statistics.test")] = None
    time: Text | None = None
    treated: Names = ()
    treatment: Text | None = None
    weights: Text | None = None


def factors(feature: str) -> tuple[str, ...]:
    """The columns of a feature of a regression: its own, or two whose product it is."""
    return tuple(feature.split(":"))


def counted(one: Statistic) -> tuple[str, ...]:
    """The columns in which a row needs a value to count in a statistic, beside `by`."""
    of_fits = (one.target, one.time, one.event, one.strata, one.offset, one.weights, one.cluster)
    of_effects = (one.treatment, one.outcome)
    parts = (name for feature in one.features for name in factors(feature))
    return tuple(dict.fromkeys(name for name in (*one.columns, one.column, *of_fits, *of_effects, *parts) if name))


def named(one: Statistic) -> tuple[str, ...]:
    """The columns that a statistic names."""
    return (*((one.by,) if one.by else ()), *counted(one))
