"""A federation with a broker that runs, a site's home in it, and copies of that home for tests to break."""

import contextlib
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from potluck.api.network import members as api
from potluck.core.party import SERVER
from potluck.members.home import CoordinatorHome
from potluck.net import broker
from potluck.net.link import Link
from potluck.net.session import Account
from support.net.broker_rig import need_broker, until
from support.owner.policies import COMPUTES, OPEN
from support.parties import scene
from support.ports import HOST, free_port


@dataclass(frozen=True)
class Running:
    """fed: the coordinator's home; home, compute: a site's and a compute party's; port: the broker's."""

    fed: Path
    home: Path
    compute: Path
    port: int

    def queues(self) -> None:
        """Make the queues, as the coordinator's server does when it first runs."""
        member = CoordinatorHome.at(self.fed).open(time.time())
        it = member.federation
        parties = (SERVER, *it.sites, *it.computes)
        with closing(Link(Account(it.id, SERVER, it.broker, it.ca, member.keys.user.seed), parties)) as link:
            link.open(60)


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Running]:
    """A healthy site, and the broker for the time of the block."""
    need_broker()
    port, now = free_port(), time.time()
    it = Running(folder / "fed", folder / "a", folder / "alpha", port)
    api.federation_new(it.fed, f"tls://{HOST}:{port}", now, 90)
    api.site_new(it.home, None)
    api.site_new(it.compute, None, compute=True)
    (it.home / "policy.toml").write_text(OPEN)
    (it.compute / "policy.toml").write_text(COMPUTES.format(ports=free_port()))
    scene.frames("a", 40)["a"].to_csv(it.home / "rows.csv", index=False)
    api.federation_add(it.fed, [it.home / "a.card", it.compute / "alpha.card"], now)
    for home in (it.home, it.compute):
        api.site_join(home, it.fed / "federation.toml", now, "")
    process = subprocess.Popen(
        broker.arguments(it.fed), cwd=it.fed / broker.ROOM, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until(lambda: broker.answers(it.fed), "the broker answers")
        yield it
    finally:
        process.terminate()
        process.wait(60)
