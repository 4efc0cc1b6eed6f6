"""Three nodes: what is acknowledged is with two of them, and who is none of them is hung up on."""

import asyncio
import contextlib
import socket
import ssl
import time

import pytest

from potluck.core.errors import Refused, Unreachable, UsageError
from potluck.core.party import SERVER, site
from potluck.net import broker, certificates, mailbox
from potluck.net.address import lease_stream, stream
from potluck.net.certificates import Pair
from potluck.net.configuration import Limits, text
from potluck.net.session import connect
from potluck.net.topology import api
from support.net.broker_rig import HOST, rig, until

A, B = site("a"), site("b")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with rig(tmp_path_factory.mktemp("cluster"), several=True) as made:
        server = made.link(SERVER)
        server.open(60)
        made.link(A).open(30)
        yield made


def known(made, verb):
    """How the broker answers the server's question."""

    async def work():
        session = await connect(made.account(SERVER))
        try:
            return await api(session, verb)
        finally:
            await session.end()

    return asyncio.run(work())


def said(made, data, to=1):
    """The server sends letters to a, which reads them."""
    server, a = made.links[:2]
    for letter in data:
        server.send(A, letter, 60)
        found = a.receive(60)
        assert found is not None
        assert bytes(found.data) == letter
        found.done()


@pytest.mark.slow
def test_letters_readers_and_lease_are_kept_three_times(cluster):
    said(cluster, [b"one", b"two"])
    for name in (stream("fed"), lease_stream("fed")):
        found = known(cluster, f"STREAM.INFO.{name}")
        assert found["config"]["num_replicas"] == 3
        assert len(found["cluster"]["replicas"]) == 2
    reader = known(cluster, f"CONSUMER.NAMES.{stream('fed')}")["consumers"][0]
    assert len(known(cluster, f"CONSUMER.INFO.{stream('fed')}.{reader}")["cluster"]["replicas"]) == 2


@pytest.mark.parametrize("who", ["nobody", "stranger", "member"])
def test_only_nodes_may_join(cluster, tmp_path, who):
    """The control: a node's own certificate gets the others' greeting."""
    room = broker.room(cluster.folder, 2)

    def greeted(chain):
        context = ssl.create_default_context(cafile=room / "ca.pem")
        if chain:
            context.load_cert_chain(*chain)
        with (
            contextlib.suppress(OSError),
            socket.create_connection((HOST, cluster.ports[0] + broker.BETWEEN), 10) as raw,
            context.wrap_socket(raw, server_hostname=HOST) as line,
        ):
            return line.recv(4096).startswith(b"INFO")
        return False

    stranger = certificates.authority("fed", time.time())
    made = {
        "nobody": None,
        "stranger": certificates.certificate(stranger, [HOST], time.time(), node=True),
        "member": certificates.certificate(_issuer(cluster), [HOST], time.time()),  # as a broker of one node has
    }[who]
    chain = None
    if made is not None:
        (tmp_path / "pem").write_text(made.certificate)
        (tmp_path / "key").write_bytes(made.key)
        chain = tmp_path / "pem", tmp_path / "key"
    assert not greeted(chain)
    assert greeted((room / "server.pem", room / "server.key"))


def _issuer(made):
    room = made.folder / "broker"
    return Pair((room / "ca.pem").read_text(), (room / "ca.key").read_bytes())


def test_no_node_has_the_authoritys_key_and_each_its_own(cluster):
    rooms = [broker.room(cluster.folder, node) for node in cluster.nodes]
    assert len({(room / "server.key").read_bytes() for room in rooms}) == 3
    assert not any((room / "ca.key").exists() for room in rooms)
    assert all(certificates.hosts((room / "server.pem").read_text())[0] == HOST for room in rooms)


def test_where_one_node_is_meant_it_must_be_named(cluster):
    with pytest.raises(UsageError, match="nodes 1, 2, 3: which one"):
        broker.arguments(cluster.folder)
    with pytest.raises(UsageError, match="which one"):
        broker.check(cluster.folder, time.time(), 4)
    with pytest.raises(UsageError, match=f"port {cluster.ports[2]} is taken"):
        broker.check(cluster.folder, time.time(), 3)


def test_ports_for_sites_and_for_nodes_must_not_meet(tmp_path):
    with pytest.raises(UsageError, match="want the same port"):
        broker.prepare(tmp_path, "fed", [(HOST, 4222), (HOST, 4223), (HOST, 6222)], {}, 0.0)
    with pytest.raises(UsageError, match="not a broker's address"):
        broker.prepare(tmp_path, "fed", [(HOST, 64000), (HOST, 4223), (HOST, 6222)], {}, 0.0)


def test_one_node_alone_is_configured_as_before():
    assert "cluster" not in text("fed", "127.0.0.1:4222", {}, Limits())


def test_one_that_refuses_is_not_believed_while_another_is_away(tmp_path):
    """Its users may be those of an older federation file."""
    with rig(tmp_path, several=True, started=False) as made:
        key = made.users.pop(B)
        made.prepare()
        made.start(1)
        with pytest.raises(Unreachable, match=r"does not know this key.*another node does not answer"):
            asyncio.run(connect(made.account(B)))
        made.start(2, 3)
        with pytest.raises(Refused, match="does not know this key"):
            asyncio.run(connect(made.account(B)))
        made.users[B] = key
        made.prepare()
        assert broker.reload(made.folder)
        for first in range(3):
            asyncio.run(asyncio.wait_for(_hello(made, first), 30))


async def _hello(made, first):
    session = await connect(made.account(B), first)
    assert session.client.connected_url.port == made.ports[first]
    await session.end()


@pytest.mark.slow
def test_any_one_node_may_die_and_nothing_is_lost_or_told_twice(cluster):
    for node in cluster.nodes:
        said(cluster, [b"before %d" % node])
        cluster.kill(node)
        said(cluster, [b"%d after %d" % (number, node) for number in range(20)])
        cluster.start(node)


@pytest.mark.slow
def test_a_queue_survives_all_three(cluster):
    server, a = cluster.links[:2]
    said(cluster, [b"first"])
    a.close()
    server.send(A, b"waits", 60)
    cluster.kill()
    cluster.start()
    heir = cluster.link(A)
    cluster.links[1:] = [heir]
    found = heir.receive(60)
    assert found is not None
    assert bytes(found.data) == b"waits"
    found.done()
    said(cluster, [b"and on"])


@pytest.mark.slow
def test_a_node_that_lost_the_others_is_left(cluster, monkeypatch):
    """Connected all the while: without the rule the link would stay for good."""
    monkeypatch.setattr(mailbox, "ALONE", 1.0)
    a = cluster.links[1]
    said(cluster, [b"with all"])
    first = a._session
    here = cluster.ports.index(first.client.connected_url.port) + 1
    others = [node for node in cluster.nodes if node != here]
    cluster.kill(*others)
    until(lambda: a._session not in (first, None), "the link looks for another node", 120)
    assert first.client.last_error is None
    cluster.start(*others)
    said(cluster, [b"and on"])
