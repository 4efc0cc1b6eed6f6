"""A real broker for tests: temporary folder, free port, a key for every party; can be killed and restarted."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import nkeys
import pytest

from potluck.core.errors import UsageError
from potluck.core.party import SERVER, Party, site
from potluck.net import broker
from potluck.net.configuration import Limits
from potluck.net.link import Link
from potluck.net.pieces import LARGEST
from potluck.net.session import Account
from potluck.net.topology import Queues
from potluck.secret.container import Secret
from support.ports import HOST, free_port


def need_broker() -> None:
    """Skip, with a reason, where there is no nats-server."""
    try:
        broker.binary()
    except UsageError as error:
        pytest.skip(str(error))


def until(true: Callable[[], object], what: str, seconds: float = 60) -> None:
    """Wait until it is true. Raises AssertionError: it never was."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.02)


def seed() -> tuple[Secret, str]:
    """A fresh nkey: its seed and its public form."""
    text = nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER)
    pair = nkeys.from_seed(bytearray(text))
    return Secret(bytes(text)), pair.public_key.decode()


class Rig:
    """A broker of one federation: `start`, `kill` (-9), `stop`, `lose_store`; `link(party)` connects.

    several: three nodes, which are called by their numbers; without one all are meant. Of one node the number is 0.
    """

    def __init__(
        self, folder: Path, sites: tuple[str, ...] = ("a", "b"), federation: str = "fed", several: bool = False
    ) -> None:
        self.folder, self.federation = folder, federation
        self.nodes = (1, 2, 3) if several else (0,)
        self.ports = [free_port(broker.BETWEEN) if several else free_port() for _ in self.nodes]
        self.port = self.ports[0]
        self.parties: tuple[Party, ...] = (SERVER, *(site(name) for name in sites))
        self.seeds: dict[Party, Secret] = {}
        self.users: dict[Party, str] = {}
        for party in self.parties:
            self.seeds[party], self.users[party] = seed()
        self.url = ",".join(f"tls://{HOST}:{port}" for port in self.ports)
        self.authority = self.prepare()
        self.processes: dict[int, subprocess.Popen[bytes]] = {}
        self.links: list[Link] = []

    def prepare(self, now: float | None = None, host: str = HOST, limits: Limits | None = None, **how: bool) -> str:
        when = time.time() if now is None else now
        places = [(host, port) for port in self.ports]
        return broker.prepare(self.folder, self.federation, places, self.users, when, limits=limits, **how)

    def start(self, *nodes: int) -> None:
        """Start the program, or these nodes, and wait until it answers."""
        for node in nodes or self.nodes:
            room = broker.room(self.folder, node)
            self.processes[node] = subprocess.Popen(
                broker.arguments(self.folder, node), cwd=room, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
        for node in nodes or self.nodes:
            process, log = self.processes[node], broker.room(self.folder, node) / "nats.log"

            def answers(node: int = node, process: subprocess.Popen[bytes] = process, log: Path = log) -> bool:
                assert process.poll() is None, log.read_text()
                return broker.answers(self.folder, node)

            until(answers, "the broker answers")

    def _end(self, sign: int, nodes: tuple[int, ...]) -> None:
        ending = [self.processes.pop(node) for node in nodes or self.nodes if node in self.processes]
        for process in ending:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(sign)
        for process in ending:
            process.wait(60)

    def kill(self, *nodes: int) -> None:
        """kill -9."""
        self._end(signal.SIGKILL, nodes)

    def stop(self, *nodes: int) -> None:
        """A clean end."""
        self._end(signal.SIGTERM, nodes)

    def lose_store(self) -> None:
        """All letters, queues and readers are gone."""
        shutil.rmtree(self.folder / broker.ROOM / "store")

    def account(self, party: Party, **other: object) -> Account:
        fields = {
            "federation": self.federation,
            "me": party,
            "url": self.url,
            "authority": self.authority,
            "seed": self.seeds[party],
        }
        return Account(**(fields | other))

    def link(
        self, party: Party, largest: int = LARGEST, queues: Queues | None = None, account: Account | None = None
    ) -> Link:
        """A connection, closed with the rig; the server's keeps all parties' queues."""
        parties = self.parties if party == SERVER else ()
        made = Link(account or self.account(party), parties, largest=largest, queues=queues)
        self.links.append(made)
        return made

    def close(self) -> None:
        for link in self.links:
            link.close()
        self.stop()


@contextlib.contextmanager
def rig(
    folder: Path, sites: tuple[str, ...] = ("a", "b"), started: bool = True, several: bool = False
) -> Iterator[Rig]:
    """A broker, started, for the time of the block."""
    need_broker()
    made = Rig(folder, sites, several=several)
    try:
        if started:
            made.start()
        yield made
    finally:
        made.close()


def potluck(*arguments: object) -> list[str]:
    """The command line of `potluck ARGS`."""
    return [sys.executable, "-m", "potluck", *(str(a) for a in arguments)]
