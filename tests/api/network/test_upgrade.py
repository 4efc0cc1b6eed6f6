"""Homes of the program as it was before issue 21: today's opens them, forgets nothing, and says what it asks again.

What that program said of them was kept beside them (`tests/support/upgrade`).
"""

import json
import re
import shutil
import sqlite3
from contextlib import closing
from types import SimpleNamespace

import msgspec
import pytest

from potluck import Plan
from potluck.api.network.ledger import anchor
from potluck.cli import potluck as group
from potluck.cli.door import run
from potluck.core.party import site
from potluck.members.home import CoordinatorHome, SiteHome
from potluck.owner.access import read as read_log
from potluck.owner.budget import YEAR, Budget
from potluck.owner.evidence import verify_export
from potluck.owner.ledger_heads import SignedHead
from potluck.owner.reading import read as read_policy
from potluck.owner.requests import Requests, State
from support.upgrade.homes import SITES, files, unpacked


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """The homes as they came, for tests that copy them."""
    folder = tmp_path_factory.mktemp("before")
    return SimpleNamespace(folder=folder, told=unpacked(folder))


@pytest.fixture
def before(kept, tmp_path, monkeypatch):
    """The homes in a folder of the test's own, a minute after the other program ended; what it said of them."""
    shutil.copytree(kept.folder, tmp_path / "homes")
    monkeypatch.chdir(tmp_path / "homes")
    monkeypatch.setattr("time.time", lambda: kept.told["when"] + 60)
    return SimpleNamespace(folder=tmp_path / "homes", told=kept.told, now=kept.told["when"] + 60)


@pytest.fixture
def verb(capsys):
    """The JSON of a verb; with `code`, what it says on stderr where it ends with that."""

    def ask(*words, code=0):
        capsys.readouterr()
        got = run(group, [*words, *(["--json"] if code == 0 else [])])
        out, err = capsys.readouterr()
        assert got == code, (words, got, err)
        return err if code else json.loads(out)

    return ask


def same(new, old, where=""):
    """Where today's document lacks something that the other program's had, or has another value. What is new is not
    looked at."""
    if isinstance(old, dict):
        lost = [f"{where}{key} is gone" for key in old if key not in new]
        return lost + [line for key in old if key in new for line in same(new[key], old[key], f"{where}{key}.")]
    if isinstance(old, list) and isinstance(new, list) and len(new) == len(old):
        return [line for at, pair in enumerate(zip(new, old, strict=True)) for line in same(*pair, f"{where}{at}.")]
    if isinstance(old, float):
        return [] if new == pytest.approx(old, rel=1e-9) else [f"{where} was {old}, is {new}"]
    return [] if new == old else [f"{where} was {old!r}, is {new!r}"]


def test_documents_that_lack_something_are_told_from_those_that_say_more():
    old = {"a": 1.0, "b": [{"c": "x"}]}
    assert same({"a": 1.0, "b": [{"c": "x", "d": 2}], "e": 3}, old) == []
    assert same({"a": 1.1, "b": [{"c": "x"}]}, old) == ["a. was 1.0, is 1.1"]
    assert same({"a": 1.0, "b": [{"f": "x"}]}, old) == ["b.0.c is gone"]
    assert len(same({"a": 1.0, "b": []}, old)) == 1


def budget(before, name):
    home = SiteHome.at(before.folder / name)
    member = home.open(before.now)
    ledger = Budget(home.ledger, anchor=anchor(home, member), clock=lambda: before.now)
    allow = read_policy(home.policy).allow
    ledger.limit(allow.epsilon_per_year, allow.delta)
    return ledger


@pytest.mark.parametrize("name", SITES)
def test_a_ledger_keeps_its_sum_and_its_chain(before, verb, name):
    """North was killed: its newest entries stand in the log beside the file."""
    assert (before.folder / "north/ledger.sqlite-wal").stat().st_size > 0
    told = before.told[name]
    with budget(before, name) as ledger:
        exported = [line.decode().rstrip("\n") for line in ledger.export(ledger.head())]
        assert exported == told["evidence"].splitlines()[:-1]
        assert ledger.head().seq == told["budget"]["entries"]
        year = (ledger.spent(before.now - YEAR), ledger.composed(before.now - YEAR), ledger.left())
        assert year == pytest.approx([told["budget"][key] for key in ("year", "composed_year", "left")], rel=1e-9)
    old = {key: value for key, value in told["budget"].items() if key != "export"}  # where that copy was written
    assert same(verb("site", "budget", name), old) == []
    *entries, last = told["evidence"].encode().splitlines(keepends=True)
    federation = SiteHome.at(before.folder / name).pinned()
    signed, public = msgspec.json.decode(last, type=SignedHead), federation.cards[site(name)].signing
    assert verify_export(entries, signed, public, name, bytes.fromhex(federation.id)).seq == len(entries)


