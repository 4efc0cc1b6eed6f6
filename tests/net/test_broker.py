"""The broker's folder and the verb that serves it."""

import json
import os
import signal
import stat
import subprocess
import time
from pathlib import Path

import pytest

from potluck.core.errors import UsageError
from potluck.core.party import SERVER, Party, Role, site
from potluck.net import broker, certificates
from potluck.net.address import subject, token
from support.net.broker_rig import HOST, Rig, need_broker, potluck

DAY = 86400.0


@pytest.fixture
def made(tmp_path):
    need_broker()
    rig = Rig(tmp_path / "hos pitals")
    yield rig
    rig.close()


def start(made, *more):
    return subprocess.Popen(
        potluck("broker", made.folder, *more), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def until_it_answers(made):
    for _ in range(2400):
        if broker.answers(made.folder):
            return
        time.sleep(0.05)
    raise AssertionError("the broker does not answer")


def fails(made, *more):
    done = subprocess.run(potluck("broker", made.folder, *more), capture_output=True, text=True, timeout=120)
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1
    return done.returncode, done.stderr


def running(made):
    return int((made.folder / "broker" / "nats.pid").read_text())


def test_the_verb_serves_says_what_runs_and_ends_cleanly(made):
    process = start(made, "--json")
    try:
        until_it_answers(made)
        made.link(SERVER).open(10)
        child = running(made)
        if Path("/proc/self/environ").exists():
            given = dict(part.partition(b"=")[::2] for part in Path(f"/proc/{child}/environ").read_bytes().split(b"\0"))
            assert given[b"GOMAXPROCS"] == broker.environment()["GOMAXPROCS"].encode()
        process.send_signal(signal.SIGHUP)
        made.links[0].send(SERVER, b"still there", 10)
        code, said = fails(made)
        assert code == 2
        assert f"port {made.port} is taken" in said
    finally:
        process.terminate()
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    document = json.loads(out)["broker"]
    assert document["address"] == f"{HOST}:{made.port}"
    assert document["version"] in err
    assert document["binary"] in err
    assert not broker.answers(made.folder)
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


@pytest.mark.parametrize(("cores", "some"), [(1, "1"), (2, "1"), (3, "1"), (16, "8")])
def test_the_program_gets_half_of_the_cores_unless_its_own_variable_says_how_many(monkeypatch, cores, some):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(cores)), raising=False)
    monkeypatch.delenv("GOMAXPROCS", raising=False)
    assert broker.environment() == {**os.environ, "GOMAXPROCS": some}
    monkeypatch.setenv("GOMAXPROCS", "5")
    assert broker.environment()["GOMAXPROCS"] == "5"


def test_no_orphan_is_left_where_the_verb_is_killed(made):
    process = start(made)
    until_it_answers(made)
    process.kill()
    process.communicate(timeout=120)
    for _ in range(1200):
        if not broker.answers(made.folder):
            return
        time.sleep(0.05)
    raise AssertionError("nats-server lives on")


def test_an_expired_certificate_is_said_before_the_start_and_renewed_on_request(made):
    made.prepare(now=time.time() - 500 * DAY, renew=True)
    code, said = fails(made)
    assert code == 2
    assert "certificate expired" in said
    assert "--renew" in said
    process = start(made, "--renew", "-q")
    try:
        until_it_answers(made)
        made.link(SERVER).open(10)
    finally:
        process.terminate()
        _, err = process.communicate(timeout=120)
    assert err == ""


def test_missing_files_and_a_broken_configuration_are_said_in_one_line(made, tmp_path):
    done = subprocess.run(potluck("broker", tmp_path / "none"), capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "nats.conf" in done.stderr
    conf = made.folder / "broker/nats.conf"
    conf.write_text(conf.read_text().replace("max_payload", "max_nonsense"))
    code, said = fails(made)
    assert code == 2
    assert "max_nonsense" in said


def test_keys_are_private_and_the_authority_is_kept(made):
    room = made.folder / "broker"
    for name in ("ca.key", "server.key", "nats.conf"):
        assert stat.S_IMODE((room / name).stat().st_mode) == 0o600
    before = (room / "server.pem").read_text()
    assert made.prepare() == made.authority
    assert (room / "server.pem").read_text() == before
    assert made.prepare(renew=True) == made.authority
    assert (room / "server.pem").read_text() != before


def test_the_certificate_is_for_the_host_and_for_this_machine_only_where_it_is_this_machine(made):
    pem = made.folder / "broker/server.pem"
    assert certificates.hosts(pem.read_text()) == [HOST, "localhost"]
    assert broker.listens(made.folder) == (HOST, made.port)
    made.prepare(host="broker.example")
    assert certificates.hosts(pem.read_text()) == ["broker.example"]
    assert broker.listens(made.folder) == ("0.0.0.0", made.port)
    made.prepare(host="::1")
    assert broker.listens(made.folder) == ("::1", made.port)


@pytest.mark.parametrize(("name", "host", "port"), [("a.b", HOST, 1), ("a", "", 1), ("a", HOST, 0), ("a", HOST, 65536)])
def test_what_is_no_address_or_federation_is_refused(tmp_path, name, host, port):
    with pytest.raises(UsageError):
        broker.prepare(tmp_path, name, [(host, port)], {}, 0.0)


def test_any_name_becomes_a_token_and_no_two_parties_share_one():
    names = ["a", "b", "a.b", "*", ">", "ä ö", "x" * 1000, "", 'quo"te', "new\nline"]
    parties = [site(name) for name in names] + [SERVER, Party(Role.COMPUTE, "a"), Party(Role.SITE, "server")]
    assert len({token(party) for party in parties}) == len(parties)
    assert all(len(subject("fed", SERVER, party).split(".")) == 4 for party in parties)


def test_a_stale_process_number_is_not_signalled(made):
    other = subprocess.Popen(["sleep", "30"])
    try:
        (made.folder / "broker/nats.pid").write_text(str(other.pid))
        assert not broker.reload(made.folder)
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()
