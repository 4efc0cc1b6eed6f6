"""An office whose line is in memory, over the homes of `across`."""

import contextlib
import time
from collections.abc import Iterator, Sequence

from potluck.api.network.office import Office, hall, office, opened
from potluck.api.network.running.watched import Nodes
from potluck.api.network.sessions import GOING, Say, quiet
from potluck.core.errors import Refused, Unreachable
from potluck.core.party import SERVER
from support.parties.across import Across
from support.parties.lines import MemoryLine


class Held:
    """A lease that is ours until a test says that it is `lost`, or that nobody knows (`away`, so many times)."""

    lost: Refused | None = None
    away = 0

    def check(self) -> None:
        """As of a lease at a broker."""
        if self.away:
            self.away -= 1
            raise Unreachable("the broker does not say")
        if self.lost is not None:
            raise self.lost


class Wire(MemoryLine):
    """What of a link follows a federation that changes does nothing here."""

    def keep(self, parties):
        """As of a link."""

    def reconnect(self):
        """As of a link."""


@contextlib.contextmanager
def at_work(
    fed: Across, monkeypatch, at_once: int = 2, leases: Sequence[Held] = (), say: Say = quiet
) -> Iterator[Office]:
    """The office of the federation, until the block ends. leases: of its first times at work."""
    each = iter(leases)

    @contextlib.contextmanager
    def line(home, member, say):
        yield Wire(fed.exchange, SERVER), next(each, Held()), Nodes(lambda: None, print, {"tls://a:1": True})

    monkeypatch.setattr(hall, "put_up", lambda home, link: None)
    monkeypatch.setattr(office, "AGAIN", 0.05)
    monkeypatch.setattr(office, "line", line)
    with opened(fed.folder / "fed", at_once=at_once, say=say) as found:
        yield found


def run_of(found: Office, name: str):
    """How a run stands now."""
    return next(one for one in found.standing().runs if one.run == name)


def until(found: Office, name: str, *states: str, seconds: float = 120):
    """Wait until a run is in one of these states (none: until it has ended); gives how it stands then."""
    end = time.monotonic() + seconds
    while True:
        one = run_of(found, name)
        if one.state in states or (not states and one.state not in GOING):
            return one
        assert time.monotonic() < end, (one.state, [(e.event, e.text) for e in found.events(name)])
        time.sleep(0.02)
