"""Free addresses of this machine, at which engines listen."""

import contextlib
import socket
from collections.abc import Sequence
from typing import ClassVar

from potluck.core.errors import UsageError
from potluck.mpc.peers import LOOPBACK, Peers
from potluck.secret.random import system

HOST = "127.0.0.1"
FIRST, PORTS = 20000, 12000
"""Ports below those that Linux gives to outgoing connections."""


def addresses(count: int) -> tuple[str, ...]:
    """Free addresses here. Another process may take one before it is used. Raises UsageError: none is free."""
    found: list[str] = []
    for _ in range(PORTS):
        port = FIRST + int.from_bytes(system(4), "big") % PORTS
        with contextlib.suppress(OSError), socket.socket() as one:
            one.bind((HOST, port))
            found.append(f"{HOST}:{port}")
        if len(found) == count:
            return tuple(found)
    raise UsageError("no free port on this machine", hint=f"free some between {FIRST} and {FIRST + PORTS}")


class Port:
    """An engine's address through a run: one of `known` that nobody has, and the same from then on.

    Its own engine may listen there when it is asked again: each new job of a run begins when the last has ended. peers:
    whom it may dial.
    """

    _claimed: ClassVar[set[str]] = set()

    def __init__(self, known: Sequence[str], peers: Peers = LOOPBACK) -> None:
        self._known, self.peers = known, peers
        self._mine = ""

    def __call__(self) -> str:
        """The address. Raises UsageError: all are taken."""
        if not self._mine:
            self._mine = _free([one for one in self._known if one not in self._claimed], self._known[0])
            self._claimed.add(self._mine)
        return self._mine

    def release(self) -> None:
        """The run is over: another may have it."""
        self._claimed.discard(self._mine)
        self._mine = ""


def _free(known: Sequence[str], where: str) -> str:
    """One of these addresses of this machine that nobody listens at. Raises UsageError: all are taken."""
    for address in known:
        host, port = address.rsplit(":", 1)
        name = host.strip("[]")
        with contextlib.suppress(OSError), socket.socket(socket.AF_INET6 if ":" in name else socket.AF_INET) as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind((name, int(port)))
            return address
    raise UsageError("no port is free for the engine", where=where, hint="a port a run: engine.address, a wider range")
