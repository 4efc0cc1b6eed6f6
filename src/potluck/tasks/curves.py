"""Curves of a model of two sides, as pictures and as JSON: what `Judgement` says of it at the edges of bins."""

import math
from collections.abc import Mapping

from potluck.learning.evaluation.finished.judgement import Judgement, Measure
from potluck.learning.evaluation.intervals import Interval
from potluck.learning.statistics.forms import Curve
from potluck.tasks.here import Json


def measures(found: Mapping[str, Measure]) -> Json:
    """By name, each with its intervals where they are known."""
    said: Json = {}
    for name, one in found.items():
        said[name] = one.value
        if one.noise is not None:
            said[f"{name}_low"], said[f"{name}_high"] = as_json(one.noise)
        if one.population is not None:
            said[f"{name}_population"] = as_json(one.population)
    return said


def as_json(of: Interval) -> list[float | None]:
    """Of an interval; None: it has none."""
    return [float(end) if math.isfinite(end) else None for end in of]


def points(found: Judgement) -> Json:
    """Calibration by bin, and the ROC by threshold where there are sides."""
    said: Json = {
        "calibration": [
            {"low": one.low, "high": one.high, "score": (one.low + one.high) / 2}
            | measures({"rows": one.rows, "observed": one.observed})
            for one in found.calibration
        ]
    }
    if found.thresholds:
        said["roc"] = [{"threshold": one.at} | measures({"tpr": one.tpr, "fpr": one.fpr}) for one in found.thresholds]
    return said


def roc(name: str, one: Judgement) -> Curve:
    """From (0, 0) to (1, 1), as far as rates are known; x in order."""
    known = [(two.fpr.value, two.tpr.value) for two in one.thresholds if two.fpr.value is not None]
    found = sorted({(0.0, 0.0), (1.0, 1.0), *((x, y) for x, y in known if y is not None)})
    return Curve(name=name, x=tuple(x for x, _ in found), y=tuple(y for _, y in found))


def calibration(name: str, one: Judgement) -> Curve:
    """What is observed in each bin, with its interval where all have one."""
    bins = [two for two in one.calibration if two.observed.value is not None]
    known = [two.observed.population or two.observed.noise for two in bins]
    drawn = all(end is not None for end in known)
    return Curve(
        name=name,
        x=tuple((two.low + two.high) / 2 for two in bins),
        y=tuple(two.observed.value for two in bins),
        low=tuple(end[0] for end in known if end) if drawn else (),
        high=tuple(end[1] for end in known if end) if drawn else (),
    )
