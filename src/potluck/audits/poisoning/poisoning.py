"""One site, or some, turn the model against the others: what they learnt is sent many times over, or turned round, or
learnt from labels that were turned round.

The plan is played anew, once honestly and once with each lie, over rows that can be read here; what counts is how often
the model is right at the other sites. The worst lie is told. A fall counts where chance alone reaches it less than once
in 1,000 runs: without noise by a sign test over rows that one model says right and the other wrong; with noise, which
differs from run to run, where every one of 8 runs with the lie is worse than every one of 8 honest ones. A fall that
chance may have made, as where rows are few, is undecided. A lie for which the sites vote the model down does not count:
the run ends there, and says so.
Reference: Blanchard et al. 2017, "Machine Learning with Adversaries", NeurIPS; Fang et al. 2020, arXiv 1911.11815.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from math import comb
from typing import NamedTuple

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
from potluck.learning.training.trained import RolledBack

TIMES = 10.0
LEAST = 0.05
"""A smaller fall of the accuracy is none."""
CHANCE, LIES, RUNS = 1e-3, 4, 8
"""That chance alone makes a success of so many lies together; runs of each kind where they have noise: that 8 are all
worse than 8 others happens by chance once in 12,870."""


def fits(seen: Seen) -> str | None:
    """Why nothing can be poisoned here. None: it can."""
    plan = seen.plan
    if not plan.traits.trains or not plan.traits.sums:
        return "no sums are made here from which a model is trained"
    if not liars(seen):
        return "poisoning is what sites do: name one with --as"
    if plan.model is not None and plan.model.local:
        return "some weights stay at each site, so nobody holds a whole model"
    return None if goal_of(plan).side in SIDES else "the target is neither two sides nor classes"


def liars(seen: Seen) -> frozenset[str]:
    """The sites of the coalition."""
    return seen.names & set(seen.plan.federation.sites)


def lies(plan: Plan, who: frozenset[str]) -> tuple[Lie, ...]:
    """What these sites try. The first is as loud as all sites together: louder ones may end the run."""
    flipped, all_ = partial(_flipped, goal_of(plan).cells), len(plan.federation.sites) / len(who)
    return (
        Lie(f"what it learnt, -{all_:.3g} times", -all_),
        Lie(f"what it learnt, {TIMES:g} times", TIMES),
        Lie(f"what it learnt, -{TIMES:g} times", -TIMES),
        Lie("what it learns from labels that are turned round", rows=flipped),
    )


def _flipped(cells: int, table: Table) -> Table:
    return replace(table, target=(table.target + 1) % cells)


class Tried(NamedTuple):
    """What came of a lie. sure: by no chance alone; falls: the model is worse, and no vote of the sites ended the run
    for it, which they and the run would say; fall: of accuracy."""

    sure: bool
    falls: bool
    fall: float
    lie: Lie
    back: RolledBack | None


@dataclass(frozen=True, slots=True, eq=False)
class Turned:
    """The model as it could have become. of: the sites that did not lie."""

    plan: Plan
    who: frozenset[str]
    of: frozenset[str]
    until: Until = field(repr=False)

    def judged(self, truth: Truth) -> Verdict:
        """Succeeded where a lie makes the model worse at the other sites. score: how often it is wrong there, a mean
        over sites; baseline: how often the honest one is."""
        missing = away(self.plan, truth)
        if missing:
            return Verdict(None, missing)
        others = [truth[name] for name in sorted(self.of)]
        count = RUNS if self.plan.noisy else 1
        try:
            honest = [played(self.plan, truth, self.who, HONEST, self.until).model for _ in range(count)]
        except Stopped as stopped:
            return Verdict(None, f"was not played to its end: {stopped}")
        before, tried, ended = scores(honest, others).mean(), list[Tried](), list[str]()
        for lie in lies(self.plan, self.who):
            try:
                runs = [played(self.plan, truth, self.who, lie, self.until) for _ in range(count)]
            except Stopped as stopped:
                ended.append(f"with {lie.words} {stopped}")
                continue
            after, back = [one.model for one in runs], next((one.back for one in runs if one.back), None)
            fall = float(before - scores(after, others).mean())
            falls = fall >= LEAST and back is None
            tried.append(Tried(falls and turned(honest, after, others, CHANCE / LIES), falls, fall, lie, back))
        if not tried:
            return Verdict(None, f"was not played to its end: {ended[0]}")
        worst = max(tried, key=lambda one: one[:3])
        unsure, rows = worst.falls and not worst.sure, sum(len(right(honest[0], one)) for one in others)
        did = "could have turned" if worst.sure else "may have turned" if unsure else "did not turn"
        voted = f"; {worst.back.words.partition(':')[0]}, which the run says" if worst.back else ""
        words = (
            f"{told(self.who)} {did} the model{'' if worst.falls else ' here'}: accuracy at the other sites "
            f"{before:.2f} -> {before - worst.fall:.2f}{chance(count, rows) if unsure else ''}, where one answer to "
            f"all rows is right {usual(others):.2f} of the time (sent: {worst.lie.words}{voted}; {how(count)})"
        )
        return Verdict(None if unsure else worst.sure, words, 1 - float(before) + worst.fall, 1 - float(before))


def how(count: int) -> str:
    """In words, how it was found."""
    runs = (
        "the plan was played anew in this process" if count == 1 else f"means of {count} runs of each kind, played anew"
    )
    return f"{runs}, over rows that were read here"


def chance(runs: int, rows: int) -> str:
    """Why it is not known whether a change is more than chance, in words."""
    few = f"{rows} rows are too few to tell" if runs == 1 else f"{runs} runs differ too much by themselves to tell"
    return f", but {few} that from chance"


def told(who: frozenset[str]) -> str:
    """Who lies, in words."""
    names = sorted(who)
    return f"site {names[0]} alone" if len(names) == 1 else f"sites {', '.join(names)} together"


def away(plan: Plan, truth: Truth) -> str:
    """Why the plan cannot be played anew, in words; empty: it can."""
    missing = sorted(set(plan.federation.sites) - truth.keys())
    return f"the plan cannot be played anew: rows of {', '.join(missing)} are not here" if missing else ""


def scores(models: Sequence[Model], tables: Sequence[Table]) -> Floats:
    """[runs] how often each model is right, a mean over sites."""
    return np.array([np.mean([right(one, table).mean() for table in tables]) for one in models])


def usual(tables: Sequence[Table]) -> float:
    """How often one answer to all held-out rows is right, a mean over sites: the best there is."""
    held = [one.target[one.test] if one.test.any() else one.target for one in tables]
    return max(float(np.mean([(some == answer).mean() for some in held])) for answer in np.unique(np.concatenate(held)))


def turned(honest: Sequence[Model], after: Sequence[Model], tables: Sequence[Table], chance: float) -> bool:
    """Whether it is no chance that the models after are worse."""
    if len(honest) > 1:
        return (
            bool(scores(after, tables).max() < scores(honest, tables).min())
            and 1 / comb(2 * len(honest), len(honest)) <= chance
        )
    was, now = (np.concatenate([right(one, table) for table in tables]) for one in (honest[0], after[0]))
    return signs(int((was & ~now).sum()), int((now & ~was).sum())) <= chance


def signs(lost: int, won: int) -> float:
    """The chance that of rows on which two models differ so many or more are lost, if either model is as good."""
    count = lost + won
    return float(sum(comb(count, one) for one in range(lost, count + 1)) / 2**count)


@dataclass(frozen=True, slots=True)
class Poisoning:
    """See the module."""

    name: str = "poisoning"
    sort: Sort = Sort.POISONING
    reference: str = "Blanchard et al. 2017, NeurIPS; Fang et al. 2020, arXiv 1911.11815"

    def fits(self, seen: Seen) -> str | None:
        """It needs sites that train by sums, one of them in the coalition."""
        return fits(seen)

    def tried(self, seen: Seen, until: Until) -> Sequence[Found]:
        """What the coalition's sites could have made of the model at the others."""
        who = liars(seen)
        return [Turned(seen.plan, who, frozenset(seen.plan.federation.sites) - who, until)]

    def control(self, seen: Seen, until: Until) -> Iterable[Scene]:
        """A plain mean over rows of no one."""
        return scene(seen, until)


POISONING = Poisoning()
