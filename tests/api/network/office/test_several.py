"""Several runs at once give what each gives alone; each run's end is its own."""

import json
import time
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from potluck.api.network import inbox
from potluck.api.network.history import history
from potluck.api.network.office import office, opened
from potluck.api.network.server import serve
from potluck.cli.site import approve
from potluck.cli.site import inbox as listed
from potluck.core.errors import Refused, UsageError
from potluck.members.files import locked
from potluck.members.home import CoordinatorHome
from potluck.owner.access import read
from potluck.parties.runners import site
from support.parties import across, scene
from support.parties.across import Across
from support.parties.offices import at_work, run_of, until

PERSON = 'rule = "person"'


@pytest.fixture(scope="module")
def founded(tmp_path_factory):
    return across.found(tmp_path_factory.mktemp("federation"), names="abc")


@pytest.fixture
def fed(founded, tmp_path):
    return Across(across.copy(founded, tmp_path / "f"))


def plan(purpose="test", **more):
    return scene.plan("abc", dropouts=0, patience=60.0, **more).set("purpose", purpose).set("training.rounds", 2)


def alone(made):
    return scene.Scene(made).run().model.digest()


def asks_people(fed, name):
    policy = fed.folder / name / "policy.toml"
    policy.write_text(policy.read_text().replace('rule = "policy"', PERSON))


def digest(run):
    return json.loads((run.out / "run.json").read_text())["model"]["digest"]


@pytest.mark.slow
def test_two_runs_at_once_give_bit_for_bit_what_they_give_alone(fed, monkeypatch):
    plans = [plan("one", word="clear"), plan("two", word="mask"), plan("three", word="clear").set("training.rounds", 3)]
    with at_work(fed, monkeypatch, at_once=3) as office, fed.attending(*"abc"):
        names = [office.submit(one, "ann") for one in plans]
        ended = [until(office, name) for name in names]
    assert [(one.state, one.why) for one in ended] == [("finished", "")] * 3
    assert [digest(one) for one in ended] == [alone(one) for one in plans]
    assert {one.person for one in ended} == {"ann"}
    assert all(one.out.parent == fed.folder / "fed" / "results" for one in ended)
    log = read(fed.folder / "fed" / "access.jsonl").entries
    assert [(one.event, one.person) for one in log if one.event == "submit"] == [("submit", "ann")] * 3
    assert sorted(one.run for one in log if one.event == "end" and one.outcome == "finished") == sorted(names)


def test_a_run_that_waits_for_its_owners_holds_no_other_up(fed, monkeypatch):
    asks_people(fed, "c")
    with at_work(fed, monkeypatch, at_once=1) as office, fed.attending(*"abc"):
        waits = office.submit(plan("waits"))
        end = time.monotonic() + 60
        while not any(one.verdict == "pending" for one in run_of(office, waits).sites):
            assert time.monotonic() < end
            time.sleep(0.02)
        asked = office.submit(plan("approved"))
        until(office, asked, "waiting")
        while len(inbox.inbox(fed.folder / "c")) < 2:
            assert time.monotonic() < end
            time.sleep(0.02)
        hash_ = run_of(office, asked).hash.removeprefix("sha256:")
        inbox.decide(fed.folder / "c", "approve", hash_, "ann")
        ended = until(office, asked)
        assert ended.state == "finished"
        assert run_of(office, waits).state == "waiting"
        office.cancel(waits, "bob", "no <b>more")
        gone = until(office, waits)
        end = time.monotonic() + 60
        while inbox.inbox(fed.folder / "c"):
            assert time.monotonic() < end
            time.sleep(0.02)
    assert (gone.state, gone.why) == ("cancelled", "cancelled by bob; no <b>more")
    states = [inbox.inbox(fed.folder / "c", one.hash[7:])[0].request.state for one in (gone, ended)]
    assert states == ["withdrawn", "finished"]
    ends = [one for one in read(fed.folder / "c" / "access.jsonl").entries if one.event == "end"]
    assert [(one.run, one.outcome, one.reason) for one in ends] == [
        (asked, "finished", ""),
        (waits, "withdrawn", "no <b>more"),
    ]
    said = CliRunner().invoke(approve.command, [str(fed.folder / "c"), gone.hash[7:]]).output
    assert f"run {waits[:12]} was withdrawn by its asker" in said
    assert "its asker withdrew it" in CliRunner().invoke(listed.command, [str(fed.folder / "c"), gone.hash[7:]]).output
    log = read(fed.folder / "fed" / "access.jsonl").entries
    assert [(one.person, one.run, one.reason) for one in log if one.event == "cancel"] == [("bob", waits, "no <b>more")]


def test_a_refusal_names_the_site_and_ends_that_run_alone(fed, monkeypatch):
    policy = fed.folder / "b" / "policy.toml"
    policy.write_text(policy.read_text().replace('protect = ["*"]', 'protect = ["mask"]'))
    with at_work(fed, monkeypatch) as office, fed.attending(*"abc"):
        good, bad = office.submit(plan("good", word="mask")), office.submit(plan("bad", word="clear"))
        refused = until(office, bad)
        assert until(office, good).state == "finished"
    assert refused.state == "failed"
    assert "b refuses this plan (protect)" in refused.why
    with pytest.raises(UsageError, match="this run is finished"):
        office.cancel(good)


