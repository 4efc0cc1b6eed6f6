"""Which user of this machine is at the other end of a loopback connection, by Linux's table of sockets.

A browser sends a cookie of `localhost` to every port of it. So another user's program that the owner's browser visits
can read the session's. It is of no use to that user: the pages take connections of their own user alone, and of root,
who can do anything. Who cannot be told is refused. On other systems there is no such table: there every user of the
machine is taken for this one.
Reference: proc(5), /proc/net/tcp: addresses and ports in hex, the state, the uid of the socket's owner.
"""

import os
from pathlib import Path

TABLES = {"127.0.0.1": (Path("/proc/net/tcp"), "0100007F"), "::1": (Path("/proc/net/tcp6"), f"{'0' * 24}01000000")}
"""By address of the other end: the table, and the address as it has it."""
LINUX = Path("/proc/net")
"""There where the system has tables at all."""
_ESTABLISHED = "01"


def owner(client: tuple[str, int] | None, server: tuple[str, int | None] | None) -> int | None:
    """The user of the socket `client`, connected to `server`; None: nobody's any more, or it cannot be told.

    A socket may be bound to any address of this machine before it connects: of one that is not in `TABLES` nobody is
    known. Where the system has no table, it is taken for the user of this process.
    """
    if client is None or server is None or server[1] is None or client[0] not in TABLES:
        return None
    table, address = TABLES[client[0]]
    try:
        lines = table.read_text(encoding="ascii").splitlines()[1:]
    except FileNotFoundError:
        return None if LINUX.exists() else os.geteuid()
    except OSError:
        return None
    return uid(lines, f"{address}:{client[1]:04X}", f"{address}:{server[1]:04X}")


def stranger(user: int | None) -> bool:
    """Whether it is neither this process's user nor root."""
    return user not in (0, os.geteuid())


def uid(lines: list[str], local: str, remote: str) -> int | None:
    """The owner of the socket between two addresses; None: nobody holds it open. Of one that its process has closed the
    table says 0, as if it were root's."""
    for line in lines:
        fields = line.split()
        if fields[1:4] == [local, remote, _ESTABLISHED]:
            return int(fields[7])
    return None
