"""Tests of means, from what rows add of their powers: (1, x, x^2) summed by group, each number perhaps with noise.

Noise in the count and the sum adds s^2 (1 + m^2) / n^2 to the variance of a mean m of n rows, and it has no degrees of
freedom. References: Welch 1947, "The generalization of `Student's' problem when several different population variances
are involved"; Student 1908, "The probable error of a mean".
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from potluck.core.plan import Plan, Statistic, required
from potluck.core.stages import Floats
from potluck.learning.data.declared import find
from potluck.learning.data.sql.layers import Layer, clipped
from potluck.learning.statistics import gram
from potluck.learning.statistics.hypotheses import power, tails
from potluck.learning.statistics.hypotheses.tested import (
    ENOUGH,
    UNKNOWN,
    Tested,
    noise,
    of_groups,
    of_pairs,
    of_two_groups,
)
from potluck.learning.statistics.kind import ONE, Cells, Check, StatisticKind, powers
from potluck.learning.statistics.opens import Number, Table, among, squares
from potluck.learning.statistics.reading import Read, by_part


def welch(powers: Floats, std: float, blur: float = 0.0) -> Tested:
    """Whether two groups have one mean, of powers [2, 3]; the first group's mean minus the second's. blur: of
    `sums.Part`, here and below."""
    rows, mean, spread = _moments(powers, blur)
    if _few(rows, std) or (spread <= 0).all():
        return UNKNOWN
    drawn = spread / rows
    every = drawn + _moved(rows, mean, std)
    df = float(every.sum() ** 2 / (drawn**2 / (rows - 1)).sum())
    return _student(float(mean[0] - mean[1]), float(every.sum()), df)


def paired(powers: Floats, std: float, blur: float = 0.0) -> Tested:
    """Whether differences have mean zero, of powers [3]."""
    rows, mean, spread = _moments(powers[None], blur)
    if _few(rows, std) or spread[0] <= 0:
        return UNKNOWN
    every = spread / rows + _moved(rows, mean, std)
    return _student(float(mean[0]), float(every[0]), float(rows[0]) - 1)


def anova(powers: Floats, std: float, blur: float = 0.0) -> Tested:
    """Whether groups have one mean, of powers [groups, 3]: one way, variances alike. Groups without rows are left out.

    Without noise Fisher's F; with noise the means' distances by their variances, as chi-squared.
    """
    rows, mean, spread = _moments(powers if std else powers[powers[:, 0] > 0], blur)
    groups, total = len(rows), float(rows.sum())
    if groups < 2 or total <= groups or (std and _few(rows, std)):
        return UNKNOWN
    within = float((spread * np.maximum(rows - 1, 0)).sum() / (total - groups))
    if within <= 0:
        return UNKNOWN
    weights = 1 / (within / rows + _moved(rows, mean, std))
    middle = float((weights * mean).sum() / weights.sum())
    statistic = float((weights * (mean - middle) ** 2).sum())
    if std:
        return Tested(statistic=statistic, df=float(groups - 1), p=tails.chi_squared(statistic, groups - 1))
    df = (float(groups - 1), total - groups)
    return Tested(statistic=statistic / df[0], df=df, p=tails.fisher(statistic / df[0], *df))


def _moments(powers: Floats, blur: float) -> tuple[Floats, Floats, Floats]:
    """Of each group rows, mean and variance (by rows - 1; 0 of one row)."""
    rows, totals, squares = powers.T
    mean, spread, _ = gram.variances(rows, totals, squares, blur)
    return rows, mean, np.where(rows > 1, spread * rows / np.maximum(rows - 1, 1e-9), 0.0)


def _moved(rows: Floats, mean: Floats, std: float) -> Floats:
    """Variance of each mean by the noise in its count and sum."""
    return (std / rows) ** 2 * (1 + mean**2)


def _few(rows: Floats, std: float) -> bool:
    return bool((rows < max(2.0, ENOUGH * std)).any())


def _student(distance: float, variance: float, df: float) -> Tested:
    if variance <= 0:  # as noise may have it
        return UNKNOWN
    statistic = distance / variance**0.5
    return Tested(statistic=statistic, df=df, p=float(tails.student(statistic, df)))


POWERS = 3
"""A row adds (1, x, x^2), with x scaled to [-1, 1]."""
TELLS = "how many rows there are, sums and sums of squares of {}; of two rows alone in a group, both"


def differences(plan: Plan, one: Statistic, columns: Mapping[str, str], layer: Layer) -> Cells:
    """The powers of the first number less the second, over the largest difference there may be."""
    d = layer.dialect
    ranges = [required(find(plan, name)).bounds for name in one.columns]
    first, second = (
        clipped(columns[name], d.double(low), d.double(high), layer)
        for name, (low, high) in zip(one.columns, ranges, strict=True)
    )
    (low, high), (least, most) = ranges
    over = d.double(max(abs(high - least), abs(most - low)))
    x = layer.define(clipped(f"({d.tame(f'({first} - {second})')} / {over})", d.double(-1), d.double(1)))
    return Cells((ONE, x, f"{x} * {x}"), clipped=True)


def _of_declared(test: Callable[[Floats, float, float], Tested]) -> Read:
    return lambda plan, one, part: test(part.values[:-1], noise(part.std), part.blur)


def pairs(plan: Plan, one: Statistic) -> tuple[Table, ...]:
    """Differences and their squares, and so products of both numbers too where another statistic has their squares."""
    first, second = one.columns
    apart = Number(first, less=second)
    return (Table(products=(*among([Number(first), Number(second)]), (apart,), (apart, apart))),)


def _of_groups(title: str, check: Check, test: Callable[[Floats, float, float], Tested]) -> StatisticKind:
    return StatisticKind(
        title=title,
        tells=TELLS.format("each group"),
        keys=frozenset({"test", "column"}),
        check=check,
        cells=powers(POWERS),
        read=_of_declared(test),
        width=lambda plan, one: POWERS,
        norm=lambda plan, one: math.sqrt(POWERS),
        alone=False,
        products=True,
        half=None,
        reach=power.of_means,
        opens=squares,
        infers=True,
    )


WELCH = _of_groups("Welch's t-test", of_two_groups, welch)
ANOVA = _of_groups("Analysis of variance", of_groups, anova)
PAIRED = replace(
    WELCH,
    title="Paired t-test",
    tells=TELLS.format("the differences"),
    keys=frozenset({"test", "columns"}),
    check=of_pairs,
    cells=differences,
    read=by_part(lambda plan, one, cell: paired(cell.values, noise(cell.std), cell.blur)),
    reach=power.of_differences,
    opens=pairs,
)
