"""What `check` says of a plan's noise before anything is spent: how well each result will be known."""

import math
from collections.abc import Collection

import msgspec
import numpy as np

from potluck.core.asks import Ask, Kind
from potluck.core.plan import Plan as Spec
from potluck.core.plan import Statistic
from potluck.dp.mechanism import Noised, mechanism
from potluck.learning import forecast
from potluck.learning.data.tally import Tally
from potluck.learning.data.units import most_rows
from potluck.learning.evaluation import evaluate
from potluck.learning.evaluation.finished.foreseen import foreseen
from potluck.learning.forecast import Forecast
from potluck.learning.loops import build
from potluck.learning.statistics.asked import unit_of
from potluck.learning.statistics.kinds import kind_of
from potluck.learning.statistics.parts import parted
from potluck.learning.statistics.reading import Reach

TITLES = {"auc": "AUC", "accuracy": "accuracy", "r2": "r2", "rmse": "rmse"}
EPSILONS = (0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0)
"""Those that are looked at where less is of no use."""
MANY = 1e9
"""With so many rows half an interval times them is what it is a row."""


def forecast_of(spec: Spec, here: Collection[Tally]) -> Forecast | None:
    """Of metrics, or of statistics. here: what became of every site's rows; empty where they are not here. None without
    noise, and where a plan releases no metrics. Raises PlanError as `mechanism`."""
    if not spec.noisy:
        return None
    if spec.traits.counts:
        rows = sum(one.counted for one in here) if here else None
        each = {one.name: sum(tally.statistics[one.name] for tally in here) for one in parted(spec)} if here else {}
        return forecast.statistics(spec, _stds(spec, next(build(spec).lead())), rows, each)
    if spec.traits.brings:
        rows = sum(one.held - one.beyond_held for one in here) if here else 0
        return foreseen(spec, _stds(spec, next(build(spec).lead())), rows) if rows else None
    blocks = evaluate.blocks(spec, np.zeros(0))  # with noise they are the same at any weights
    if not blocks:
        return None
    (std,) = _stds(spec, Ask(Kind.EVALUATE, 0, blocks, b"")).values()
    # How many rows of a person are held out only the rows can say.
    persons = spec.privacy.unit == "person" and here
    judging = sum(one.judging - one.beyond_held for one in here)
    return forecast.metrics(spec, blocks, std, judging if persons else None)


def _stds(spec: Spec, ask: Ask) -> dict[str, float]:
    """By block: the noise in each number that is released, where no site drops out."""
    made = mechanism(spec, ask)
    assert isinstance(made, Noised)  # of a plan with noise
    givers = 1 if spec.privacy.noise == "reveal" else len(spec.federation.sites)
    shares = zip(made.grid.parts, made.real(made.share), strict=True)
    return {part.name: share * math.sqrt(givers) for part, share in shares}


def words(spec: Spec, found: Forecast, here: Collection[Tally] = ()) -> tuple[str, list[str]]:
    """(a sentence, warnings): a warning where metrics would be of no use, or a statistic mostly be refused."""
    if spec.traits.counts:
        return _statistics(spec, found), _few(found)
    privacy = spec.privacy
    whole = privacy.unit == "row" or spec.traits.brings
    epsilon = (privacy.epsilon if whole else privacy.evaluation) or 0.0
    at = f"at epsilon {epsilon:g} with {_of(spec, found)}"
    rare = {name: f" ({_plus_minus(half)} if 1 of 10 is positive)" for name, half in found.rare.items()}
    said = ", ".join(f"{TITLES[name]} {_plus_minus(half)}{rare.get(name, '')}" for name, half in found.noise.items())
    labels = " of each label" if spec.data.target and spec.data.target.columns else ""
    what = f"forecast, 95 % from the noise alone: {at} {said}{labels} ({_supposed(spec, found)})"
    return what, _useless(spec, found, at, here)


def _useless(spec: Spec, found: Forecast, at: str, here: Collection[Tally]) -> list[str]:
    """A warning of metrics that will be of no use, and what to write."""
    bad, rare = found.useless(), found.useless_if_rare()
    if not bad and not rare:
        return []
    halves = found.noise if bad else found.rare
    known = " and ".join(_known(name, halves[name]) for name in bad or rare)
    known += "" if bad else " if 1 of 10 rows is positive, as is usual where people are ill"
    key = "epsilon" if spec.privacy.unit == "row" or spec.traits.brings else "evaluation"
    wanted = enough(spec, key, here)
    more = f"a larger privacy.{key}" if wanted is None else f"privacy.{key} = {wanted:g}"
    split = f", or a larger data.split.{'validation' if spec.validated else 'test'}"
    hint = f"hint: {more}, more rows" + (", or fewer models" if spec.traits.brings else split)
    return [f"privacy.{key}: {at} {known}; that says nothing of a model. {hint}"]


