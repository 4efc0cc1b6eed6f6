"""What sites could make of a run's model by lying, as one kind of attack: each of them says what came of its own lies.

The plan is played anew, honestly first, over rows that can be read here. A change counts where chance alone reaches it
less than once in 1,000 runs: without noise by a sign test over rows that one model says right and the other wrong; with
noise, which differs from run to run, where every one of 8 runs with the lie is beyond every one of 8 honest ones. What
chance may have made, as where rows are few, is undecided.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from math import comb

import numpy as np

from potluck.audits.attack import Found, Scene, Sort, Truth, Until, Verdict
from potluck.audits.poisoning.made_up import scene
from potluck.audits.poisoning.played import HONEST, SIDES, Lie, Stopped, played, right
from potluck.audits.seen import Seen
from potluck.core.plan import Plan
from potluck.core.stages import Floats
from potluck.learning.data.table import Table
from potluck.learning.data.target import goal_of
from potluck.learning.models.model import Model
from potluck.learning.training.trained import Trained

LEAST = 0.05
"""A smaller change of a share is none."""
CHANCE, RUNS = 1e-3, 8
"""That chance alone makes a success of all lies together; runs of each kind where they have noise: that 8 are all
worse than 8 others happens by chance once in 12,870."""


@dataclass(frozen=True, slots=True, eq=False)
class Play:
    """A plan that is played with lies. who: the sites that lie; own, others: their rows, and the others'; honest: the
    models without a lie, several where they have noise."""

    plan: Plan
    who: frozenset[str]
    truth: Truth = field(repr=False)
    honest: Sequence[Model]
    until: Until = field(repr=False)

    @property
    def own(self) -> list[Table]:
        """Rows of those who lie."""
        return [self.truth[name] for name in sorted(self.who)]

    @property
    def others(self) -> list[Table]:
        """Rows of those who do not."""
        return [self.truth[name] for name in sorted(set(self.plan.federation.sites) - self.who)]

    def lied(self, lie: Lie) -> list[Trained]:
        """As many runs with a lie. Raises Stopped."""
        return [played(self.plan, self.truth, self.who, lie, self.until) for _ in self.honest]

    @property
    def how(self) -> str:
        """In words, how it was found."""
        many = len(self.honest)
        once = "the plan was played anew in this process"
        runs = f"means of {many} runs of each kind, with noise drawn afresh" if many > 1 else once
        return f"{runs}, over rows that were read here"

    def chance(self, rows: int) -> str:
        """Why it is not known whether a change is more than chance, in words."""
        many = len(self.honest)
        few = f"{rows} rows are too few to tell" if many == 1 else f"{many} runs differ too much by themselves to tell"
        return f", but {few} that from chance"

    @property
    def liars(self) -> str:
        """Who lies, in words."""
        names = sorted(self.who)
        return f"site {names[0]} alone" if len(names) == 1 else f"sites {', '.join(names)} together"


Told = Callable[[Play], Verdict]
"""What came of an attack's lies. Raises Stopped."""


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What sites `who` could have made of the model at the others, `of`."""

    plan: Plan
    who: frozenset[str]
    of: frozenset[str]
    until: Until = field(repr=False)
    told: Told = field(repr=False)

    def judged(self, truth: Truth) -> Verdict:
        """By playing the plan."""
        missing = sorted(set(self.plan.federation.sites) - truth.keys())
        if missing:
            return Verdict(None, f"the plan cannot be played anew: rows of {', '.join(missing)} are not here")
        try:
            count = RUNS if self.plan.noisy else 1
            honest = [played(self.plan, truth, self.who, HONEST, self.until) for _ in range(count)]
            if all(one.back for one in honest):
                return Verdict(
                    None, f"with no lie the sites vote the model of these rows down, too: it is {_of(honest)}"
                )
            return self.told(Play(self.plan, self.who, truth, [one.model for one in honest], self.until))
        except Stopped as stopped:
            return Verdict(None, f"was not played to its end: {stopped}")


def _of(honest: Sequence[Trained]) -> str:
    back = next(one.back for one in honest if one.back)
    return back.words.partition(":")[0]


def _nothing(plan: Plan) -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class Lying:
    """told: what came of its lies; lacks: what a plan lacks for them, beside what all need."""

    name: str
    reference: str
    told: Told = field(repr=False)
    lacks: Callable[[Plan], str | None] = field(default=_nothing, repr=False)
    sort: Sort = Sort.POISONING

    def fits(self, seen: Seen) -> str | None:
        """It needs sites that train by sums, one of them in the coalition."""
        plan = seen.plan
        if not plan.traits.trains or not plan.traits.sums:
            return "no sums are made here from which a model is trained"
        if not _sites(seen):
            return "poisoning is what sites do: name one with --as"
        if plan.model is not None and plan.model.local:
            return "some weights stay at each site, so nobody holds a whole model"
        return self.lacks(plan) if goal_of(plan).side in SIDES else "the target is neither two sides nor classes"

    def tried(self, seen: Seen, until: Until) -> Sequence[Found]:
        """What the coalition's sites could have made of the model at the others."""
        who = _sites(seen)
        return [Outcome(seen.plan, who, frozenset(seen.plan.federation.sites) - who, until, self.told)]

    def control(self, seen: Seen, until: Until) -> Iterable[Scene]:
        """A plain mean over rows of no one."""
        return scene(seen, until)


def _sites(seen: Seen) -> frozenset[str]:
    return seen.names & set(seen.plan.federation.sites)


def scores(models: Sequence[Model], tables: Sequence[Table]) -> Floats:
    """[runs] how often each model is right, a mean over sites."""
    return np.array([np.mean([right(one, table).mean() for table in tables]) for one in models])


def beyond(honest: Floats, after: Floats, chance: float) -> bool:
    """Whether every run with a lie is above every honest one, as many of each, and that is no chance."""
    return bool(after.min() > honest.max()) and 1 / comb(2 * len(honest), len(honest)) <= chance


def signs(lost: int, won: int) -> float:
    """The chance that of rows on which two models differ so many or more are lost, if either model is as good."""
    count = lost + won
    return float(sum(comb(count, one) for one in range(lost, count + 1)) / 2**count)
