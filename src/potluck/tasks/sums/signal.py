"""How much a round of training with noise can say beside its noise, from the plan alone, and which batch or number of
rounds could say more.

Let m units be in a sum on average, each clipped to an L2 norm of C, and let noise of standard deviation s be in each of
its d numbers, from all sites. Then the mean of the clipped gradients is at most C long, and its noise about s sqrt(d)/m
(the root of the mean of its square). So **signal to noise** of a step is at most m C / (s sqrt(d)), and of all T steps
together, which add up and whose noises are independent, at most sqrt(T) times that. What is longer is never said:
gradients of rows differ in direction, and near the end of training they cancel out. Where sites take steps of their
own and the server their mean, m and s are of all sites' sums of a step.
With all units in every step, the second figure does not depend on T: T times the steps take sqrt(T) times the noise.
With drawn units it is less the smaller their batch and the fewer the rounds. With banded sums (`dp.banded`) the noise
of steps together is less than that, for most of it cancels out: less by more at some steps than at others, so that it
is compared at all of them, by the root of its mean square over all prefixes of a run. Steps whose noises are
independent have sqrt((T + 1) / 2) of that, and what banded ones have less is taken from their sqrt(T). It compares
plans whose steps lead as far in all: more rounds are taken with a rate that is as much lower.

It does NOT say how good the model will be, nor count that a batch is a sample. m is what the plan expects; for persons
as if each had one row.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

import msgspec

from potluck.core.asks import Ask
from potluck.core.errors import PlanError
from potluck.core.plan import Plan
from potluck.dp.banded import left
from potluck.dp.mechanism import Walked, mechanism, noise_of
from potluck.learning.loops import TrainTask
from potluck.learning.models.fitted import training
from potluck.learning.training.method import method_of

GAIN = 1.05
"""What does better by less is not worth to be named."""
ENOUGH = 0.95
"""What comes so near to all rows in each round does as well."""
TIMES = (2, 4, 8, 16)
"""More rounds than so many times the plan's are not looked at."""
MOST_GROUPS = 64
"""More groups are not looked at: a site keeps as many sums."""
WEAK = 1.0
"""Below it noise alone leads farther than all rounds together."""


@dataclass(frozen=True, slots=True)
class Signal:
    """batch, band: as the plan says it; None: all. rounds, rate: of training; steps: in all rounds; multiplier: noise
    that is sure over the clip; sigma: in each number of a step's sums, in real units, if no site drops out;
    drift: how much longer noise of all steps together is than of one; step, run: see above."""

    batch: int | None
    rounds: int
    rate: float
    steps: int
    multiplier: float
    sigma: float
    step: float
    drift: float
    band: int | None = None

    @property
    def run(self) -> float:
        return self.step * self.steps / self.drift

    def hint(self, now: "Signal") -> str:
        """What of a plan would have to be otherwise."""
        if self.band is not None:
            return f"training.band = {self.band} and federation.dropouts = 0 in its place"
        if self.rounds != now.rounds:
            return f"training.rounds = {self.rounds} at training.rate = {self.rate:.3g}"
        return "leave it out" if self.batch is None else f"training.batch = {self.batch}"


@dataclass(frozen=True, slots=True)
class Outlook:
    """Of a plan, and of plans that differ by their batch, or by rounds and rate, and do better. whole: with all rows in
    each of as many rounds."""

    now: Signal
    whole: Signal
    better: tuple[Signal, ...] = ()

    def document(self) -> dict[str, object]:
        """As JSON has it."""
        now = self.now
        found = [
            {
                "batch": one.batch,
                "rounds": one.rounds,
                "rate": one.rate,
                "step_at_most": one.step,
                "run_at_most": one.run,
            }
            | ({} if one.band is None else {"band": one.band})
            for one in self.better
        ]
        here = {"multiplier": now.multiplier, "sigma": now.sigma, "step_at_most": now.step, "run_at_most": now.run}
        return {**here, "better": found}

    def words(self) -> str:
        """A line."""
        now = self.now
        noise = f"noise of {now.sigma:.3g} in each number of a sum ({now.multiplier:.3g} clips are sure)"
        far = f"at most {_few(now.step)} times as long as its noise"
        all_ = f"of all {now.steps:,} together {_few(now.run)} times"
        return f"{noise}; signal to noise: the mean clipped gradient of a step is {far}, {all_}"

    def warnings(self) -> list[str]:
        """Where another batch would do better, and where nothing can come of it."""
        found = []
        times = self.whole.run / self.now.run
        if self.better:
            hints = [one.hint(self.now) for one in self.better]
            what = (
                f"beside a sum over drawn rows there is {times:.2f} times the noise that there would be over all rows"
            )
            found.append(f"training.batch: {what}. hint: {' or '.join(hints)}")
        if self.now.run < WEAK:
            what = "noise alone leads farther than all steps together, even if every gradient points one way"
            hint = "more rows, a larger epsilon, or fewer weights that train"
            found.append(f"privacy.epsilon: {what}. hint: {hint}")
        return found


