"""A row is appended to a site's file in the middle of a run: no pair of sums over one approval may tell it.

The attacker is a lying server that opens one sum twice, at the same model, under two round numbers, and sees to it that
the site reads its file again in between: (a) the site is started again, (b) a malformed proposal makes it drop what it
holds, (c) the server itself is. Each control takes the mend out, and recovers the row to the last step of the grid.
"""

import threading

import numpy as np
import pandas as pd
import pytest

from potluck.core.errors import Refused
from potluck.core.party import SERVER, site
from potluck.core.plan import Data
from potluck.core.rounds import Abort, Cause, Record
from potluck.drivers.sums import Sums
from potluck.learning.data.table import read
from potluck.learning.loops import build
from potluck.owner.budget import Budget
from potluck.owner.policy import Source
from potluck.owner.source import open_source
from potluck.parties.admission import consent
from potluck.parties.admission.session import parcel
from potluck.secret.container import Secret
from potluck.tasks import tie
from support.hostile.proposals import proposal, server
from support.parties import across, scene
from support.parties.across import Across, parties, quick

RUN = "ab" * 16
ROW = (1.37, -0.61, 1)
GRID = 1e-6


@pytest.fixture(scope="module")
def founded(tmp_path_factory):
    return across.found(tmp_path_factory.mktemp("changed"))


@pytest.fixture
def fed(founded, tmp_path):
    return Across(across.copy(founded, tmp_path / "f"))


@pytest.fixture
def untied(monkeypatch):
    """The mend taken out: a run is tied to whatever is there."""
    monkeypatch.setattr(tie.Tie, "record", lambda self, run: Record(f"rows/{run}", b"", again=True))


def appended(fed, spec, name="a"):
    """One more row at the end of a site's file; it is one to train on."""
    path = fed.folder / name / "rows.csv"
    pd.DataFrame([ROW], columns=["x", "z", "y"]).to_csv(path, mode="a", header=False, index=False)
    rows = read(open_source(Source(file="rows.csv"), path.parent, Data(max_rows=1000), name), spec, name)
    assert not rows.test[-1]


def first(spec):
    return next(build(spec).lead())


def opened(coordinator, journal, ask):
    """The sum of the ask, opened under the next number, over all sites."""
    found = coordinator.attempt(ask, journal.begin(ask), {}, parties("abcd"))
    if found.abort:
        raise found.abort
    return found.answer.release.values


def told(difference):
    """The row that a difference of two gradients at zero weights tells: x, z, y."""
    # The gradient of one row is (1/2 - y) (1, x, z), with x and z on [-1, 1].
    x, z, side = None, None, None
    for where in range(len(difference) - 2):
        one = difference[where : where + 3]
        for constant in (0, 2):
            if abs(abs(one[constant]) - 0.5) < GRID:
                rest = np.delete(one, constant) / one[constant]
                x, z, side = 3 * rest[0], 3 * rest[1], int(one[constant] < 0)
                return x, z, side
    raise AssertionError(f"tells no row: {difference}")


def recovers(difference):
    assert told(difference) == pytest.approx(ROW, abs=20 * GRID)
    return True


def restarted(fed, spec):
    """The difference of the two sums, site a being started again in between, over one row more."""
    with fed.coordinator(spec, RUN, wait=30.0) as (coordinator, journal), fed.attending(*"bcd"):
        with fed.attending("a"):
            coordinator.gather()
            before = opened(coordinator, journal, first(spec))
        appended(fed, spec)
        coordinator.participants.doubt(site("a"))
        with fed.attending("a"):
            return opened(coordinator, journal, first(spec)) - before


def test_server_cannot_read_an_appended_row_off_a_site_that_was_started_again(fed):
    with pytest.raises(Refused) as caught:
        restarted(fed, quick(scene.plan()))
    assert caught.value.exit_code == 3
    assert "a cannot carry it out (rows_changed)" in str(caught.value)
    assert any(f"the rows here are not those that run {RUN} of p began with" in text for text in fed.heard["a"])


def test_control_a_site_that_is_not_tied_to_its_rows_tells_the_appended_one(fed, untied):
    assert recovers(restarted(fed, quick(scene.plan())))


