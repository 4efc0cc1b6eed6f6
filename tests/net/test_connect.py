"""Connecting: who is let in, whom the client believes, and what it says where it does not."""

import asyncio
import contextlib
import socket
import ssl
import threading
import time
from contextlib import nullcontext

import pytest
from nats.aio.client import Client

from potluck.core.errors import Refused, Unreachable, UsageError
from potluck.core.party import SERVER, site
from potluck.net import broker as program
from potluck.net import certificates, session
from support.net.broker_rig import HOST, Rig, rig, seed, until
from support.ports import free_port

A = site("a")
YEAR = 366 * 24 * 3600.0


@pytest.fixture
def stopped(tmp_path):
    with rig(tmp_path, started=False) as made:
        yield made


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with rig(tmp_path_factory.mktemp("connect")) as made:
        made.link(SERVER).open(10)
        yield made


def refusal(made: Rig, account=None):
    with pytest.raises(Refused) as caught:
        made.link(A, account=account).open(10)
    return str(caught.value)


def test_a_known_key_is_let_in_and_an_unknown_one_refused_in_words(running):
    running.link(A).open(10)  # the control
    said = refusal(running, running.account(A, seed=seed()[0]))
    assert "does not know this key" in said
    assert "hint" in said


def test_send_and_receive_refuse_an_unknown_key_at_once(running):
    link = running.link(A, account=running.account(A, seed=seed()[0]))
    started = time.monotonic()
    with pytest.raises(Refused, match="does not know this key"):
        link.send(SERVER, b"x", 300)
    with pytest.raises(Refused, match="does not know this key"):
        link.receive(300)
    assert time.monotonic() - started < 300  # not the patience


@pytest.mark.slow
def test_an_expired_certificate_is_said_in_words_and_waited_for(stopped):
    stopped.prepare(now=time.time() - 2 * YEAR, renew=True)
    stopped.start()
    link = stopped.link(A)
    assert link.trouble is not None  # not connected before it is
    with pytest.raises(Unreachable, match="expired"):
        link.open(2)
    stopped.stop()
    stopped.prepare(now=time.time(), renew=True)
    stopped.start()
    link.open(20)
    assert link.trouble is None


def test_a_certificate_of_tomorrow_is_refused_and_one_an_hour_early_is_not(stopped):
    stopped.prepare(now=time.time() + 3600, renew=True)
    stopped.start()
    stopped.link(SERVER).open(10)
    stopped.stop()
    stopped.prepare(now=time.time() + 3 * 24 * 3600, renew=True)
    stopped.start()
    with pytest.raises(Unreachable, match="not valid yet"):
        stopped.link(SERVER).open(2)


def test_another_authority_is_not_believed(running):
    other = certificates.authority("fed", time.time()).certificate
    assert "not from this federation's authority" in refusal(running, running.account(A, authority=other))


def test_the_right_authority_for_another_host_is_not_believed(stopped):
    stopped.prepare(host="127.0.0.2", renew=True)
    issuer = certificates.Pair(stopped.authority, (stopped.folder / "broker/ca.key").read_bytes())
    made = certificates.certificate(issuer, ["broker.example"], time.time())
    (stopped.folder / "broker/server.pem").write_text(made.certificate)
    (stopped.folder / "broker/server.key").write_bytes(made.key)
    conf = stopped.folder / "broker/nats.conf"
    conf.write_text(conf.read_text().replace("127.0.0.2", HOST))
    stopped.start()
    assert "another host" in refusal(stopped)


def test_nothing_listening_is_unreachable_after_the_callers_patience(stopped):
    link = stopped.link(A)
    started = time.monotonic()
    with pytest.raises(Unreachable, match="does not answer"):
        link.send(SERVER, b"x", 0.5)
    assert 0.4 < time.monotonic() - started < 60  # it does not hang
    assert link.receive(0.1) is None
    assert isinstance(link.trouble, Unreachable)


def test_a_plaintext_client_gets_nothing(running):
    with socket.create_connection((HOST, running.port), 5) as plain:
        plain.settimeout(0.3)
        with pytest.raises(TimeoutError):
            plain.recv(100)  # not even a greeting
        plain.sendall(b'CONNECT {"verbose":true}\r\nPING\r\n')
        plain.settimeout(60)
        try:
            heard = plain.recv(100)
        except ConnectionResetError:
            heard = b""
        assert b"OK" not in heard
        assert b"PONG" not in heard