def _few(value: float) -> str:
    """A number of three figures at most."""
    return f"{value:.2g}" if value < 100 else f"{float(f'{value:.2g}'):,.0f}"


def outlook(spec: Plan, ask: Ask) -> Outlook | None:
    """ask: a plan's first sum. None: it is not of clipped gradients, or the plan does not say how many units it
    expects. Raises PlanError: the noise cannot be kept."""
    now = signal_of(spec, ask)
    if now is None:
        return None
    whole = (_with(spec, ask, None, now.rounds) if ask.chance else now) or now
    if whole.run < GAIN * now.run or ask.chance is None:
        return Outlook(now, whole)
    (drawn, of), enough = ask.chance, ENOUGH * whole.run
    # Noise is no less for more units, or more steps: so k times the batch says k times as much at most, k times the
    # steps the root of that. What could not be enough is not reckoned, which takes seconds.
    fewest = enough / now.run
    larger_ones = takewhile(lambda one: one < of, (drawn << k for k in range(1, 64)))
    batches = [_with_later(spec, ask, (one, of), now.rounds) for one in larger_ones if one >= fewest * drawn]
    rounds = [_with_later(spec, ask, ask.chance, now.rounds * times) for times in TIMES if times >= fewest**2]
    larger, longer = _first(batches, enough) or whole, _first(rounds, enough)
    better = (larger, longer, _in_turns(spec, ask))
    return Outlook(now, whole, tuple(one for one in better if one and one.run >= GAIN * now.run))


Made = Callable[[], Signal | None]
Chance = tuple[int, int] | None
"""As of `Ask`."""


def _with_later(spec: Plan, ask: Ask, chance: Chance, rounds: int) -> Made:
    return lambda: _with(spec, ask, chance, rounds)


def _first(found: Sequence[Made], enough: float) -> Signal | None:
    """The first that does as well, where each does better than the one before; each look reckons its noise."""
    low, high, best = 0, len(found), None
    while low < high:
        middle = (low + high) // 2
        one = found[middle]()
        if one is not None and one.run >= enough:
            high, best = middle, one
        else:
            low = middle + 1
    return best


def _in_turns(spec: Plan, ask: Ask) -> Signal | None:
    """With groups of about as many units as are drawn, of a plan that may have them."""
    (drawn, of), now = ask.chance or (1, 1), training(spec)
    band = min(of // drawn, now.rounds, MOST_GROUPS)
    if band < 2 or not method_of(spec).follows(spec) or spec.privacy.clip_follows is not None:
        return None
    then = msgspec.structs.replace(now, batch=None, band=band)
    sure = msgspec.structs.replace(spec.federation, dropouts=0)
    other = msgspec.structs.replace(spec, training=then, federation=sure)
    try:
        return signal_of(other, TrainTask(other).usual)
    except PlanError:
        return None


def _with(spec: Plan, ask: Ask, chance: Chance, rounds: int) -> Signal | None:
    """The same where units are drawn otherwise, or with another number of rounds. None: its noise cannot be kept."""
    now = training(spec)
    then = msgspec.structs.replace(now, rounds=rounds, rate=now.rate * now.rounds / rounds)
    other = msgspec.structs.replace(spec, training=then)
    try:
        return signal_of(other, replace(ask, chance=chance))
    except PlanError:
        return None


def signal_of(spec: Plan, ask: Ask) -> Signal | None:
    """Of a plan as it stands. Arguments and errors are those of `outlook`."""
    bound, units, sites = mechanism(spec, ask), _units(spec, ask), len(spec.federation.sites)
    inside = noise_of(bound)
    if inside is None or units is None:
        return None
    part, clip = inside.grid.parts[0], inside.limit.l2[0]
    givers = 1 if inside.word == "reveal" else sites
    sigma, sure = inside.real(inside.share)[0] * math.sqrt(givers), inside.real(inside.sigma)[0]
    step = units * clip / (sigma * math.sqrt(part.size))
    batch = ask.chance and ask.chance[0] // (sites if method_of(spec).by_site else 1)
    plan, own = training(spec), bound.times if isinstance(bound, Walked) else 1
    steps = plan.rounds * own
    drift = math.sqrt(steps) if ask.band is None else left(ask.band)[1] * math.sqrt(2 * steps / (steps + 1))
    return Signal(batch, plan.rounds, plan.rate, steps, sure / clip, sigma, step, drift, ask.band and ask.band.groups)


def _units(spec: Plan, ask: Ask) -> int | None:
    """About how many are in the sums of a step, of all sites."""
    if spec.privacy.unit == "site":
        return len(spec.federation.sites)
    expected = training(spec).expected_rows
    if ask.band is not None:
        return None if expected is None else max(1, expected // ask.band.groups)
    return expected if ask.chance is None else ask.chance[0]
