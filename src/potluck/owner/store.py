"""The file of requests and decisions: made in one step, as a ledger is; durable; checked when it is opened."""

import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

from potluck.core.errors import Refused, UsageError
from potluck.members.files import settle

MAGIC = 0x706C7271  # "plrq"
VERSION = 1
PATIENCE = 10.0
_SCHEMA = f"""
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
PRAGMA application_id = {MAGIC};
PRAGMA user_version = {VERSION};
"""


def opened(path: Path) -> sqlite3.Connection:
    """The file, made where it is absent. Raises UsageError: it cannot be used. Raises Refused: it is another file."""
    with as_our_errors(path):
        if not path.exists():
            make(path, _SCHEMA)
        if not path.is_file():
            raise UsageError("is not a file", where=str(path), hint="name another file for the requests")
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=PATIENCE)
        with contextlib.ExitStack() as undo:
            undo.callback(db.close)
            _verify(db, path)
            undo.pop_all()
        return db


@contextlib.contextmanager
def as_our_errors(path: Path) -> Iterator[None]:
    """SQLite's errors as ours."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        if type(error) is sqlite3.DatabaseError:
            raise _foreign(path) from None
        hint = "check the disk, its space and the file's permissions"
        kind = getattr(error, "sqlite_errorname", type(error).__name__)
        raise UsageError(f"cannot be read or written ({kind})", where=str(path), hint=hint) from None


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


def _verify(db: sqlite3.Connection, path: Path) -> None:
    if db.execute("PRAGMA application_id").fetchone()[0] != MAGIC:
        raise _foreign(path)
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version != VERSION:
        raise Refused(f"requests of version {version}", where=str(path), hint=f"this program reads {VERSION}")
    if db.execute("PRAGMA quick_check").fetchone()[0] != "ok":
        raise _foreign(path)
    db.execute("PRAGMA journal_mode = DELETE")
    db.execute("PRAGMA synchronous = EXTRA")


def _foreign(path: Path) -> Refused:
    hint = "move it away; a fresh file asks anew for every run"
    return Refused("is damaged, or no file of requests", where=str(path), hint=hint)