@pytest.mark.slow
def test_a_site_that_finds_its_rows_put_back_goes_on(fed):
    spec, path = quick(scene.plan()), fed.folder / "a" / "rows.csv"
    kept = path.read_bytes()
    with pytest.raises(Refused):
        restarted(fed, spec)
    lines = kept.splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], *lines[:0:-1]]))  # the same rows, from the last to the first
    with fed.attending(*"abcd"):
        outcome, _ = fed.run(spec)
    assert outcome.model.digest() == scene.Scene(scene.plan()).run().model.digest()


WRONG = {
    "another version of the federation file": {"membership": 7},
    "another federation file": {"file": bytes(32)},
    "another program": {"code": "0.0.1"},
    "no plan": {"plan": b"{}"},
    "another first model": {"initial": bytes(32)},
    "a head that is none": {"head": b"head"},
}


def wrong(fed, spec):
    """A proposal of each malformed kind."""
    for change in WRONG.values():
        yield proposal(fed, spec, **change)
    yield proposal(fed, scene.other(spec))  # another plan, in the name of the run


def malformed(fed, spec):
    """The same difference, proposals that are wrong in themselves coming in between."""
    me = server(fed)
    with fed.coordinator(spec, RUN, wait=30.0) as (coordinator, journal), fed.attending(*"abcd"):
        coordinator.gather()
        before = opened(coordinator, journal, first(spec))
        appended(fed, spec)
        line = fed.exchange.line(SERVER)
        for one in wrong(fed, spec):
            line.send(site("a"), me.close(site("a"), parcel(RUN, one)), 1.0)
        coordinator.participants.doubt(site("a"))
        return opened(coordinator, journal, first(spec)) - before


def test_server_cannot_make_a_site_read_its_rows_again_by_a_malformed_proposal(fed):
    assert not malformed(fed, quick(scene.plan())).any()  # the site holds the rows that it read


def test_control_a_site_that_drops_its_seat_is_held_by_its_tie_alone(fed, monkeypatch):
    monkeypatch.setattr(consent, "FORM", ())
    with pytest.raises(Refused, match="rows_changed"):
        malformed(fed, quick(scene.plan()))


def test_control_a_site_with_neither_tells_the_appended_row(fed, monkeypatch, untied):
    monkeypatch.setattr(consent, "FORM", ())
    assert recovers(malformed(fed, quick(scene.plan())))


@pytest.mark.parametrize("change", [*WRONG, "another plan"])
def test_a_proposal_that_is_wrong_in_itself_keeps_the_seat_of_a_run_that_goes_on(fed, change):
    spec, me = quick(scene.plan()), server(fed)
    bad = dict(zip([*WRONG, "another plan"], wrong(fed, spec), strict=True))[change]
    with fed.site("a", threading.Event()) as one:
        one._open(me.close(site("a"), parcel(RUN, proposal(fed, spec))))
        part = one._seats[RUN].part
        one._open(me.close(site("a"), parcel(RUN, bad)))
        assert one._seats[RUN].part is part
        one._open(me.close(site("a"), parcel(RUN, proposal(fed, spec))))
        assert one._seats[RUN].part is part
        policy = fed.folder / "a" / "policy.toml"
        policy.write_text(policy.read_text().replace('protect = ["*"]', 'protect = ["clear"]'))
        one._open(me.close(site("a"), parcel(RUN, proposal(fed, spec))))
        assert one._seats == {}  # the control: the owner's own no takes it away


def turned(fed, spec, name="a"):
    """A site's rows, from the last to the first."""
    path = fed.folder / name / "rows.csv"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], *lines[:0:-1]]))


def resumed(fed, plan, change=appended):
    """The outcome of a run whose server and site a were stopped after the first sum, one row being added meanwhile."""
    spec = quick(plan)
    with fed.attending(*"abcd"), fed.coordinator(spec, RUN, wait=30.0) as (coordinator, journal):
        coordinator.gather()
        sums, steps = Sums(spec, coordinator, store=journal), build(spec).lead()
        journal.begin(steps.send(sums(next(steps))))  # the second round has begun, and then the process is gone
    change(fed, spec)
    with fed.attending(*"abcd"):
        return fed.run(spec, wait=30.0)[0]


@pytest.mark.parametrize(
    "privacy", [scene.NONE, pytest.param(scene.SHARED, marks=pytest.mark.slow)], ids=["none", "shared"]
)
def test_a_run_that_was_interrupted_cannot_go_on_over_changed_rows(fed, privacy):
    with pytest.raises(Refused, match=r"a cannot carry it out \(rows_changed\)"):
        resumed(fed, scene.plan(privacy=privacy))