def test_all_charged_runs_are_there_and_the_killed_one_is_open(before):
    for name in SITES:
        with budget(before, name) as ledger:
            states = {row.plan: (row.state, row.releases > 0) for row in ledger.history()}
        assert states["mean"] == ("finished", True)
        assert states["heart"] == ("open", True)


def test_plans_have_the_hashes_that_their_owners_approved(before):
    for name, digest in before.told["plans"].items():
        assert Plan.read(f"{name}.toml").hash.removeprefix("sha256:") == digest


SENTENCES = ("cost", "learnt")
"""Of a request, for people: a later program may say it better. What is spent is compared with the ledgers."""


def test_requests_and_decisions_are_what_they_were(before, verb):
    for name in SITES:
        asked = [
            {key: value for key, value in one.items() if key not in SENTENCES}
            for one in before.told[name]["inbox"]["requests"]
        ]
        assert same(verb("site", "inbox", name)["requests"], asked) == []
    states = {}
    for name in SITES:
        home = SiteHome.at(before.folder / name)
        with Requests(home.requests) as requests:
            names = {digest: plan for plan, digest in before.told["plans"].items()}
            states[name] = {names[one.hash]: one.state.value for one in requests.every()}
    assert states["north"] == {"mean": "finished", "wait": "pending", "never": "pending", "heart": "approved"}
    assert states["south"] == {"mean": "finished", "wait": "pending", "never": "denied", "heart": "approved"}
    assert states["west"]["heart"] == "approved"
    assert states["west"]["mean"] == "finished"


def test_approvals_of_each_rule_count_as_they_did(before):
    """north: two persons a run, and one of them said yes to `later`; south: a plan's hash; west: its policy."""
    plans = before.told["plans"]

    def asked(name, plan, run="0" * 32):
        home = SiteHome.at(before.folder / name)
        approve = read_policy(home.policy).approve
        text = (before.folder / f"{plan}.toml").read_bytes()
        with Requests(home.requests) as requests:
            request = requests.ask(run, bytes.fromhex(plans[plan]), text, "hospitals", before.now, (), approve)
            return request.state, requests.missing(run, approve)

    def plan_kept(name, plan):
        with Requests(SiteHome.at(before.folder / name).requests) as requests:
            return next(one.plan for one in requests.every() if one.hash == plans[plan])

    assert asked("north", "later") == (State.PENDING, 1)
    home = SiteHome.at(before.folder / "south")
    approve = read_policy(home.policy).approve
    with Requests(home.requests) as requests:
        for run, plan, state in (("1" * 32, "mean", State.APPROVED), ("2" * 32, "never", State.DENIED)):
            digest = bytes.fromhex(plans[plan])
            assert (
                requests.ask(run, digest, plan_kept("south", plan), "hospitals", before.now, (), approve).state is state
            )
    assert asked("west", "later")[0] is State.APPROVED
    with Requests(SiteHome.at(before.folder / "north").requests) as requests:
        used = requests.ask(
            "3" * 32,
            bytes.fromhex(plans["mean"]),
            plan_kept("north", "mean"),
            "hospitals",
            before.now,
            (),
            read_policy(before.folder / "north/policy.toml").approve,
        )
    assert used.state is State.PENDING, "control: the approvals of a run were used up by it"


def test_every_line_of_the_access_log_is_read(before):
    for name in SITES:
        log = read_log(SiteHome.at(before.folder / name).access)
        assert not log.damaged
        told = before.told[name]["log"]["entries"]
        assert same(json.loads(msgspec.json.encode(log.entries)), told) == []


def test_homes_open_with_their_keys(before, verb):
    for name in (*SITES, "alpha"):
        home = SiteHome.at(before.folder / name)
        assert home.open(before.now).me == home.me
        read_policy(home.policy)
    assert CoordinatorHome.at(before.folder / "hospitals").open(before.now).federation.version == 2
    shown = verb("federation", "show", "hospitals")
    assert same(shown, {key: value for key, value in before.told["federation"].items() if key != "file"}) == []


