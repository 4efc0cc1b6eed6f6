"""A site's durable budget: what left it, what that cost, and never twice under one key.

One append-only chain of entries (`chain`), readable by its owner alone; what a run is and what it cost is derived from
them. A charge is on the disk before `write` returns (`synchronous=EXTRA`: with a rollback journal the directory too),
hence before a contribution leaves. A run that was begun and not finished has charges whose fate nobody knows: they
count as spent, and nothing more is charged until the owner has settled it. A run that was joined (`rejoin`) may go on
after a crash: its site writes a marker before each round, and refuses a round that it had begun.
Caps compare what the runs come to together, composed event by event (`tally`) at one delta: epsilons that are small
because their plans' deltas are large add up to nothing, and hide nothing. The plain sum of the runs' own epsilons is
kept as a second figure, that people know.
Without an anchor (`heads`) it does NOT notice that the whole file was deleted or put back from a copy; it never knows
what others release of the same rows, and a yearly cap believes the site's own clock.
"""

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

from msgspec.structs import replace as replaced

from potluck.core.errors import Refused, UsageError
from potluck.core.plan import Unit
from potluck.core.predicting import SCORED
from potluck.core.rounds import CHARGE, Abort, Cause, Record
from potluck.core.wire import dump, load
from potluck.dp.account import Cost, spent
from potluck.dp.banded import overdrawn
from potluck.dp.composition import RunCosts
from potluck.owner.chain import Chain, Head
from potluck.owner.entries import Begun, Spending, begun, cost
from potluck.owner.evidence import lines
from potluck.owner.ledger_heads import Anchor
from potluck.owner.policy import DELTA
from potluck.owner.scored import Scored
from potluck.owner.scored import read as read_scored
from potluck.owner.tally import Tally

YEAR = 366 * 86400.0
"""Seconds: no calendar year is longer."""


