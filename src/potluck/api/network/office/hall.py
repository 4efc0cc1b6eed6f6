"""Where the runs of an office meet its line: a thread a run, until the line breaks or the office ends."""

import contextlib
import threading
import time
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Literal

from potluck.api.local.progress import quietly
from potluck.api.network.carried import Place, carry_out, possible
from potluck.api.network.line import put_up
from potluck.api.network.sessions import (
    CANCELLED,
    FAILED,
    OPEN,
    QUEUED,
    SUMMED,
    WAITING,
    Session,
    failed,
    plan_in,
    reopened,
)
from potluck.api.plan.plan import Plan
from potluck.core.errors import PotluckError, Unreachable
from potluck.core.plan import digest
from potluck.members.home import CoordinatorHome, Membership
from potluck.net.lease import Lease
from potluck.net.link import Link
from potluck.owner.access import AccessLog, Subject
from potluck.parties.runners.identity import identity
from potluck.parties.runners.journal import Journal
from potluck.parties.runners.known_heads import KnownHeads
from potluck.parties.runners.switchboard import Switchboard
from potluck.parties.runners.turns import Cancelled, Turns

LOOK = 1.0
"""Seconds between looks at the federation file."""
PATIENCE = 60.0
"""Seconds to wait for a run's thread when the line is gone: it looks up at least once a patience of its plan."""


class Interrupted(Exception):
    """The line is gone, or the office ends: the run goes on at the next start."""


class Renewed(Exception):
    """The federation has changed before the run had a round: it begins again."""


class Hall:
    """All runs behind one line. One thread starts them and hands letters on (`board.hand`)."""

    def __init__(self, home: CoordinatorHome, link: Link, lease: Lease, turns: Turns) -> None:
        self.home, self.link, self.lease = home, link, lease
        self.board = Switchboard(link)
        self.turns = turns
        self.over = threading.Event()
        self.newest = home.open(time.time())
        self.heads = KnownHeads(home.folder / "heads.json", self.newest.federation)
        self._looked = time.monotonic()
        self._threads: dict[str, threading.Thread] = {}

    def follow(self) -> None:
        """Now and then: whether the federation has changed. Runs without a round are proposed again then; others end
        under the file that they began with. A file that cannot be used changes nothing."""
        if time.monotonic() - self._looked < LOOK:
            return
        self._looked = time.monotonic()
        with contextlib.suppress(PotluckError):
            found, before = self.home.open(time.time()), self.newest
            if found.federation.digest == before.federation.digest:
                return
            self.newest = found
            self.link.keep(tuple(found.federation.cards))
            here, there = ((one.broker, one.ca, one.coordinator.nkey) for one in (before.federation, found.federation))
            if here != there:
                self.link.reconnect()
            put_up(self.home, self.link)

    def start(self, folder: Path) -> None:
        """Carry out the run in a folder, unless it is being carried out."""
        self._threads = {name: one for name, one in self._threads.items() if one.is_alive()}
        if folder.name not in self._threads:
            thread = threading.Thread(target=self._carry, args=(folder,), name=f"run-{folder.name[:8]}", daemon=True)
            self._threads[folder.name] = thread
            thread.start()

    def check(self, member: Membership) -> None:
        """Before a sum: wait until it is known that this server is still the federation's. Raises Interrupted: it is
        not, or the office ends. Refused: the federation file of the run does not count any more."""
        while not self.over.is_set():
            try:
                self.lease.check()
            except Unreachable:  # the broker does not answer: no round can go on, and none need end for that
                continue
            except PotluckError:  # another took over: the office ends all runs in a moment
                self.over.wait(PATIENCE)
                continue
            self.home.under(member.federation.digest, time.time(), member.federation.version)
            return
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
            plan, renewed = plan_in(folder), True
            while renewed:
                with reopened(folder, plan.spec, self.home, time.time()) as kept:
                    renewed = self._meet(kept, plan)
        except PotluckError as error:  # before its journal was open, or that cannot be written
            with contextlib.suppress(PotluckError), closing(Journal.look(folder / "journal.sqlite", "rw")) as journal:
                failed(journal, error)

    def _meet(self, kept: Session, plan: Plan) -> bool:
        """Whether it is to begin again, under a newer federation file."""
        member, me, turn = kept.member, identity(kept.member), _Turn(kept, self)
        with closing(self.board.join(kept.name, me)) as line:
            heads = self.heads.under(member.federation)
            where = Place(member, me, line, heads, partial(self.check, member), turn, self.home.results)
            try:
                self._end(kept, plan, self._carried(kept, plan, where, turn))
            except Renewed:
                kept.event("file", "its sites are asked again")
                return True
            finally:
                self.turns.leave(kept.name)
        return False

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
        except Renewed:
            raise
        except Exception as error:  # of a bug too: the other runs go on
            if self.over.is_set() or isinstance(error, Interrupted):
                return None
            return failed(kept.journal, error).words
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
        """Raises Cancelled; Interrupted: the line is gone; Renewed; Refused: keys of its file were revoked."""
        if self._hall.over.is_set():
            raise Interrupted
        if self._kept.journal.fact("cancel") is not None:
            raise Cancelled
        newest, mine = self._hall.newest.federation, self._kept.member.federation
        if newest.digest == mine.digest:
            return
        if not self._kept.journal.rounds():
            raise Renewed
        if mine.version < newest.oldest:  # nobody answers any more, so that it would wait without end
            self._hall.home.under(mine.digest, time.time(), mine.version)

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