def test_the_coordinator_knows_all_its_runs(before, verb):
    old = {one["run"]: one for one in before.told["status"]["runs"]}
    new = {one["run"]: one for one in verb("status", "hospitals")["runs"]}
    assert set(new) == set(old)
    for name, one in old.items():
        for seen in (one, new[name]):
            for member in (*seen["sites"].values(), *seen["compute"].values()):
                member.pop("seconds_ago")
        assert same(new[name], one) == []
    assert {one["plan"]["name"]: one["state"] for one in new.values()}["heart"] == "open"


def renamed(path, old, new):
    def spoil(folder):
        file = folder / path
        text = file.read_text(encoding="utf-8")
        assert old in text
        file.write_text(text.replace(old, new, 1), encoding="utf-8")

    return spoil


def numbered(pattern, version):
    def spoil(folder):
        for path in folder.glob(pattern):
            with closing(sqlite3.connect(path)) as db:
                db.execute(f"PRAGMA user_version = {version}")
                return
        raise AssertionError(pattern)

    return spoil


def written(path, text):
    def spoil(folder):
        (folder / path).write_text(text, encoding="utf-8")
        (folder / path).chmod(0o600)

    return spoil


ONE, TWO = "version = 1", "version = 2"
LATER = {
    "ledger": (numbered("south/ledger.sqlite", 3), ("site", "budget", "south"), "a budget of version 3"),
    "requests": (numbered("south/requests.sqlite", 2), ("site", "inbox", "south"), "requests of version 2"),
    "site file": (
        renamed("south/site.toml", "version = 1", "version = 2"),
        ("site", "inbox", "south"),
        "a file of version 2",
    ),
    "persons": (
        written("south/persons.json", '{"version": 2, "groups": {}}'),
        ("site", "person", "list", "south"),
        "a file of persons of version 2",
    ),
    "issued": (
        renamed("hospitals/issued.toml", ONE, TWO),
        ("federation", "rotate", "hospitals"),
        "a file of version 2",
    ),
    "journal, which is looked at": (
        numbered("hospitals/runs/*/journal.sqlite", 3),
        ("status", "hospitals"),
        "a journal of version 3",
    ),
    "journal": (
        numbered("hospitals/runs/*/journal.sqlite", 3),
        ("server", "run", "hospitals", "heart.toml", "--wait", "0"),
        "a journal of version 3",
    ),
}


@pytest.mark.parametrize("what", LATER)
def test_a_home_of_a_later_program_is_refused_in_words_and_left_as_it_is(before, verb, what):
    spoil, words, said = LATER[what]
    spoil(before.folder)
    there = files(before.folder)
    told = verb(*words, code=3)
    assert f"{said}: a later Potluck wrote it, this one reads" in told
    assert "potluck docs upgrade" in told
    assert files(before.folder) == there


OTHERWISE = {
    "a policy of a later version": renamed("south/policy.toml", ONE, TWO),
    "a key that was renamed in a policy": renamed("south/policy.toml", "epsilon_per_year", "epsilon_each_year"),
    "a key that was renamed in the site's file": renamed("south/site.toml", "role", "part"),
    "a ledger whose entries are of another form": lambda folder: edited(folder, "DROP INDEX run_facts"),
    "an entry less": lambda folder: edited(folder, "DROP TRIGGER never_deleted", "DELETE FROM entries WHERE seq = 3"),
    "a ledger that is gone": lambda folder: (folder / "south/ledger.sqlite").unlink(),
    "an anchor that is gone": lambda folder: (folder / "south/ledger.head").unlink(),
}


def edited(folder, *script):
    with closing(sqlite3.connect(folder / "south/ledger.sqlite")) as db:
        for line in script:
            db.execute(line)
        db.commit()


@pytest.mark.parametrize("what", OTHERWISE)
def test_what_is_not_as_it_was_is_noticed(before, capsys, what):
    """So what is said above of homes as they were could fail."""
    assert run(group, ["site", "budget", "south"]) == 0
    OTHERWISE[what](before.folder)
    there = files(before.folder)
    capsys.readouterr()
    assert run(group, ["site", "budget", "south"]) in (2, 3)
    assert re.search(r"^(UsageError|Refused): .*south/", capsys.readouterr().err)
    assert files(before.folder) == there


def test_a_program_of_another_number_asks_again_for_what_a_hash_approved(before, monkeypatch):
    """A plan's hash holds the program's number: nothing that was approved under another one runs unasked."""
    monkeypatch.setattr("potluck.core.plan.CODE", "9.9.9")
    assert all(
        Plan.read(f"{name}.toml").hash.removeprefix("sha256:") != digest
        for name, digest in before.told["plans"].items()
    )
