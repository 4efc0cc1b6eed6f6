"""Which user of this machine is at the other end of a loopback connection, by Linux's table of sockets.

A browser sends a cookie of `localhost` to every port of it. So another user's program that the owner's browser visits
can read the session's. It is of no use to that user: the pages take connections of their own user alone, and of root,
who can do anything. On other systems nothing is known, and nobody is refused.
Reference: proc(5), /proc/net/tcp: addresses and ports in hex, the state, the uid of the socket's owner.
"""

import os
from pathlib import Path

TABLES = {"127.0.0.1": (Path("/proc/net/tcp"), "0100007F"), "::1": (Path("/proc/net/tcp6"), f"{'0' * 24}01000000")}
"""By address of the other end: the table, and the address as it has it."""
_ESTABLISHED = "01"


def stranger(client: tuple[str, int] | None, server: tuple[str, int | None] | None) -> bool:
    """Whether the socket `client`, connected to `server`, is another user's, or nobody's any more."""
    if client is None or server is None or server[1] is None or client[0] not in TABLES:
        return False
    table, address = TABLES[client[0]]
    try:
        lines = table.read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return False
    return uid(lines, f"{address}:{client[1]:04X}", f"{address}:{server[1]:04X}") not in (0, os.geteuid())


def uid(lines: list[str], local: str, remote: str) -> int | None:
    """The owner of the socket between two addresses; None: nobody holds it open. Of one that its process has closed the
    table says 0, as if it were root's."""
    for line in lines:
        fields = line.split()
        if fields[1:4] == [local, remote, _ESTABLISHED]:
            return int(fields[7])
    return None
