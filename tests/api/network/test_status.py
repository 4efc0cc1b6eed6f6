"""`potluck status` calls a site silent while a server waits for it, and not of a run that has ended."""

import fcntl
import sqlite3
import time
from contextlib import closing
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from potluck.api.network import members, sessions
from potluck.api.network import status as module
from potluck.api.network.doctor import examine
from potluck.api.network.sessions import FINISHED, GIVEN_UP, Order, session
from potluck.api.network.status import status
from potluck.cli import potluck
from potluck.cli.door import run as command
from potluck.core import private
from potluck.core.asks import Ask, Kind
from potluck.core.errors import Refused, Unreachable
from potluck.core.party import site
from potluck.core.plan import canonical
from potluck.core.rounds import Abort, Cause
from potluck.drivers.attempt import Attempt
from potluck.drivers.transcript import Traffic
from potluck.members.home import CoordinatorHome
from potluck.parties.runners.journal import Journal
from potluck.parties.runners.participants import Participants
from support.parties import scene


@pytest.fixture
def fed(tmp_path):
    members.federation_new(tmp_path / "fed", "tls://localhost:4222", time.time(), 30)
    return tmp_path / "fed"


def asked(folder, state=None):
    """A run of four sites of which only a has answered."""
    home = CoordinatorHome.at(folder)
    plan = scene.plan()
    with session(home, plan, False, Order(), time.time()) as kept:
        kept.journal.heard(site("a"), "granted", (), 1, bytes(32))
        if state:
            kept.became(state)


def states(folder):
    return {one.name: one.verdict for one in status(folder).runs[0].sites}


@pytest.mark.parametrize("state", [FINISHED, GIVEN_UP])
def test_no_site_of_a_run_that_has_ended_is_silent(fed, state, capsys):
    asked(fed, state)
    with CoordinatorHome(fed).lock.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another run of the server's goes on
        assert states(fed) == {"a": "granted", "b": "not heard", "c": "not heard", "d": "not heard"}
    assert command(potluck, ["status", str(fed)]) == 0
    assert "silent" not in capsys.readouterr().out


def test_a_site_is_silent_while_a_server_waits_for_it_alone(fed, monkeypatch):
    asked(fed)
    with CoordinatorHome(fed).lock.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert states(fed)["b"] == "silent"
    assert states(fed) == {"a": "granted", "b": "not heard", "c": "not heard", "d": "not heard"}
    monkeypatch.setattr(module, "_held", lambda lock: True)  # the control: who does not look says that it is silent
    assert states(fed)["b"] == "silent"


def test_an_ended_run_is_read_again_only_where_it_changed(fed):
    asked(fed, FINISHED)
    kept = {}
    first, second = (status(fed, kept).runs[0] for _ in range(2))
    (known,) = kept.values()
    assert second.sites[0].seen > first.sites[0].seen  # time goes on
    assert (second.state, known.run) == (FINISHED, first)
    home, plan = CoordinatorHome.at(fed), scene.plan()
    with closing(Journal(home.runs / first.run / "journal.sqlite", plan.spec)) as journal:
        journal.note("state", GIVEN_UP)
    assert status(fed, kept).runs[0].state == GIVEN_UP


def test_a_journal_of_an_earlier_build_stands_in_no_runs_way_and_is_named_once(fed):
    """It could not be gone on with, and --fresh did not help: all journals are looked at."""
    asked(fed)
    home, plan, said = CoordinatorHome.at(fed), scene.plan(), []
    (old,) = home.runs.glob("*/journal.sqlite")
    with closing(sqlite3.connect(old)) as db:
        db.execute("PRAGMA user_version = 1")
    with session(home, plan, True, Order(), time.time(), lambda *word: said.append(word)) as kept:
        assert kept.folder != old.parent
    ((_, text),) = said
    assert text.startswith(f"{old}: a journal of another version")
    with closing(sqlite3.connect(old)) as db:
        db.execute("PRAGMA user_version = 3")
    with pytest.raises(Refused, match="a later Potluck wrote it"), session(home, plan, True, Order(), time.time()):
        pass


def test_what_a_plan_names_is_parsed_once_for_whoever_looks_on(tmp_path, monkeypatch):
    """By the digests of both: another file, or another plan, is parsed by itself."""
    spec, parsed = scene.plan().spec, []
    spec = replace(spec, model=replace(spec.model, first=f"sha256:{'0' * 64}"))
    monkeypatch.setattr(sessions, "with_letter", lambda plan, letter: parsed.append((plan.name, letter)) or plan)
    for name, letter in [("p", b"one"), ("p", b"one"), ("q", b"one"), ("p", b"two"), ("p", b"one")]:
        private.write(tmp_path / sessions.GRAPH, letter.decode())
        text = canonical(replace(spec, name=name)).decode()
        assert sessions.planned_in(tmp_path, SimpleNamespace(fact=lambda _, text=text: text)).name == name
    assert parsed == [("p", b"one"), ("q", b"one"), ("p", b"two")]


def test_a_site_was_heard_when_it_contributed_not_only_when_it_answered(fed, monkeypatch):
    home, plan, now = CoordinatorHome.at(fed), scene.plan(), time.time()
    with session(home, plan, False, Order(), now) as kept, monkeypatch.context() as then:
        then.setattr(time, "time", lambda: now - 1000)
        for name in "ab":
            kept.journal.heard(site(name), "granted", (), 1, bytes(32))
        then.setattr(time, "time", lambda: now - 10)
        ask = Ask(Kind.TRAIN, 0, (), b"")
        silent = Abort(Cause.SILENT)
        kept.journal.ended(ask, kept.journal.begin(ask), Attempt(None, silent, Traffic(), paid=frozenset({site("a")})))
    monkeypatch.setattr(module.time, "time", lambda: now)
    seen = {one.name: one.seen for one in status(fed).runs[0].sites}
    assert (round(seen["a"]), round(seen["b"]), seen["c"]) == (10, 1000, None)


def test_a_site_that_fell_silent_in_a_round_is_named_until_it_is_heard_again(fed):
    home, plan, said = CoordinatorHome.at(fed), scene.plan(), []
    with session(home, plan, False, Order(), time.time()) as kept:
        for name in "ab":
            kept.journal.heard(site(name), "granted", (), 1, bytes(32))
        them = Participants(plan.spec, None, None, kept.journal, lambda *word: said.append(word))
        them.fell(site("b"), 56)
        for trouble in (None, Unreachable("gone"), Unreachable("gone"), None):
            them.reached(trouble)
        with home.lock.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            assert (states(fed)["a"], states(fed)["b"]) == ("granted", "silent")
            kept.journal.heard(site("b"), "granted", (), 1, bytes(32))
            assert states(fed)["b"] == "granted"
    assert [event for event, _ in said] == ["silent", "broker", "broker"]
    assert said[0][1].startswith("b has fallen silent in round 56")


def test_a_copy_older_than_what_sites_go_by_is_said_by_the_doctor_with_what_to_do(fed):
    def said():
        return [one for one in examine(fed) if one.topic == "federation"]

    made = members.site_new(fed.parent / "b")
    members.federation_add(fed, [made.card], time.time())
    asked(fed)
    assert [one.state for one in said()] == ["good"]
    home, plan = CoordinatorHome.at(fed), scene.plan()
    with session(home, plan, False, Order(), time.time()) as kept:
        kept.journal.heard(site("b"), "denied", ("federation",), 3, bytes(32))
    (found,) = said()
    assert found.state == "look"
    assert "b said to go by a newer one" in found.what
    assert "server restore --newest" in found.hint