class Budget:
    """One site's ledger (`core.ledger.Ledger`), opened per process."""

    def __init__(
        self,
        path: Path,
        cap: float | None = None,
        *,
        yearly: float | None = None,
        delta: float = DELTA,
        anchor: Anchor | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Opens the file, or makes it, 0600. cap, yearly: epsilons that all runs, and those of the last year, never
        exceed, composed at `delta`. Raises UsageError: it cannot be read, written or made. Raises Refused: it is not a
        budget of this version, damaged, edited, or not the one that `anchor` knows; nothing is overwritten."""
        self._path = path
        self._cap = cap
        self._yearly = yearly
        self._anchor = anchor
        self._clock = clock
        self._delta = delta
        self._mine: set[str] = set()
        self._closed: dict[str, Spending] = {}
        self._anchored: Head | None = None
        if anchor:
            anchor.expects(path)
        with contextlib.ExitStack() as undo:
            self._chain = Chain(path)
            undo.callback(self._chain.close)
            self._tally = Tally(self._chain, str(path))
            if anchor:
                anchor.hold(self._chain)
                self._anchored = self._chain.last
                self._chain.write_ahead()
            undo.pop_all()

    def limit(self, yearly: float | None, delta: float) -> None:
        """From now on all runs of the last year, composed at `delta`, never exceed `yearly`. None: no such cap."""
        self._yearly, self._delta = yearly, delta

    def anchored(self, anchor: Anchor) -> None:
        """From now on the site has other keys. Raises Refused: the ledger is not what the anchor knows."""
        anchor.hold(self._chain)
        self._anchor, self._anchored = anchor, self._chain.last

    def begin(self, run: str, plan: str, plan_hash: bytes, unit: Unit | None, delta: float | None, now: float) -> None:
        """A run starts (or starts again, cut off before it charged anything). unit, delta: None without noise.

        Raises Refused: a run was cut off after it had charged, or this one has run before.
        """
        wanted = Begun(plan, plan_hash, unit, delta, False)
        with self._change():
            self._refuse_cut_off()
            known = self._known(run)
            if known is None:
                self._start(run, wanted, now)
            elif known != (wanted, "open") or run in self._mine:
                raise Refused(f"a run {run} has run before", where=str(self._path), hint="start a new run")
        self._mine.add(run)

    def rejoin(self, run: str, plan: str, plan_hash: bytes, unit: Unit | None, delta: float | None, now: float) -> None:
        """A long-lived site takes part in a run, or does so again after it was killed. Other open runs do not matter.
        Only for a caller that writes a durable marker before a round's first letter and refuses the round that it
        finds marked. Raises Refused: the run is over here, or was another one."""
        wanted = Begun(plan, plan_hash, unit, delta, True)
        with self._change():
            known = self._known(run)
            if known is None:
                self._start(run, wanted, now)
            elif known[0] != wanted:
                what = f"run {run} was begun with another plan, unit or delta"
                raise Refused(what, where=str(self._path), hint="start a new run")
            elif known[1] != "open":
                raise Refused(f"run {run} is {known[1]} here", where=str(self._path), hint="start a new run")
        self._mine.add(run)

    def _start(self, run: str, begun: Begun, now: float) -> None:
        if not run:  # '' stands for "no run" in the chain
            raise UsageError("a run needs a name", where=str(self._path))
        self._chain.append("begin", run, "", dump(begun), now)

    def finish(self, run: str) -> None:
        """The run ended, well or not, and it is known what left this site. Nothing more is charged to it."""
        with self._change():
            known = self._known(run)
            if known and known[1] == "open":
                self._chain.append("finish", run, "", b"", self._clock())
        self._mine.discard(run)

    def settle(self) -> list[str]:
        """The owner has seen that runs were cut off: their charges stay spent, and new ones are possible. Their names.
        A run that another process still has open counts as cut off: it can charge nothing more."""
        with self._change():
            rows = self._chain.read("SELECT run FROM runs WHERE state = 'open' ORDER BY began, run")
            names = [str(row[0]) for row in rows if row[0] not in self._mine]
            for name in names:
                self._chain.append("settle", name, "", b"", self._clock())
        return names

    def cut_off(self) -> list[str]:
        """Runs with charges that neither finished, nor may be rejoined, nor are this process's own: to be settled."""
        rows = self._chain.read(
            "SELECT run, value FROM runs WHERE state = 'open' AND EXISTS"
            " (SELECT 1 FROM facts WHERE facts.run = runs.run AND length(facts.value) > 0) ORDER BY began, run"
        )
        return [str(run) for run, value in rows if run not in self._mine and not begun(value, str(self._path)).joined]

    def write(self, *records: Record) -> None:
        """All of them are durable when this returns. One under CHARGE carries a `Cost` (or nothing, without noise).

        Raises Abort: a record's `other` where its key is taken (those before it are durable), BUDGET where the charge
        is refused.
        """
        refused: Abort | None = None
        try:
            with self._change():
                for record in records:
                    try:
                        self._write(record)
                    except Abort as abort:
                        refused = abort
                        break
                    except Refused as error:  # raised before anything of this record is written
                        refused = Abort(Cause.BUDGET, detail=str(error))
                        break
        except (UsageError, Refused) as error:
            raise Abort(Cause.BUDGET, detail=str(error)) from None
        if refused is not None:
            raise refused

    def _write(self, record: Record) -> None:
        known = self._chain.read("SELECT value FROM facts WHERE key = ?", record.key)
        if known:
            if record.again and known[0][0] == record.value:
                return
            raise Abort(record.other, detail=record.key.split("/")[0])
        now = self._clock()
        run = self._charged(record, now) if record.key.startswith(CHARGE) else ""
        self._chain.append("fact", run, record.key, record.value, now)

    def _charged(self, record: Record, now: float) -> str:
        """The run that this charge belongs to. Raises Abort(BUDGET), Refused."""
        run = record.key[len(CHARGE) :].rpartition("/")[0]
        known = self._known(run)
        if not record.value:
            return run if known else ""
        if known is None or not known[0].joined:
            self._refuse_cut_off()
        if run not in self._mine or known is None or known[1] != "open":
            raise Abort(Cause.BUDGET, detail="this process has no such run open")
        more, unit, delta = load(record.value, Cost), known[0].unit, known[0].delta
        if more.unit != unit or delta is None or more.delta > delta:
            raise Abort(Cause.BUDGET, detail="the charge is not of the run that was begun")
        charged = self._tally.charged(run)
        assert charged is not None  # begun with noise, and open
        if sum(count for one, count in charged.costs.items() if one.phase is more.phase) >= more.releases:
            what = f"all {more.releases} sums that the plan paid for are used. hint: set privacy.redo"
            raise Abort(Cause.BUDGET, detail=what)
        then = replace(charged, costs=Counter(charged.costs) + Counter([more]))
        if overdrawn(replaced(one.event, count=many * one.event.count) for one, many in then.costs.items()):
            what = "banded sums would cost one group more than the plan paid for. hint: set privacy.redo"
            raise Abort(Cause.BUDGET, detail=what)
        for cap, since, words in ((self._cap, None, ""), (self._yearly, now - YEAR, " a year")):
            if cap is not None and not self.composed(since, run, (then,), cap) <= cap * (1 + 1e-9):
                what = f"this sum would exceed the cap of {cap:g}{words}, composed at delta {self._delta:g}"
                raise Abort(Cause.BUDGET, detail=what)
        return run

    def _refuse_cut_off(self) -> None:
        names = self.cut_off()
        if names:
            where, hint = (
                f"{self._path}, run {names[0]}",
                f"potluck budget --ledger {self._path.parent} --settle, once nothing runs there any more",
            )
            raise Refused("a run is still going or was cut off, settle it first", where=where, hint=hint)

    def composed(
        self,
        since: float | None = None,
        run: str = "",
        instead: Sequence[RunCosts] = (),
        cap: float | None = None,
    ) -> float:
        """The epsilon, at this ledger's delta, of all runs together: what the caps compare.

        since: only of runs that began or were charged at that time (seconds since 1970) or later, and of open ones.
        run: one in whose place `instead` counts, and not what it was charged. cap: what it is compared with.
        """
        return self._tally.composed(self._delta, since, run, instead, cap)

    def spent(self, since: float | None = None) -> float:
        """The runs' own epsilons, each at its plan's delta, added up. since: as above."""
        rows = self.history()
        return sum(row.epsilon for row in rows if since is None or row.last >= since or row.state == "open")

    def spent_by(self, run: str) -> float:
        """The epsilon that one run spent; 0 where it never ran here."""
        return next((row.epsilon for row in self.history() if row.run == run), 0.0)

    def course(self, run: str, points: int = 8) -> tuple[tuple[int, float], ...]:
        """After so many sums of a run, what it had spent: so many points at most, the last sum's among them."""
        known = self._known(run)
        costs = [cost(value, str(self._path)) for _, _, value in self.facts(f"{CHARGE}{run}/") if value]
        if known is None or known[0].delta is None or not costs:
            return ()
        at = sorted({-(-len(costs) * place // points) for place in range(1, points + 1)})
        return tuple((sums, spent(costs[:sums], known[0].delta)) for sums in at)

    def delta(self) -> float:
        """The deltas of all runs that charged something, added up, as the plain epsilons are."""
        return sum(row.delta or 0.0 for row in self.history() if row.releases)

    def left(self, cap: float | None = None) -> float | None:
        """What `cap` leaves (without one: the caps this was opened with, the tighter one; None: no cap)."""
        total, year = (self._cap, self._yearly) if cap is None else (cap, None)
        room = [] if total is None else [total - self.composed(cap=total)]
        room += [] if year is None else [year - self.composed(self._clock() - YEAR, cap=year)]
        return max(0.0, min(room)) if room else None

    def history(self) -> list[Spending]:
        """Every run, oldest first."""
        rows = self._chain.read("SELECT run, value, began, state FROM runs ORDER BY began, run")
        return [self._closed.get(run) or self._spending(run, value, began, state) for run, value, began, state in rows]

    def _spending(self, run: str, value: bytes, began: float, state: str) -> Spending:
        start, costs = begun(value, str(self._path)), self._costs(run)
        last = self._chain.read("SELECT max(at) FROM facts WHERE run = ?", run)[0][0]
        epsilon = spent(costs, start.delta) if costs and start.delta is not None else 0.0
        row = Spending(run=run, plan=start.plan, plan_hash=start.plan_hash, when=began, unit=start.unit,
                       delta=start.delta, epsilon=epsilon, releases=len(costs), state=state,
                       last=max(began, last or began))  # fmt: skip
        if state != "open":  # nothing is charged to it any more: never computed again
            self._closed[run] = row
        return row

    def fact(self, key: str) -> bytes | None:
        """What was written under a key."""
        found = self._chain.read("SELECT value FROM facts WHERE key = ?", key)
        return bytes(found[0][0]) if found else None

    def noted(self, key: str) -> float | None:
        """When that was written, in seconds since 1970."""
        found = self._chain.read("SELECT at FROM facts WHERE key = ?", key)
        return float(found[0][0]) if found else None

    def facts(self, start: str) -> list[tuple[int, str, bytes]]:
        """(number of the entry, key, value) of what stands under keys that begin so, up to a "/", oldest first."""
        query = "SELECT seq, key, value FROM facts WHERE key > ? AND key < ? ORDER BY seq"
        return self._chain.read(query, start, f"{start[:-1]}0")  # "0" follows "/"

    def scored(self) -> list[Scored]:
        """Every run in which this owner's model scored somebody's rows, oldest first."""
        query = "SELECT key, value, at FROM facts WHERE key GLOB ? ORDER BY seq"
        return read_scored(self._chain.read(query, f"{SCORED}*"))

    def head(self) -> Head:
        """The last entry: the whole ledger, in one hash. Raises Refused: it was edited under this process's feet."""
        return self._chain.head()

    def holds(self, head: Head) -> None:
        """Raises Refused: the ledger has no such entry: it was put back from a copy, or a copy of it was used."""
        self._chain.holds(head)

    def export(self, upto: Head) -> Iterator[bytes]:
        """The entries up to a head as lines, for `evidence.verify_export`. Raises Refused: the ledger has it not."""
        self._chain.holds(upto)
        return lines(self._chain.entries(upto.seq))

    def _known(self, run: str) -> tuple[Begun, str] | None:
        """How a run was begun and its state (open, finished or settled)."""
        rows = self._chain.read("SELECT value, state FROM runs WHERE run = ?", run)
        return (begun(rows[0][0], str(self._path)), str(rows[0][1])) if rows else None

    def _costs(self, run: str) -> list[Cost]:
        rows = self._chain.read("SELECT value FROM facts WHERE run = ? AND length(value) > 0 ORDER BY key", run)
        return [cost(row[0], str(self._path)) for row in rows]

    @contextlib.contextmanager
    def _change(self) -> Iterator[None]:
        """One transaction, alone from its first look on; then the anchor follows. Raises UsageError, Refused."""
        with self._chain.change():
            yield
        if self._anchor and self._chain.last != self._anchored:
            with self._chain.change() as now:  # alone again: an older head never replaces a newer one
                self._anchor.move(now)
                self._anchored = now

    def close(self) -> None:
        """Let go of the file."""
        self._chain.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
