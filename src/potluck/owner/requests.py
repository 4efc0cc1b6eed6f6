"""Who asked for which plan, and what the owner's people decided: one SQLite file, shared by the site and its verbs.

A decision is about a plan's hash, a request about one run of it. A person's newest verdict on a hash is the one that
counts, and one denial beats every approval. With rule "person" the approvals of a plan serve one run and are used up
by it; with "hash" they stay until revoked; with "policy" nobody need approve, and anybody may still deny or revoke.
It does NOT judge (`judge` does), does not prove who a person is, and writes no access log: the caller does, within the
same transaction (`change`).
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Self

from potluck.core.errors import Refused, UsageError
from potluck.members.persons import Persons, folded
from potluck.owner import decisions
from potluck.owner.decisions import Said
from potluck.owner.policy import Approve
from potluck.owner.store import as_our_errors, forget, keep, misfits, opened, room

SHORTEST = 16
"""Hex letters of a hash that name a plan: 64 bits. Another plan with the same 8 letters is found within hours."""
MOST_PENDING = 256
KEPT = 1_000
LARGEST, WAITING, UNHEARD = 4 << 20, 64 << 20, 16 << 20
MISFITS, DAY, UNFIT = 3, 86400.0, "data"
IDLE, UNUSED = 8, "unused"
REPEATED, NEAR, STRANGERS = "repeats", "near", "members"
ENDED = ("elsewhere", "failed")
LONGEST = 200
"""Requests that wait; requests that are remembered; bytes of a plan, of all that wait, and of all that the policy
denied or their asker withdrew; letters of a name: what others can put here."""
_COUNTED = DAY
"""Seconds that a misfit stays, as long as `misfits` may count it: who floods this file has none of them forgotten."""
_SELECT = "SELECT run, hash, plan, asker, first_seen, state, codes FROM requests JOIN plans USING (hash)"


class State(StrEnum):
    """What became of a request. All but the first two are final."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    REVOKED = "revoked"
    FINISHED = "finished"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Request:
    """One run that was asked for. hash: 64 hex letters; plan: canonical JSON; first_seen: seconds since 1970.

    codes: the policy's keys that denied it, empty where people did; REPEATED, NEAR (its rows are nearly those of
    another exact sum), STRANGERS (nobody agreed to a member that it names): it goes on once somebody says yes again;
    of one that was withdrawn, ENDED: another party refused it, or a round of it failed, and it may be asked for again.
    """

    run: str
    hash: str
    plan: bytes
    asker: str
    first_seen: float
    state: State
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """What a verdict did. changed: requests whose state it changed, as they are now; missing: approvals still needed
    by the next run of this plan (0: it will be approved as it comes, or nobody need approve); newest: of these
    requests, or of the plan's; None: nobody asked for it yet; lifted: whose no a yes took back (see `lift`)."""

    hash: str
    changed: tuple[Request, ...]
    missing: int
    newest: Request | None
    lifted: tuple[str, ...] = ()


