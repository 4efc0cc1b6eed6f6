"""Members come, go and change keys while a run goes on over a real broker: nobody is started again, no run is lost."""

import signal
import sqlite3
from contextlib import contextmanager

import pytest

from potluck.api.network import inbox
from potluck.members.home import CoordinatorHome, SiteHome
from potluck.net import broker
from support.ports import free_port
from support.processes.hospitals import NAMES, SHARED, frames, plan, reference
from support.processes.kills import STARTED
from support.processes.rig import BROKER, SERVER, Rig, need_broker, wait_for

LEAVES, JOINS = "zoe", "emil"


@contextmanager
def hospitals(folder):
    """Four hospitals and zoe are members and run; emil has a home."""
    need_broker()
    made = frames()
    rig = Rig(folder, {**made, LEAVES: made["anna"]})
    rig.found(free_port())
    try:
        rig.start(BROKER, *NAMES, LEAVES)
        for name in (*NAMES, LEAVES):
            wait_for(lambda name=name: "connected" in rig.children[name].words.read_text(), 120, f"{name} is there")
        made["dora"].to_csv(rig.folder / "emil.csv", index=False)
        yield rig
    finally:
        with_signal(rig, signal.SIGCONT)
        rig.close()
    wait_for(lambda: not rig.processes(), 60, "no process is left")


def with_signal(rig, sign, names=NAMES):
    for name in names:
        if name in rig.children and rig.children[name].alive():
            rig.children[name].process.send_signal(sign)


def verb(rig, *words):
    """A verb of the command line, which ends well."""
    return rig.spawn(f"verb-{rig.starts}", *words, "--json", driven=False).end(120).document


def served(rig, condition, what):
    """It becomes true while the server runs: one that has ended is not waited for, and its words are told."""
    server = rig.children[SERVER]
    wait_for(lambda: condition() or not server.alive(), 2 * STARTED + 60, what)
    assert condition(), server.words.read_text()


def serve(rig, of, name, *more):
    """The server. It waits for its sites as long as they may take on a busy machine, and for people there."""
    out = rig.folder / "runs" / f"{name}-{rig.starts}"
    return rig.serve(rig.plan(of, name), "--out", out, *more, wait=2 * STARTED)


def opened(rig):
    try:
        return sum(one["opened"] for run in rig.runs() for one in rig.rounds(run))
    except sqlite3.OperationalError:  # the journal is being made
        return 0


@contextmanager
def held(rig):
    """The run stands still in a round, since one of its sites does."""
    served(rig, lambda: opened(rig) >= 2, "two rounds are open")
    with_signal(rig, signal.SIGSTOP, ["anna"])
    yield
    with_signal(rig, signal.SIGCONT, ["anna"])


def pinned(rig, *names):
    version = CoordinatorHome.at(rig.fed).standing().federation.version
    for name in names:
        home = SiteHome.at(rig.home(name))
        wait_for(lambda home=home: home.pinned().version == version, 60, f"{name} has version {version}")


def changed(rig):
    """All that can change, by the verbs; only emil, who is new, gets a file by hand."""
    home = rig.home(JOINS)
    verb(rig, "site", "new", home)
    for name, text in (("policy.toml", (rig.home("anna") / "policy.toml").read_text()),
                       ("rows.csv", (rig.folder / "emil.csv").read_text())):  # fmt: skip
        (home / name).write_text(text)
    verb(rig, "federation", "add", rig.fed, home / "emil.card")
    verb(rig, "site", "join", home, rig.fed / "federation.toml")
    rig.start(JOINS)
    verb(rig, "site", "new", rig.home("bert"), "--rotate")
    verb(rig, "federation", "rotate", rig.fed, rig.home("bert") / "bert.next.card")
    pinned(rig, "bert", "carl", "dora", LEAVES, JOINS)
    verb(rig, "federation", "remove", rig.fed, LEAVES)
    pinned(rig, "bert", "carl", "dora", JOINS)
    verb(rig, "federation", "rotate", rig.fed, "--keys")
    pinned(rig, "bert", "carl", "dora", JOINS)


