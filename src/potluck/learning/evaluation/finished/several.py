"""What counts say of a model of several labels or classes: each output by itself, and all together.

Of labels areas, accuracies and Brier scores are the means of each one's. Of classes each is held against the rest: the
area is the mean of theirs (scikit-learn: multi_class="ovr", average="macro"), Brier's score is their sum; accuracy is
that of the likeliest class.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from potluck.core.stages import Floats
from potluck.learning.evaluation import confusion, metric_intervals
from potluck.learning.evaluation.finished.judgement import Judgement, Measure, count, of_within, proportion
from potluck.learning.evaluation.finished.two_sides import gaps, of_counts
from potluck.learning.evaluation.metric_intervals import Within

OF_CLASSES = ("accuracy",)


def of_labels(cells: Floats, std: float, groups: Sequence[str], names: Sequence[str]) -> Judgement:
    """cells [labels, groups, 2, bins]."""
    each = {name: of_counts(one, std, groups) for name, one in zip(names, cells, strict=True)}
    means = {name: _mean(each, name) for name in ("auc", "accuracy", "brier")}
    return Judgement(means | {"rows": count(cells[0], std)}, each=each, ties=_ties(each))


def of_classes(
    cells: Floats, pairs: Floats, std: tuple[float, float], groups: Sequence[str], names: Sequence[str]
) -> Judgement:
    """cells [classes, groups, 2, bins], pairs [groups, class, class that the model says]; std: of each."""
    each = {name: of_counts(one, std[0], groups) for name, one in zip(names, cells, strict=True)}
    told = {name: _group(one, std[1]) for name, one in zip(groups, pairs, strict=True)} if len(groups) > 1 else {}
    whole, spread = pairs.sum(axis=0), std[1] * np.sqrt(len(pairs))
    brier = _times(_mean(each, "brier"), len(names))
    measures = {"auc": _mean(each, "auc"), "brier": brier} | _group(whole, spread)
    return Judgement(
        measures,
        confusion.of_cells(whole, spread),
        groups=told,
        gaps=gaps(told, OF_CLASSES),
        each=each,
        ties=_ties(each),
    )


def _group(pairs: Floats, std: float) -> dict[str, Measure]:
    right = np.eye(len(pairs), dtype=np.bool_)
    return {"accuracy": proportion(pairs[right], pairs[~right], std), "rows": count(pairs, std)}


def _mean(each: Mapping[str, Judgement], name: str) -> Measure:
    """Of all outputs of which it is defined."""
    found = [one.measures[name] for one in each.values()]
    some = [one for one in found if one.population is not None]
    if not some:
        return Measure(None)
    values = [one.value for one in some]
    known = [one for one in values if one is not None]
    within = metric_intervals.mean(values, [Within(one.noise, one.population or (0.0, 1.0)) for one in some])
    return of_within(sum(known) / len(known) if len(known) == len(values) else None, within)


def _times(one: Measure, by: int) -> Measure:
    ends = [None if two is None else (two[0] * by, two[1] * by) for two in (one.noise, one.population)]
    return Measure(None if one.value is None else one.value * by, *ends)


def _ties(each: Mapping[str, Judgement]) -> float:
    return max((one.ties for one in each.values()), default=0.0)
