"""Bytes that are too many to hold, in a file without a name, which is gone with the last who holds it.

It lies where the system has its temporary files (TMPDIR). What is written there is what a broker may see: sealed.
"""

import os
import tempfile
import weakref

from potluck.core.errors import UsageError
from potluck.core.slices import Bytes


class Spooled:
    """So many bytes. See `slices.Sliced`. What is not written yet reads as zeros."""

    def __init__(self, size: int) -> None:
        """Raises UsageError: no file can be made."""
        self._size = size
        try:
            with tempfile.TemporaryFile(buffering=0) as file:
                os.ftruncate(file.fileno(), size)
                self._file = os.dup(file.fileno())
        except OSError as error:
            raise _no_room(error) from None
        weakref.finalize(self, os.close, self._file)

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, where: slice, /) -> bytes:
        start, stop, _ = where.indices(self._size)
        return os.pread(self._file, max(0, stop - start), start)

    def write(self, at: int, data: Bytes) -> None:
        """These bytes, from `at` on. Raises UsageError: there is no room."""
        view, done = memoryview(data), 0
        if not 0 <= at <= self._size - len(view):
            raise ValueError("beyond the end")
        try:
            while done < len(view):
                done += os.pwrite(self._file, view[done:], at + done)
        except OSError as error:
            raise _no_room(error) from None


def _no_room(error: OSError) -> UsageError:
    # Not gettempdir(): where there is no such folder it raises once more.
    where = tempfile.tempdir or os.environ.get("TMPDIR") or "/tmp"  # noqa: S108 - named, not used
    return UsageError(f"a long letter cannot be kept there ({error.strerror})", where=where, hint="set TMPDIR")
