"""Files that their owner alone may read: what a run leaves tells of rows, by exact figures, models and letters.

They are made 0600, in folders made 0700, whatever the umask; a file that is there already keeps its mode.
It protects against other users of the machine, not against root. Nothing here is durable: see `members.files`.
"""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

from potluck.core.slices import Bytes

FILE, FOLDER = 0o600, 0o700


def write(path: Path, *parts: Bytes | str) -> None:
    """The file with these bytes, or this text in UTF-8, in place of what it held. Raises OSError."""
    with opened(path, os.O_TRUNC) as file:
        for part in parts:
            file.write(part.encode() if isinstance(part, str) else part)


def opened(path: Path, how: int) -> BinaryIO:
    """The file for writing, made where there is none. how: O_TRUNC, O_APPEND. Raises OSError."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | how, FILE), "wb")


def regular(path: Path, links: bool = True) -> BinaryIO:
    """The file for reading, where it may be another's: a pipe without a writer would be waited for, so whatever is no
    regular file is an error before it is read. links: whether the file itself may be a link. Raises OSError."""
    how = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if links else os.O_NOFOLLOW)
    handle = os.open(path, how)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "it is no file")
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def read(path: Path, links: bool = True) -> bytes:
    """All of it, as `regular`. Raises OSError."""
    with regular(path, links) as file:
        return file.read()


def append(handle: int, data: Bytes) -> None:
    """All of it to an open file, at once where the system takes it whole: so are lines of several writers. Raises
    OSError."""
    written = 0
    while written < len(data):
        written += os.write(handle, memoryview(data)[written:])


def folder(path: Path, taken: bool = False) -> None:
    """The folder; its parents are made as usual. taken: it may be there already, and keeps its mode. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir(mode=FOLDER, exist_ok=taken)
