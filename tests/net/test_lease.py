"""One server at a time."""

import time

import pytest

from potluck.core.errors import Refused
from potluck.core.party import SERVER
from potluck.net import lease as module
from potluck.net.lease import Lease
from support.net.broker_rig import rig, until


@pytest.fixture
def broker(tmp_path):
    with rig(tmp_path) as made:
        yield made


def server(made):
    link = made.link(SERVER)
    link.open(10)
    return link


@pytest.fixture
def long(monkeypatch):
    """Whoever has to wait until a word is still waits for a minute: a machine with other work is told from that."""
    monkeypatch.setattr(module, "STILL", 60.0)


def test_a_second_server_is_refused_while_the_first_lives_and_not_after_it_ended(broker, long):
    first = Lease(server(broker), "one")
    first.acquire()
    second = Lease(server(broker), "two")
    with pytest.raises(Refused, match="another server runs this federation"):
        second.acquire()
    first.check()
    first.release()
    started = time.monotonic()
    second.acquire()
    second.check()
    assert time.monotonic() - started < module.STILL
    with pytest.raises(Refused):
        first.check()


@pytest.mark.slow
def test_my_own_dead_predecessor_is_followed_at_once_and_a_foreign_one_once_it_is_still(broker, long, monkeypatch):
    link = server(broker)
    Lease(link, "dead").acquire()
    link.close()  # as a crash: nothing is given back
    started = time.monotonic()
    heir = server(broker)
    Lease(heir, "heir").acquire(previous_boot="dead")
    assert time.monotonic() - started < module.STILL
    heir.close()
    monkeypatch.setattr(module, "STILL", 1.5)
    started = time.monotonic()
    Lease(server(broker), "stranger").acquire(previous_boot="dead")
    assert time.monotonic() - started >= module.STILL


def test_a_displaced_server_finds_out_at_its_next_use(broker):
    first = Lease(server(broker), "one")
    first.acquire()
    second = Lease(server(broker), "two")
    second.acquire(previous_boot="one")  # as if the folder had been copied
    until(lambda: first._lost is not None, "its next renewal finds the word moved")
    with pytest.raises(Refused, match="another server"):
        first.check()
    second.check()


@pytest.mark.slow
def test_a_lease_outlives_the_brokers_death_and_the_loss_of_its_store(broker, long):
    link = server(broker)
    lease = Lease(link, "one")
    lease.acquire()
    broker.kill()
    broker.start()
    link.open(10)
    lease.check()
    broker.kill()
    broker.lose_store()
    back = time.monotonic()
    broker.start()
    link.open(10)
    until(lambda: lease._renewed > back, "the lease is written again")
    lease.check(10)
    with pytest.raises(Refused, match="another server"):
        Lease(server(broker), "two").acquire()
