"""A home as one file, copied while its process works, and put back into a new folder.

A database is copied by SQLite's own means, so the copy holds whole transactions. Of logs the whole lines are taken. An
anchor is taken before its ledger, which is then never behind it. What the copy holds stands at its end, with the
SHA-256 of each file: a copy that was cut short, or changed by accident, is noticed.
It does NOT protect from whoever can write the copy, is NOT encrypted, and holds keys. A copy is as old as it is: what
happened since is not in it, and a site whose ledger is behind is refused by `owner.ledger_heads`.
"""

import contextlib
import hashlib
import io
import os
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, Literal

import msgspec

from potluck.core.errors import PotluckError, Refused, UsageError, reason, unwritable
from potluck.core.plan import CODE
from potluck.core.schema import not_later, readable
from potluck.core.visible import visible
from potluck.members.files import PRIVATE, PRIVATE_FOLDER, settle
from potluck.members.home import CoordinatorHome, SiteHome

Kind = Literal["site", "coordinator"]
LIST = "potluck-backup.json"
FIRST = ("ledger.head",)
PASSING = (".lock", ".pid", "-wal", "-shm", "-journal", ".boot", "status.json")
"""Endings of what belongs to a process or stands in a database's copy already."""
LOGS, DATABASES = ".jsonl", ".sqlite"
MOST = 1 << 20
DEEPEST = 32
"""Folders in each other, at most: those of a home are fewer."""
_PIECE = 1 << 20
_PATIENCE = 20.0
_HINT = "take another copy"