def enough(spec: Spec, key: str, here: Collection[Tally] = ()) -> float | None:
    """The smallest of a few epsilons at which all metrics will be of use, also where few rows are positive; as a part
    of the plan's epsilon, half of it at most. None: none of these."""
    now, most = getattr(spec.privacy, key) or 0.0, (spec.privacy.epsilon or 0.0) / 2
    for one in EPSILONS:
        if one >= now and (key == "epsilon" or one <= most):
            privacy = msgspec.structs.replace(spec.privacy, **{key: one})
            found = forecast_of(msgspec.structs.replace(spec, privacy=privacy), here)
            if found is not None and not found.useless() and not found.useless_if_rare():
                return one
    return None


def _known(name: str, half: float | None) -> str:
    known = "without any bound" if half is None else f"to about {_plus_minus(half)}"
    return f"the {TITLES[name]} will be known {known}"


def _supposed(spec: Spec, found: Forecast) -> str:
    """What the forecast of metrics rests on, and where they are known less well."""
    if spec.traits.brings and "auc" in found.noise:
        return f"if half of the rows are positive and the AUC is {forecast.AREA:g}: of fewer positives less is known"
    filled = "normal, with a sixth of the range as standard deviation"
    if "auc" in found.noise:
        return (
            f"if half of the rows are positive, the AUC is {forecast.AREA:g} and numbers fill their declared ranges:"
            f" {filled}. It is known several times worse where values fill a small part of their ranges"
        )
    if "r2" in found.noise:
        return (
            f"if the r2 is {forecast.R2:g} and targets fill their declared range: {filled}."
            " The rmse is known less well the better the model, and both several times worse where targets fill a small"
            " part of their range"
        )
    return f"if {100 * forecast.RIGHT:g} of 100 are classified right"


def _of(spec: Spec, found: Forecast) -> str:
    count = 0 if found.rows is None else round(found.rows)
    if spec.privacy.unit == "site":
        return f"the shares of {count} sites"
    limit = f", at most {most_rows(spec)} of a person," if spec.privacy.unit == "person" else ""
    return f"about {count:,} {evaluate.judging(spec)}{limit}"


def _statistics(spec: Spec, found: Forecast) -> str:
    many = {one.name: MANY for one in parted(spec)}
    per_row = forecast.statistics(spec, _stds(spec, next(build(spec).lead())), MANY, many).noise
    said = []
    for one in parted(spec):
        if one.name in found.noise:
            more = f" ({_least(found.reach[one.name])})" if one.name in found.reach else ""
            said.append(_interval(spec, one, found, per_row[one.name]) + more)
        elif one.name in found.reach:
            said.append(f"{one.name} {_least(found.reach[one.name])}")
        else:
            said.append(f"{one.name} is not forecast")
    of = "" if found.rows is None else f" with {round(found.rows):,} rows"
    even = " (if values are even over what is declared and groups alike: real rows mostly need more)"
    what = f"forecast, 95 % from the noise alone: at epsilon {spec.privacy.epsilon:g}{of} {', '.join(said)}"
    return what + (even if found.reach.keys() - found.noise.keys() else "")


def _few(found: Forecast) -> list[str]:
    return [
        f"statistics.{name}: takes about {math.ceil(one.least):,} rows with this noise, and here are fewer."
        " hint: a larger epsilon, more rows, or fewer statistics or columns"
        for name, one in found.reach.items()
        if found.rows is not None and one.value is None
    ]


def _interval(spec: Spec, one: Statistic, found: Forecast, rest: float | None) -> str:
    half, unit = found.noise[one.name], unit_of(spec, one) if kind_of(one).unit == "same" else ""
    unit = f" {unit}" if unit else ""
    if half is None and found.rows is None and rest is not None:
        return f"{one.name} +- {rest * MANY:.3g} / rows{unit}"
    needed = found.noise.get(f"{one.name}_needed")
    more = f", of values that have {needed:,.0f} rows or more (fewer may be missed)" if needed else ""
    return f"{one.name} {_plus_minus(half)}{unit}{' each' if kind_of(one).lists else ''}{more}"


def _least(reach: Reach) -> str:
    value = "" if reach.value is None else f", and has {reach.of}: {reach.value:.2g}"
    return f"takes about {math.ceil(reach.least):,} rows or more{value}"


def _plus_minus(half: float | None) -> str:
    return "has no bound" if half is None else f"+- {half:.2g}"
