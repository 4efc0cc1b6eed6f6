"""Coefficients with standard errors, intervals and p-values, in the data's own units, or why there are none."""

import math
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType

from potluck.core.plan import Plan, Statistic
from potluck.core.stages import Floats
from potluck.learning.evaluation.ranking import Z
from potluck.learning.statistics.forms import AnyForm, Curve, Curves, Dot, Dots, Frame, Number, refusal
from potluck.learning.statistics.result import Result, axis

INTERCEPT = "intercept"
MOST = 700.0
"""A larger exponent would be no float."""
CLOSE = 1e-2
"""A variance that the grid may move by more of itself is not told."""


class Coefficient(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One. low, high: its 95 % interval for rows like these, noise included; p: of its being 0, by the normal
    distribution; ratio: exp(value), of odds, rates or hazards."""

    value: float
    se: float
    low: float
    high: float
    p: float
    ratio: float | UnsetType | None = UNSET


class Coefficients(Result, frozen=True, kw_only=True, omit_defaults=True):
    """A regression. coefficients: by name; None: `refused` says why. n: rows that count; events: of them with the
    event. loglik, deviance, dispersion: where the kind has them, None where they are not known.

    rounds: sums that it took; step: the size of the last step, on columns brought to [-1, 1]. baseline: of hazards.
    """

    coefficients: dict[str, Coefficient] | None
    n: float | int
    events: float | int | UnsetType = UNSET
    loglik: float | UnsetType | None = UNSET
    deviance: float | UnsetType | None = UNSET
    dispersion: float | UnsetType | None = UNSET
    rounds: int
    step: float | None
    refused: str | None = None
    baseline: "dict[str, Hazard] | UnsetType" = UNSET

    def shown(self, plan: Plan, one: Statistic) -> tuple[AnyForm, ...]:
        """A forest of coefficients, of ratios where they mean something, and all numbers; the baseline's curve."""
        if self.coefficients is None:
            return refusal(self.refused)
        return (*forest(self.coefficients, "coefficient", "coefficients, 95 %"), *self._hazards(axis(plan, one.time)))

    def _hazards(self, time: str) -> tuple[AnyForm, ...]:
        if self.baseline is UNSET:
            return ()
        curves = tuple(Curve(name=name, x=hazard.times, y=hazard.cumulative) for name, hazard in self.baseline.items())
        rows = tuple(
            (name, *point)
            for name, hazard in self.baseline.items()
            for point in zip(hazard.times, hazard.cumulative, hazard.at_risk, hazard.events, strict=True)
        )
        head = ("stratum", "time", "cumulative hazard", "at risk", "events")
        title = "cumulative hazard where every column is 0"
        return (
            Curves(title=title, x=time, y="cumulative hazard", curves=curves, steps=True),
            Frame(title=title, name="baseline", long=True, head=head, rows=rows),
        )


class Hazard(msgspec.Struct, frozen=True, kw_only=True):
    """Of one stratum, where every column is 0 in its own units. times [t]: where a bin begins; cumulative [t]: the
    hazard up to its end; at_risk, events [t]: rows."""

    times: tuple[float, ...]
    cumulative: tuple[float | None, ...]
    at_risk: tuple[int, ...]
    events: tuple[int, ...]


def told(names: Sequence[str], values: Floats, covariance: Floats, *, ratios: bool) -> dict[str, Coefficient]:
    """By name. values [d], covariance [d, d]."""
    errors = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    return {
        name: _one(value, se, ratios=ratios)
        for name, value, se in zip(names, values.tolist(), errors.tolist(), strict=True)
    }


def are_sure(variances: Floats, turn: Floats, lost: Floats) -> bool:
    """Whether the diagonal [k] of turn M turn^T is known, where M [d, d] may be off by lost [d] times itself."""
    return bool((np.asarray(np.abs(turn) @ lost) ** 2 <= CLOSE * variances).all())


def _one(value: float, se: float, *, ratios: bool) -> Coefficient:
    p = math.erfc(abs(value) / se / math.sqrt(2)) if se > 0 else float(value == 0)
    ratio = (math.exp(value) if value < MOST else None) if ratios else UNSET
    return Coefficient(value=value, se=se, low=value - Z * se, high=value + Z * se, p=p, ratio=ratio)


def forest(every: Mapping[str, Coefficient], what: str, title: str) -> tuple[Dots, Frame]:
    """A picture of all but the intercept, of ratios where they mean something, and all numbers. what: they are."""
    ratios = any(coefficient.ratio is not UNSET for coefficient in every.values())
    keys = ("value", "se", "low", "high", "p")
    head = (what, *keys, *(("ratio", "ratio low", "ratio high") if ratios else ()))
    dots = {name: _dot(name, found, ratios=ratios) for name, found in every.items()}
    rows = tuple(
        (name, *(getattr(found, key) for key in keys), *(_ends(dots[name]) if ratios else ()))
        for name, found in every.items()
    )
    shown = tuple(dot for name, dot in dots.items() if name != INTERCEPT)
    return (
        Dots(title="ratios, 95 %" if ratios else title, dots=shown, level=float(ratios), factors=ratios),
        Frame(head=head, rows=rows, note="95 % intervals of rows like these"),
    )


def _dot(name: str, found: Coefficient, *, ratios: bool) -> Dot:
    ends = (found.value, found.low, found.high)
    value, low, high = ((math.exp(one) if one < MOST else None) for one in ends) if ratios else ends
    return Dot(name=name, value=value, low=low, high=high)


def _ends(dot: Dot) -> tuple[Number, ...]:
    return dot.value, dot.low, dot.high


def whole(count: float, lost: float = 0.0) -> float | int:
    """A count as it is shown. lost: how far below a whole number the grid may bring it, at most."""
    near = round(count)
    return near if abs(count - near) <= lost else count
