"""Where the runs of an office meet its line: a thread a run, until the line breaks or the office ends."""

import contextlib
import threading
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from potluck.api.local.progress import quietly
from potluck.api.network.carried import Place, carry_out, possible
from potluck.api.network.sessions import (
    CANCELLED,
    FAILED,
    OPEN,
    QUEUED,
    SUMMED,
    WAITING,
    Session,
    plan_in,
    reopened,
)
from potluck.api.plan.plan import Plan
from potluck.core.errors import PotluckError, Unreachable
from potluck.core.plan import digest
from potluck.members.home import CoordinatorHome
from potluck.net.lease import Lease
from potluck.net.link import Link
from potluck.owner.access import AccessLog, Subject
from potluck.parties.runners.identity import identity
from potluck.parties.runners.journal import Journal
from potluck.parties.runners.known_heads import KnownHeads
from potluck.parties.runners.switchboard import Switchboard
from potluck.parties.runners.turns import Cancelled, Turns

PATIENCE = 60.0
"""Seconds to wait for a run's thread when the line is gone: it looks up at least once a patience of its plan."""


class Interrupted(Exception):
    """The line is gone, or the office ends: the run goes on at the next start."""


class Hall:
    """All runs behind one line. One thread starts them and hands letters on (`board.hand`)."""

    def __init__(self, home: CoordinatorHome, link: Link, lease: Lease, turns: Turns) -> None:
        self.home, self.link, self.lease = home, link, lease
        self.board = Switchboard(link)
        self.turns = turns
        self.over = threading.Event()
        self.heads = KnownHeads(home.folder / "heads.json", home.standing().federation)
        self._threads: dict[str, threading.Thread] = {}

    def start(self, folder: Path) -> None:
        """Carry out the run in a folder, unless it is being carried out."""
        self._threads = {name: one for name, one in self._threads.items() if one.is_alive()}
        if folder.name not in self._threads:
            thread = threading.Thread(target=self._carry, args=(folder,), name=f"run-{folder.name[:8]}", daemon=True)
            self._threads[folder.name] = thread
            thread.start()

    def check(self) -> None:
        """Before a sum: wait until it is known that this server is still the federation's. Raises Interrupted: it is
        not, or the office ends."""
        while not self.over.is_set():
            try:
                self.lease.check()
                return
            except Unreachable:  # the broker does not answer: no round can go on, and none need end for that
                continue
            except PotluckError:  # another took over: the office ends all runs in a moment
                self.over.wait(PATIENCE)
        raise Interrupted

    def close(self) -> None:
        """No run goes on here: each stops where it is, as if the process had been killed there."""
        self.over.set()
        self.board.end(Unreachable("the office has no line"))
        end = time.monotonic() + PATIENCE
        for thread in self._threads.values():
            thread.join(max(0.0, end - time.monotonic()))

    def _carry(self, folder: Path) -> None:
        """One run to its end, or to where it is interrupted. Whatever goes wrong in it is this run's alone."""
        try:
            plan = plan_in(folder)
            member = self.home.open(time.time())
            me = identity(member)
            with (
                closing(self.board.join(folder.name, me)) as line,
                reopened(folder, plan.spec, member.federation) as kept,
            ):
                turn = _Turn(kept, self)
                where = Place(member, me, line, self.heads, self.check, turn, self.home.results)
                try:
                    self._end(kept, plan, self._carried(kept, plan, where, turn))
                finally:
                    self.turns.leave(folder.name)
        except PotluckError as error:  # before its journal was open, or that cannot be written
            with contextlib.suppress(PotluckError), closing(Journal.look(folder / "journal.sqlite", "rw")) as journal:
                Session(folder, folder.name, journal).failed(error)

    def _carried(self, kept: Session, plan: Plan, where: Place, turn: "_Turn") -> str | None:
        """How it ended, in words: empty where well. None: it was interrupted."""
        wait = kept.order.wait
        try:
            turn.waits()
            warnings = possible(plan, where.member.federation, datetime.now(UTC))
            carry_out(kept, plan, where, warnings, float("inf") if wait is None else wait, quietly, _unheard)
        except Cancelled:
            kept.became(CANCELLED)
            return kept.journal.fact("cancel") or CANCELLED
        except Exception as error:  # of a bug too: the other runs go on
            if self.over.is_set() or isinstance(error, Interrupted):
                return None
            return kept.failed(error).words
        return ""

    def _end(self, kept: Session, plan: Plan, words: str | None) -> None:
        if words is None:
            return
        kept.event(kept.state, words)
        outcome: Literal["finished", "withdrawn", "refused", "aborted"] = "finished"
        if kept.state == CANCELLED:
            outcome = "withdrawn"
        elif kept.state == FAILED:
            outcome = "refused" if words.startswith("Refused") else "aborted"
        about = Subject(kept.order.person, "", plan.spec.name, digest(plan.spec).hex(), kept.name, reason=words)
        AccessLog(self.home.access).write("end", datetime.now(UTC), outcome=outcome, about=about)


class _Turn:
    """One run's turn, as its journal says it. See `parties.runners.turns.Turn`."""

    def __init__(self, kept: Session, hall: Hall) -> None:
        self._kept, self._hall = kept, hall
        self._state = kept.state

    def go_on(self) -> None:
        """Raises Cancelled; Interrupted: the line is gone."""
        if self._hall.over.is_set():
            raise Interrupted
        if self._kept.journal.fact("cancel") is not None:
            raise Cancelled

    def mine(self) -> bool:
        """In the order in which the runs were agreed to by all."""
        ready = self._kept.journal.fact("ready")
        if ready is None:
            ready = repr(time.time())
            self._kept.journal.note("ready", ready)
        if self._hall.turns.take(self._kept.name, float(ready)):
            self._became(OPEN, "rounds begin")
            return True
        self._became(QUEUED, "its sites have agreed; other runs are before it")
        return False

    def rest(self) -> None:
        """Somebody is away."""
        self._hall.turns.leave(self._kept.name)
        self._became(WAITING, "somebody is away: other runs go first")

    def waits(self) -> None:
        """It begins, or begins again, by asking its sites."""
        if self._state != SUMMED:
            self._became(WAITING, "its sites are asked")

    def _became(self, state: str, words: str) -> None:
        if state != self._state:
            self._state = state
            self._kept.became(state)
            self._kept.event(state, words)


def _unheard(event: str, text: str) -> None:
    """Words of a run stand in its own folder."""
