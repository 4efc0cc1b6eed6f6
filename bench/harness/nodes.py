"""Letters of a round by Potluck's own links, through a broker of one node or of three, all on this machine."""

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import nkeys

from potluck.core.party import SERVER, Party, site
from potluck.net import broker
from potluck.net.link import Link
from potluck.net.session import Account
from potluck.secret.container import Secret

HOST, IDENTITY = "127.0.0.1", "nodes"
PATIENCE = 60.0


@contextmanager
def exchange(nodes: int, sites: int) -> Iterator[tuple[Callable[[int], None], Callable[[], int]]]:
    """A call that sends so many bytes from the server to each site and back, and one that gives the bytes on disk.

    nodes: 1 or 3. A letter has been handed over when the broker has confirmed it: of three nodes, when two have it.
    """
    parties = [SERVER, *(site(f"s{index:03d}") for index in range(sites))]
    seeds: dict[Party, Secret] = {}
    users: dict[Party, str] = {}
    for party in parties:
        seed = nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER)
        seeds[party], users[party] = Secret(bytes(seed)), nkeys.from_seed(bytearray(seed)).public_key.decode()
    ports = [_port() for _ in range(nodes)]
    url = ",".join(f"tls://{HOST}:{port}" for port in ports)
    with TemporaryDirectory(prefix="potluck-nodes-") as temp, contextlib.ExitStack() as stack:
        folder = Path(temp)
        authority = broker.prepare(folder, IDENTITY, [(HOST, port) for port in ports], users, time.time())
        for node in broker.nodes(folder) or (0,):
            stack.enter_context(_serving(folder, node))
        links = {}
        for party in parties:
            account = Account(IDENTITY, party, url, authority, seeds[party])
            links[party] = stack.enter_context(closing(Link(account, parties if party == SERVER else ())))
            links[party].open(PATIENCE)
        others = parties[1:]

        def once(size: int) -> None:
            letter = bytes(size)
            links[SERVER].send_all([(one, letter) for one in others], PATIENCE)
            for one in others:
                _take(links[one])
                links[one].send(SERVER, letter, PATIENCE)
            for _ in others:
                _take(links[SERVER])

        def stored() -> int:
            return sum(path.stat().st_blocks * 512 for path in folder.rglob("store/**/*") if path.is_file())

        yield once, stored


def _take(link: Link) -> None:
    found = link.receive(PATIENCE)
    if found is None:
        raise RuntimeError("no letter came")
    found.done()


@contextmanager
def _serving(folder: Path, node: int) -> Iterator[None]:
    process = subprocess.Popen(
        broker.arguments(folder, node),
        cwd=broker.room(folder, node),
        env=broker.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not broker.answers(folder, node):
            if process.poll() is not None:
                raise RuntimeError("the broker has ended")
            time.sleep(0.02)
        yield
    finally:
        process.terminate()
        process.wait(30)


def _port() -> int:
    """Free, as is the one by which nodes talk to each other."""
    while True:
        with socket.socket() as one, socket.socket() as other:
            one.bind((HOST, 0))
            port = int(one.getsockname()[1])
            if port + broker.BETWEEN < 65536:
                with contextlib.suppress(OSError):
                    other.bind((HOST, port + broker.BETWEEN))
                    return port
