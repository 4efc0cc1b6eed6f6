"""The way to the broker, step by step: each thing that can be wrong is another answer, and no letter is fetched."""

import socket
import time
from contextlib import closing
from dataclasses import replace

import pytest

from potluck.core.errors import Refused, Unreachable, UsageError
from potluck.core.party import SERVER, site
from potluck.net import certificates, probe
from potluck.net.probe import probe as tried
from support.net.broker_rig import HOST, rig, seed
from support.ports import free_port

A = site("a")


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with rig(tmp_path_factory.mktemp("probe")) as made:
        yield made


def test_queues_that_nobody_made_yet_are_told_from_all_else_and_then_all_is_well(broker):
    assert tried(broker.account(A)).failed == "queues"
    broker.link(SERVER).open(60)
    found = tried(broker.account(A))
    assert found.failed is None
    assert found.error is None
    assert 396 < (found.ends.timestamp() - time.time()) / 86400 < 398


def test_no_letter_is_fetched(broker):
    server, me = broker.link(SERVER), broker.link(A)
    server.open(60)
    me.close()  # a site that is away
    server.send(A, b"waits", 60)
    assert [tried(broker.account(A)).failed for _ in range(3)] == [None] * 3
    back = broker.link(A)
    delivery = back.receive(60)
    assert bytes(delivery.data) == b"waits"
    delivery.done()


@pytest.mark.parametrize(
    ("step", "change", "words", "kind"),
    [
        ("name", {"url": "tls://broker.invalid:4222"}, "the name broker.invalid is not known", Unreachable),
        ("port", {"url": f"tls://{HOST}:{free_port()}"}, "nothing listens at port", Unreachable),
        ("tls", {"authority": certificates.authority("fed", time.time()).certificate}, "authority", Refused),
        ("key", {"seed": seed()[0]}, "does not know this key", Refused),
    ],
)
def test_a_step_that_fails_is_named(broker, step, change, words, kind):
    found = tried(replace(broker.account(A), **change))
    assert found.failed == step
    assert isinstance(found.error, kind)
    assert words in found.error.what
    assert found.error.hint
    assert (found.ends is None) == (step != "key")


def test_a_port_that_is_silent_is_told_from_one_that_refuses(broker, monkeypatch):
    monkeypatch.setattr(probe, "PATIENCE", 0.2)
    with closing(socket.create_server((HOST, 0), backlog=1)) as mute:
        where = f"tls://{HOST}:{mute.getsockname()[1]}"
        found = tried(broker.account(A, url=where))  # it takes the connection and never speaks
        assert found.failed == "tls"
        assert "does not answer in TLS 1.3" in found.error.what

    def dropped(*_, **__):
        raise TimeoutError

    monkeypatch.setattr(probe.socket, "create_connection", dropped)
    found = tried(broker.account(A))
    assert found.failed == "port"
    assert "a firewall on the way" in found.error.hint


def test_what_is_no_address_or_no_authority_is_said(broker):
    with pytest.raises(UsageError, match="not a broker's address"):
        tried(broker.account(A, url="nats://x"))
    with pytest.raises(UsageError, match="not a certificate"):
        tried(broker.account(A, authority="x"))
