"""Files of an owner's, in SQLite: made in one step, as a ledger is; durable; checked when they are opened."""

import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from potluck.core.errors import Refused, UsageError
from potluck.core.schema import later
from potluck.members.files import settle

PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class File:
    """A kind of file. what: it holds, for messages, which begin with it; magic: four letters as a number, by which it
    is known; schema: SQL that makes it; lost: what a fresh one means to its owner."""

    what: str
    magic: int
    schema: str
    lost: str
    version: int = 1


REQUESTS = File(
    "requests",
    0x706C7271,  # "plrq"
    """
CREATE TABLE plans (hash TEXT PRIMARY KEY, plan BLOB NOT NULL);
CREATE TABLE requests (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL UNIQUE, hash TEXT NOT NULL REFERENCES plans,
    asker TEXT NOT NULL, first_seen REAL NOT NULL, codes TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'denied', 'revoked', 'finished', 'withdrawn')));
CREATE TABLE decisions (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, hash TEXT NOT NULL, person TEXT NOT NULL,
    verdict TEXT NOT NULL CHECK (verdict IN ('approve', 'deny', 'revoke')), at REAL NOT NULL,
    run TEXT, void INTEGER NOT NULL DEFAULT 0);
CREATE INDEX by_hash ON requests (hash);
CREATE INDEX verdicts ON decisions (hash);
""",
    "a fresh file asks anew for every run",
)


def opened(path: Path, file: File = REQUESTS) -> sqlite3.Connection:
    """The file, made where it is absent. Raises UsageError: it cannot be used. Raises Refused: it is another file."""
    with as_our_errors(path, file):
        if not path.exists():
            made = f"{file.schema} PRAGMA application_id = {file.magic}; PRAGMA user_version = {file.version};"
            make(path, made)
        if not path.is_file():
            raise UsageError("is not a file", where=str(path), hint=f"name another file for the {file.what}")
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=PATIENCE)
        with contextlib.ExitStack() as undo:
            undo.callback(db.close)
            _verify(db, path, file)
            undo.pop_all()
        return db


@contextlib.contextmanager
def as_our_errors(path: Path, file: File = REQUESTS) -> Iterator[None]:
    """SQLite's errors as ours."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        if type(error) is sqlite3.DatabaseError:
            raise _foreign(path, file) from None
        hint = "check the disk, its space and the file's permissions"
        kind = getattr(error, "sqlite_errorname", type(error).__name__)
        raise UsageError(f"cannot be read or written ({kind})", where=str(path), hint=hint) from None


def forget(db: sqlite3.Connection, kept: int, unheard: int, counted: tuple[str, str], seconds: float) -> None:
    """Ended requests beyond `kept` go, those that the policy denied or their asker withdrew also beyond `unheard` bytes
    of plans, oldest first, and plans that nobody asks for: others cannot fill the disk. counted: codes of those that
    stay for so many seconds, as long as they may be counted (a misfit, the first, also beyond the bytes): who floods
    the file has none forgotten."""
    db.execute(
        "DELETE FROM requests WHERE state NOT IN ('pending', 'approved')"
        " AND seq <= (SELECT max(seq) FROM requests) - ?"
        " AND NOT (codes IN (?, ?) AND first_seen > (SELECT max(first_seen) FROM requests) - ?)",
        (kept, *counted, seconds),
    )
    db.execute(
        "DELETE FROM requests WHERE seq IN (SELECT seq FROM"
        " (SELECT seq, sum(length(plan)) OVER (ORDER BY seq DESC) AS bytes FROM requests JOIN plans USING (hash)"
        " WHERE state = 'withdrawn' OR state = 'denied' AND codes NOT IN ('', ?)) WHERE bytes > ?)",
        (counted[0], unheard),
    )
    db.execute("DELETE FROM plans WHERE hash NOT IN (SELECT hash FROM requests)")


def make(path: Path, script: str) -> None:
    """A new file, 0600, of what the SQL says: under another name first, then its own in one step, so that no half-made
    file is ever found."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # 0600
    os.close(handle)
    draft = Path(name)
    try:
        with contextlib.closing(sqlite3.connect(draft)) as db:
            db.executescript(script)
        with contextlib.suppress(FileExistsError):  # another process was faster: take its file
            os.link(draft, path)
    finally:
        draft.unlink()
    settle(path.parent)


def _verify(db: sqlite3.Connection, path: Path, file: File) -> None:
    if db.execute("PRAGMA application_id").fetchone()[0] != file.magic:
        raise _foreign(path, file)
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version > file.version:
        raise later(file.what, version, file.version, str(path))
    if version != file.version:
        raise Refused(f"{file.what} of version {version}", where=str(path), hint=f"this program reads {file.version}")
    if db.execute("PRAGMA quick_check").fetchone()[0] != "ok":
        raise _foreign(path, file)
    db.execute("PRAGMA journal_mode = DELETE")
    db.execute("PRAGMA synchronous = EXTRA")


def _foreign(path: Path, file: File) -> Refused:
    return Refused(f"is damaged, or no file of {file.what}", where=str(path), hint=f"move it away; {file.lost}")


def room(db: sqlite3.Connection, path: Path, plan: bytes, most: int, size: int) -> None:
    """Raises Refused: with this plan more requests than `most` would wait, or more bytes of plans than `size`."""
    count = "SELECT count(*), coalesce(sum(length(plan)), 0) FROM requests JOIN plans USING (hash)"
    many, waiting = db.execute(f"{count} WHERE state = 'pending'").fetchone()
    if many >= most or waiting + len(plan) > size:
        what = f"{many} requests of {waiting >> 10} kB wait already"
        raise Refused(what, where=str(path), hint="decide about them: `potluck site inbox`")


def keep(db: sqlite3.Connection, path: Path, text: str, plan: bytes) -> None:
    """What people read is what they approve: one hash has one plan. Raises Refused: it has another already."""
    db.execute("INSERT OR IGNORE INTO plans VALUES (?, ?)", (text, plan))
    if db.execute("SELECT plan FROM plans WHERE hash = ?", (text,)).fetchone()[0] != plan:
        raise Refused("two plans come under one hash", where=str(path), hint="ask the coordinator")


def misfits(db: sqlite3.Connection, run: str, text: str, unfit: str, seconds: float) -> int:
    """How many other plans of the time before a request turned out not to fit the rows."""
    query = "SELECT count(DISTINCT hash) FROM requests WHERE codes = ? AND hash != ?"
    since = "first_seen > (SELECT first_seen FROM requests WHERE run = ?) - ?"
    return int(db.execute(f"{query} AND {since}", (unfit, text, run, seconds)).fetchone()[0])
