"""A plan played anew in this process, over rows at hand, by the program's own code: honest, or with sites that lie.

A lying site hands the protection words of its choice. What hinders it is what the plan's protection checks: under
`share` what one site adds at most (`dp.limits`), in an enclave a robust rule (`tee.sum.rules`), elsewhere that numbers
lie in the ring. Clips do not: the site that lies is the one that would clip. It lies in training alone, votes against
no model, and counts its rows as they are: looks at validation rows and the count of rows would be further levers.
It does NOT play what travels: every protection opens the sum that `by_hand` adds up, and an enclave joins as it does.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from potluck.audits.attack import Truth, Until
from potluck.core.asks import Ask, Kind
from potluck.core.errors import PotluckError
from potluck.core.fixed import signed
from potluck.core.party import Party
from potluck.core.plan import Plan, Protect, digest
from potluck.core.rounds import Abort, Words
from potluck.dp.limits import limits
from potluck.dp.mechanism import Bound
from potluck.drivers.memory import Memory
from potluck.learning.data.table import Table
from potluck.learning.loops import TrainTask
from potluck.learning.models.model import Model
from potluck.learning.training.method import TALLY
from potluck.learning.training.newton import GRAM
from potluck.learning.training.trained import Trained
from potluck.tasks.sums.halves import rule_of
from potluck.tasks.sums.together import Joined, added, by_hand
from potluck.tee.sum.rules import joined as by_rule

SIDES = ("binary", "classes")
"""Of targets, of which a row is right or wrong."""
AS_THEY_ARE = (TALLY, GRAM)
"""Blocks that a liar leaves alone: counts of rows, and how steep a loss is, without which there is no step to turn."""
Rows = Callable[[Table], Table]


@dataclass(frozen=True, slots=True)
class Lie:
    """What a site does. words: as one reads it; times: of what it learnt, what it sends; rows: those it trains on."""

    words: str
    times: float = 1.0
    rows: Rows = field(default=lambda table: table, repr=False)


HONEST = Lie("nothing")


class Stopped(Exception):
    """No model came of it, and why."""


def played(plan: Plan, truth: Truth, liars: frozenset[str], lie: Lie, until: Until) -> Trained:
    """What comes of a whole run over these rows, of all sites. Raises Stopped: it ends without one, or time is up."""
    spec = msgspec.structs.replace(plan, protect=Protect(scheme="clear"))
    rows = {site: lie.rows(truth[site.name]) if site.name in liars else truth[site.name] for site in plan.sites}
    memory = Memory(plan.sites, digest(spec))
    try:
        task, lying = TrainTask(spec, evaluated=False), frozenset[Party]()
        if lie is not HONEST:
            lying = frozenset(site for site in plan.sites if site.name in liars)
        return by_hand(spec, task, rows, memory, _joined(plan, liars, lie, until), lying)
    except (Abort, PotluckError, ArithmeticError, np.linalg.LinAlgError) as error:
        said = error.what if isinstance(error, PotluckError) else str(error)
        raise Stopped(f"the run ends without a model ({said})") from None


def _joined(plan: Plan, liars: frozenset[str], lie: Lie, until: Until) -> Joined:
    """How sums of the plan are joined, where these sites lie."""

    def joined(ask: Ask, privacy: Bound, given: Iterable[tuple[Party, Words]]) -> Words:
        if until.over:
            raise Stopped("playing the plan takes longer than there is time")
        sent = (
            (site, _lied(plan, ask, privacy, words, lie.times) if site.name in liars else words)
            for site, words in given
        )
        rule = rule_of(plan, ask, privacy)
        return added(ask, privacy, sent) if rule.word == "sum" else by_rule(rule, [words for _, words in sent])

    return joined


def _lied(plan: Plan, ask: Ask, privacy: Bound, words: Words, times: float) -> Words:
    """[d] so many times what the site learnt, as far as the plan's protection lets it through."""
    if ask.kind is not Kind.TRAIN or times == 1:
        return words
    grid, out = privacy.grid, words.copy()
    held = limits(plan, ask, privacy) if plan.compute else ()
    bounds = iter(held)
    for part, where in zip(grid.parts, grid.slices().values(), strict=True):
        limit = next(bounds, None) if part.size else None
        if part.name in AS_THEY_ARE or not part.size:
            continue
        steps = signed(words[where]) * times
        if limit is not None and limit.norm:
            steps *= min(1.0, limit.norm / max(float(np.linalg.norm(steps)), 1.0))
        most = part.high / part.step if limit is None else min(limit.bound, part.high / part.step)
        out[where] = np.trunc(np.clip(steps, -most, most)).astype(np.int64).astype(out.dtype)
    return out


def right(model: Model, table: Table) -> NDArray[np.bool_]:
    """[n] of the held-out rows, or of all where none are, which the model says right."""
    rows = table.test if table.test.any() else np.ones(len(table.target), np.bool_)
    return np.asarray(said(model, table)[rows] == table.target[rows])


def said(model: Model, table: Table) -> NDArray[np.int64]:
    """[n] which side or class the model says of each row."""
    margins = model.margins(table.inputs)
    return (margins[:, 0] >= 0).astype(np.int64) if margins.shape[1] == 1 else margins.argmax(axis=1)
