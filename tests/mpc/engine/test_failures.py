"""A party that is gone, late, or computes something else ends the job by name, at every stage, and nobody hangs."""

import os
import re
import signal
import socket
import ssl
import tempfile
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from potluck.core.party import Party, Role
from potluck.core.rounds import Abort, Cause
from potluck.mpc.credentials import issue
from potluck.mpc.spu import BOTH, checked_sum
from support.mpc.spu_rig import Limit, compiled, ring, unlinked

PATIENCE, QUIET = 5, 15
"""Seconds that a party waits for others: in vain, and on a busy machine not in vain."""
PROMPT = 60.0
"""Seconds in which everybody knows, on a machine with other work: patience, and what a library takes to give up."""

FRAME = re.compile(rb"PRPC\0...\0\0..", re.DOTALL)
"""What the library's messages begin with: a name, and the sizes of a body below 2^24 bytes and of its head below 2^16,
high byte first. The name alone stands among 25,000 random bytes once in 1.7e5 times."""

pytestmark = pytest.mark.usefixtures("mpc_engine")


def abort(pending):
    """The named end of a call."""
    with pytest.raises(Abort) as caught:
        pending.result()
    assert caught.value.cause is Cause.ENGINE
    return caught.value.detail


@pytest.mark.parametrize(
    "protocol",
    ["SEMI2K", *(pytest.param(one, marks=pytest.mark.slow) for one in ("SECURENN", "REF2K", "semi2k", "", None))],
)
def test_protocols_with_a_trusted_dealer_are_refused_by_name_wherever_they_are_asked_for(compiler, protocol):
    words = (
        f"{protocol} is refused: it needs a trusted dealer"
        if protocol in ("SEMI2K", "SECURENN", "REF2K")
        else "no such"
    )
    with unlinked("ABY3") as parties:
        _, job, rank, own, file = parties[0]
        asked = replace(job, protocol=protocol)
        assert words in abort(compiler.link(asked, rank, own, file))
    with pytest.raises(Abort, match=words):
        compiler.compile(protocol, "sum_checked", checked_sum(1, [Limit(1, 1)]))


@pytest.mark.parametrize(
    "program", ["os.system", *(pytest.param(one, marks=pytest.mark.slow) for one in ("lambda x: x", ""))]
)
def test_a_program_that_is_not_on_the_list_is_refused(compiler, program):
    with pytest.raises(Abort, match="no such program; there are sum_checked, layers_scored"):
        compiler.compile("ABY3", program, {})


@pytest.mark.slow
def test_a_party_that_never_comes_ends_the_linking_of_the_others():
    with unlinked("ABY3", PATIENCE) as parties:
        start = time.monotonic()
        for engine, *_ in parties[:2]:
            engine._worker.start()
        pending = [engine.link(*rest) for engine, *rest in parties[:2]]
        assert [abort(one) for one in pending] == ["not all parties could be linked in time"] * 2
        assert time.monotonic() - start < PROMPT


@pytest.mark.slow
def test_a_party_that_comes_seconds_late_is_waited_for():
    with unlinked("CHEETAH", 60) as parties:
        first = parties[0][0].link(*parties[0][1:])
        parties[1][0]._worker.start()
        time.sleep(4)
        second = parties[1][0].link(*parties[1][1:])
        assert first.result() is None
        assert second.result() is None


@pytest.mark.slow
def test_a_party_killed_while_it_links_ends_the_others():
    with unlinked("ABY3", PATIENCE) as parties:
        parties[2][0]._worker.start()
        pending = [engine.link(*rest) for engine, *rest in parties[:2]]
        parties[2][0]._worker.post("mpc.link", b"{}", b"", b"", b"")
        os.kill(parties[2][0]._worker.pid, signal.SIGKILL)
        assert [abort(one) for one in pending] == ["not all parties could be linked in time"] * 2


@pytest.mark.slow
@pytest.mark.parametrize("foreign", ["another job", "nobody's list"])
def test_who_is_not_on_the_list_of_this_job_cannot_link(foreign):
    """Its own list is right, and it knows the addresses; the others do not trust its certificate."""
    with unlinked("CHEETAH", PATIENCE) as parties:
        stranger = issue(Party(Role.COMPUTE, "c1"), "another job" if foreign == "another job" else "a job", time.time())
        pending = [engine.link(job, rank, stranger if rank else own, file) for engine, job, rank, own, file in parties]
        details = [abort(one) for one in pending]
        assert details == ["not all parties could be linked in time"] * 2


