"""A lease while the broker's nodes choose who leads them: calls fail for seconds, and nobody loses it."""

import asyncio
import threading
import time
from types import SimpleNamespace

import pytest

from potluck.core.errors import Unreachable
from potluck.net import lease as module
from potluck.net.lease import Lease
from potluck.net.topology import ApiError


class Link:
    """A line to a stream in memory, whose calls fail while nobody leads."""

    class account:
        federation, url = "fed", "tls://a:1,tls://b:1,tls://c:1"

    def __init__(self):
        self.leads, self.failed = threading.Event(), 0

    def wait_for(self, work, patience):
        return asyncio.run(work)

    async def session(self, deadline):
        if not self.leads.is_set():
            self.failed += 1
            if self.failed == 3:
                self.leads.set()
            raise Unreachable("nobody leads", where=self.account.url)
        return self


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(module, "LOOK", 0.001)


def held(link, monkeypatch):
    lease = Lease(link, "me")
    lease._sequence, lease._renewed = 7, time.monotonic() - module.STILL - 1

    async def write(session, boot, after):
        assert (boot, after) == ("me", 7)
        lease._sequence, lease._renewed = 8, time.monotonic()

    monkeypatch.setattr(lease, "_write", write)
    return lease


def test_a_holder_asks_again_until_somebody_leads(quick, monkeypatch):
    link = Link()
    lease = held(link, monkeypatch)
    lease.check(60)
    assert link.failed == 3
    assert lease._sequence == 8


def test_it_gives_up_when_its_patience_ends(quick, monkeypatch):
    link = Link()
    with pytest.raises(Unreachable, match="nobody leads"):
        held(link, monkeypatch).check(0.0)
    assert link.failed == 1


def test_time_in_which_nobody_could_write_is_no_stillness(quick, monkeypatch):
    """Another server's word was seen, then nobody led for longer than the word may be still: it is watched anew."""
    link, now, looks = Link(), [100.0], []
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))  # the loop has a clock of its own
    lease = Lease(link, "me")
    link.leads.set()

    async def last(session):
        looks.append(now[0])
        now[0] += 1.0
        if len(looks) == 2:  # an election as long as a whole stillness
            now[0] += module.STILL
            raise ApiError(10008, "temporarily unavailable")
        return module._Word(5, "another")

    async def write(session, boot, after):
        looks.append("taken")
        lease._sequence = after + 1

    monkeypatch.setattr(lease, "_last", last)
    monkeypatch.setattr(lease, "_write", write)
    asyncio.run(lease._acquire(None, now[0] + 1000))
    taken = looks.index("taken")
    assert taken >= 2 + module.STILL  # looks after the election, a second each
