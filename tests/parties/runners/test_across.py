"""Runs across machines, with the network in memory: the same sums as in one process, whatever happens on the way."""

import json
import math
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from potluck.api.network import members, papers
from potluck.api.network.result import came_of
from potluck.core.errors import Refused, UsageError
from potluck.core.party import site
from potluck.core.plan import Permit, digest
from potluck.core.rounds import Abort, Cause
from potluck.drivers.sums import Sums, drive
from potluck.engines.environment import NotInstalled
from potluck.learning.loops import build
from potluck.owner.budget import Budget
from potluck.owner.requests import Requests, State
from potluck.parties.admission.told import told_of
from potluck.parties.runners import in_flight, server
from potluck.report.papers import annex
from potluck.tasks import catalog, released
from support.parties import scene
from support.parties.across import gather, quick

RUN = "ab" * 16


def in_one_process(plan):
    return scene.Scene(plan).run().model.digest()


@pytest.mark.parametrize("word", [pytest.param("clear", marks=pytest.mark.slow), "mask"])
def test_the_model_is_the_one_of_a_run_in_one_process(fed, word):
    plan = scene.plan(word=word)
    with fed.attending(*"abcd"):
        outcome, log = fed.run(quick(plan))
    assert outcome.model.digest() == in_one_process(scene.plan(word=word))
    assert [one.number for one in log.rounds] == [1, 2, 3, 4]
    assert all(not one.dropped for one in log.rounds)
    assert all(one.ask.state == b"" for one in log.rounds)  # no model a round is kept


@pytest.mark.slow
def test_a_server_without_room_for_a_letter_says_so_and_calls_nobody_silent(fed):
    with fed.attending(*"abcd"), fed.coordinator(quick(scene.plan()), RUN) as (coordinator, journal):
        coordinator.gather()
        coordinator._line.trouble = UsageError("a long letter cannot be kept there", hint="set TMPDIR")
        with pytest.raises(UsageError, match="cannot be kept there"):
            drive(build(scene.plan().spec), Sums(quick(scene.plan()), coordinator, store=journal))
        coordinator._line.trouble = None  # control: with room the run goes on where it was
        outcome = drive(build(scene.plan().spec), Sums(quick(scene.plan()), coordinator, store=journal))
        coordinator.close(b"")
    assert outcome.model.digest() == in_one_process(scene.plan())


@pytest.mark.parametrize(
    "harm",
    [
        "DELETE FROM numbers",
        *(pytest.param(one, marks=pytest.mark.slow) for one in ("UPDATE numbers SET part = substr(part, 9)", "")),
    ],
)
def test_a_journal_that_lost_numbers_is_refused_and_never_read_as_zeros(fed, harm):
    plan = scene.plan()
    with fed.attending(*"abcd"), fed.coordinator(quick(plan), RUN) as (coordinator, journal):
        coordinator.gather()
        ours = drive(build(plan.spec), Sums(quick(plan), coordinator, store=journal))
        coordinator.close(b"")
        again = Sums(quick(plan), coordinator, store=journal)
        if not harm:  # control: the rounds that are kept give the model again
            assert drive(build(plan.spec), again).model.digest() == ours.model.digest()
            return
        journal._db.execute(f"{harm} WHERE round = 2")
        with pytest.raises(Refused, match="the journal is damaged"):
            drive(build(plan.spec), again)


def test_noise_costs_what_it_costs_in_one_process(fed, tmp_path):
    plan = scene.plan(privacy=scene.SHARED)
    with fed.attending(*"abcd"), fed.coordinator(quick(plan), RUN) as (coordinator, journal):
        coordinator.gather()
        drive(build(plan.spec), Sums(quick(plan), coordinator, store=journal))
        coordinator.close(b"")
        told = {name: epsilon for name, _, _, _, epsilon, _ in journal.sites()}
    with Budget(tmp_path / "alone.sqlite") as alone:
        alone.begin("run", "p", digest(plan.spec), "row", 1e-5, 0.0)
        scene.Scene(plan, ledgers={site("a"): alone}).run()
        expected = alone.spent()
    assert told == dict.fromkeys("abcd", expected)
    assert 0 < expected <= 3.0


