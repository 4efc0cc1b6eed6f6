"""Which settings of a plan do better on made-up rows, beside its noise.

A method names settings that it may be tried with (`TrainingMethod.tried`): rounds, rate, clip. They are tried one key
after another, all on the same made-up tables with the same noise, and one is taken where it keeps GAIN more of the way
from a guess to the best model, or more than that, by metric and log-loss (`Rehearsed.fits`). So it goes on until no key
gains so much, and whoever follows the advice is advised nothing else. Where even then little is left, the smallest of a
few epsilons is looked for with which the model would be useful. A sum over k times the rows has k times the signal
beside the same noise, and one at k times the epsilon has about as much: so as many rows would do instead.

It does NOT know the owners' rows. What does better on made-up ones mostly does on real ones, as
`tests/tasks/sums/usefulness/test_real_rows.py` measures.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

import msgspec

from potluck.core.plan import Plan, required
from potluck.learning.data.target import goal_of
from potluck.learning.training import drawn, rates
from potluck.learning.training.method import method_of
from potluck.tasks.sums.usefulness.rehearsal import Rehearsed, rehearsed

TABLES, TRIED = range(8), range(4)
"""Made-up tables of a figure that is told, and of settings that are compared: those of a key on the first of these, and
what is found in the end on those that it was not found by."""
FIRST, PROOF = TRIED[:2], TABLES[len(TRIED) :]
GAIN = 0.05
"""Of the way from a guess to the best model: .015 of an AUC whose best is .8."""
WELL = 0.85
"""Where so much is kept nothing is tried."""
PASSES = 40
"""Over all keys, at most: each gains GAIN of what lies between -1 and 1, or is the last."""
EPSILON, RATE = "privacy.epsilon", "training.rate"
EPSILONS = (0.1, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0)
EVEN, RARE = 0.5, 0.1
"""Shares of positive rows, of a target of two sides: tables have them by turns."""

MEANS = ("best", "guess", "kept", "fits")

Setting = float | bool | None


@dataclass(frozen=True, slots=True)
class Score:
    """Of rehearsals on so many tables: means, and the least and most. shares: by share of positive rows, the mean of
    the metric."""

    tables: int
    value: float
    low: float
    high: float
    best: float
    guess: float
    kept: float
    fits: float
    shares: Mapping[float, float]


@dataclass(frozen=True, slots=True)
class Change:
    """A key of a plan, what it has now, and what does better."""

    key: str
    now: Setting
    better: Setting


@dataclass(frozen=True, slots=True)
class Rehearsals:
    """Of one plan and others that differ from it in settings, each of which is rehearsed once. rows: of training."""

    rows: int
    known: dict[tuple[bytes, int], Rehearsed | None] = field(default_factory=dict, repr=False)

    def score(self, spec: Plan, tables: range | None = None) -> Score | None:
        """None: it cannot be rehearsed."""
        every = [self._one(spec, number) for number in (TABLES if tables is None else tables)]
        each = [one for one in every if one is not None]
        if len(each) < len(every):
            return None
        values = [one.value for one in each]
        best, guess, kept, fits = (fmean(getattr(one, name) for one in each) for name in MEANS)
        shares = {one: fmean(values[at :: len(_shares(spec))]) for at, one in enumerate(_shares(spec))}
        return Score(len(each), fmean(values), min(values), max(values), best, guess, kept, fits, shares)

    def kept(self, spec: Plan) -> float:
        """As of `Rehearsed`; -1 of a plan that cannot be rehearsed."""
        found = self.score(spec)
        return -1.0 if found is None else found.kept

    def fits(self, spec: Plan, tables: range) -> float:
        """Likewise, by which settings are compared."""
        found = self.score(spec, tables)
        return -1.0 if found is None else found.fits

    def first(self, spec: Plan) -> float:
        """The same on few tables, for those of which only the best is looked at again."""
        return self.fits(spec, FIRST)

    def _one(self, spec: Plan, number: int) -> Rehearsed | None:
        at = msgspec.msgpack.encode((spec.training, spec.privacy)), number
        if at not in self.known:
            share = _shares(spec)[number % len(_shares(spec))]
            self.known[at] = rehearsed(spec, self.rows, share, number)
        return self.known[at]


def _shares(spec: Plan) -> tuple[float, ...]:
    return (EVEN, RARE) if goal_of(spec).side == "binary" else (EVEN,)


def improved(spec: Plan, by: Rehearsals) -> Plan:
    """The plan with settings that do better."""
    best, fits, tried = spec, by.fits(spec, TRIED), _tried(spec)
    for _ in range(PASSES if fits < WELL else 0):
        before = best
        for key, values in tried.items():
            found = max((setting(best, key, value) for value in values), key=by.first)
            if by.fits(found, TRIED) >= fits + GAIN:
                best, fits = found, by.fits(found, TRIED)
        if best is before:
            break
    if best is not spec and by.fits(best, PROOF) < by.fits(spec, PROOF) + GAIN / 2:
        return spec  # what did better by luck
    return best


def changed(spec: Plan, best: Plan) -> tuple[Change, ...]:
    """By which settings two plans differ, of those that are tried, and epsilon."""
    keys = (*method_of(spec).tried, EPSILON)
    each = (Change(key, value_of(spec, key), value_of(best, key)) for key in keys)
    return tuple(one for one in each if one.now != one.better)


def _tried(spec: Plan) -> Mapping[str, Sequence[float | bool]]:
    """Where units are drawn, other rounds cost seconds of reckoning each, and which do better is known without them
    (`signal`)."""
    advice, apart = rates.advice(spec), drawn.chance(spec) is not None or drawn.band(spec) is not None
    rate = advice.rate if advice else rates.usual_rate(spec)
    return {
        key: [float(f"{rate * one:.2g}") for one in values] if key == RATE else values
        for key, values in method_of(spec).tried.items()
        if not (apart and key == "training.rounds")
    }


def with_epsilon(spec: Plan, by: Rehearsals, wanted: float) -> Plan | None:
    """The plan with the smallest epsilon, and settings that suit it, at which so much is kept. None: with none of those
    that are looked at, or what is drawn, or metrics that have a part of epsilon, would have to be reckoned anew."""
    if drawn.chance(spec) is not None or spec.privacy.evaluation is not None:
        return None
    larger = [one for one in EPSILONS if one > required(spec.privacy.epsilon)]
    if not larger:
        return None
    low, high = 0, len(larger)
    tuned = improved(setting(spec, EPSILON, larger[high // 2]), by)
    while low < high:
        middle = (low + high) // 2
        enough = by.kept(setting(tuned, EPSILON, larger[middle])) >= wanted
        low, high = (low, middle) if enough else (middle + 1, high)
    for one in larger[low:]:
        best = improved(setting(tuned, EPSILON, one), by)
        if by.kept(best) >= wanted:  # settings that fit better may rank a little worse
            return best
    return None


def value_of(spec: Plan, key: str) -> Setting:
    """What a plan has for a key, such as training.rounds."""
    table, name = key.split(".")
    found: Setting = getattr(getattr(spec, table), name)
    return found


def setting(spec: Plan, key: str, value: Setting) -> Plan:
    """The plan with another value for it."""
    table, name = key.split(".")
    return msgspec.structs.replace(spec, **{table: msgspec.structs.replace(getattr(spec, table), **{name: value})})