def approved(rig, *names):
    """A person at each of these says yes to what waits."""
    for name in names:
        served(rig, lambda name=name: inbox.inbox(rig.home(name)), f"{name} is asked")
        (asked,) = inbox.inbox(rig.home(name))
        assert asked.request.codes == ("members",)
        inbox.decide(rig.home(name), "approve", asked.request.hash, "Ada", seen=inbox.Seen(new=asked.new.values()))


@pytest.mark.slow
def test_a_run_finishes_while_members_come_go_and_change_keys_and_the_next_has_the_new_one(tmp_path):
    with hospitals(tmp_path / "f") as rig:
        before = {name: rig.children[name].process.pid for name in NAMES}
        first = plan(patience=120.0, rounds=12)
        server = serve(rig, first, "first")
        with held(rig):
            changed(rig)
        document = server.end(300).document
        assert document["model"]["digest"] == reference(first).digest()
        pinned(rig, *NAMES, JOINS)
        assert rig.children[LEAVES].end(60).code == 3  # the broker knows it no more
        later = plan(patience=120.0)
        later = later.set("federation.sites", [*NAMES, JOINS])
        server = serve(rig, later, "later")
        approved(rig, *NAMES, JOINS)  # bert has had new keys since emil joined
        assert server.end(300).code == 0, server.words.read_text()
        last = [one for one in rig.rounds(rig.runs()[0]) if one["opened"]]
        assert all(set(one["givers"]) == {*NAMES, JOINS} for one in last)
        assert {name: rig.children[name].process.pid for name in NAMES} == before
        assert all(rig.children[name].alive() for name in (*NAMES, JOINS))


@pytest.mark.slow
def test_a_broker_of_one_node_becomes_one_of_three_while_a_run_goes_on(tmp_path):
    """Letters that wait at the old one are lost, so the round in flight is begun again."""
    with hospitals(tmp_path / "f") as rig:
        first = plan(patience=20.0, rounds=6)
        server = serve(rig, first, "first")
        with held(rig):
            places = [f"tls://127.0.0.1:{free_port(broker.BETWEEN)}" for _ in range(3)]
            verb(rig, "federation", "rotate", rig.fed, *(word for place in places for word in ("--broker", place)))
            pinned(rig, "bert", "carl", "dora", LEAVES)
            rig.start(*(f"{BROKER}-{node}" for node in (1, 2, 3)))
        pinned(rig, "anna")
        rig.children[BROKER].stop()
        document = server.end(300).document
        assert document["model"]["digest"] == reference(first).digest()


@pytest.mark.slow
def test_a_member_that_is_removed_in_a_run_drops_out_of_it(tmp_path):
    with hospitals(tmp_path / "f") as rig:
        noisy = plan(privacy=SHARED, patience=10.0, rounds=6)
        server = serve(rig, noisy, "noisy")
        with held(rig):
            verb(rig, "federation", "remove", rig.fed, "dora")
            assert rig.children["dora"].end(60).code == 3
        assert server.end(300).code == 0, server.words.read_text()
        rounds = [one for one in rig.rounds(rig.runs()[0]) if one["opened"]]
        assert "dora" in rounds[0]["givers"]
        assert set(rounds[-1]["givers"]) == set(NAMES) - {"dora"}


@pytest.mark.slow
def test_stolen_keys_end_a_run_at_once_and_its_plan_can_be_run_anew(tmp_path):
    with hospitals(tmp_path / "f") as rig:
        first = plan(patience=20.0, rounds=12)
        server = serve(rig, first, "first")
        with held(rig):
            verb(rig, "site", "new", rig.home("bert"), "--rotate")
            verb(rig, "federation", "rotate", rig.fed, rig.home("bert") / "bert.next.card", "--revoke")
            pinned(rig, "bert", "carl", "dora")
        ended = server.end(300)
        assert ended.code == 3, ended.words
        assert "were revoked" in ended.words
        pinned(rig, *NAMES)
        for name in NAMES:
            assert list((rig.home(name) / "keys.earlier").glob("*")) == []
        server = serve(rig, first, "first", "--fresh")
        approved(rig, *[name for name in NAMES if name != "bert"])
        document = server.end(300).document
        assert document["model"]["digest"] == reference(first).digest()
