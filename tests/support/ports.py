"""Ports of the loopback that no other test takes between being found free and being listened at."""

import os
import socket
from itertools import count

HOST, FIRST, EACH, WORKERS = "127.0.0.1", 12_000, 500, 16
"""Each worker of a test run has ports of its own: below those of engines (`potluck.mpc.local`), and those that systems
give to whoever connects or asks for any."""
_MINE = FIRST + EACH * (int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % WORKERS)
_NEXT = count(os.getpid())


def free_port(*more: int) -> int:
    """One that can be bound, other than the last. more: added to it, ports that can be bound, too."""
    while True:
        port = _MINE + next(_NEXT) % EACH
        if all(map(_free, (port, *(port + one for one in more)))):
            return port


def _free(port: int) -> bool:
    with socket.socket() as trial:
        try:
            trial.bind((HOST, port))
        except OSError:
            return False
    return True
