"""What an opened vector of statistics says: values in their own units and 95 % intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import numpy as np

from potluck.core.asks import Answer
from potluck.core.plan import Plan, Statistic
from potluck.core.stages import Floats
from potluck.learning.evaluation import intervals
from potluck.learning.evaluation.intervals import Noised
from potluck.learning.evaluation.ranking import Z

Value = float | int | tuple["Value", ...] | None


class Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One statistic. value, low, high: a number, a list (histogram) or nested lists (contingency, declared order).

    None where it is not defined (no rows). edges: of a histogram; by: of each declared value.
    """

    value: Value
    low: Value
    high: Value
    edges: tuple[float, ...] | None = None
    by: dict[str, Result] | None = None

    def document(self) -> dict[str, object]:
        """As JSON has it."""
        found: dict[str, object] = msgspec.to_builtins(self)
        return found


def results(plan: Plan, answer: Answer) -> dict[str, Result]:
    """Every statistic's result, in the plan's order."""
    found: dict[str, Result] = {}
    for one in plan.statistics:
        part = answer.part(one.name)
        count = len(plan.data.columns[one.by].values) + 1 if one.by else 1
        values, std = part.values.reshape(count, -1), part.std.reshape(count, -1)
        whole = result(plan, one, values.sum(axis=0), np.sqrt((std**2).sum(axis=0)))
        if one.by:
            names = plan.data.columns[one.by].values
            cells = {name: result(plan, one, values[i], std[i]) for i, name in enumerate(names)}
            whole = msgspec.structs.replace(whole, by=cells)
        found[one.name] = whole
    return found


def result(plan: Plan, one: Statistic, values: Floats, std: Floats) -> Result:
    """One statistic, or one group of it: values [d] and the noise in each, std [d]."""
    make = {"mean": _mean, "variance": _variance, "histogram": _histogram, "contingency": _contingency}
    return make.get(one.kind, _sum)(plan, one, values, std)


def _plain(value: float, std: float, whole: bool) -> float | int:
    return round(value) if whole and std == 0 else float(value)


def _sum(plan: Plan, one: Statistic, values: Floats, std: Floats) -> Result:
    value, reach = float(values[0]), Z * float(std[0])
    whole = one.kind == "count"
    low, high = (_plain(value + side * reach, reach, whole) for side in (-1, 1))
    return Result(value=_plain(value, reach, whole), low=low, high=high)


def _range(plan: Plan, one: Statistic) -> tuple[float, float]:
    column = plan.data.columns[one.column or ""]
    assert column.low is not None
    assert column.high is not None
    return column.low, column.high


def _mean(plan: Plan, one: Statistic, values: Floats, std: Floats) -> Result:
    low, high = _range(plan, one)
    rows, total = (Noised(float(v), float(s)) for v, s in zip(values, std, strict=True))

    def units(scaled: float) -> float:
        return low + (scaled + 1) / 2 * (high - low)

    if rows.value <= 0:
        return _undefined(rows, (low, high))
    ends = intervals.mean(rows, total, (-1.0, 1.0)) if rows.std else (total.value / rows.value,) * 2
    return Result(value=units(total.value / rows.value), low=units(ends[0]), high=units(ends[1]))


def _variance(plan: Plan, one: Statistic, values: Floats, std: Floats) -> Result:
    low, high = _range(plan, one)
    square = ((high - low) / 2) ** 2
    rows, total, squares = (Noised(float(v), float(s)) for v, s in zip(values, std, strict=True))
    if rows.value <= 0:
        return _undefined(rows, (0.0, square))
    value = squares.value / rows.value - (total.value / rows.value) ** 2
    ends = intervals.variance(rows, total, squares, (0.0, 1.0)) if rows.std else (value, value)
    return Result(value=value * square, low=ends[0] * square, high=ends[1] * square)


def _undefined(rows: Noised, widest: tuple[float, float]) -> Result:
    """No rows: no value. With noise the truth may be anything in its range."""
    low, high = widest if rows.std else (None, None)
    return Result(value=None, low=low, high=high)


def _histogram(plan: Plan, one: Statistic, values: Floats, std: Floats) -> Result:
    low, high = _range(plan, one)
    edges = tuple(np.linspace(low, high, one.bins + 1).tolist())
    return _lists(values, std, lambda cells: tuple(cells), edges)


def _contingency(plan: Plan, one: Statistic, values: Floats, std: Floats) -> Result:
    shape = [len(plan.data.columns[name].values) + 1 for name in one.columns]

    def nested(cells: Sequence[float | int]) -> Value:
        table = np.array(cells, dtype=object).reshape(shape)[:-1, :-1]  # without the cells of undeclared values
        return tuple(tuple(row) for row in table.tolist())

    return _lists(values, std, nested, None)


def _lists(
    values: Floats, std: Floats, shape: Callable[[Sequence[float | int]], Value], edges: tuple[float, ...] | None
) -> Result:
    made = [
        shape([_plain(float(v + side * Z * s), float(s), True) for v, s in zip(values, std, strict=True)])
        for side in (0, -1, 1)
    ]
    return Result(value=made[0], low=made[1], high=made[2], edges=edges)
