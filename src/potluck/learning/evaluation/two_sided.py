"""What counts, or rows, say of a target of two sides; and of several labels, each of which has two sides.

Of labels the metrics are the means of theirs (macro averages, as scikit-learn calls them). A label that is of one side
alone among these rows has no area: the mean is that of the others.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from potluck.core.stages import Floats
from potluck.learning.evaluation import confusion, metric_intervals
from potluck.learning.evaluation.confusion import Confusion
from potluck.learning.evaluation.intervals import Noised
from potluck.learning.evaluation.metric_intervals import Within
from potluck.learning.evaluation.ranking import auc_of, curve, reckoned, wilson

TIES = 0.2
"""Bins that part scores evenly leave less than half of this many pairs within one bin."""
NEAR = 16
"""Bins of an exact sum, in which scores are so much alike that the bins hide which is higher."""
UNKNOWN = Within((0.0, 1.0), (0.0, 1.0))
"""Of a metric of which noise leaves no value. An interval that a test leaves may be short then, and it holds the truth
in about 8 of 10 such cases only: the noise that brought the value beyond an end made it short. So nothing is said."""
SURE = 2.0
"""The upper end of an area with noise is so many times as much higher as bins are reckoned to hide."""


@dataclass(frozen=True, slots=True)
class TwoSided:
    """auc, accuracy: None where they are not defined. within: by metric, its intervals. one_class: among exact counts
    no row is of one of the sides; ties: the share of pairs of rows that one bin holds, where it is worth a word;
    beyond: by metric, as of `Metrics`."""

    auc: float | None
    accuracy: float | None
    confusion: Confusion | None
    within: Mapping[str, Within]
    one_class: bool = False
    ties: float = 0.0
    beyond: Mapping[str, float] = field(default_factory=dict)


def of_bins(sides: Floats, middle: int, std: float) -> TwoSided:
    """Of rows by side and bin of scores [2, bins] with noise `std` in each; `middle`: the first bin at or above .5."""
    negative, positive = sides
    right, rows = np.concatenate([negative[:middle], positive[middle:]]), float(sides.sum())
    area, ties = auc_of(negative, positive), _ties(negative, positive, std)
    within = {"accuracy": hits(right, rows, std)}
    if area is not None:
        within["auc"] = of_area(negative, positive, std)
    elif std:
        within["auc"] = UNKNOWN
    told = confusion.of_bins(negative, positive, middle, std)
    known = share(float(right.sum()), rows)
    off = beyond({"auc": reckoned(negative, positive), "accuracy": float(right.sum()) / rows if rows > 0 else None})
    return TwoSided(area, known, told, within, not std and area is None, ties if ties > TIES else 0.0, off)


def of_area(negative: Floats, positive: Floats, std: float) -> Within:
    """The intervals of an area by ranks; without noise of that by bins, which are many, unless scores crowd in few."""
    found, ties = metric_intervals.area(negative, positive, std), _ties(negative, positive, std)
    if ties > TIES:
        return metric_intervals.widened(found, ties / 2, ties / 2)
    above = SURE * metric_intervals.unsorted(negative, positive, std) if std else 0.0
    return metric_intervals.widened(found, 0.0, above)


def _ties(negative: Floats, positive: Floats, std: float) -> float:
    """The share of pairs that one bin holds. Without noise bins are many, and ties in them mostly those of the scores:
    they count where all but a tenth of the rows at either end lie within NEAR of them."""
    if not std:
        first, last = np.searchsorted(
            np.cumsum(negative + positive), np.array([0.1, 0.9]) * (negative + positive).sum()
        )
        if last - first >= NEAR:
            return 0.0
    return metric_intervals.tied(negative, positive, std)


def of_rows(margins: Floats, target: Floats) -> TwoSided:
    """Exactly, of log-odds and sides [n], with DeLong's interval of the area by ranks and Wilson's of accuracy."""
    guess = (margins >= 0).astype(np.int64)
    right = int((guess == target).sum())
    within = {"accuracy": Within(None, wilson(right, len(target)))}
    ranked = curve(margins[target == 0], margins[target == 1])
    if ranked:
        within["auc"] = Within(None, ranked[1])
    area = ranked[0] if ranked else None
    return TwoSided(area, right / len(target), confusion.of_rows(target, guess, 2), within, area is None)


def mean(each: Sequence[TwoSided]) -> TwoSided:
    """Of several labels together."""
    areas, known = [one for one in each if "auc" in one.within], [one.accuracy for one in each]
    within = {"accuracy": metric_intervals.mean(known, [one.within["accuracy"] for one in each])}
    if areas:
        within["auc"] = metric_intervals.mean([one.auc for one in areas], [one.within["auc"] for one in areas])
    return TwoSided(_mean([one.auc for one in areas]), _mean(known), None, within)


def mind(each: Mapping[str, TwoSided]) -> tuple[str, ...]:
    """What to mind of the areas, by column; of one target it needs no name."""
    several, found = len(each) > 1, list[str]()
    if one_class := [name for name, one in each.items() if one.one_class]:
        what = "the test split holds one class only: there is no AUC"
        labels = f"the test split holds one class only of {', '.join(one_class)}: the mean AUC is that of other labels"
        found.append(labels if several else what)
    for name, one in each.items():
        if one.ties:
            of = f" of {name}" if several else ""
            what = f"by ranks the AUC{of} may be {one.ties / 2:.2f} higher or lower, which its interval allows for"
            found.append(f"scores fill few bins: {what}")
    return tuple(found)


def hits(right: Floats, rows: float, std: float) -> Within:
    """Of accuracy: half of all cells [k] are right."""
    if std and share(float(right.sum()), rows) is None:
        return UNKNOWN
    count = Noised(float(right.sum()), std * math.sqrt(len(right)))
    return metric_intervals.share(count, Noised(rows - count.value, count.std))


def beyond(values: Mapping[str, float | None]) -> Mapping[str, float]:
    """By metric the end of 0 to 1 beyond which noise brought its value."""
    return {name: float(one > 1) for name, one in values.items() if one is not None and not 0 <= one <= 1}


def share(part: float, whole: float) -> float | None:
    """None where noise leaves none."""
    return part / whole if whole > 0 and 0 <= part <= whole else None


def _mean(values: Sequence[float | None]) -> float | None:
    known = [one for one in values if one is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None
