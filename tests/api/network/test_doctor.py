"""`potluck site doctor`: every fault of a list is found by a finding of its own, and a healthy site has none."""

import fcntl
import json
import os
import shutil
import sqlite3
import time
from collections import namedtuple
from dataclasses import replace as replaced
from datetime import UTC, datetime, timedelta
from importlib.metadata import version

import pytest
from msgspec.structs import replace

from potluck.api.machine.engine import State as Engine
from potluck.api.network import members
from potluck.api.network.doctor import bad, examine, fits, line, work
from potluck.api.network.doctor import home as homes
from potluck.api.network.inbox import decide
from potluck.api.network.ledger import anchor, spending
from potluck.api.network.membership.agreed import Members
from potluck.api.network.membership.shown import Shown
from potluck.api.network.running import status as running_status
from potluck.api.network.running.pulse import Pulse
from potluck.api.network.running.status import status
from potluck.cli import potluck
from potluck.cli.door import run as command
from potluck.core.plan import digest
from potluck.engines.environment import Installed, Mark
from potluck.members.home import SiteHome
from potluck.owner.access import AccessLog, Subject
from potluck.owner.access import read as read_log
from potluck.owner.budget import Budget
from potluck.owner.requests import Request, Requests, State
from support.console.home import ask, policy, spec
from support.members.running import running

DAY = 86400


@pytest.fixture(scope="module")
def federation(tmp_path_factory):
    with running(tmp_path_factory.mktemp("doctor")) as one:
        one.queues()
        yield one


@pytest.fixture(autouse=True)
def engines(monkeypatch):
    """Their self-tests take seconds, and are tried elsewhere."""
    found = {"he": Engine("he", None, "not installed"), "mpc": Engine("mpc", None, "not installed")}
    monkeypatch.setattr(work.engine, "status", lambda: found)
    return found


@pytest.fixture
def home(federation, tmp_path):
    """A copy that a test may break; its owner allows no protection that needs an engine."""
    shutil.copytree(federation.home, tmp_path / "a")
    policy(tmp_path / "a", 'protect = ["*"]', 'protect = ["mask"]')
    policy(tmp_path / "a", 'tasks = ["*"]', 'tasks = ["train"]')
    return tmp_path / "a"


def wrong(folder, **how):
    """(topic, state) of all that is not good."""
    return {(one.topic, one.state): one for one in examine(folder, **how) if one.state != "good"}


QUIET = ("process", "look")
"""No test runs the process."""


