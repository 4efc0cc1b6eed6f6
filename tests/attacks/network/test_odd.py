"""Odd conditions: full disks, clocks that are off, old certificates, things started twice, no broker, typos.

Each is handled, or ends in an error that says what is wrong and what to do. Real processes and a real broker where the
condition is theirs.
"""

import json
import os
import socket
import subprocess
import sys
import time
from urllib.parse import urlsplit

import pytest

from potluck.api.network import line
from potluck.api.network import members as enrolment
from potluck.api.network import server as api
from potluck.core.errors import PlanError, PotluckError, Refused, Unreachable
from potluck.members.home import CoordinatorHome
from potluck.net import broker
from support.parties import across, scene
from support.parties.across import Across, quick
from support.places import environment
from support.ports import free_port
from support.processes.rig import Child, Rig, need_broker, wait_for

SITES = "abc"


def plan(**keys):
    return scene.plan(sites=SITES, dropouts=0, **keys)


@pytest.fixture(scope="module")
def founded(tmp_path_factory):
    return across.found(tmp_path_factory.mktemp("odd"))


@pytest.fixture
def fed(founded, tmp_path):
    return Across(across.copy(founded, tmp_path / "f"))


@pytest.fixture
def rig(tmp_path):
    need_broker()
    made = Rig(tmp_path / "rig", scene.frames(SITES))
    made.found(free_port())
    yield made
    made.close()


def started(rig, *names):
    """Start the broker, then these sites; each is connected."""
    rig.start("broker")
    for name in names:
        child = rig.spawn(name, "site", "run", rig.home(name), driven=False)
        wait_for(lambda child=child: "connected" in child.words.read_text(), 120, f"{name} is connected")


def listens(rig):
    address = urlsplit(CoordinatorHome.at(rig.fed).open(time.time()).federation.broker)
    try:
        socket.create_connection((address.hostname, address.port), 1).close()
    except OSError:
        return False
    return True


def site_fails(rig, name="a", seconds=120):
    return rig.spawn(name, "site", "run", rig.home(name), driven=False).end(seconds)


def serve(rig, wait=1.0, folder=None, plan_=None, seconds=120):
    path = rig.plan(plan_ or plan(), "plan")
    where = folder or rig.fed
    return rig.spawn("server", "server", "run", where, path, "--json", "--wait", wait, driven=False).end(seconds)


# Disks.


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk takes root")
@pytest.mark.parametrize("whose", ["a", pytest.param("journals", marks=pytest.mark.slow)])
def test_a_full_disk_is_named_and_costs_nothing_of_the_ledger(fed, whose):
    program = [sys.executable, "-X", "faulthandler", "-m", "support.processes.full_disk", str(fed.folder), whose]
    if subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode:
        pytest.skip("no mount namespaces here")
    script = ["unshare", "-m", *program]
    done = subprocess.run(script, capture_output=True, text=True, timeout=280, env=environment())
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert found["givers"][0] == ["a", "b", "c", "d"]  # the control: there was room
    assert found["releases"] == [1]  # the ledger is whole, and holds what was released
    if whose == "a":  # the others go on, and the owner is told
        assert found["ended"] == "done"
        assert found["givers"][1:] == [["b", "c", "d"]]
        assert any("full" in text for text in [*found["heard"], *found["troubles"]])
    else:
        assert "disk is full" in found["ended"]
        assert "start again to go on" in found["ended"]


# Clocks and certificates.


@pytest.mark.slow
def test_clocks_that_are_an_hour_off_do_not_matter(rig):
    """The broker's certificate was made by a clock an hour ahead; one site is an hour ahead, the server one behind."""
    broker.renew(rig.fed, time.time() + 3600)
    started(rig, "b", "c")
    ahead = shifted(rig, "a", 3600, "site", "run", rig.home("a"))
    wait_for(lambda: "connected" in ahead.words.read_text(), 120, "a is connected")
    path = rig.plan(plan(privacy=scene.SHARED), "plan")
    ended = shifted(rig, "server", -3600, "server", "run", rig.fed, path, "--json", "--wait", 20).end(60)
    assert ended.code == 0, ended.words
    assert set(ended.document["privacy"]["epsilon"]) == set(SITES)


def shifted(rig, name, seconds, *verb):
    """A process whose clock is off."""
    script = rig.folder / "watch" / "shifted.py"
    script.write_text(
        "import sys, time\nreal, off = time.time, float(sys.argv.pop(1))\ntime.time = lambda: real() + off\n"
        "from potluck.cli import main\nsys.exit(main())\n"
    )
    return command(rig, name, [sys.executable, str(script), str(seconds), *map(str, verb)], rig.folder / "cwd")


def command(rig, name, arguments, folder):
    """A process of any program, ended with the rig."""
    out, words = rig.folder / "watch" / f"{name}.out", rig.folder / "watch" / f"{name}.err"
    with out.open("wb") as data, words.open("wb") as said:
        process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=data, stderr=said, cwd=folder)
    child = rig.children[name] = Child(process, out, words)
    return child


@pytest.mark.slow
def test_an_expired_certificate_is_said_by_site_and_server(rig):
    broker.renew(rig.fed, time.time() - 500 * 86400)
    refused = rig.spawn("broker", "broker", rig.fed, driven=False).end(120)
    assert (refused.code, "the broker's certificate expired on" in refused.words) == (2, True)
    own = command(rig, "broker", broker.arguments(rig.fed), rig.fed / broker.ROOM)  # whoever runs it all the same
    wait_for(lambda: listens(rig), 120, "the broker listens")
    site = rig.spawn("a", "site", "run", rig.home("a"), driven=False)  # waits: it comes back when that is renewed
    wait_for(lambda: "the broker's certificate has expired" in site.words.read_text(), 120, "it says so")
    assert "connected" not in site.words.read_text()
    ended = serve(rig)
    assert ended.code == 4
    assert "the broker's certificate has expired" in ended.words
    assert "--renew" in ended.words
    assert ended.out == ""
    own.stop()
    broker.renew(rig.fed, time.time())  # the control
    rig.start("broker")
    wait_for(lambda: "broker: connected" in site.words.read_text(), 120, "the same process is connected")


