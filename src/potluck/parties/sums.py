"""One run with all parties in this process: the task's loop over sums, retries, and what each round cost.

A sum that aborts before it opened is tried again under a fresh number and fresh keys: without the site that was
named, as long as the minimum cohort stays; else as often as the plan's `redo` allows. With noise every attempt in
which contributions left is charged again, and calibrated for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from potluck.core.asks import Answer, Ask, Task
from potluck.core.desk import Desk
from potluck.core.fixed import word
from potluck.core.party import SERVER, Party
from potluck.core.plan import Plan
from potluck.core.rounds import Abort, Cause, RoundId, Sum
from potluck.core.stages import Opened
from potluck.dp.bound import Exact, Noised, privacy
from potluck.dp.reveal import reveal
from potluck.fl.table import Table
from potluck.parties.horizontal import Sitting, contribution, join, lead
from potluck.parties.memory import Memory
from potluck.parties.transcript import Traffic

T = TypeVar("T")
Progress = Callable[[Ask], None]


@dataclass(frozen=True, slots=True)
class Round:
    """One finished sum: which, under which number, who was missing and why, seconds, and the traffic."""

    ask: Ask
    number: int
    dropped: Mapping[str, Cause]
    seconds: float
    traffic: Traffic


@dataclass(slots=True)
class Log:
    """What a run did: finished rounds, and the aborts that led to a retry."""

    rounds: list[Round] = field(default_factory=list)
    aborts: list[str] = field(default_factory=list)


def drive(task: Task[Table, T], one_sum: Callable[[Ask], Answer]) -> T:
    """Run a task's server side to its outcome, each sum done by `one_sum`."""
    steps = task.lead()
    try:
        ask = next(steps)
        while True:
            ask = steps.send(one_sum(ask))
    except StopIteration as stop:
        outcome: T = stop.value
        return outcome


class Sums:
    """The sums of one run, in memory. Call it with an ask; it gives the answer and logs the round."""

    def __init__(
        self,
        plan: Plan,
        task: Task[Table, object],
        protection: Sum,
        tables: Mapping[Party, Table],
        memory: Memory,
        run: str,
        progress: Progress = lambda ask: None,
    ) -> None:
        self.log = Log()
        self._plan = plan
        self._task = task
        self._protection = protection
        self._tables = tables
        self._memory = memory
        self._run = run
        self._progress = progress
        self._number = 0
        self._excluded: dict[Party, Cause] = {}
        self._redo = plan.privacy.redo

    def __call__(self, ask: Ask) -> Answer:
        """One sum. Raises Abort: the cause, and whom it names."""
        self._progress(ask)
        while True:
            self._number += 1
            started = time.perf_counter()
            desks = self._attempt(ask)
            server = desks[SERVER]
            if server.abort is None:
                answer = server.result
                assert isinstance(answer, Answer)
                self._finished(ask, answer, desks, time.perf_counter() - started)
                return answer
            self._give_up_or_retry(desks, server.abort)

    def _attempt(self, ask: Ask) -> Mapping[Party, Desk[object]]:
        round_ = RoundId(self._run, self._number)
        sitting = Sitting(self._plan, self._task, self._protection, round_)
        seat = self._memory.seat
        halves = {
            site: join(sitting, table, seat(site)) for site, table in self._tables.items() if site not in self._excluded
        }
        return self._memory.round(round_, {SERVER: lead(sitting, ask, seat(SERVER)), **halves}, self._excluded)

    def _finished(self, ask: Ask, answer: Answer, desks: Mapping[Party, Desk[object]], seconds: float) -> None:
        missing = [site for site in self._plan.sites if site not in answer.release.givers]
        dropped = {str(site): self._why(site, desks) for site in missing}
        traffic = self._memory.transcript.traffic(self._number)
        self.log.rounds.append(Round(ask, self._number, dropped, seconds, traffic))

    def _why(self, site: Party, desks: Mapping[Party, Desk[object]]) -> Cause:
        desk = desks.get(site)
        if desk is None:
            return self._excluded.get(site, Cause.SILENT)
        return desk.abort.cause if desk.abort else Cause.SILENT

    def _give_up_or_retry(self, desks: Mapping[Party, Desk[object]], abort: Abort) -> None:
        """Go on without those who could not agree, or use up one redo; otherwise raise the most telling abort.

        A box that does not open accuses two: who sealed it and who says so. Nobody can tell them apart, so both
        stay away, and one liar cannot talk honest sites out of the round one by one. Once contributions have left,
        nobody is left out any more: with noise that would be a release that was not planned, without it a second sum
        over other sites.
        """
        named = self._quarrel(desks[SERVER])
        self.log.aborts.append(str(abort))
        left = any(step.endswith("/input") for step in self._memory.transcript.traffic(self._number).steps)
        if named and not left and len(self._tables) - len(self._excluded | named) >= self._plan.fewest:
            self._excluded.update(named)
            return
        if self._redo > 0:
            self._redo -= 1
            return
        raise _telling(desks, abort)

    def _quarrel(self, server: Desk[object]) -> dict[Party, Cause]:
        """Who accused whom, of those that still take part."""
        here = self._tables.keys() - self._excluded.keys()
        found: dict[Party, Cause] = {}
        for accuser, cause, accused in server.notices:
            if accused in here and accuser in here and accuser != accused:
                found |= {accuser: cause, accused: cause}
        return found


def _telling(desks: Mapping[Party, Desk[object]], abort: Abort) -> Abort:
    """The abort to raise: one that names a site; else a site's own reason, which says more than "too few answers"."""
    if abort.party is not None and abort.party != SERVER:
        return abort
    quiet = (Cause.SILENT, Cause.STOPPED, Cause.LATE, Cause.TOO_FEW)
    for party, desk in desks.items():
        if party != SERVER and desk.abort and desk.abort.cause not in quiet:
            why = desk.abort
            return Abort(why.cause, party=why.party or party, step=why.step or abort.step, detail=_more(party, why))
    return abort


def _more(party: Party, why: Abort) -> str:
    if why.cause is Cause.REPLAY and why.detail.startswith("survivors"):
        return (
            "without noise the sites of the first sum stay those of the whole run, since two sums over different sites "
            "differ by one site's update. hint: run again, or add noise"
        )
    return f"says {party}: {why.detail}" if why.party else why.detail


def by_hand(plan: Plan, task: Task[Table, T], tables: Mapping[Party, Table], memory: Memory) -> T:
    """The same task with no protocol between the tables: the yardstick, possible only where one holds all rows."""

    def one_sum(ask: Ask) -> Answer:
        bound: Exact | Noised = privacy(plan, ask)
        total = np.zeros(bound.grid.length, dtype=word(bound.grid.bits))
        for site, table in tables.items():
            total += contribution(task, ask, table, bound, memory.seat(site)).words
        opened = Opened(total, frozenset(tables))
        return Answer(reveal(bound.at_reveal(opened, memory.seat(SERVER).draw), bound.grid), bound.grid)

    return drive(task, one_sum)
