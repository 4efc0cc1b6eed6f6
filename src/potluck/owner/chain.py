"""An append-only table in one SQLite file, each entry bound to the one before it by a hash.

hash = SHA-256 over (tag, hash before, number, kind, run, key, value, time), every part length-prefixed. The whole chain
is verified when the file is opened, and what other processes appended before anything is added to it. The schema is
compared with this program's, since a changed view or index would hide entries that are all there.
It does NOT notice that the LAST entries are gone, or that all hashes were computed again: there is no key in it. Signed
heads that others keep (`heads`) do.
"""

import contextlib
import os
import sqlite3
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import msgspec

from potluck.core import private
from potluck.core.errors import Refused, UsageError
from potluck.core.schema import later
from potluck.owner.store import make
from potluck.secret.stream import digest

MAGIC = 0x504C4B42
VERSION = 2
PATIENCE = 20.0
"""Seconds to wait for others that write the same file: the lock is not given out in turn."""
Kind = Literal["begin", "finish", "settle", "fact"]
Row = tuple[int, bytes, bytes, bytes, bytes, float, bytes]
"""number, kind, run, key, value, time, hash; texts as UTF-8."""
_TAG = b"potluck ledger 2"
_PAGE = 1000
_LOWEST = -(1 << 63)
_SCHEMA = """
CREATE TABLE entries (
    seq INTEGER PRIMARY KEY, kind TEXT NOT NULL CHECK (kind IN ('begin', 'finish', 'settle', 'fact')),
    run TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, at REAL NOT NULL, hash BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX fact_keys ON entries (key) WHERE kind = 'fact';
CREATE UNIQUE INDEX run_begins ON entries (run) WHERE kind = 'begin';
CREATE UNIQUE INDEX run_ends ON entries (run) WHERE kind IN ('finish', 'settle');
CREATE INDEX run_facts ON entries (run, key) WHERE kind = 'fact';
CREATE TRIGGER never_updated BEFORE UPDATE ON entries BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER never_deleted BEFORE DELETE ON entries BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER at_the_end BEFORE INSERT ON entries
WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM entries)
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE VIEW facts AS SELECT seq, key, value, run, at FROM entries WHERE kind = 'fact';
CREATE VIEW runs AS
SELECT b.seq, b.run, b.value, b.at AS began,
    coalesce((SELECT CASE e.kind WHEN 'finish' THEN 'finished' ELSE 'settled' END FROM entries AS e
        WHERE e.run = b.run AND e.kind IN ('finish', 'settle')), 'open') AS state
FROM entries AS b WHERE b.kind = 'begin';
"""
_ROWS = "SELECT seq, CAST(kind AS BLOB), CAST(run AS BLOB), CAST(key AS BLOB), value, at, hash FROM entries"
_HINT_COPY = (
    "keep it as it is for whoever looks into it, and restore the newest copy; a fresh file forgets the spending"
)
_HINT_BACK = "put the newest file back; what left this site since that copy is not in it"


@dataclass(frozen=True, slots=True)
class Head:
    """Where a chain ends: its last entry's number and hash [32]. An empty chain ends at `GENESIS`."""

    seq: int
    hash: bytes


GENESIS = Head(0, bytes(32))


class Entry(msgspec.Struct, frozen=True):
    """One entry, as it is exported. run, key: '' where it has none; at: seconds since 1970."""

    seq: int
    kind: Kind
    run: str
    key: str
    value: bytes
    at: float
    hash: bytes

    def row(self) -> Row:
        """As the chain hashes it."""
        return self.seq, self.kind.encode(), self.run.encode(), self.key.encode(), self.value, self.at, self.hash


def _mark(before: bytes, seq: int, texts: tuple[bytes, bytes, bytes], value: bytes, at: float) -> bytes:
    return digest(_TAG, before, seq.to_bytes(8, "big"), *texts, value, struct.pack(">d", at))


def follow(head: Head, rows: Iterable[Row], where: str) -> Head:
    """The head after `rows`, which continue the chain from `head`. Raises Refused: the first entry that does not."""
    seq, before = head.seq, head.hash
    for found, kind, run, key, value, at, claimed in rows:
        seq += 1
        if found != seq:
            what = "is missing" if found > seq else "has another one in front of it"
            raise Refused(f"entry {seq} of the ledger {what}", where=where, hint=_HINT_COPY)
        before = _mark(before, seq, (kind, run, key), value, at)
        if before != claimed:
            raise Refused(f"entry {seq} of the ledger is not what was written", where=where, hint=_HINT_COPY)
    return Head(seq, before)