class Requests:
    """The file, opened a process. Every method is one transaction, so that site and verbs may use it at once."""

    def __init__(self, path: Path) -> None:
        """Opens the file, or makes it, 0600. Raises UsageError: it cannot be; Refused: it is another, or damaged."""
        self._path, self._persons = path, Persons.beside(path)
        self._db = opened(path)

    def close(self) -> None:
        """Nothing more is asked of it."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(
        self, run: str, plan_hash: bytes, plan: bytes, asker: str, now: float, codes: Sequence[str], approve: Approve
    ) -> Request:
        """A run is asked for; codes: the policy's reasons against it.

        A known run is as it was left, but for what waits, the policy denied or its asker ended: that is judged anew. An
        older run of this plan that still waits gives way: its asker has begun anew. Raises Refused: the run is known
        with another plan or asker, the plan is too large, or too many wait."""
        if len(plan) > LARGEST or len(plan_hash) != 32 or max(len(run), len(asker)) > LONGEST:
            raise Refused("a request of a form that is not accepted", where=str(self._path))
        text = plan_hash.hex()
        with self.change() as db:
            known = self._one(run)
            if known is not None:
                if (known.hash, known.asker) != (text, asker):
                    raise Refused("a run is asked for again with another plan", where=str(self._path))
                return self._judged_again(known, codes, approve)
            for older in self._select("hash = ? AND asker = ? AND state = 'pending'", text, asker):
                self._withdraw(older, approve.rule == "hash")
            room(self._db, self._path, plan, MOST_PENDING, WAITING)
            keep(self._db, self._path, text, plan)
            row = (run, text, asker, now, " ".join(codes), State.PENDING.value)
            insert = "INSERT INTO requests (run, hash, asker, first_seen, codes, state) VALUES (?, ?, ?, ?, ?, ?)"
            db.execute(insert, row)
            self._settle(run, text, bool(codes), approve)
            forget(self._db, KEPT, UNHEARD, (UNFIT, UNUSED), _COUNTED)
            return self._known(run)

    def approve(
        self, prefix: str, person: str, now: float, approve: Approve, since: float = 0.0, run: str = ""
    ) -> Decision:
        """A person says yes to a plan: serves the run that waits (`run` before others), or the next. Approvals before
        `since` count no more. Raises UsageError: no plan or more than one begins so, or nobody is named."""
        with self.change() as db:
            text = self._hash(prefix)
            decisions.outdate(self._db, text, since)
            lifted = decisions.lift(db, text, person, self._invited())
            decisions.say(db, text, person, "approve", now)
            query = "SELECT run FROM requests WHERE hash = ? AND state = 'pending' ORDER BY run != ?, seq LIMIT 1"
            waiting = [one for (one,) in db.execute(query, (text, run)).fetchall()]
            for one in waiting:
                self._settle(one, text, False, approve)
            return replace(self._decision(text, waiting, State.PENDING, approve), lifted=lifted)

    def deny(self, prefix: str, person: str, now: float, approve: Approve) -> Decision:
        """A person says no to a plan: runs that wait or go on are denied, and later ones until the person approves."""
        with self.change() as db:
            text = self._hash(prefix)
            decisions.say(db, text, person, "deny", now)
            changed = self._move(text, ("pending", "approved"), State.DENIED)
            return self._decision(text, changed, None, approve)

    def revoke(self, prefix: str, person: str, now: float, approve: Approve) -> Decision:
        """All approvals of a plan are taken back, by whomever they were given; a run that goes on is revoked. Denials
        stay. Under rule "policy" a later run is approved again: change the policy, or deny."""
        with self.change() as db:
            text = self._hash(prefix)
            decisions.say(db, text, person, "revoke", now)
            decisions.void(self._db, text)
            changed = self._move(text, ("approved",), State.REVOKED)
            return self._decision(text, changed, None, approve)

    def idle(self, run: str, now: float, charged: Callable[[str], bool]) -> bool:
        """Whether IDLE other plans of the last day were approved and cost nothing. Each tells whether its rows are
        there, so rule "policy" approves no other plan with noise by itself then. charged: whether a run was."""
        with as_our_errors(self._path):
            query = "SELECT run, hash, codes FROM requests WHERE run != ? AND first_seen > ?"
            about = (run, now - DAY, UNUSED, State.APPROVED.value)
            rows = self._db.execute(f"{query} AND (codes = ? OR state = ?)", about).fetchall()
        return len({text for one, text, codes in rows if codes == UNUSED or not (codes or charged(one))}) >= IDLE

    def mark(self, run: str, code: str) -> None:
        """An approved run told its asker a bit about the rows that no ledger counts, remembered for a day. UNFIT: they
        do not fit the plan; after MISFITS such plans rule "policy" approves no other by itself. UNUSED: they fit, and
        nothing was charged though the plan has noise; see `idle`. What is marked UNFIT stays so."""
        with self.change() as db:
            query = "UPDATE requests SET codes = ? WHERE run = ? AND state = 'approved' AND codes != ?"
            db.execute(query, (code, run, UNFIT))

    def again(self, run: str, why: str = REPEATED) -> Request:
        """An approved run waits for a person's approval, by whatever rule it had the first one. why: a step of it was
        repeated too often, or NEAR. Raises UsageError: no such run."""
        with self.change() as db:
            query = "UPDATE requests SET state = 'pending', codes = ? WHERE run = ? AND state = 'approved'"
            db.execute(query, (why, run))
            return self._known(run)

    def finish(self, run: str, lasts: bool = False) -> Request:
        """The run ended, well or not. Where it was approved it is finished now, also if people were asked once more
        after rounds of it; where it still waited its asker withdrew it. lasts: a yes is for every run of a plan (rule
        "hash"). Raises UsageError: no such run."""
        with self.change() as db:
            one = self._known(run)
            if one.state is State.APPROVED or (one.state is State.PENDING and one.codes == (REPEATED,)):
                db.execute("UPDATE requests SET state = 'finished' WHERE run = ?", (run,))
            elif one.state is State.PENDING:
                self._withdraw(one, lasts)
            elif one.state is State.WITHDRAWN and " ".join(one.codes) in ENDED:  # and comes no more
                db.execute("UPDATE requests SET codes = '' WHERE run = ?", (run,))
            return self._known(run)

    def ended(self, run: str, why: str, lasts: bool) -> bool:
        """Its asker says that a run does not go on for now, for one of ENDED: nobody decides about it until it is asked
        for again. One that was approved stays so, and one about which people are asked again waits. lasts: as in
        `finish`. Gives whether it waited or was approved."""
        with self.change() as db:
            known = self._one(run)
            if known and known.state is State.PENDING and known.codes not in ((REPEATED,), (NEAR,)):
                if not lasts:  # void, for the run may come again, and what was said to it then counts
                    decisions.outdate(db, known.hash, float("inf"))
                self._withdraw(known, lasts, why)
            return known is not None and known.state in (State.PENDING, State.APPROVED)

    def left(self, person: str, begun: Callable[[str], bool], approve: Approve) -> None:
        """Somebody was removed: what they approved counts no more, but in runs that have `begun`; others wait again."""
        with self.change() as db:
            for run, text in decisions.leave(db, person, begun):
                self._settle(run, text, False, approve)

    def suffices(self, run: str, approve: Approve) -> bool:
        """Before the first round of an approved run: whether persons of now said yes as the policy of now asks. If not
        it waits again. Raises UsageError: no such run."""
        with self.change() as db:
            about = (self._known(run).hash, run, self._invited(), approve.people, approve.rule == "hash")
            return approve.rule == "policy" or decisions.recount(db, *about)

    def state(self, run: str) -> State:
        """To be asked before every round: only APPROVED goes on. Raises UsageError: no such run."""
        with as_our_errors(self._path):
            return self._known(run).state

    def of(self, run: str) -> Request | None:
        """The request of a run; None: nobody ever asked for it."""
        with as_our_errors(self._path):
            return self._one(run)

    def missing(self, run: str, approve: Approve, since: float = 0.0) -> int:
        """How many persons must still approve a pending run. since: as in `approve`. Raises UsageError: no such run."""
        with as_our_errors(self._path):
            request = self._known(run)
            return self._still(request.hash, approve, since) if request.state is State.PENDING else 0

    def pending(self) -> tuple[Request, ...]:
        """What waits, oldest first: the inbox."""
        with as_our_errors(self._path):
            return self._select("state = 'pending'")

    def every(self) -> tuple[Request, ...]:
        """All that is remembered, oldest first."""
        with as_our_errors(self._path):
            return self._select("TRUE")

    def find(self, prefix: str) -> tuple[Request, ...]:
        """All requests for one plan, oldest first. Raises UsageError: none or more than one plan begins so."""
        with as_our_errors(self._path):
            return self._select("hash = ?", self._hash(prefix))

    def decided(self, prefix: str) -> tuple[Said, ...]:
        """All that people said about a plan, oldest first. Raises as `find`."""
        with as_our_errors(self._path):
            return decisions.every(self._db, self._hash(prefix))

    def approvers(self, prefix: str, since: float = 0.0) -> list[str]:
        """Whose approvals, given since then, the next run of a plan has, by folded name. Raises as `find`."""
        with as_our_errors(self._path):
            return decisions.approvers(self._db, self._hash(prefix), self._invited(), since)

    def _invited(self) -> dict[str, float]:
        return {folded(one.name): one.since for one in self._persons.all()}

    def _judged_again(self, known: Request, codes: Sequence[str], approve: Approve) -> Request:
        """What waits, the policy denied or its asker ended is judged by the policy of today; what people decided
        stands."""
        again = {State.DENIED: bool(known.codes), State.WITHDRAWN: " ".join(known.codes) in ENDED}.get(known.state)
        if again and not codes:
            room(self._db, self._path, known.plan, MOST_PENDING, WAITING)
        elif not again and not (known.state is State.PENDING and codes and not known.codes):
            return known
        self._db.execute("UPDATE requests SET codes = ? WHERE run = ?", (" ".join(codes), known.run))
        self._settle(known.run, known.hash, bool(codes), approve)
        return self._known(known.run)

    def _withdraw(self, one: Request, lasts: bool, why: str = "") -> None:
        """It waits no more. A yes that it had was about this run: no later one is half approved by it."""
        self._db.execute("UPDATE requests SET state = 'withdrawn', codes = ? WHERE run = ?", (why, one.run))
        if not lasts:
            decisions.carry(self._db, one.hash, one.run)

    def _settle(self, run: str, text: str, by_policy: bool, approve: Approve) -> None:
        """A request that waits is decided, where it can be."""
        state = State.PENDING
        if by_policy or decisions.denied(self._db, text):
            state = State.DENIED
        elif (approve.rule == "policy" and misfits(self._db, run, text, UNFIT, DAY) < MISFITS) or self._still(
            text, approve
        ) == 0:
            state = State.APPROVED
            if approve.rule != "hash":
                decisions.carry(self._db, text, run)
        self._db.execute("UPDATE requests SET state = ? WHERE run = ?", (state.value, run))

    def _still(self, text: str, approve: Approve, since: float = 0.0) -> int:
        return max(0, approve.people - len(self.approvers(text, since)))

    def _decision(self, text: str, runs: Sequence[str], before: State | None, approve: Approve) -> Decision:
        changed = tuple(one for one in map(self._known, runs) if one.state is not before)
        newest = next(reversed(changed or self._select("hash = ?", text)), None)
        return Decision(text, changed, self._still(text, approve), newest)

    def _move(self, text: str, states: tuple[str, ...], to: State) -> list[str]:
        changed = [one.run for one in self._select("hash = ?", text) if one.state.value in states]
        self._db.executemany("UPDATE requests SET state = ? WHERE run = ?", [(to.value, run) for run in changed])
        return changed

    def _hash(self, prefix: str) -> str:
        return decisions.meant(self._db, prefix, SHORTEST)

    def _known(self, run: str) -> Request:
        request = self._one(run)
        if request is None:
            raise UsageError("no such run was asked for", where=str(self._path), hint="see `potluck site log`")
        return request

    def _one(self, run: str) -> Request | None:
        return next(iter(self._select("run = ?", run)), None)

    def _select(self, condition: str, *values: str) -> tuple[Request, ...]:
        rows = self._db.execute(f"{_SELECT} WHERE {condition} ORDER BY seq", values)
        return tuple(
            Request(run, text, plan, asker, first_seen, State(state), tuple(codes.split()))
            for run, text, plan, asker, first_seen, state, codes in rows
        )

    @contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """One transaction, durable when it ends; another process waits for it. Changes within are part of it, and none
        of them holds if anything fails."""
        with as_our_errors(self._path):
            if self._db.in_transaction:
                yield self._db
                return
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
