"""How much memory a simulation may take: foretold before anything is trained, and held to by the system.

The bound is on rows, weights and what is made of them, of all processes together; the program itself comes on top. The
system counts what a process may write to (RLIMIT_DATA, Linux). What lies on a graphics card is not counted.
"""

import re
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from potluck.core.errors import UsageError

UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
STATUS = Path("/proc/self/status")
HINT = "a larger --memory, fewer --processes, or fewer rows"


def bytes_of(text: str) -> int:
    """ "4G", "500 MB", "1048576". Raises UsageError."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?\s*", text.lower())
    if found is None or float(found[1]) == 0:
        raise UsageError(f"{text!r} is no size", where="--memory", hint="e.g. 4G or 500M")
    return int(float(found[1]) * UNITS[found[2]])


def shared(memory: int | None, rows: int, processes: int, least: int) -> int | None:
    """Bytes that each process may take beside the rows. least: what one client takes; None: no bound.

    Raises UsageError: one client does not fit.
    """
    if memory is None:
        return None
    each = (memory - rows) // processes
    if each < least:
        need = rows + processes * least
        what = f"the rows take {rows:,} bytes, and a client in each of {processes} processes {least:,}"
        raise UsageError(f"{what}: {need:,}, and {memory:,} is the bound", where="--memory", hint=HINT)
    return each


@contextmanager
def bounded(memory: int | None, base: int | None = None) -> Iterator[None]:
    """While it lasts, this process takes no more than so many bytes beyond `base` (None: what it has taken by now).

    Raises UsageError: it would.
    """
    if memory is None:
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = (taken() if base is None else base) + memory
    for known in (soft, hard):
        limit = limit if known == resource.RLIM_INFINITY else min(limit, known)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))
    try:
        yield
    except MemoryError:
        raise UsageError(f"more than {memory:,} bytes are needed", where="--memory", hint=HINT) from None
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def taken() -> int:
    """Bytes that this process may write to, as the system counts them."""
    found = re.search(r"VmData:\s+(\d+) kB", STATUS.read_text(encoding="ascii"))
    return int(found[1]) << 10 if found else 0
