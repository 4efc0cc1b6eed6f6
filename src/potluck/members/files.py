"""Files of a home: made once or replaced whole, durable when a function returns, private ones checked on reading.

They protect against other users of the machine and against a crash, not against root or whoever owns the files.
"""

import errno
import fcntl
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from potluck.core.errors import Refused, UsageError, reason, unwritable
from potluck.core.party import Draw
from potluck.core.private import FILE, FOLDER
from potluck.secret.container import Secret

PUBLIC, PRIVATE, PRIVATE_FOLDER = 0o644, FILE, FOLDER
MOST = 16 * 2**20
PAGES = 1 << 20
"""Bytes of free disk with which a database and its log can still be written."""
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FULL = "is the disk full, the path right?"


def folder(path: Path) -> None:
    """A new folder that only its owner may enter. Raises UsageError: there already, or cannot be made."""
    try:
        path.mkdir(mode=PRIVATE_FOLDER, parents=True)
    except FileExistsError:
        raise UsageError("is there already", where=str(path), hint="nothing is overwritten: name another") from None
    except OSError as error:
        raise unwritable(error, path, _FULL) from None
    settle(path.parent)


def kept_folder(path: Path) -> None:
    """A folder that only its owner may enter, made where there is none. Raises UsageError: it cannot be made."""
    try:
        path.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot be made ({reason(error)})", where=str(path)) from None


def full(folder: Path) -> bool:
    """Whether the disk of a folder has no room for a page of a database and a line of a log."""
    return shutil.disk_usage(folder).free < PAGES


def crowded(folder: Path) -> bool:
    """The same, found by writing such a page: also where a quota ends sooner than the disk. Nothing stays."""
    try:
        with tempfile.TemporaryFile(dir=folder) as draft:
            draft.write(bytes(PAGES))
            draft.flush()
            os.fsync(draft.fileno())
    except OSError as error:
        return error.errno in _NO_ROOM
    return False


def create(path: Path, data: bytes, mode: int) -> None:
    """A new file, on the disk when this returns. Raises UsageError: there already, or cannot be written."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    except FileExistsError:
        raise UsageError("is there already", where=str(path), hint="nothing is overwritten: move it away") from None
    except OSError as error:
        raise unwritable(error, path, _FULL) from None
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), mode)  # whatever the umask took or an inherited rule gave
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        path.unlink(missing_ok=True)
        raise unwritable(error, path, _FULL) from None
    settle(path.parent)


def replace(path: Path, data: bytes, mode: int = PUBLIC) -> None:
    """The file holds the old bytes or the new ones, never a part, and the new ones when this returns.

    Raises UsageError: cannot be written (a full disk).
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")  # several threads may replace it
    fresh.unlink(missing_ok=True)
    create(fresh, data, mode)
    try:
        fresh.replace(path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise unwritable(error, path, _FULL) from None
    settle(path.parent)


def settle(path: Path) -> None:
    """What was made, renamed or removed in this folder is on the disk."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def text(path: Path, what: str) -> str:
    """A public file's text. Raises UsageError: not there, too long, or not UTF-8; `what` it should be, in words."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST + 1)
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        said = f"there is no {what} here" if missing else f"cannot be read ({reason(error)})"
        raise UsageError(said, where=str(path), hint=f"give the path of a {what}") from None
    try:
        if len(data) <= MOST:
            return data.decode()
    except UnicodeDecodeError:
        pass
    raise UsageError(f"is no {what}", where=str(path), hint=f"give the path of a {what}")


def private(path: Path) -> bytes:
    """A private file's bytes. Raises UsageError: not there. Refused: somebody else owns it or can read it."""
    try:
        owned(path.parent, os.stat(path.parent), 700)
        with path.open("rb") as file:
            owned(path, os.fstat(file.fileno()), 600)
            return file.read(MOST)
    except OSError as error:
        raise UsageError(f"a key cannot be read ({reason(error)})", where=str(path)) from None


def kept_secret(path: Path, size: int, draw: Draw) -> Secret:
    """The secret of `size` bytes in a file, drawn where there is no file; on the disk when this returns.

    Raises UsageError: it cannot be read or made, or is damaged. Refused: somebody else owns it or can read it.
    """
    if not path.exists():
        replace(path, draw(size), PRIVATE)
    found = private(path)
    if len(found) != size:
        hint = "put it back from a backup, or remove it: then no run that is open here can go on"
        raise UsageError(f"is no secret of {size} bytes", where=str(path), hint=hint)
    return Secret(found)


def owned(path: Path, status: os.stat_result, mode: int) -> None:
    """Raises Refused: another user than this one (or root) owns it, or group or others have any right to it."""
    if status.st_uid not in (os.geteuid(), 0):
        what = "another user owns what must be ours alone"
        raise Refused(what, where=str(path), hint=f"chown {os.geteuid()} '{path}'; if it was read, make new keys")
    if status.st_mode & 0o077:
        what = "other users of this machine can reach what must be ours alone"
        raise Refused(what, where=str(path), hint=f"chmod {mode} '{path}'; if it was read, make new keys")


@contextmanager
def alone(path: Path, hint: str = _FULL) -> Iterator[None]:
    """One process, and one thread of it, at a time: others wait. For what takes a moment. path: a folder that is there,
    or a lock file, which is made. Raises UsageError: it cannot be opened or made; hint: what to do then."""
    flags = os.O_RDONLY | os.O_DIRECTORY if path.is_dir() else os.O_RDWR | os.O_CREAT
    try:
        handle = os.open(path, flags | os.O_CLOEXEC, PRIVATE)
    except OSError as error:
        raise unwritable(error, path, hint) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextmanager
def locked(path: Path, busy: str) -> Iterator[None]:
    """This process alone holds the lock file; it falls with the process. Raises Refused: `busy` says what runs."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE)
    except OSError as error:
        raise unwritable(error, path, _FULL) from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused(busy, where=str(path), hint="wait until the other one has ended, or end it") from None
        yield
    finally:
        os.close(handle)


def held(path: Path) -> bool:
    """Whether some process holds the lock file now. To look takes it for a moment, which a start may stumble over."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