class Copied(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What stands at a copy's end. kind: of home; name: its own; made: seconds since 1970; code: the program's version;
    files: SHA-256 by path, in hex."""

    version: Literal[1]
    kind: Kind
    name: str
    made: float
    code: str
    files: dict[str, str]


def save(folder: Path, out: BinaryIO, kind: Kind, name: str, leave: Callable[[str], bool], now: float) -> Copied:
    """Write a copy of the home in `folder`; gives what it holds. leave: whether a path in the home stays out of it.

    Raises UsageError: a file cannot be read, or the copy cannot be written.
    """
    taken: dict[str, str] = {}
    try:
        with (
            # In the home itself: no other disk gets a part of it.
            tempfile.TemporaryDirectory(dir=folder, prefix=".backup.") as place,
            tarfile.open(fileobj=out, mode="w|gz", format=tarfile.PAX_FORMAT) as tar,
        ):
            for path in _paths(folder, leave):
                inner = path.relative_to(folder).as_posix()
                with _steady(path, Path(place)) as (file, size):
                    mark = hashlib.sha256()
                    tar.addfile(_member(inner, size, now), _Hashed(file, mark))
                taken[inner] = mark.hexdigest()
            copied = Copied(1, kind, name, now, CODE, taken)
            data = msgspec.json.format(msgspec.json.encode(copied), indent=1)
            tar.addfile(_member(LIST, len(data), now), io.BytesIO(data))
    except (OSError, sqlite3.Error) as error:
        what = f"cannot be copied ({reason(error) if isinstance(error, OSError) else type(error).__name__})"
        raise UsageError(what, where=str(folder), hint="is there room, and can its files be read?") from None
    return copied


def restore(source: BinaryIO, folder: Path, kind: Kind) -> Copied:
    """Put a copy back, into a new folder; gives what it holds. All files are for their owner alone.

    Raises UsageError: the folder is there, or cannot be written. Raises Refused: no copy of such a home, cut short,
    with a file that is another one, or no such home in it; then there is no folder.
    """
    if folder.exists():
        raise UsageError("is there already", where=str(folder), hint="nothing is overwritten: name another")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))  # 0700
        with contextlib.ExitStack() as undo:
            undo.callback(shutil.rmtree, draft, ignore_errors=True)
            copied = _unpacked(source, draft, kind)
            _home(draft, kind)
            draft.rename(folder)
            undo.pop_all()
        settle(folder.parent)
    except OSError as error:
        raise unwritable(error, folder, "name another folder") from None
    return copied


def _home(draft: Path, kind: Kind) -> None:
    try:
        if kind == "site":
            SiteHome.at(draft)
        else:
            CoordinatorHome.at(draft).standing()
    except PotluckError as error:
        raise _no_copy(f"the {kind}'s home in it {error.what}") from None


def _unpacked(source: BinaryIO, draft: Path, kind: Kind) -> Copied:
    found: dict[str, str] = {}
    try:
        with tarfile.open(fileobj=source, mode="r|gz") as tar:
            for member in tar:
                inner = PurePosixPath(member.name)
                file = tar.extractfile(member) if member.isreg() else None
                odd = inner.is_absolute() or ".." in inner.parts or len(inner.parts) > DEEPEST
                if file is None or odd or str(inner) != member.name or member.name in found:
                    raise _no_copy("it holds what no copy does")
                if member.name == LIST:
                    return _verified(file.read(MOST), found, kind)
                found[member.name] = _written(file, draft / inner)
    except (tarfile.TarError, EOFError, ValueError, RecursionError):  # tarfile follows long names one into the next
        raise _no_copy("it is damaged") from None
    raise _no_copy("it was cut short")


def _verified(data: bytes, found: dict[str, str], kind: Kind) -> Copied:
    try:
        not_later(msgspec.json.decode(data), Copied, "a backup", LIST)
        copied = msgspec.json.decode(data, type=readable(Copied))
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise _no_copy("it is damaged") from None
    if copied.kind != kind:
        raise Refused(f"a backup of a {copied.kind}'s home", where=visible(copied.name), hint=f"potluck {copied.kind}")
    for name in sorted({*found, *copied.files}):
        if found.get(name) != copied.files.get(name):
            raise _no_copy(f"{visible(name)} in it is another one than was copied")
    return copied


def _no_copy(why: str) -> Refused:
    return Refused(f"no backup of a home as one was made: {why}", hint=_HINT)


def _written(file: IO[bytes], path: Path) -> str:
    path.parent.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    mark = hashlib.sha256()
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE), "wb") as out:
        while piece := file.read(_PIECE):
            mark.update(piece)
            out.write(piece)
        out.flush()
        os.fsync(out.fileno())
    return mark.hexdigest()


def _paths(folder: Path, leave: Callable[[str], bool]) -> Iterator[Path]:
    """What is copied, in its order. No link is followed."""
    found = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    inner = {path: path.relative_to(folder).as_posix() for path in found}
    kept = [path for path in found if not (_passing(inner[path]) or leave(inner[path]))]
    yield from sorted(
        kept, key=lambda path: (inner[path] not in FIRST, not inner[path].endswith(DATABASES), inner[path])
    )


def _passing(inner: str) -> bool:
    """Of a process, or a draft of a file that is being written."""
    return inner.endswith(PASSING) or any(part.startswith(".") for part in PurePosixPath(inner).parts)


@contextlib.contextmanager
def _steady(path: Path, place: Path) -> Iterator[tuple[BinaryIO, int]]:
    """A file that does not change while it is read, and its size."""
    if path.suffix == DATABASES:
        copy = place / "copy.sqlite"
        address = f"{path.absolute().as_uri()}?mode=ro"
        with (
            contextlib.closing(sqlite3.connect(address, uri=True, timeout=_PATIENCE)) as db,
            contextlib.closing(sqlite3.connect(copy)) as to,
        ):
            db.backup(to)  # all pages in one step: one transaction's state
            to.execute("PRAGMA journal_mode = DELETE")
        path = copy
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if path.suffix == LOGS:
            size = _lines(file, size)
        yield file, size
    if path.parent == place:
        path.unlink()


def _lines(file: BinaryIO, size: int) -> int:
    """The bytes up to the last line that is whole."""
    at = size
    while at:
        start = max(0, at - _PIECE)
        file.seek(start)
        cut = file.read(at - start).rfind(b"\n")
        if cut >= 0:
            at = start + cut + 1
            break
        at = start
    file.seek(0)
    return at


def _member(name: str, size: int, now: float) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, PRIVATE, int(now)
    return member


@dataclass(frozen=True, slots=True)
class _Hashed:
    """A file that is hashed as it is read."""

    file: BinaryIO
    mark: "hashlib._Hash"

    def read(self, length: int = -1, /) -> bytes:
        """Up to so many bytes of it."""
        piece = self.file.read(length)
        self.mark.update(piece)
        return piece
