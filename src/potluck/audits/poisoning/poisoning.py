"""One site, or some, turn the model against the others: what they learnt is sent many times over, or turned round, or
learnt from labels that were turned round.

What counts is how often the model is right at the other sites. The worst lie is told. A lie for which the sites vote
the model down does not count: the run ends there, and says so.
Reference: Blanchard et al. 2017, "Machine Learning with Adversaries", NeurIPS; Fang et al. 2020, arXiv 1911.11815.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np

from potluck.audits.attack import Verdict
from potluck.audits.poisoning.lying import CHANCE, LEAST, Lying, Play, beyond, scores, signs
from potluck.audits.poisoning.played import Lie, Stopped, right
from potluck.core.plan import Plan
from potluck.learning.data.table import Table
from potluck.learning.data.target import goal_of
from potluck.learning.models.model import Model
from potluck.learning.training.trained import RolledBack

TIMES, LIES = 10.0, 5


def lies(plan: Plan, who: frozenset[str]) -> tuple[Lie, ...]:
    """What these sites try, LIES of them. The first is as loud as all sites together: louder ones may end the run. The
    fourth is no louder than an honest site: it passes rules that look at how loud a site is."""
    flipped, all_ = partial(_flipped, goal_of(plan).cells), len(plan.federation.sites) / len(who)
    return (
        Lie(f"what it learnt, -{all_:.3g} times", -all_),
        Lie(f"what it learnt, {TIMES:g} times", TIMES),
        Lie(f"what it learnt, -{TIMES:g} times", -TIMES),
        Lie("what it learnt, turned round", -1.0),
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


def told(play: Play) -> Verdict:
    """Succeeded where a lie makes the model worse at the other sites. score: how often it is wrong there, a mean over
    sites; baseline: how often the honest one is."""
    others, tried, ended = play.others, list[Tried](), list[str]()
    before = float(scores(play.honest, others).mean())
    for lie in lies(play.plan, play.who):
        try:
            runs = play.lied(lie)
        except Stopped as stopped:
            ended.append(f"with {lie.words} {stopped}")
            continue
        after, back = [one.model for one in runs], next((one.back for one in runs if one.back), None)
        fall = before - float(scores(after, others).mean())
        falls = fall >= LEAST and back is None
        tried.append(Tried(falls and turned(play.honest, after, others, CHANCE / LIES), falls, fall, lie, back))
    if not tried:
        raise Stopped(ended[0])
    worst = max(tried, key=lambda one: one[:3])
    unsure, rows = worst.falls and not worst.sure, sum(len(right(play.honest[0], one)) for one in others)
    did = "could have turned" if worst.sure else "may have turned" if unsure else "did not turn"
    voted = f"; {worst.back.words.partition(':')[0]}, which the run says" if worst.back else ""
    words = (
        f"{play.liars} {did} the model{'' if worst.falls else ' here'}: accuracy at the other sites "
        f"{before:.2f} -> {before - worst.fall:.2f}{play.chance(rows) if unsure else ''}, where one answer to "
        f"all rows is right {usual(others):.2f} of the time (sent: {worst.lie.words}{voted}; {play.how})"
    )
    return Verdict(None if unsure else worst.sure, words, 1 - before + worst.fall, 1 - before)


def usual(tables: Sequence[Table]) -> float:
    """How often one answer to all held-out rows is right, a mean over sites: the best there is."""
    held = [one.target[one.test] if one.test.any() else one.target for one in tables]
    return max(float(np.mean([(some == answer).mean() for some in held])) for answer in np.unique(np.concatenate(held)))


def turned(honest: Sequence[Model], after: Sequence[Model], tables: Sequence[Table], chance: float) -> bool:
    """Whether it is no chance that the models after are worse."""
    if len(honest) > 1:
        return beyond(-scores(honest, tables), -scores(after, tables), chance)
    was, now = (np.concatenate([right(one, table) for table in tables]) for one in (honest[0], after[0]))
    return signs(int((was & ~now).sum()), int((now & ~was).sum())) <= chance


POISONING = Lying("poisoning", "Blanchard et al. 2017, NeurIPS; Fang et al. 2020, arXiv 1911.11815", told)
