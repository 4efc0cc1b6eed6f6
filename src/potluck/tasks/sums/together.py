"""All parties' halves of a sum in this process, and the yardstick with no protocol at all."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np

from potluck.core.asks import Answer, Ask, Task, Votes
from potluck.core.desk import Desk
from potluck.core.fixed import word
from potluck.core.party import SERVER, Party
from potluck.core.plan import Plan
from potluck.core.rounds import Cause, RoundId, Sum, Words
from potluck.core.stages import Opened
from potluck.core.steps import recorded
from potluck.dp.mechanism import Bound, mechanism
from potluck.dp.reveal import reveal
from potluck.drivers.attempt import Attempt, quarrel, root_cause
from potluck.drivers.memory import Memory
from potluck.drivers.sums import drive
from potluck.learning import voting
from potluck.learning.data.table import Table as Rows
from potluck.learning.kept import InMemory
from potluck.learning.training.local import keeps
from potluck.tasks.sums.halves import RoundContext, aid, contribution, join, lead, nothing
from potluck.tasks.tie import by_order, of_table

T = TypeVar("T")


@dataclass(eq=False)
class Together:
    """One run's parties in memory: see `drivers.attempt.RoundRunner`. rows: by site. Each run in memory has keys of its
    own to tie it to them."""

    plan: Plan
    task: Task[Rows, object] = field(repr=False)
    protection: Sum
    rows: Mapping[Party, Rows] = field(repr=False)
    memory: Memory = field(repr=False)
    run: str

    def __post_init__(self) -> None:
        self.rows = begun(self.plan, self.rows)
        ordered = by_order(self.plan)
        self._ties = {site: of_table(table, self.memory.key(), ordered) for site, table in self.rows.items()}

    def attempt(self, ask: Ask, number: int, absent: Mapping[Party, Cause], must: frozenset[Party]) -> Attempt:
        """One round of all who are not absent. Nobody who must be there could come back, so none is waited for."""
        round_ = RoundId(self.run, number)
        context = RoundContext(self.plan, self.task, self.protection, round_)
        seat = self.memory.seat
        halves = {
            site: recorded(self._ties[site].record(self.run), round_, join(context, rows, seat(site)), later=True)
            for site, rows in self.rows.items()
            if site not in absent
        }
        halves |= {helper: aid(context, seat(helper)) for helper in self.protection.helpers()}
        desks = self.memory.round(round_, {SERVER: lead(context, ask, seat(SERVER)), **halves}, absent)
        return self._attempt_of(number, desks, absent)

    def _attempt_of(self, number: int, desks: Mapping[Party, Desk[object]], absent: Mapping[Party, Cause]) -> Attempt:
        server = desks[SERVER]
        reasons = {party: desk.abort for party, desk in desks.items() if party != SERVER and desk.abort}
        traffic = self.memory.transcript.traffic(number)
        paid = frozenset(site for site in self.rows if site in desks and desks[site].contributing)
        lost = {site: self._why(site, desks, absent) for site in self.plan.sites}
        answer = server.result
        assert answer is None or isinstance(answer, Answer)
        refused = answer.refused.items() if answer else ()
        lost |= {site: Cause(why) for site, why in refused if site not in absent}
        return Attempt(
            answer=answer,
            abort=root_cause(server.abort, reasons) if server.abort else None,
            traffic=traffic,
            lost={site: why for site, why in lost.items() if answer is None or site not in answer.release.givers},
            accused=quarrel(server, frozenset(self.rows.keys() - absent.keys())),
            paid=paid,
            left=bool(paid),
            agreed=frozenset[Party]().union(*(desk.fixed for party, desk in desks.items() if party not in self.rows)),
        )

    def _why(self, site: Party, desks: Mapping[Party, Desk[object]], absent: Mapping[Party, Cause]) -> Cause:
        desk = desks.get(site)
        if desk is None:
            return absent.get(site, Cause.SILENT)
        return desk.abort.cause if desk.abort else Cause.SILENT


def begun(plan: Plan, rows: Mapping[Party, Rows]) -> Mapping[Party, Rows]:
    """Every site's rows as a run begins: nothing is kept of another."""
    if not keeps(plan) and not voting.wanted(plan):
        return rows
    return {site: replace(one, kept=InMemory(), losses={}, votes={}) for site, one in rows.items()}


Joined = Callable[[Ask, Bound, Iterable[tuple[Party, Words]]], Words]
"""(sum, its bound, what each site hands to the protection [d], one after another) -> what is opened [d]."""


def added(ask: Ask, privacy: Bound, given: Iterable[tuple[Party, Words]]) -> Words:
    """As every protection does whose sum is one."""
    total = np.zeros(privacy.grid.length, dtype=word(privacy.grid.bits))
    for _, words in given:
        total += words
    return total


def by_hand(
    plan: Plan,
    task: Task[Rows, T],
    rows: Mapping[Party, Rows],
    memory: Memory,
    joined: Joined = added,
    never: frozenset[Party] = frozenset(),
) -> T:
    """The same task with no protocol between the tables: the yardstick, possible only where one holds all rows.

    joined: of a yardstick for something else than an honest sum; never: sites that vote against no model.
    """

    held = begun(plan, rows)

    def one_sum(ask: Ask) -> Answer:
        votes = _votes(plan, ask, held, never)
        if votes is not None and (votes.down or ask.only_votes):
            privacy, opened = nothing(plan, ask, votes)
        else:
            privacy = mechanism(plan, ask)
            given = (
                (site, contribution(task, ask, table, privacy, memory.seat(site)).words) for site, table in held.items()
            )
            opened = Opened(joined(ask, privacy, given), frozenset(rows))
        release = reveal(privacy.at_reveal(opened, memory.seat(SERVER).draw), privacy.grid)
        return Answer(release, privacy.grid, votes=votes)

    return drive(task, one_sum)


def _votes(plan: Plan, ask: Ask, rows: Mapping[Party, Rows], never: frozenset[Party]) -> Votes | None:
    """What the sites say of the model, of which they take note; None: they do not vote on it."""
    if not voting.remembers(plan, ask):
        return None
    against = frozenset([site for site, one in rows.items() if voting.against(plan, ask, one)])
    return Votes(frozenset(rows), against - never) if ask.votes else None