def test_tls_1_2_is_refused_and_1_3_is_not(running):
    def hello(version):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=running.authority)
        context.maximum_version = version
        with (
            socket.create_connection((HOST, running.port), 5) as plain,
            context.wrap_socket(plain, server_hostname=HOST) as secure,
        ):
            return secure.version()

    assert hello(ssl.TLSVersion.TLSv1_3) == "TLSv1.3"
    with pytest.raises(ssl.SSLError):
        hello(ssl.TLSVersion.TLSv1_2)


def test_nobody_on_the_way_can_talk_the_client_out_of_tls(running, monkeypatch):
    """A false broker that says that it needs no TLS hears no CONNECT, no key, no letter."""
    monkeypatch.setattr(session, "ATTEMPT", 2.0)
    heard = []
    with socket.create_server((HOST, 0)) as false:
        port = false.getsockname()[1]

        def speak(peer):
            with peer, contextlib.suppress(OSError):
                peer.settimeout(5)
                peer.sendall(b'INFO {"server_id":"x","version":"2.10.0","nonce":"n","auth_required":true}\r\n')
                while data := peer.recv(4096):
                    heard.append(data)

        def serve():  # whoever comes, until it is closed
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=speak, args=false.accept()[:1]).start()

        thread = threading.Thread(target=serve)
        thread.start()
        link = running.link(A, account=running.account(A, url=f"tls://{HOST}:{port}"))
        try:
            said = ""
            while not said or "not connected yet" in said:  # until the first attempt is over
                with pytest.raises((Refused, Unreachable)) as refused:
                    link.open(0.2)
                said = str(refused.value)
            assert "TLS 1.3" in said
        finally:
            false.shutdown(socket.SHUT_RDWR)
            thread.join(10)
    assert heard
    assert b"CONNECT" not in b"".join(heard)


def test_a_wrong_address_is_said_at_once(running):
    for url in ("http://x", "tls://", "tls://x:port", "nats://x:1"):
        with pytest.raises(UsageError, match="not a broker's address"):
            running.link(A, account=running.account(A, url=url))


def test_a_new_member_is_let_in_by_a_reload_while_connections_stay(stopped):
    stopped.start()
    old = stopped.link(A)
    stopped.link(SERVER).open(10)
    old.open(5)
    new = site("new")
    stopped.seeds[new], key = seed()
    assert "does not know this key" in refusal(stopped, stopped.account(new))
    stopped.users[new] = key
    stopped.prepare()
    assert program.reload(stopped.folder)
    stopped.links[1].close()
    stopped.parties += (new,)
    stopped.link(SERVER).open(10)
    late = stopped.link(new)
    late.open(5)
    late.send(SERVER, b"hello", 5)
    assert old.trouble is None


def test_who_connects_while_the_broker_reads_its_users_is_let_in_all_the_same(running, monkeypatch):
    """A site that started in that moment ended for good."""
    log = program.room(running.folder) / "nats.log"
    command, left = Client._connect_command, [None]

    def count(words):
        return log.read_text().count(words)

    def late(self):
        if left:
            left.pop()
            before = count("Reloaded server configuration")
            program.reload(running.folder)
            until(lambda: count("Reloaded server configuration") > before, "the broker has read its users")
        return command(self)

    monkeypatch.setattr(Client, "_connect_command", late)
    before = count('authentication error - Nkey ""')
    running.link(A).open(30)
    assert count('authentication error - Nkey ""') == before + 1  # the control: it was turned away


@pytest.mark.parametrize("times", [1, 2])
def test_a_refusal_counts_once_it_is_said_twice(running, monkeypatch, times):
    left, connected, account = [Refused("unknown")] * times, object(), running.account(A)
    connect = session._connect

    async def refusing(whose, *where):
        if whose is not account:  # links of other tests, which try again
            return await connect(whose, *where)
        if left:
            raise left.pop()
        return connected

    monkeypatch.setattr(session, "_connect", refusing)
    with nullcontext() if times == 1 else pytest.raises(Refused, match="unknown"):
        assert asyncio.run(session.connect(account)) is connected


def test_many_links_share_one_thread(tmp_path):
    names = tuple(f"s{i}" for i in range(40))
    with rig(tmp_path, sites=names) as made:
        server = made.link(SERVER)
        server.open(10)
        before = threading.active_count()
        links = {name: made.link(site(name)) for name in names}
        for name, link in links.items():
            link.send(SERVER, name.encode(), 20)
        got = set()
        for _ in names:
            letter = server.receive(10)
            assert letter is not None
            got.add(letter.data.decode())
            letter.done()
        assert got == set(names)
        assert threading.active_count() == before


def test_a_free_port_is_free(tmp_path):
    port = free_port()
    assert program.port_free(HOST, port)
    with socket.create_server((HOST, port)):
        assert not program.port_free(HOST, port)