def test_a_server_that_died_goes_on_after_the_rounds_that_stand(fed):
    plan = quick(scene.plan())
    with fed.attending(*"abcd"):
        with fed.coordinator(plan, RUN) as (coordinator, journal):
            coordinator.gather()
            first = Sums(plan, coordinator, store=journal)
            steps = build(plan).lead()
            ask = steps.send(first(next(steps)))
            journal.begin(ask)  # the second round's number is taken, and then the process is gone
        outcome, log = fed.run(plan)
    assert [one.number for one in log.rounds] == [1, 3, 4, 5]
    assert outcome.model.digest() == in_one_process(scene.plan())


def test_a_site_without_the_engine_says_so(fed, monkeypatch):
    def missing(plan, rules, home):
        if home.name == "c":
            raise NotInstalled("the engine he is not installed", hint="potluck engine install he")
        return right.part(plan, rules, home)

    right = catalog.TASKS.of("train")
    monkeypatch.setitem(catalog.TASKS.entries, "train", replace(right, part=missing))
    with fed.attending(*"abcd"), pytest.raises(Refused, match=r"c .*engine"):
        fed.run(quick(scene.plan(dropouts=0)))


def test_a_finished_run_is_not_asked_for_again(fed):
    plan = quick(scene.plan())
    with fed.attending(*"abcd"):
        fed.run(plan)
        with pytest.raises(Refused, match="finished"):
            fed.run(msgspec.structs.replace(plan))


def test_a_site_that_was_away_at_first_is_no_part_of_later_exact_sums(fed):
    plan = quick(scene.plan())
    with fed.attending(*"abc"), fed.coordinator(plan, RUN) as (coordinator, journal):
        gather(coordinator, "abc")
        sums = Sums(plan, coordinator, store=journal)
        steps = build(plan).lead()
        ask = steps.send(sums(next(steps)))
        with fed.attending("d"):
            while len(coordinator.participants.present()) < 4:
                coordinator._listen(0.1)
            answer = sums(ask)
    assert {party.name for party in answer.release.givers} == set("abc")
    assert sums.log.rounds[1].dropped == {"d": Cause.LATE}


@pytest.mark.slow
def test_with_noise_a_site_rejoins_at_the_next_round(fed):
    plan = quick(scene.plan(privacy=scene.SHARED))
    with fed.attending(*"abc"), fed.coordinator(plan, RUN) as (coordinator, journal):
        gather(coordinator, "abc")
        sums = Sums(plan, coordinator, store=journal)
        steps = build(plan).lead()
        ask = steps.send(sums(next(steps)))
        with fed.attending("d"):
            while len(coordinator.participants.present()) < 4:
                coordinator._listen(0.1)
            answer = sums(ask)
    assert {party.name for party in answer.release.givers} == set("abcd")


def test_a_sites_papers_have_the_models_digest_its_rows_and_what_left(fed, tmp_path):
    plan = quick(scene.plan(privacy=scene.SHARED))
    model = b"m" * 32
    with fed.attending(*"abcd"), fed.coordinator(plan, RUN) as (coordinator, journal):
        gather(coordinator, "abcd")
        sums = Sums(plan, coordinator, store=journal)
        trained = drive(build(plan), sums)
        told = told_of(trained.metrics)
        coordinator.close(model, told=told)
        again = msgspec.structs.replace(told, rows=7.0)
        coordinator.close(b"x" * 32, told=again)  # a server that changes its mind: the first word stands
    came = came_of(fed.home("a").folder, *papers.asked_for(fed.home("a").folder, RUN))
    assert (Path(came.folder) / came.kept).read_bytes() == trained.model.files()[0]
    said = json.loads((Path(came.folder) / released.TOLD).read_bytes())["metrics"]
    assert said["accuracy"] == trained.metrics.accuracy
    assert (said["accuracy_low"], said["accuracy_high"]) == trained.metrics.intervals["accuracy"]
    assert said["rows"] == trained.metrics.rows
    assert "held-out rows" not in {what for what, _, _ in came.told}  # noised, and its interval is not known here
    assert came.same is False  # the digest is no model's
    assert [what for what, _, _ in came.here] == ["AUC", "Accuracy", "held-out rows"]
    papers.write(fed.home("a").folder, RUN, datetime.now(UTC), "ann", tmp_path)
    found = annex.read((tmp_path / RUN / annex.JSON).read_bytes(), "annex.json")
    assert found.model == f"sha256:{model.hex()}"
    assert found.request.state == "finished"
    assert found.request.rounds == len(sums.log.rounds)
    assert found.budget.run == pytest.approx(found.risk.epsilon)
    assert found.federation.began == found.federation.digest
    assert found.rows.lines[0].startswith("40 rows read, 40 rows used: ")
    assert found.decisions == ()
    assert found.policies[0].digest == found.request.policy


