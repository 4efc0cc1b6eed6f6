"""Ports of the loopback that no other test takes between being found free and being listened at."""

import os
import socket
from itertools import count

HOST, FIRST, EACH, WORKERS = "127.0.0.1", 12_000, 500, 16
"""Each worker of a test run has ports of its own: below those of engines (`potluck.mpc.local`), and those that systems
give to whoever connects or asks for any."""
_MINE = FIRST + EACH * (int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % WORKERS)
_NEXT = count(os.getpid())


def free_port() -> int:
    """One that can be bound, other than the last."""
    while True:
        port = _MINE + next(_NEXT) % EACH
        with socket.socket() as trial:
            try:
                trial.bind((HOST, port))
            except OSError:
                continue
        return port