class Chain:
    """The file, opened by one process. Others may append to it at any time."""

    def __init__(self, path: Path) -> None:
        """Opens the file, or makes it, 0600. Raises UsageError: it cannot be read, written or made. Raises Refused:
        it is not a ledger of this version, damaged or edited; nothing is overwritten."""
        self._path = path
        self._head = GENESIS
        self._draft: Head | None = None
        if not path.exists():
            _lacks_log(path)
            _create(path)
        with contextlib.ExitStack() as undo:
            self._db = _connect(path)
            undo.callback(self._db.close)
            with _as_our_errors(self._path):
                _verify_kind(self._db, path)
                self._catch_up()
                _verify_rest(self._db, path)
            undo.pop_all()

    def head(self) -> Head:
        """The last entry, verified. Raises Refused: somebody edited what was appended since the last look."""
        with _as_our_errors(self._path):
            self._catch_up()
        return self._head

    @property
    def last(self) -> Head:
        """The last entry that this process has seen."""
        return self._head

    def holds(self, head: Head) -> None:
        """Raises Refused: the chain does not contain the entry `head` with that hash."""
        where, now = str(self._path), self.head()
        if head.seq > now.seq:
            raise Refused(
                f"the ledger ends at entry {now.seq}, and entry {head.seq} of it is known: it was put back from a copy",
                where=where,
                hint=_HINT_BACK,
            )
        known = self.read("SELECT hash FROM entries WHERE seq = ?", head.seq) if head.seq else [(GENESIS.hash,)]
        if known != [(head.hash,)]:
            raise Refused(
                f"entry {head.seq} of the ledger is another one than is known: two copies of it were used",
                where=where,
                hint=_HINT_BACK,
            )

    def read(self, query: str, *values: str | int) -> list[tuple[Any, ...]]:
        """What a query over `entries`, `facts` and `runs` finds."""
        with _as_our_errors(self._path):
            return self._db.execute(query, values).fetchall()

    def entries(self, last: int) -> Iterator[Entry]:
        """The entries up to number `last`."""
        query = "SELECT seq, kind, run, key, value, at, hash FROM entries WHERE seq BETWEEN ? AND ? ORDER BY seq"
        for start in range(1, last + 1, _PAGE):  # by pages: a slow reader keeps no writer waiting
            for row in self.read(query, start, min(start + _PAGE - 1, last)):
                yield Entry(*row)

    @contextlib.contextmanager
    def change(self) -> Iterator[Head]:
        """One transaction, alone from its first look on; gives the head it starts from.

        Raises UsageError: the file cannot be written. Raises Refused: it was edited.
        """
        with _as_our_errors(self._path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._catch_up()
                self._draft = self._head
                yield self._head
                self._db.execute("COMMIT")
                self._head = self._draft
            finally:
                self._draft = None
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")

    def append(self, kind: Kind, run: str, key: str, value: bytes, at: float) -> None:
        """One more entry, within `change`. at: seconds since 1970."""
        if self._draft is None:
            raise ValueError("a chain grows within a change only")
        seq, texts = self._draft.seq + 1, (kind.encode(), run.encode(), key.encode())
        mark = _mark(self._draft.hash, seq, texts, value, at)
        self._db.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?)", (seq, kind, run, key, value, at, mark))
        self._draft = Head(seq, mark)

    def write_ahead(self) -> None:
        """From now on changes reach the disk through a write-ahead log: by one wait for it, where a rollback journal
        takes four.

        Until the log is folded back the newest entries stand in a file beside the ledger. Only for a ledger with an
        anchor, which is then ahead of it where that file is lost.
        """
        with _as_our_errors(self._path):
            self._db.execute("PRAGMA journal_mode = WAL")

    def close(self) -> None:
        """Let go of the file."""
        with contextlib.suppress(sqlite3.Error):
            self._db.execute("PRAGMA busy_timeout = 0")
            self._db.execute("PRAGMA journal_mode = DELETE")  # the last who has it open leaves one file
        self._db.close()

    def _catch_up(self) -> None:
        """Verify what was appended since the last look, and that the last entry seen is still there."""
        query = f"{_ROWS} WHERE seq >= ? ORDER BY seq"
        start = self._head.seq or _LOWEST  # at first all: an entry numbered 0 would count and never be verified
        with contextlib.closing(self._db.execute(query, (start,))) as rows:
            if self._head.seq:
                last = next(rows, None)
                if last is None or (last[0], last[6]) != (self._head.seq, self._head.hash):
                    what = f"entry {self._head.seq} of the ledger is gone or another one, while this process used it"
                    raise Refused(what, where=str(self._path), hint=_HINT_BACK)
            self._head = follow(self._head, rows, str(self._path))