def test_no_round_begins_after_the_last_day_of_the_permit(fed):
    day = [datetime(2027, 12, 31, 23, 59, tzinfo=UTC)]
    fed.now = lambda: day[0]
    plan = quick(scene.plan())
    plan = msgspec.structs.replace(plan, permit=Permit(expires="2027-12-31"))
    with fed.attending(*"abcd"), fed.coordinator(plan, RUN) as (coordinator, journal):
        gather(coordinator, "abcd")
        sums = Sums(plan, coordinator, store=journal)
        steps = build(plan).lead()
        ask = steps.send(sums(next(steps)))  # on the last day a round runs
        day[0] += timedelta(minutes=1)
        with pytest.raises(Abort, match="refused"):
            sums(ask)
    assert len(sums.log.rounds) == 1
    assert any("its permit is over" in line for line in fed.heard["a"])


def test_a_run_whose_permit_is_over_is_denied_before_anybody_is_asked(fed):
    fed.now = lambda: datetime(2028, 1, 1, tzinfo=UTC)
    plan = msgspec.structs.replace(quick(scene.plan()), permit=Permit(expires="2027-12-31"))
    with fed.attending(*"abcd"), pytest.raises(Refused, match="permit"):
        fed.run(plan)
    with Requests(fed.home("a").requests) as book:
        (request,) = book.every()
    assert (request.state, request.codes) == (State.DENIED, ("permit",))


@pytest.mark.slow
def test_a_sites_new_keys_take_the_ledger_over(fed):
    plan = quick(scene.plan(privacy=scene.SHARED))
    with fed.attending(*"abcd"):
        fed.run(plan)
    spent = Budget(fed.home("a").ledger)
    before = spent.spent()
    spent.close()
    members.site_rotate(fed.folder / "a")
    members.federation_rotate(fed.folder / "fed", [fed.home("a").fresh_card], time.time(), keys=False, days=None)
    for name in "abcd":
        members.site_join(fed.folder / name, fed.folder / "fed" / "federation.toml", time.time())
    with fed.attending(*"abcd"):
        fed.run(plan, run="cd" * 16)
    with Budget(fed.home("a").ledger) as ledger:
        assert ledger.spent() == pytest.approx(2 * before)


def test_a_site_that_fell_silent_costs_one_rounds_patience_and_is_back_once_it_answers(fed, monkeypatch):
    d, cut = site("d"), [True]
    fed.exchange._carry = lambda sender, to, data: () if cut[0] and d in (sender, to) else ((to, data),)
    # Its patience is over once all others have answered: no test waits for that.
    over = lambda self, patience: 0.0 if cut[0] and self.desk.awaited() == {d} else math.inf  # noqa: E731
    monkeypatch.setattr(in_flight.RoundInFlight, "more", over)
    plan = quick(scene.plan(privacy=scene.SHARED))
    steps, found = build(plan).lead(), []

    def one(moment, *, away):
        monkeypatch.setattr(server, "MOMENT", moment)
        cut[0] = away
        found.append(sums(steps.send(found[-1]) if found else next(steps)))
        return {party.name for party in found[-1].release.givers}

    with fed.attending(*"abcd"), fed.coordinator(plan, RUN) as (coordinator, journal):
        sums = Sums(plan, coordinator, store=journal)
        cut[0] = False
        gather(coordinator, "abcd")
        assert one(60.0, away=True) == set("abc")
        assert one(0.0, away=False) == set("abcd")  # it said within its moment that it is there
        assert one(0.0, away=True) == set("abc")
        assert one(0.0, away=True) == set("abc")
        begun = [dict(line["steps"])["begin"][1] for line in journal.rounds()]
    assert begun == [4, 4, 4, 3]  # the last round asked nothing of it, and waited for nothing
