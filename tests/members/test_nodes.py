"""A node of the broker that is taken to another machine, and newer federation files there."""

import json
import stat
import subprocess
import time

import pytest

from potluck.api.network import members as api
from potluck.api.network import nodes
from potluck.core.errors import Refused, UsageError
from potluck.members import charter
from potluck.members.home import SiteHome
from potluck.net import broker, certificates
from support.net.broker_rig import until

NOW = time.time()
THREE = ",".join(f"tls://{name}.example:4222" for name in "xyz")


@pytest.fixture
def home(tmp_path):
    """A coordinator's home with three nodes and one member."""
    api.federation_new(tmp_path / "fed", THREE, NOW)
    api.federation_add(tmp_path / "fed", [api.site_new(tmp_path / "a").card], NOW)
    return tmp_path / "fed"


def test_a_node_takes_its_own_key_along_and_no_other(home, tmp_path, cli):
    done = cli("broker", home, "--node", 2, "--export", tmp_path / "out", "--json")
    assert done.code == 0
    assert json.loads(done.out)["node"] == {
        "node": 2, "folder": str(tmp_path / "out"), "address": "tls://y.example:4222", "file": 2, "running": False,
    }  # fmt: skip
    taken = {str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*") if p.is_file()}
    assert taken == {"federation.toml", "node.toml", *(f"broker/{name}" for name in broker.FILES)}
    everything = b"".join((tmp_path / "out" / name).read_bytes() for name in taken)
    keys = [path for path in home.rglob("*") if path.is_file() and ("keys" in path.parts or path.suffix == ".key")]
    mine = home / "broker" / "node-2" / "server.key"
    assert mine in keys
    assert [path for path in keys if path.read_bytes() in everything] == [mine]
    for name in ("server.key", "nats.conf"):
        assert stat.S_IMODE((tmp_path / "out" / "broker" / name).stat().st_mode) == 0o600
    assert broker.listens(tmp_path / "out") == ("0.0.0.0", 4222)
    assert 'listen: "0.0.0.0:6222"' in (tmp_path / "out/broker/nats.conf").read_text()


def test_nothing_is_overwritten_and_there_is_no_fourth(home, tmp_path):
    nodes.export(home, 3, tmp_path / "out", NOW)
    with pytest.raises(UsageError, match="there already"):
        nodes.export(home, 3, tmp_path / "out", NOW)
    with pytest.raises(UsageError, match="which one"):
        nodes.export(home, 4, tmp_path / "other", NOW)
    assert not (tmp_path / "other").exists()


def test_a_node_knows_the_members_of_a_newer_file_alone(home, tmp_path, cli):
    out = tmp_path / "out"
    nodes.export(home, 1, out, NOW)
    old = (home / "federation.toml").read_bytes()
    api.federation_add(home, [api.site_new(tmp_path / "b").card], NOW)
    added = charter.read(home / "federation.toml").users()
    assert not all(key in (out / "broker/nats.conf").read_text() for key in added.values())
    assert cli("broker", out, "--federation", home / "federation.toml").code == 0
    assert all(key in (out / "broker/nats.conf").read_text() for key in added.values())
    assert (out / "broker/nats.conf").read_text() == (home / "broker/node-1/nats.conf").read_text()
    (tmp_path / "old.toml").write_bytes(old)
    with pytest.raises(Refused, match="older than version 3"):
        nodes.follow(out, tmp_path / "old.toml", NOW)
    api.federation_new(tmp_path / "other", THREE, NOW)
    with pytest.raises(Refused, match="another federation"):
        nodes.follow(out, tmp_path / "other" / "federation.toml", NOW)
    with pytest.raises(UsageError, match="no folder of a node"):
        nodes.follow(home, home / "federation.toml", NOW)


def test_a_certificate_is_renewed_where_the_authoritys_key_is(home, tmp_path, cli):
    out, later = tmp_path / "out", tmp_path / "later"
    nodes.export(home, 2, out, NOW)
    done = cli("broker", out, "--renew")
    assert done.code == 2
    assert "authority's key is not here" in done.err
    assert cli("broker", home, "--node", 2, "--renew", "--export", later).code == 0
    pem = (later / "broker/server.pem").read_text()
    assert pem != (out / "broker/server.pem").read_text()
    assert certificates.hosts(pem) == ["y.example"]


def test_one_that_runs_reads_the_newer_file_at_once(tmp_path):
    from support.net.broker_rig import need_broker, potluck
    from support.ports import HOST, free_port

    need_broker()
    home, out = tmp_path / "fed", tmp_path / "out"
    ports = [free_port(broker.BETWEEN) for _ in range(3)]
    api.federation_new(home, ",".join(f"tls://{HOST}:{port}" for port in ports), NOW)
    nodes.export(home, 1, out, NOW)
    process = subprocess.Popen(potluck("broker", out), stderr=subprocess.DEVNULL)
    try:
        until(lambda: broker.answers(out), "the node answers")
        until(lambda: (out / "broker/nats.pid").is_file(), "it says its number")
        api.federation_add(home, [api.site_new(tmp_path / "a").card], NOW)
        found = nodes.follow(out, home / "federation.toml", NOW)
        assert (found.file, found.running) == (2, True)
        key = charter.read(home / "federation.toml").users()[SiteHome.at(tmp_path / "a").me]
        assert key in (out / "broker/nats.conf").read_text()
        until(lambda: "Reloaded: authorization users" in (out / "broker/nats.log").read_text(), "it reads them")
    finally:
        process.terminate()
        process.wait(60)
