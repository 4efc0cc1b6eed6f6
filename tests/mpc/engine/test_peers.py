"""Claims about whom an engine dials: nobody but those whom its owner listed, whatever the others say of themselves."""

import contextlib
import json
import socket
import threading
import time

import pytest

from potluck.core.party import Party, Role
from potluck.core.rounds import Abort, Cause, RoundId
from potluck.mpc.credentials import issue
from potluck.mpc.engine import Engine, name
from potluck.mpc.local import Port
from potluck.mpc.peers import LOOPBACK, Peers, place

ALPHA, BETA = (Party(Role.COMPUTE, one) for one in ("alpha", "beta"))
ROUND = RoundId("run", 1)
NOW = 1_790_000_000.0
LISTED = Peers(("beta.example:9400-9407", "10.1.2.3", "[2001:db8::5]:9400"))


class Posted:
    """A worker that keeps what it is asked, and does nothing."""

    pid, generation = None, 1

    def __init__(self):
        self.asked = []

    def start(self):
        pass

    def post(self, op, body, *rest, deadline):
        self.asked.append((op, json.loads(body)["addresses"]))

    def close(self):
        pass


def dialled(protocol, address, peers):
    """The addresses that the worker of alpha is given, where beta says that it is at `address`."""
    worker = Posted()
    engine = Engine(make=lambda: worker, now=lambda: NOW, protocol=protocol, peers=peers)
    own = {party: issue(party, name(ROUND), NOW) for party in (ALPHA, BETA)}
    known = {party: one.certificate for party, one in own.items()}
    with contextlib.suppress(Abort):
        engine.link(ROUND, 0, own[ALPHA], known, ["127.0.0.1:9400", address])
    return worker.asked


@pytest.mark.parametrize("protocol", ["CHEETAH", "RR22"])
@pytest.mark.parametrize(
    "address", ["10.0.0.5:22", "192.168.1.1:80", "metadata.internal:80", "beta.example:22", "[::1]:9400"]
)
def test_a_party_cannot_have_an_engine_dial_what_its_owner_did_not_list(protocol, address):
    assert dialled(protocol, address, LISTED) == []
    ((op, at),) = dialled(protocol, address, Peers(("*",)))  # the control: without a list it goes wherever it is told
    assert (op, at[1]) == ("mpc.link", address)


@pytest.mark.parametrize("protocol", ["CHEETAH", "RR22"])
def test_whom_the_owner_listed_is_dialled(protocol):
    for address in ("beta.example:9400", "BETA.example:9407", "10.1.2.3:1", "[2001:DB8:0::5]:9400"):
        assert len(dialled(protocol, address, LISTED)) == 1


def test_the_party_whose_address_is_not_listed_is_named_and_the_own_is_not_looked_at():
    with pytest.raises(Abort) as stop:
        LISTED.check([ALPHA, BETA], 0, ["not.listed:1", "10.0.0.5:22"])
    assert (stop.value.cause, stop.value.party) == (Cause.PEER, BETA)
    assert "engine.peers does not list" in str(stop.value)
    LISTED.check([ALPHA, BETA], 1, ["10.1.2.3:5", "10.0.0.5:22"])


@pytest.mark.parametrize(
    "address",
    ["127.1:9", "2130706433:9", "0x7f.0.0.1:9", "127.0.0.1", "127.0.0.1:9-10", "127.0.0.1:0", "127.0.0.1:9@x:22",
     "127.0.0.1:9 ", "127.0.0.1:\u0669", "localhost:9", "127.0.0.1.evil.example:9", "[::ffff:127.0.0.1]:9",
     "10.0.0.1:9", ""],
)  # fmt: skip
def test_another_spelling_of_a_listed_host_is_not_the_listed_host(address):
    assert not LOOPBACK.allow(address)
    assert LOOPBACK.allow("127.0.0.1:9")
    assert LOOPBACK.allow("[0:0::1]:9")


@pytest.mark.parametrize("text", ["", "a b", "a:0", "a:9-8", "a:70000", "tls://a", "[::1", "[zz]:9", "a:9:9", "*:9"])
def test_what_is_no_host_is_no_place(text):
    assert place(text) is None


def test_an_engine_dials_this_machine_alone_unless_it_is_told_more():
    assert dialled("CHEETAH", "10.0.0.5:22", LOOPBACK) == []
    assert Port(["127.0.0.1:9400"]).peers == LOOPBACK
    assert LOOPBACK.listed == ("127.0.0.1", "[::1]")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("peers", "reached"), [(Peers(("127.0.0.1:1-2",)), 0), pytest.param(Peers(("*",)), 1, marks=pytest.mark.slow)]
)
def test_a_lying_party_cannot_have_a_real_engine_probe_a_port_of_the_inner_network(mpc_engine, peers, reached):
    """The second case is the control: a service that is nobody's engine is connected to."""
    calls = []
    with socket.create_server(("127.0.0.1", 0)) as service:
        service.settimeout(20 if reached else 2)

        def serve():
            with contextlib.suppress(OSError):
                calls.append(service.accept())

        listens = threading.Thread(target=serve)
        listens.start()
        engine = Engine(3.0, protocol="CHEETAH", peers=peers)
        now = time.time()
        own = {party: issue(party, name(ROUND), now) for party in (ALPHA, BETA)}
        known = {party: one.certificate for party, one in own.items()}
        _, here = engine.offer(ALPHA, ROUND)
        try:
            engine.standing()
            with pytest.raises(Abort) as stop:
                engine.link(ROUND, 0, own[ALPHA], known, [here, f"127.0.0.1:{service.getsockname()[1]}"]).result()
            assert stop.value.cause is (Cause.ENGINE if reached else Cause.PEER)
        finally:
            engine.close()
        listens.join()
    for connection, _ in calls:
        connection.close()
    assert len(calls) == reached
