"""Nodes of the broker that die and come back beside a run: a word each, and never more."""

from dataclasses import replace

import pytest

from potluck.api.network.doctor import line
from potluck.api.network.running import watched
from potluck.api.network.running.watched import Nodes
from potluck.core.errors import Unreachable
from potluck.core.party import site
from potluck.net.probe import Probe
from potluck.net.session import Account
from potluck.secret.container import Secret

THREE = [f"tls://{name}.example:4222" for name in "abc"]
ACCOUNT = Account("ab" * 16, site("a"), ",".join(THREE), "", Secret(b"SU"))


@pytest.fixture
def dead(monkeypatch):
    """Addresses at which nothing answers, a certificate that has expired (with "expired "), or a queue is missing."""
    them = set()

    def probe(account):
        if account.url in them:
            return Probe("port", Unreachable("nothing listens at port 4222", where=account.url))
        if f"expired {account.url}" in them:
            return Probe("tls", Unreachable("it has expired", where=account.url, hint="potluck broker FOLDER --renew"))
        return Probe("queues", Unreachable("no queues yet", where=account.url))

    monkeypatch.setattr(watched, "probe", probe)
    monkeypatch.setattr(line, "probe", probe)
    return them


def test_a_node_that_dies_is_said_once_and_so_is_its_return(dead):
    said = []
    nodes = Nodes(lambda: ACCOUNT, said.append)
    nodes.look()
    assert said == []
    dead.add(THREE[1])
    nodes.look()
    nodes.look()
    assert said == [f"node 2 of the broker, {THREE[1]}: it is of no use now (nothing listens at port 4222)"]
    assert nodes.answers == {THREE[0]: True, THREE[1]: False, THREE[2]: True}
    dead.clear()
    nodes.look()
    assert said[1:] == [f"node 2 of the broker, {THREE[1]}: it answers again"]


def test_a_broker_of_one_node_is_not_asked(dead):
    dead.add(THREE[0])
    nodes = Nodes(lambda: replace(ACCOUNT, url=THREE[0]), pytest.fail)
    nodes.look()
    assert nodes.answers == {}


def test_the_hint_of_an_expired_certificate_names_its_node(dead):
    dead |= {f"expired {THREE[1]}", THREE[2]}
    found = [
        line.reached(line.probe(replace(ACCOUNT, url=url)), number, url, True) for number, url in enumerate(THREE, 1)
    ]
    assert ["--node 2 --renew" in one.hint for one in found] == [False, True, False]
    assert [one.what.split(",")[0] for one in found] == ["node 1", "node 2", "node 3"]