def test_a_healthy_site_has_no_finding_but_good_ones(home):
    with (home / "site.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        pulse = Pulse(SiteHome.at(home))  # that of `site run`, which is connected
        pulse.line(None)
        pulse.begin()
        found = examine(home)
    assert {one.state for one in found} == {"good"}
    topics = {one.topic for one in found}
    assert topics == {
        "program", "home", "disk", "clock", "federation", "expiry", "broker", "certificate", "policy", "rows",
        "ledger", "process", "engines",
    }  # fmt: skip
    assert any(one.what == "40 rows of 3 columns can be read" for one in found)


def test_that_rows_were_counted_is_in_the_access_log_and_without_it_they_are_not(home, monkeypatch):
    before = len(read_log(home / "access.jsonl").entries)
    examine(home, quick=True, person="Ada")
    assert len(read_log(home / "access.jsonl").entries) == before
    examine(home, person="Ada")
    (line,) = read_log(home / "access.jsonl").entries[before:]
    assert (line.event, line.person) == ("doctor", "Ada")
    (home / "access.jsonl").unlink()
    (home / "access.jsonl").mkdir()
    assert not any("40 rows" in one.what for one in examine(home))


def test_a_compute_party_is_examined_too(federation, engines):
    found = wrong(federation.compute)
    assert set(found) == {QUIET, ("engines", "look")}
    assert found[("engines", "look")].hint == "potluck engine install mpc"


def open_folder(home):
    home.chmod(0o770)


def entered_folder(home):
    home.chmod(0o755)


def read_key(home):
    next(iter(sorted((home / "keys").iterdir()))).chmod(0o644)


def no_keys(home):
    shutil.rmtree(home / "keys")


def others_policy(home):
    (home / "policy.toml").chmod(0o666)


def broken_policy(home):
    policy(home, "[allow]", "[alow]")


def deaf_policy(home):
    policy(home, 'who = ["*"]', "who = []")


def shown_password(home):
    policy(home, 'file = "rows.csv"', 'url = "sqlite:///rows.sqlite"\nquery = "select x from t"')
    (home / "policy.toml").chmod(0o640)


def no_rows_file(home):
    (home / "rows.csv").unlink()


def misspelt_column(home):
    policy(home, 'columns = ["*"]', 'columns = ["x", "zz", "lab*"]')


def no_rows(home):
    (home / "rows.csv").write_text("x,z,y\n")


def few_rows(home):
    policy(home, 'who = ["*"]', 'who = ["*"]\nmin_rows = 41')


def other_separator(home):
    (home / "rows.csv").write_text("x;z;y\n1;2;3\n")


def other_mark(home):
    text = (home / "rows.csv").read_text().splitlines()
    changed = [";".join(one.replace(".", ",") for one in line.split(",")) for line in text]
    (home / "rows.csv").write_text("\n".join(changed) + "\n")
    policy(home, 'file = "rows.csv"', 'file = "rows.csv"\nseparator = ";"')


def words_in_a_number(home):
    policy(home, 'rule = "policy"', 'rule = "person"')
    lines = (home / "rows.csv").read_text().splitlines()
    lines[4] = "much" + lines[4][lines[4].index(",") :]
    (home / "rows.csv").write_text("\n".join(lines) + "\n")
    ask(home)


def not_joined(home):
    (home / "federation.toml").unlink()


def forged(home):
    path = home / "federation.toml"
    path.write_text(path.read_text().replace("127.0.0.1", "127.0.0.2"))


def another_members(home):
    members.site_new(home.parent / "b", None)
    shutil.copy(home.parent / "b" / "site.toml", home / "site.toml")


def edited_ledger(home):
    site = SiteHome.at(home)
    with Budget(site.ledger) as ledger:
        ledger.begin("r", "p", bytes(32), "row", 1e-5, time.time())
    with sqlite3.connect(site.ledger) as db:
        db.executescript("DROP TRIGGER never_updated; UPDATE entries SET at = at - 1")
    db.close()


def crashed(home):
    draft = home / ".policy.toml.4711"
    draft.write_text("")
    os.utime(draft, (1, 1))


def waiting_keys(home):
    shutil.copytree(home / "keys", home / "keys.next")


def undestroyed_keys(home):
    shutil.copytree(home / "keys", home / "keys.old")


def forgotten_request(home):
    policy(home, 'rule = "policy"', 'rule = "person"')
    ask(home)
    with sqlite3.connect(home / "requests.sqlite") as db:
        db.execute("UPDATE requests SET first_seen = ?", (time.time() - 3 * DAY,))
    db.close()


def no_models(home):
    policy(home, "[approve]", '[models]\nfolder = "models"\n[approve]')


def no_enclave(home):
    policy(home, "[approve]", '[attestation]\npolicy = "enclave.toml"\n[approve]')


def others_address(home):
    policy(home, "[approve]", '[engine]\naddress = "192.0.2.1:9400"\n[approve]')


def damaged_log(home):
    (home / "access.jsonl").write_text('{"when":\n{}\n')


def no_table(home):
    policy(home, 'file = "rows.csv"', 'file = "rows.csv"\ntables = { labs = { file = "labs.csv" } }')


def no_ledgers_folder(home):
    (home / "site.toml").write_text('version = 1\nname = "a"\nledger = "nowhere/ledger.sqlite"\n')


def another_version(home):
    AccessLog(home / "access.jsonl").write(
        "request", datetime.now(UTC), outcome="denied", about=Subject(run="r", version="0.0.1"), why=("version",)
    )


FAULTS = [
    (open_folder, "home", "bad", "other users of this machine can put files"),
    (entered_folder, "home", "look", "other users of this machine can enter it"),
    (read_key, "home", "bad", "other users of this machine can reach what must be ours alone"),
    (no_keys, "home", "bad", "the keys cannot be read"),
    (others_policy, "home", "bad", "policy.toml: other users of this machine can change it"),
    (broken_policy, "policy", "bad", "unknown key alow"),
    (deaf_policy, "policy", "look", "it denies all: allow.who allows nothing"),
    (shown_password, "policy", "bad", "holds an address that others on this machine may read"),
    (no_rows_file, "rows", "bad", "no such file"),
    (misspelt_column, "rows", "look", "allow.columns has names that the source has not: zz"),
    (no_rows, "rows", "bad", "there are no rows"),
    (few_rows, "rows", "look", "there are 40 rows, and allow.min_rows lets no fewer than 41 take part"),
    (other_separator, "rows", "look", "its first line has one column"),
    (other_mark, "rows", "look", "numbers of x, z have another decimal mark than they are read with"),
    (words_in_a_number, "rows", "look", "column 'x', line 5: nan, inf or text where a number is expected"),
    (not_joined, "federation", "bad", "has not joined a federation yet"),
    (forged, "federation", "bad", "is not signed by the coordinator"),
    (another_members, "federation", "bad", "b is not a member"),
    (edited_ledger, "ledger", "bad", "the ledger"),
    (crashed, "leftovers", "look", "files that a crash left: .policy.toml.4711"),
    (waiting_keys, "leftovers", "look", "new keys wait"),
    (undestroyed_keys, "leftovers", "look", "replaced keys"),
    (no_models, "models", "bad", "models.folder is no folder"),
    (no_enclave, "attestation", "bad", "enclave.toml"),
    (others_address, "engines", "bad", "engine.address 192.0.2.1:9400 is not this machine's"),
    (damaged_log, "access log", "look", "2 of its newest lines cannot be read"),
    (no_table, "tables", "bad", "no such file"),
    (no_ledgers_folder, "ledger", "bad", "there is no folder for"),
    (another_version, "requests", "bad", "the server runs version 0.0.1 of potluck, here is another"),
    (forgotten_request, "requests", "look", "1 waits, the oldest for 3 days"),
]


@pytest.mark.parametrize(("fault", "topic", "state", "words"), FAULTS, ids=lambda one: getattr(one, "__name__", ""))
def test_a_fault_is_found_by_a_finding_of_its_own_that_says_what_to_do(home, fault, topic, state, words):
    fault(home)
    found = wrong(home)
    assert words in found[(topic, state)].what
    assert found[(topic, state)].hint or topic == "policy"
    follow = {"broker", "clock"} if topic in ("federation", "home") else {"rows"} if fault is shown_password else set()
    assert {name for name, _ in found} - follow == {topic, "process"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_that_another_user_made_is_found(home):
    os.chown(home / "policy.toml", 4711, 4711)
    found = wrong(home)[("home", "bad")]
    assert "belongs to another user" in found.what
    assert "chown -R 0" in found.hint


def test_ends_are_told_before_they_come_and_after(home):
    now = time.time()
    assert set(wrong(home, quick=True, now=now + 61 * DAY)) == {("expiry", "look")}
    assert wrong(home, quick=True, now=now + 61 * DAY)[("expiry", "look")].what.endswith("expires in 28 days")
    assert wrong(home, quick=True, now=now + 88.5 * DAY)[("expiry", "bad")].what.endswith("expires in 35 hours")
    assert set(wrong(home, quick=True, now=now + 91 * DAY)) == {("expiry", "bad")}
    soon = wrong(home, now=now + 380 * DAY)
    assert soon[("certificate", "look")].what == "the broker's certificate expires in 16 days"


def test_what_waits_of_members_and_two_lists_of_one_version_are_found(home, monkeypatch):
    it = SiteHome.at(home).pinned()
    shown = Shown(it, home / "federation.toml", False)
    known = Members(shown, {"b": "AAAA"}, 1, {}, shown, ("b is new",), "version 2 (sha256:00)")
    monkeypatch.setattr(line, "site_members", lambda folder, now: known)
    found = [one for one in examine(home, quick=True) if one.topic == "members"]
    assert [one.state for one in found] == ["bad", "look", "look"]
    assert "two files of one version" in found[0].what
    assert "waits for a person's word: b is new" in found[1].what
    assert found[2].what.endswith("the fingerprints of b")


def test_what_turns_every_run_away_is_bad_until_something_is_answered(home):
    log, now = AccessLog(home / "access.jsonl"), datetime.now(UTC)
    log.write("request", now, outcome="denied", why=("ledger",))
    assert "nothing was answered since" in wrong(home, quick=True)[("requests", "bad")].what
    log.write("request", now + timedelta(seconds=1), outcome="pending")  # the ledger is back
    found = wrong(home, quick=True)
    assert not {state for topic, state in found if topic == "requests"}


def test_of_a_file_whose_separator_is_another_no_rows_are_counted(home):
    other_separator(home)
    assert [one.what for one in examine(home) if one.topic == "rows"] == ["its first line has one column"]


def test_a_decimal_comma_is_right_where_the_policy_or_a_plan_says_so(home):
    other_mark(home)
    asked = spec()
    ask(home, replace(asked, data=replace(asked.data, decimal=",")))
    assert not [one for one in examine(home) if (one.topic, one.state) == ("rows", "look")]
    (home / "requests.sqlite").unlink()
    assert "another decimal mark" in wrong(home)[("rows", "look")].what
    policy(home, 'separator = ";"', 'separator = ";"\ndecimal = ","')
    assert not [one for one in examine(home) if (one.topic, one.state) == ("rows", "look")]
    text = (home / "rows.csv").read_text()
    (home / "rows.csv").write_text(text.replace(",", "."))  # the other way round
    assert 'source.decimal = "."' in wrong(home)[("rows", "look")].hint


def test_a_yes_to_a_plan_that_the_rows_do_not_fit_has_to_be_said_aloud(home, capsys):
    words_in_a_number(home)
    plan = digest(spec()).hex()
    approve = ["site", "approve", str(home), plan, "--person", "ann"]
    assert command(potluck, approve) == 3
    said = capsys.readouterr().err
    assert "the rows here do not fit this plan: column 'x', line 5: nan, inf or text" in said
    assert "--anyway says yes all the same" in said
    assert "the coordinator alone can change: tell it" in said
    assert [one.event for one in read_log(home / "access.jsonl").entries] == []
    assert command(potluck, [*approve, "--anyway"]) == 0
    with Requests(home / "requests.sqlite") as book:
        assert book.find(plan)[0].state is State.APPROVED


def test_a_yes_without_a_preview_reads_the_rows_first_and_one_after_it_does_not(home, monkeypatch):
    policy(home, 'rule = "policy"', 'rule = "person"')
    plan = ask(home)
    assert command(potluck, ["site", "approve", str(home), plan, "--person", "ann"]) == 0
    rows, approved = read_log(home / "access.jsonl").entries
    assert (rows.event, rows.person) == ("rows", "ann")
    assert rows.why[0].startswith("40 rows read, 40 rows used")
    assert approved.event == "approve"
    monkeypatch.setattr(fits, "fitting", lambda *_: pytest.fail("they were counted already"))
    fits.require_fitting(home, plan)
    control = replace(spec(), name="another")
    ask(home, control, run="r2")
    with pytest.raises(pytest.fail.Exception):
        fits.require_fitting(home, digest(control).hex())


def test_a_run_that_was_turned_away_is_named_until_a_later_one_of_its_plan_is_answered(home):
    log, first = AccessLog(home / "access.jsonl"), Subject(asker="fed", plan="stays", run="r1")
    log.write("request", datetime.now(UTC), outcome="refused", about=first, why=("data",))
    what = wrong(home, quick=True)[("requests", "look")].what
    assert what.startswith("stays of fed, run r1, was turned away on ")
    other = Subject(asker="fed", plan="others", run="r2")
    log.write("request", datetime.now(UTC) + timedelta(seconds=1), outcome="approved", about=other)
    assert ("requests", "look") in wrong(home, quick=True)  # the control: it settles its own plan alone
    later = Subject(asker="fed", plan="stays", run="r3")
    log.write("request", datetime.now(UTC) + timedelta(seconds=1), outcome="approved", about=later)
    assert ("requests", "look") not in wrong(home, quick=True)


def test_a_run_that_was_turned_away_and_that_its_owner_denied_is_settled(home):
    asked = ask(home, run="r1")
    log, about = AccessLog(home / "access.jsonl"), Subject(asker="fed", plan="ages", run="r1", hash=asked)
    log.write("request", datetime.now(UTC), outcome="refused", about=about, why=("data",))
    assert f"site deny '{home}' {asked[:16]}" in wrong(home, quick=True)[("requests", "look")].hint
    decide(home, "deny", asked, "ann")
    assert ("requests", "look") not in wrong(home, quick=True)


def test_a_run_that_its_own_site_refused_is_not_in_progress(home):
    it = SiteHome.at(home)
    one = Request("r1", "0" * 64, b"{}", "fed", 0.0, State.APPROVED, ())
    log, about = AccessLog(it.access), Subject(asker="fed", run="r1")
    found, spent = [], []
    with Budget(it.ledger, anchor=anchor(it, it.open(time.time()))) as ledger:
        ledger.rejoin("r1", "stays", bytes(32), "row", 1e-6, time.time())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Requests, "every", lambda self: (one,))
        for outcome, why in (("approved", ()), ("refused", ("data",)), ("approved", ())):
            log.write("request", datetime.now(UTC), outcome=outcome, about=about, why=why)
            found += [said.split(":")[0] for said in status(home).lines if " of fed, 0000" in said]
            spent += [run.state for run in spending(home).runs]
        log.write("request", datetime.now(UTC), outcome="refused", about=about, why=("data",))
        for later, kept in (("another", 1), ("stays", 0)):  # the first is the control
            two = (one, replaced(one, run="r2"))
            patch.setattr(Requests, "every", lambda self, two=two: two)
            patch.setattr(running_status, "_name", lambda it, later=later: "stays" if it.run == "r1" else later)
            assert len(status(home).refused) == kept
    assert found == ["in progress", "turned away (data)", "in progress"]
    assert spent == ["open", "turned away", "open"]


def test_a_clock_that_went_back_is_found(home):
    found = wrong(home, quick=True, now=time.time() - DAY)
    assert "which is before the federation file was issued" in found[("clock", "bad")].what
    AccessLog(home / "access.jsonl").write("start", datetime(2099, 1, 1, tzinfo=UTC))
    found = wrong(home, quick=True)[("clock", "look")]  # that clock may have been the wrong one, once
    assert "the newest line of the access log (2099-" in found.what
    assert "next line" in found.hint
    AccessLog(home / "access.jsonl").write("start", datetime.now(UTC))
    assert not {state for topic, state in wrong(home, quick=True) if topic == "clock"}


@pytest.mark.parametrize(("free", "state"), [(50 << 20, "bad"), (500 << 20, "look")])
def test_a_disk_that_fills_is_found(home, monkeypatch, free, state):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(homes.shutil, "disk_usage", lambda folder: usage(1 << 40, 0, free))
    assert set(wrong(home, quick=True)) == {("disk", state)}


def test_a_ledger_without_room_is_bad_and_the_room_is_said_in_what_it_is(home, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(homes.shutil, "disk_usage", lambda folder: usage(1 << 40, 0, 460_000))
    found = wrong(home)
    assert set(found) == {("disk", "bad"), ("ledger", "bad"), QUIET}
    assert found["disk", "bad"].what.startswith("460 kB are free")


def spend(home):
    """A run begins in its ledger."""
    site = SiteHome.at(home)
    with Budget(site.ledger, anchor=anchor(site, site.open(time.time()))) as ledger:
        ledger.begin("r", "p", bytes(32), "row", 1e-5, time.time())


def test_a_ledger_that_is_gone_is_found(home):
    spend(home)
    assert wrong(home).keys() == {QUIET}  # the control
    SiteHome.at(home).ledger.unlink()
    assert "the ledger is missing, its anchor is there" in wrong(home)[("ledger", "bad")].what


def test_an_engine_that_broke_is_found_and_one_that_is_wanted_is_named(home, engines):
    mark = Mark("he", "3.12", "python", "system", {})
    engines["he"] = Engine("he", Installed("he", home, mark), "fails its self-test")
    policy(home, 'protect = ["mask"]', 'protect = ["he"]')
    policy(home, 'tasks = ["train"]', 'tasks = ["intersect"]')
    found = wrong(home)
    assert found[("engines", "bad")].what == "he (for encrypted sums and predictions): fails its self-test"
    assert found[("engines", "look")].hint == "potluck engine install mpc"


class Quiet:
    """A line on which all is well."""

    trouble = None


def test_a_process_of_another_version_one_without_a_broker_and_one_that_hangs_are_found(home):
    beat = Pulse(SiteHome.at(home))
    beat.beat()
    with (home / "site.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "is not connected: not connected yet" in wrong(home)[QUIET].what
        beat.follow(Quiet())
        assert beat.counts().connected
        path = home / "status.json"
        path.write_text(path.read_text().replace('"connected":false', '"connected":true'))
        assert "has not looked around for 60 minutes" in wrong(home, now=time.time() + 3600)[QUIET].what
        path.write_text(path.read_text().replace(version("potluck"), "0.0.1"))
        assert "is at work as version 0.0.1" in wrong(home)[QUIET].what


def test_a_coordinators_home_is_examined_and_its_broker(federation, tmp_path, capsys):
    assert {one.state for one in examine(federation.fed)} == {"good"}
    assert command(potluck, ["server", "doctor", str(federation.fed)]) == 0
    capsys.readouterr()
    fed = tmp_path / "fed"
    shutil.copytree(federation.fed, fed, ignore=shutil.ignore_patterns("store", "*.pid"))
    assert set(wrong(fed, now=time.time() + 91 * DAY)) == {("expiry", "bad")}
    (fed / "issued.toml").write_text((fed / "issued.toml").read_text().replace("highest = 2", "highest = 3"))
    next(iter(sorted((fed / "keys").iterdir()))).chmod(0o644)
    assert set(wrong(fed)) == {("home", "bad"), ("federation", "bad")}
    assert command(potluck, ["server", "doctor", str(fed)]) == 3


def test_the_verb_ends_with_3_where_something_is_bad_and_says_it_as_json(home, capsys):
    assert command(potluck, ["site", "doctor", str(home), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["well"]
    (home / "rows.csv").unlink()
    assert command(potluck, ["site", "doctor", str(home)]) == 3
    assert "bad     rows: a: no such file" in capsys.readouterr().out
    assert command(potluck, ["site", "doctor", str(home / "nowhere")]) == 2


def test_nothing_in_the_home_is_changed_but_the_access_log(home):
    spend(home)
    ask(home)

    def state():
        return {
            p: (p.read_bytes(), p.stat().st_mtime_ns)
            for p in home.rglob("*")
            if p.is_file() and p.name != "access.jsonl"
        }

    before = state()
    assert not bad(examine(home))
    assert state() == before
