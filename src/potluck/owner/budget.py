"""A site's durable budget: what left it, what that cost, and never twice under one key.

One SQLite file, readable by its owner alone. A charge is on the disk before `write` returns (`synchronous=EXTRA` with
a rollback journal: the directory too), hence before a contribution leaves. A run that was begun and not finished has
charges whose fate nobody knows: they count as spent, and nothing more is charged until the owner has settled it.
Epsilons of different runs are added up (and their deltas with them): loose, always right, and easy to explain; runs
of different units are added up too, though an epsilon for persons promises more than one for rows.
It does NOT notice that the whole file was deleted or put back from a copy, nor what others release of the same rows.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from potluck.core.errors import Refused, UsageError
from potluck.core.rounds import CHARGE, Abort, Cause, Record
from potluck.core.wire import load
from potluck.dp.account import Cost, spent

MAGIC = 0x504C4B42
VERSION = 1
PATIENCE = 5.0
"""Seconds to wait for another process that writes the same file."""
_SCHEMA = f"""
CREATE TABLE runs (
    run TEXT PRIMARY KEY, plan TEXT NOT NULL, hash BLOB NOT NULL, unit TEXT, delta REAL, began REAL NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'finished', 'settled'))
) STRICT, WITHOUT ROWID;
CREATE TABLE facts (
    key TEXT PRIMARY KEY, value BLOB NOT NULL, run TEXT REFERENCES runs(run)
) STRICT, WITHOUT ROWID;
PRAGMA application_id = {MAGIC};
PRAGMA user_version = {VERSION};
"""
_HINT_COPY = "move it away and restore a copy; a fresh file forgets what was spent"


@dataclass(frozen=True, slots=True)
class Spending:
    """One run in the ledger. when: seconds since 1970; epsilon: what its releases cost at `delta` (0: no noise)."""

    run: str
    plan: str
    plan_hash: bytes
    when: float
    unit: str | None
    delta: float | None
    epsilon: float
    releases: int
    state: str


class Budget:
    """One site's ledger (`core.ledger.Ledger`), opened per process. cap: an epsilon that is never exceeded."""

    def __init__(self, path: Path, cap: float | None = None) -> None:
        """Opens the file, or makes it, 0600. Raises UsageError: it cannot be read, written or made. Raises Refused:
        it is not a budget of this version, or damaged; nothing is overwritten."""
        self._path = path
        self._cap = cap
        self._mine: set[str] = set()
        if not path.exists():
            _create(path)
        self._db = _open(path)

    def begin(self, run: str, plan: str, plan_hash: bytes, unit: str | None, delta: float | None, now: float) -> None:
        """A run starts (or starts again, cut off before it charged anything). unit, delta: None without noise.

        Raises Refused: a run was cut off after it had charged, or this one has run before.
        """
        wanted = (plan, plan_hash, unit, delta)
        with self._change() as db:
            self._refuse_cut_off()
            known = db.execute("SELECT state, plan, hash, unit, delta FROM runs WHERE run = ?", (run,)).fetchone()
            if known is None:
                db.execute("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, 'open')", (run, *wanted, now))
            elif known != ("open", *wanted) or run in self._mine:
                raise Refused(f"a run {run} has run before", where=str(self._path), hint="start a new run")
        self._mine.add(run)

    def finish(self, run: str) -> None:
        """The run ended, well or not, and it is known what left this site. Nothing more is charged to it."""
        with self._change() as db:
            db.execute("UPDATE runs SET state = 'finished' WHERE run = ? AND state = 'open'", (run,))
        self._mine.discard(run)

    def settle(self) -> list[str]:
        """The owner has seen that runs were cut off: their charges stay spent, and new ones are possible. Their names.

        A run that another process still has open counts as cut off: it can charge nothing more.
        """
        with self._change() as db:
            names = [str(row[0]) for row in db.execute("SELECT run FROM runs WHERE state = 'open' ORDER BY began")]
            names = [name for name in names if name not in self._mine]
            db.executemany("UPDATE runs SET state = 'settled' WHERE run = ?", [(name,) for name in names])
        return names

    def cut_off(self) -> list[str]:
        """Runs with charges that neither finished nor are this process's own: to be settled."""
        rows = self._read(
            "SELECT run FROM runs WHERE state = 'open' AND EXISTS"
            " (SELECT 1 FROM facts WHERE facts.run = runs.run AND length(value) > 0) ORDER BY began"
        )
        return [str(row[0]) for row in rows if row[0] not in self._mine]

    def write(self, record: Record) -> None:
        """Durable when this returns. A record under CHARGE carries a `Cost` (or nothing, without noise).

        Raises Abort: REPLAY where the key is taken, BUDGET where the charge is refused.
        """
        try:
            with self._change() as db:
                known = db.execute("SELECT value FROM facts WHERE key = ?", (record.key,)).fetchone()
                if known is not None:
                    if record.again and known[0] == record.value:
                        return
                    raise Abort(Cause.REPLAY, detail=record.key.split("/")[0])
                run = self._charged(record) if record.key.startswith(CHARGE) else None
                db.execute("INSERT INTO facts VALUES (?, ?, ?)", (record.key, record.value, run))
        except (UsageError, Refused) as error:
            raise Abort(Cause.BUDGET, detail=str(error)) from None

    def _charged(self, record: Record) -> str | None:
        """The run that this charge belongs to. Raises Abort(BUDGET), Refused."""
        run = record.key[len(CHARGE) :].rpartition("/")[0]
        row = self._db.execute("SELECT unit, delta, state FROM runs WHERE run = ?", (run,)).fetchone()
        if not record.value:
            return run if row else None
        self._refuse_cut_off()
        if run not in self._mine or row is None or row[2] != "open":
            raise Abort(Cause.BUDGET, detail="this process has no such run open")
        cost, (unit, delta, _) = load(record.value, Cost), row
        if cost.unit != unit or delta is None or cost.delta > delta:
            raise Abort(Cause.BUDGET, detail="the charge is not of the run that was begun")
        before = self._costs(run)
        if sum(1 for one in before if one.phase is cost.phase) >= cost.releases:
            what = f"all {cost.releases} sums that the plan paid for are used. hint: set privacy.redo"
            raise Abort(Cause.BUDGET, detail=what)
        if self._cap is not None:
            more = spent([*before, cost], delta) - spent(before, delta)
            if self.spent() + more > self._cap * (1 + 1e-9):
                raise Abort(Cause.BUDGET, detail=f"this sum would exceed the cap of {self._cap:g}")
        return run

    def _refuse_cut_off(self) -> None:
        names = self.cut_off()
        if names:
            where, hint = (
                f"{self._path}, run {names[0]}",
                f"potluck budget --ledger {self._path.parent} --settle, once nothing runs there any more",
            )
            raise Refused("a run is still going or was cut off, settle it first", where=where, hint=hint)

    def spent(self) -> float:
        """The epsilons of all runs, added up: finished, settled and open ones."""
        return sum(row.epsilon for row in self.history())

    def delta(self) -> float:
        """The deltas of all runs that charged something, added up, as the epsilons are."""
        return sum(row.delta or 0.0 for row in self.history() if row.releases)

    def left(self, cap: float | None = None) -> float | None:
        """What `cap` leaves (without one: the cap this was opened with; None: no cap)."""
        limit = self._cap if cap is None else cap
        return None if limit is None else max(0.0, limit - self.spent())

    def history(self) -> list[Spending]:
        """Every run, oldest first."""
        found = []
        rows = self._read("SELECT run, plan, hash, began, unit, delta, state FROM runs ORDER BY began, run")
        for run, plan, plan_hash, began, unit, delta, state in rows:
            costs = self._costs(run)
            epsilon = spent(costs, delta) if costs else 0.0
            found.append(Spending(run, plan, plan_hash, began, unit, delta, epsilon, len(costs), state))
        return found

    def _costs(self, run: str) -> list[Cost]:
        rows = self._read("SELECT value FROM facts WHERE run = ? AND length(value) > 0 ORDER BY key", run)
        try:
            return [load(row[0], Cost) for row in rows]
        except Abort:
            raise Refused("a charge in the budget is damaged", where=str(self._path), hint=_HINT_COPY) from None

    def _read(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        with _told(self._path):
            return self._db.execute(query, values).fetchall()

    @contextlib.contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        """One transaction, alone from its first look on. Raises UsageError: the file cannot be written."""
        with _told(self._path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _create(path: Path) -> None:
    """Make an empty budget under another name, then give it its own in one step: no half-made file is ever found."""
    with _told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # 0600
        os.close(handle)
        draft = Path(name)
        try:
            with contextlib.closing(sqlite3.connect(draft)) as db:
                db.executescript(_SCHEMA)
            with contextlib.suppress(FileExistsError):  # another process was faster: take its file
                os.link(draft, path)
        finally:
            draft.unlink()
        _sync(path.parent)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _open(path: Path) -> sqlite3.Connection:
    if not path.is_file():
        raise UsageError("is not a file", where=str(path), hint="name another file for the budget")
    if not os.access(path, os.R_OK | os.W_OK):
        raise UsageError("cannot be read and written", where=str(path), hint="check its owner and permissions")
    with _told(path):
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=PATIENCE)
        with contextlib.ExitStack() as undo:
            undo.callback(db.close)
            _verify(db, path)
            undo.pop_all()
        return db


def _verify(db: sqlite3.Connection, path: Path) -> None:
    magic = db.execute("PRAGMA application_id").fetchone()[0]
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if magic != MAGIC:
        raise _foreign(path)
    if version != VERSION:
        raise Refused(f"a budget of version {version}", where=str(path), hint=f"this program reads {VERSION}")
    if db.execute("PRAGMA quick_check").fetchone()[0] != "ok":
        raise _foreign(path)
    db.execute("PRAGMA journal_mode = DELETE")
    db.execute("PRAGMA synchronous = EXTRA")
    db.execute("PRAGMA foreign_keys = ON")


def _foreign(path: Path) -> Refused:
    return Refused("is not a budget, or is damaged", where=str(path), hint=_HINT_COPY)


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """What the file system and SQLite say, said as our errors."""
    try:
        yield
    except (OSError, sqlite3.OperationalError) as error:
        hint = "check the folder, its permissions and its space"
        raise UsageError(f"the budget cannot be used ({error})", where=str(path), hint=hint) from None
    except sqlite3.DatabaseError:
        raise _foreign(path) from None