@pytest.mark.slow
def test_an_expired_federation_file_is_said_by_site_and_server(tmp_path):
    folder = tmp_path / "rig"
    made = Rig(folder, scene.frames(SITES))
    made.found(free_port())
    old = time.time() - 40 * 86400
    enrolment.federation_new(folder / "old", f"tls://127.0.0.1:{free_port()}", old, 30)
    enrolment.federation_add(folder / "old", [made.home(name) / f"{name}.card" for name in SITES], old)
    (folder / "a" / "federation.toml").unlink()
    enrolment.site_join(folder / "a", folder / "old" / "federation.toml", old, "")
    ended = serve(made, folder=folder / "old")
    assert ended.code == 3, ended.words
    assert "expired" in ended.words
    waits = made.spawn("a", "site", "run", made.home("a"), driven=False)  # for a newer file, which comes by itself
    wait_for(lambda: "expired" in waits.words.read_text(), 120, "it says so")
    assert waits.alive()
    made.close()


# Twice, and strangers.


@pytest.mark.slow
def test_nothing_runs_twice_and_no_stranger_is_let_in(rig, tmp_path):
    started(rig, "a")
    twice = rig.spawn("a-again", "site", "run", rig.home("a"), driven=False).end(120)
    assert (twice.code, "site a runs already" in twice.words) == (3, True)
    path = rig.plan(plan(), "plan")
    copied = across.copy(rig.fed, tmp_path / "copied")
    first = rig.spawn("server", "server", "run", rig.fed, path, "--json", "--wait", "200", driven=False)
    wait_for(lambda: "granted" in first.words.read_text(), 120, "the server hears the site")
    for folder in (rig.fed, copied):
        again = rig.spawn("again", "server", "run", folder, path, "--json", "--wait", "1", driven=False).end(120)
        assert again.code == 3, again.words
        assert "another server runs this federation" in again.words
    assert first.alive()
    first.stop()
    enrolment.federation_remove(rig.fed, "b", time.time())
    rig.children["broker"].stop()
    rig.start("broker")
    stranger = site_fails(rig, "b")
    assert stranger.code == 3, stranger.words
    assert "the broker does not know this key of b" in stranger.words


# A broker that is away.


def test_a_server_without_a_broker_says_so_within_its_patience(rig, monkeypatch):
    monkeypatch.setattr(line, "CONNECT", 1.0)
    began = time.monotonic()
    with pytest.raises(Unreachable, match="the broker does not answer") as caught:
        api.serve(rig.fed, plan(), wait=1.0, out=rig.folder / "out")
    assert time.monotonic() - began < 60  # it does not hang
    assert caught.value.exit_code == 4
    assert "is the broker running" in caught.value.hint
    assert not (rig.folder / "out").exists()


@pytest.mark.slow
def test_a_site_waits_for_a_broker_that_is_away_and_can_be_stopped_meanwhile(rig):
    waiting = rig.spawn("a", "site", "run", rig.home("a"), driven=False)
    wait_for(lambda: "the broker does not answer" in waiting.words.read_text(), 120, "the site says so")
    waiting.stop()
    assert waiting.process.returncode == 0


@pytest.mark.slow
def test_sites_that_waited_for_a_broker_take_part_once_it_is_there(rig):
    others = [rig.spawn(name, "site", "run", rig.home(name), driven=False) for name in SITES]
    for child in others:
        wait_for(lambda child=child: "the broker does not answer" in child.words.read_text(), 120, "each says so")
    rig.start("broker")
    ended = serve(rig, wait=60)
    assert ended.code == 0, ended.words


# Plans and policies that do not fit.


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda: scene.plan(sites="abz", dropouts=0), "z is no member of fed"),
        (lambda: plan().set("data.columns", {"x*": {"kind": "number", "low": 0, "high": 1}}), "pattern 'x*'"),
    ],
)
def test_a_plan_that_cannot_be_carried_out_here_is_no_secret(fed, change, words):
    with pytest.raises(PlanError) as caught:
        api.serve(fed.folder / "fed", change(), wait=0.1)
    assert caught.value.exit_code == 2
    assert words in str(caught.value)
    assert caught.value.hint


def test_a_typo_in_a_policy_while_the_site_runs_refuses_and_names_it(fed):
    path = fed.folder / "a" / "policy.toml"
    good = path.read_text()
    with fed.attending(*"abcd"):
        path.write_text(good.replace("columns =", "colums ="))
        with pytest.raises(Refused, match=r"a refuses this plan \(policy\)"):
            fed.run(quick(scene.plan()))
        assert any("colums" in text and "columns" in text for text in fed.heard["a"])
        path.write_text(good)
        fed.run(quick(scene.plan()))  # the control: no restart is needed


def test_the_owners_screen_never_shows_more_than_the_server_may_know(fed):
    """What a site refused for its data is one word at the server."""
    (fed.folder / "a" / "rows.csv").write_text("x,z\n1,2\n")
    with fed.attending("a"), pytest.raises(PotluckError) as caught:
        fed.run(quick(scene.plan()))
    assert "'y'" not in str(caught.value)
    assert any("y" in text and "column" in text for text in fed.heard["a"])