def averaged():
    plan = scene.plan(privacy=scene.NONE)
    return plan.set("training", {"method": "average", "rounds": 2, "epochs": 1, "batch": 8, "rate": 0.5})


@pytest.mark.slow
def test_a_run_of_fedavg_that_was_interrupted_cannot_go_on_over_rows_in_another_order(fed):
    with pytest.raises(Refused, match=r"a cannot carry it out \(rows_changed\)"):
        resumed(fed, averaged(), turned)
    assert any("in the same order (SQL: ORDER BY)" in text for text in fed.heard["a"])


@pytest.mark.slow
def test_control_fedavg_over_rows_whose_order_does_not_count_ends_well_with_a_mixed_model(fed, monkeypatch):
    real = tie.of_table
    monkeypatch.setattr("potluck.tasks.sums.site.of_table", lambda table, key, _: real(table, key))
    mixed = resumed(fed, averaged(), turned).model.digest()
    assert mixed != scene.Scene(averaged()).run().model.digest()  # which has the old order


def test_control_a_run_that_is_not_tied_ends_well_with_a_mixed_model(fed, untied):
    old, mixed = scene.Scene(scene.plan()).run(), resumed(fed, scene.plan())
    frames = scene.frames("abcd")
    frames["a"] = pd.concat([frames["a"], pd.DataFrame([ROW], columns=["x", "z", "y"])])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scene, "frames", lambda names: frames)
        new = scene.Scene(scene.plan()).run()
    assert len({one.model.digest() for one in (old, mixed, new)}) == 3  # of neither day


@pytest.mark.slow
def test_with_noise_a_site_whose_rows_changed_drops_out_and_its_cause_is_named(fed):
    spec = quick(scene.plan(privacy=scene.SHARED))
    with fed.attending(*"bcd"), fed.coordinator(spec, RUN, wait=30.0) as (coordinator, journal):
        sums, steps = Sums(spec, coordinator, store=journal), build(spec).lead()
        with fed.attending("a"):
            coordinator.gather()
            ask = steps.send(sums(next(steps)))
        appended(fed, spec)
        with fed.attending("a"):
            while coordinator.participants.of[site("a")].verdict != "unable":
                coordinator._listen(0.1)
                coordinator._propose()
            answer = sums(ask)
    assert {party.name for party in answer.release.givers} == set("bcd")
    assert sums.log.rounds[1].dropped == {"a": Cause.CHANGED}


def test_in_one_process_the_same_half_refuses_other_rows(monkeypatch):
    """`run` goes through the code that `site run` goes through."""
    seen, of_table = [], tie.of_table

    def changing(table, key, ordered):
        seen.append(key)
        return ByRound(key, of_table(table, key, ordered).digest)

    class ByRound(tie.Tie):
        asked = 0

        def record(self, run):
            ByRound.asked += 1
            digest = self.digest if ByRound.asked <= 4 else bytes(32)
            return tie.Tie(self.key, digest).record(run)

    monkeypatch.setattr("potluck.tasks.sums.together.of_table", changing)
    with pytest.raises(Abort) as caught:
        scene.Scene(scene.plan()).run()
    assert caught.value.cause is Cause.CHANGED
    assert "the rows that it began with" in str(caught.value)
    assert len({key.expose() for key in seen}) == 4  # a key a site, of this run alone


def test_who_reads_a_ledger_cannot_guess_its_rows(fed):
    """The marks of two runs over the same rows have nothing in common, and no guess of the rows gives either."""
    spec = quick(scene.plan())
    with fed.attending(*"abcd"):
        fed.run(spec)
        fed.run(spec, run="cd" * 16)
    with Budget(fed.home("a").ledger) as ledger:
        marks = [ledger.fact(f"rows/{run}") for run in (RUN, "cd" * 16)]
    assert len({*marks}) == 2
    rows = read(open_source(Source(file="rows.csv"), fed.folder / "a", Data(max_rows=1000), "a"), spec, "a")
    guess = tie.of_table(rows, Secret(bytes(32)))
    assert guess.record(RUN).value not in marks
    known = tie.of_table(rows, tie.key_of(fed.home("a").ties))
    assert known.record(RUN).value == marks[0]  # the control: with the key it does
    assert fed.home("a").ties.stat().st_mode & 0o777 == 0o600
