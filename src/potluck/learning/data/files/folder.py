"""Files by the paths that cells hold, from one folder and what lies in it.

A path is walked step by step from an open folder, and no step follows a link: so nothing outside is opened or looked
at, whatever is renamed meanwhile. What is read is what was looked at. Folders that lead to the root may be links: they
are the owner's own configuration.
"""

import os
import stat
from pathlib import Path

from potluck.learning.data.files.raster import MOST_BYTES, Unreadable

LONGEST, DEEPEST = 4096, 64
"""Letters and steps of a path."""
_STEP = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


class Outside(Unreadable):
    """A path that leaves the folder, whatever lies there."""


def steps(path: str) -> list[str]:
    """The steps of a path. Raises Unreadable: it is none that stays in a folder."""
    if path.startswith("/"):
        raise Outside("an absolute path, where one from the folder of the rows is expected")
    found = [step for step in path.split("/") if step not in ("", ".")]
    if ".." in found:
        raise Outside("a path that leaves the folder of the rows")
    if not found or len(path) > LONGEST or len(found) > DEEPEST or "\0" in path:
        raise Unreadable("no path")
    return found


def read(root: Path, path: str) -> bytes:
    """A file's bytes. Raises Unreadable: the path leaves the folder, or names no plain file that can be read."""
    *folders, name = steps(path)
    opened = list[int]()
    try:
        opened.append(os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        for one in folders:
            _looked_at(one, opened[-1], folder=True)
            opened.append(os.open(one, _STEP | os.O_DIRECTORY, dir_fd=opened[-1]))
        _looked_at(name, opened[-1])
        # Whatever it has become since: a pipe is not waited for.
        opened.append(os.open(name, _STEP | os.O_NONBLOCK | os.O_NOCTTY, dir_fd=opened[-1]))
        return _content(opened[-1])
    except FileNotFoundError:
        raise Unreadable("no such file") from None
    except (OSError, ValueError):  # ValueError: a letter that no path has
        raise Unreadable("a file that cannot be read") from None
    finally:
        for descriptor in reversed(opened):
            os.close(descriptor)


def _looked_at(name: str, within: int, *, folder: bool = False) -> None:
    """Raises Unreadable, OSError: it is no plain file, or no folder."""
    _known(os.stat(name, dir_fd=within, follow_symlinks=False).st_mode, folder=folder)


def _known(mode: int, *, folder: bool = False) -> None:
    if stat.S_ISLNK(mode):
        raise Outside("a symbolic link, which is not followed")
    if not (stat.S_ISDIR(mode) if folder else stat.S_ISREG(mode)):
        raise Unreadable("no such file" if folder else "a folder, a pipe or a device, and no file")


def _content(file: int) -> bytes:
    found = os.fstat(file)
    _known(found.st_mode)
    if found.st_size > MOST_BYTES:
        raise Unreadable(f"a file of more than {MOST_BYTES:,} bytes")
    with os.fdopen(os.dup(file), "rb") as stream:
        data = stream.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise Unreadable(f"a file of more than {MOST_BYTES:,} bytes")
    return data