def fates(fed, names, run):
    return [next(one.fate.word for one in history(fed.folder / name) if one.request.run == run) for name in names]


def test_a_run_that_one_site_refuses_waits_at_no_other_and_is_asked_for_again_when_it_is_sent_again(fed, monkeypatch):
    """b refuses, a asks nobody, c asks a person, and is away when the run ends."""
    asks_people(fed, "c")
    policy = fed.folder / "b" / "policy.toml"
    open_to_all = policy.read_text()
    policy.write_text(open_to_all.replace('protect = ["*"]', 'protect = ["mask"]'))
    made, end = plan(word="clear"), time.monotonic() + 60
    with at_work(fed, monkeypatch) as office, fed.attending("a"):
        with fed.attending("c"):
            run = office.submit(made)
            while not inbox.inbox(fed.folder / "c"):
                assert time.monotonic() < end
                time.sleep(0.02)
        with fed.attending("b"):
            assert until(office, run).state == "failed"
            with fed.attending("c"):
                while inbox.inbox(fed.folder / "c"):
                    assert time.monotonic() < end
                    time.sleep(0.02)
                assert fates(fed, "c", run) == ["ended: another party refused it"]
                policy.write_text(open_to_all)
                assert office.submit(made) == run
                while not (waits := inbox.inbox(fed.folder / "c")):
                    assert time.monotonic() < end
                    time.sleep(0.02)
                inbox.decide(fed.folder / "c", "approve", waits[0].request.hash, "ann")
                assert until(office, run).state == "finished"
    assert fates(fed, "abc", run) == ["finished"] * 3
    told = [one for one in read(fed.folder / "a" / "access.jsonl").entries if one.event == "end"]
    assert [one.outcome for one in told] == ["refused", "finished"]
    assert told[0].why == ("elsewhere",)  # and by no name


@pytest.mark.parametrize(
    ("held", "many"), [(3, 5), pytest.param(site.MOST_RUNS, 20, marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_more_plans_than_sites_hold_rows_for_are_queued_and_all_come_to_their_end(fed, monkeypatch, held, many):
    monkeypatch.setattr(site, "MOST_RUNS", held)
    with at_work(fed, monkeypatch) as office, fed.attending(*"abc"):
        names = [office.submit(plan(f"plan {n}", word="clear").set("training.rounds", 1)) for n in range(many)]
        ended = [until(office, one, seconds=240) for one in names]
    assert {one.state for one in ended} == {"finished"}


@pytest.mark.parametrize("days", [-2, 40])
def test_an_office_whose_clock_is_wrong_waits_until_it_is_right(fed, monkeypatch, days):
    clock, said = [time.time() + days * 86400], []
    monkeypatch.setattr(office, "time", SimpleNamespace(time=lambda: clock[0], monotonic=time.monotonic))
    with at_work(fed, monkeypatch, say=lambda event, text: said.append(text)) as found:
        assert isinstance(found.trouble, Refused)
        with pytest.raises(Refused, match=r"still to come|expired"):
            found.submit(plan())
        clock[0] = time.time()
        end = time.monotonic() + 60
        while found.trouble is not None:
            assert time.monotonic() < end
            time.sleep(0.01)
        assert found.nodes == {"tls://a:1": True}
    assert len(said) == 1  # not one each time that it looks


def test_a_home_has_one_server_and_one_office(fed):
    home = CoordinatorHome.at(fed.folder / "fed")
    for path, words in ((home.lock, "another server"), (home.office, "another office")):
        with locked(path, "held"), pytest.raises(Refused, match=words), opened(home.folder):
            pass


@pytest.mark.slow
def test_the_same_plan_is_the_same_run_until_it_is_begun_anew(fed, monkeypatch):
    with at_work(fed, monkeypatch) as office:
        first = office.submit(plan())
        assert office.submit(plan()) == first
        second = office.submit(plan(), "ann", fresh=True)
        assert second != first
        assert until(office, first).state == "cancelled"
        with fed.attending(*"abc"):
            assert until(office, second).state == "finished"
        third = office.submit(plan())
    assert third not in (first, second)


@pytest.mark.slow
def test_server_run_beside_an_office_hands_its_plan_over_and_says_what_it_would_say_alone(fed, monkeypatch, tmp_path):
    said = []
    with at_work(fed, monkeypatch) as office, fed.attending(*"abc"):
        done = serve(fed.folder / "fed", plan(), out=tmp_path / "out", say=lambda *word: said.append(word))
        assert done.folder == tmp_path / "out"
        assert done.model.digest() == alone(plan())
        (run,) = office.standing().runs
        assert run.out == tmp_path / "out"
        policy = fed.folder / "b" / "policy.toml"
        policy.write_text(policy.read_text().replace('protect = ["*"]', 'protect = ["mask"]'))
        with pytest.raises(Refused, match=r"b refuses this plan \(protect\)"):
            serve(fed.folder / "fed", plan("bad", word="clear"))
    assert {"submitted", "answer", "open"} <= {event for event, _ in said}