def test_nothing_crosses_the_wire_in_the_clear():
    """Each party sees the other at a relay that writes down what passes."""
    with unlinked("ECDH", 60) as parties:
        heard, relays = [], []
        for _, job, rank, _, _ in parties:
            relays.append(relay(job.addresses[1 - rank], heard))
        seen = [list(job.addresses) for _, job, *_ in parties]
        for rank, addresses in enumerate(seen):
            addresses[1 - rank] = relays[rank]
        pending = [
            engine.link(replace(job, addresses=tuple(seen[rank])), rank, own, file)
            for engine, job, rank, own, file in parties
        ]
        for one in pending:
            one.result()
        keys = [b"sixteen bytes %02d" % number for number in range(50)]
        asked = [party[0].intersect(b"".join(keys), BOTH) for party in parties]
        assert [len(one.result()) for one in asked] == [50, 50]
        assert len(heard) >= 2
        for stream in heard:
            wire = b"".join(stream)
            assert wire[:2] == b"\x16\x03"  # a TLS handshake
            assert b"a job" not in wire
            assert not FRAME.search(wire)


def test_a_port_answers_nobody_who_is_not_a_party_of_the_job():
    """The library's own server would answer whoever speaks to it without TLS."""
    ask = b"GET /flags HTTP/1.1\r\nHost: x\r\n\r\n"
    with unlinked("CHEETAH", 60) as parties:
        for one in [engine.link(*rest) for engine, *rest in parties]:
            assert one.result() is None
        stranger = issue(Party(Role.COMPUTE, "c1"), "a job", time.time())
        address, second = parties[0][1].addresses[0], parties[1][3]
        with called(address) as plain:
            plain.sendall(ask)
            assert plain.recv(100)[:4] != b"HTTP"
        assert answer(address, None, ask) == b""
        assert answer(address, stranger, ask) == b""
        assert answer(address, parties[0][3], ask) == b""  # its own certificate, shown to itself
        assert answer(address, second, ask)[:4] == b"HTTP"  # the party itself reaches the library


def called(address):
    host, port = address.rsplit(":", 1)
    return socket.create_connection((host, int(port)), 20)


def answer(address, own, ask):
    """What comes back over TLS; nothing where the other side hangs up."""
    try:
        with called(address) as bare, tls(own).wrap_socket(bare) as caller:
            caller.sendall(ask)
            return caller.recv(100)
    except OSError:
        return b""