def _lacks_log(path: Path) -> None:
    """Raises Refused: a log of a ledger that is gone."""
    log = path.with_name(f"{path.name}-wal")
    if os.path.lexists(log):
        hint = f"put the newest {path.name} back beside it; to start anew move both away"
        raise Refused(f"the ledger is missing, its log {log.name} is there", where=str(path), hint=hint)


def _create(path: Path) -> None:
    """Make an empty ledger."""
    with _as_our_errors(path):
        private.folder(path.parent, taken=True)
        make(path, f"{_SCHEMA} PRAGMA application_id = {MAGIC}; PRAGMA user_version = {VERSION};")


def _connect(path: Path) -> sqlite3.Connection:
    if not path.is_file():
        raise UsageError("is not a file", where=str(path), hint="name another file for the budget")
    if not os.access(path, os.R_OK | os.W_OK):
        raise UsageError("cannot be read and written", where=str(path), hint="check its owner and permissions")
    with _as_our_errors(path):
        name = f"{path.absolute().as_uri()}?mode=rw"
        return sqlite3.connect(name, uri=True, isolation_level=None, timeout=PATIENCE)


def _verify_kind(db: sqlite3.Connection, path: Path) -> None:
    if db.execute("PRAGMA application_id").fetchone()[0] != MAGIC:
        raise _foreign(path)
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise later("a budget", version, VERSION, str(path))
    if version != VERSION:
        hint = "an earlier Potluck wrote it: move it away to start anew, and take what it had spent off the cap"
        raise Refused(f"a budget of version {version}", where=str(path), hint=hint)
    if _expected()["entries"] != _schema(db).get("entries"):
        raise _foreign(path)


def _verify_rest(db: sqlite3.Connection, path: Path) -> None:
    """What stands around the entries. They come first: whoever edited one is told which, whatever else was changed."""
    # Not quick_check: an index that lacks an entry would let a key be written twice.
    if db.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
        raise _foreign(path)
    if _schema(db) != _expected():
        raise Refused("the ledger's indexes, triggers or views were changed", where=str(path), hint=_HINT_COPY)
    if _mode(db) != "wal":
        # A journal that stays costs a change a third less than one that is made and removed each time.
        db.execute("PRAGMA journal_mode = PERSIST")
    db.execute("PRAGMA synchronous = EXTRA")


def _mode(db: sqlite3.Connection) -> str:
    return str(db.execute("PRAGMA journal_mode").fetchone()[0])


def _schema(db: sqlite3.Connection) -> dict[str, tuple[str, str, str]]:
    rows = db.execute("SELECT name, type, tbl_name, sql FROM sqlite_schema").fetchall()
    return {name: (kind, table, sql) for name, kind, table, sql in rows}


@lru_cache(maxsize=1)
def _expected() -> dict[str, tuple[str, str, str]]:
    with contextlib.closing(sqlite3.connect(":memory:")) as db:
        db.executescript(_SCHEMA)
        return _schema(db)


def _foreign(path: Path) -> Refused:
    return Refused("is not a budget, or is damaged", where=str(path), hint=_HINT_COPY)


@contextlib.contextmanager
def _as_our_errors(path: Path) -> Iterator[None]:
    """Errors of the file system and of SQLite become ours."""
    try:
        yield
    except (OSError, sqlite3.OperationalError) as error:
        hint = "check the folder, its permissions and its space"
        raise UsageError(f"the budget cannot be used ({error})", where=str(path), hint=hint) from None
    except sqlite3.DatabaseError:
        raise _foreign(path) from None