def tls(own):
    """A caller that trusts anybody and shows `own`, or nothing."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    if own is not None:
        with tempfile.NamedTemporaryFile() as file:
            file.write(own.certificate + own.key.expose())
            file.flush()
            made.load_cert_chain(file.name)
    return made


def relay(target, heard):
    """An address that passes bytes on to `target`; each direction of each connection is a list in `heard`."""
    host, port = target.rsplit(":", 1)
    door = socket.create_server(("127.0.0.1", 0))

    def copy(source, sink, stream):
        try:
            while piece := source.recv(1 << 16):
                stream.append(piece)
                sink.sendall(piece)
        except OSError:
            pass
        for end in (source, sink):
            end.close()

    def serve():
        while True:
            inside, _ = door.accept()
            try:
                outside = socket.create_connection((host, int(port)))
            except OSError:
                inside.close()
                continue
            for pair in ((inside, outside), (outside, inside)):
                stream = []
                heard.append(stream)
                threading.Thread(target=copy, args=(*pair, stream), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    return f"127.0.0.1:{door.getsockname()[1]}"


@pytest.mark.slow
def test_parties_with_different_programs_compute_nothing():
    with ring("ABY3", patience=QUIET) as engines:
        programs = [
            engine.compile("ABY3", "sum_checked", checked_sum(1, [Limit(4, 9 if rank else 10)]))
            for rank, engine in enumerate(engines)
        ]
        assert len({program.digest for program in programs}) == 2
        share = engines[0].shares("ABY3", np.zeros(4, np.uint64))
        pending = [
            engine.execute(program, [share[rank]])
            for rank, (engine, program) in enumerate(zip(engines, programs, strict=True))
        ]
        said = [abort(one) for one in pending]
        assert "the parties have compiled different programs" in said  # who hears of it first leaves the others
        assert set(said) <= {"the parties have compiled different programs", "another party is gone or too late"}


@pytest.mark.parametrize(
    "victim",
    [
        pytest.param(0, marks=pytest.mark.slow),
        pytest.param(1, marks=pytest.mark.slow),
        pytest.param(2, marks=pytest.mark.slow),
    ],
)
def test_a_party_killed_after_it_compiled_ends_the_others(victim):
    with ring("ABY3", patience=QUIET) as engines:
        programs = compiled(engines, "ABY3", "sum_checked", checked_sum(1, [Limit(4, 9)]))
        share = engines[0].shares("ABY3", np.zeros(4, np.uint64))
        os.kill(engines[victim]._worker.pid, signal.SIGKILL)
        start = time.monotonic()
        others = [rank for rank in range(3) if rank != victim]
        pending = [engines[rank].execute(programs[rank], [share[rank]]) for rank in others]
        assert [abort(one) for one in pending] == ["another party is gone or too late"] * 2
        assert time.monotonic() - start < PROMPT


def until(true, seconds=30.0):
    """Wait until it is true; False: it never was."""
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.01)
    return true()


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["ABY3", pytest.param("CHEETAH", marks=pytest.mark.slow)])
def test_a_party_killed_in_the_middle_of_a_program_ends_the_others(protocol):
    length, sites = (100_000, 6) if protocol == "ABY3" else (20_000, 2)
    with ring(protocol, patience=QUIET) as engines:
        programs = compiled(engines, protocol, "sum_checked", checked_sum(sites, [Limit(length, 9)]))
        share = engines[0].shares(protocol, np.zeros(length, np.uint64))
        pending = [
            engine.execute(program, [share[rank]] * sites)
            for rank, (engine, program) in enumerate(zip(engines, programs, strict=True))
        ]
        time.sleep(1)
        os.kill(engines[-1]._worker.pid, signal.SIGKILL)
        start = time.monotonic()
        details = [abort(one) for one in pending]
        assert time.monotonic() - start < PROMPT
        assert details[-1] == "ended by SIGKILL"
        assert all(detail.startswith(("another party is gone", "ended by SIG")) for detail in details)


@pytest.mark.slow
def test_a_party_killed_in_the_middle_of_an_intersection_ends_the_other():
    keys = np.arange(600_000, dtype="<u8").tobytes()
    with ring("ECDH", patience=QUIET) as engines:
        pending = [engine.intersect(keys, BOTH) for engine in engines]
        time.sleep(1)
        os.kill(engines[1]._worker.pid, signal.SIGKILL)
        start = time.monotonic()
        assert abort(pending[0]).startswith(("another party is gone", "ended by SIG"))
        assert time.monotonic() - start < PROMPT
        assert abort(pending[1]) == "ended by SIGKILL"


@pytest.mark.slow
def test_what_was_linked_and_compiled_is_gone_with_its_process():
    with ring("CHEETAH", patience=60) as engines:
        program = engines[0].compile("CHEETAH", "sum_checked", checked_sum(1, [Limit(1, 1)]))
        os.kill(engines[0]._worker.pid, signal.SIGKILL)
        time.sleep(0.2)
        with pytest.raises(Abort, match="no link is open, or its process is gone"):
            engines[0].execute(program, [bytes(8)])


@pytest.mark.slow
def test_a_file_of_an_intersection_is_gone_after_it_even_when_the_worker_was_killed(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    keys = np.arange(200_000, dtype="<u8").tobytes()
    with ring("ECDH", patience=QUIET) as engines:
        pending = [engine.intersect(keys, BOTH) for engine in engines]
        assert [oct(folder.stat().st_mode & 0o777) for folder in tmp_path.iterdir()] == ["0o700"] * 2
        assert until(lambda: len(list(tmp_path.rglob("in.csv"))) == 2)
        os.kill(engines[0]._worker.pid, signal.SIGKILL)
        for one in pending:
            abort(one)
    assert list(tmp_path.iterdir()) == []


def test_a_key_lies_in_no_file_and_the_worker_holds_no_file_but_sockets(tmp_path):
    """After linking, no descriptor of a worker names a file on a disk, and none holds the certificates any more."""
    with ring("CHEETAH") as engines:
        for engine in engines:
            folder = f"/proc/{engine._worker.pid}/fd"
            names = [os.readlink(f"{folder}/{number}") for number in os.listdir(folder)]
            # the engine's network library (brpc) counts its own descriptors now and then: that folder is on no disk
            kept = ("socket:", "pipe:", "anon_inode:", "/dev/null", folder)
            assert [name for name in names if not name.startswith(kept)] == []
