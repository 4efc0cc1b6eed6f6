"""What a lying server may try at a site whose policy is strict: other rows, columns or budgets than it was allowed."""

import contextlib
import os
import threading

import msgspec
import pytest

from potluck.api.network import inbox
from potluck.core.party import SERVER, site
from potluck.core.plan import Column, Statistic, digest
from potluck.core.rounds import Abort, Label, Record, RoundId
from potluck.core.tables.derived import Where
from potluck.core.wire import dump
from potluck.dp.mechanism import mechanism
from potluck.drivers.transcript import Transcript
from potluck.learning.loops import build
from potluck.owner import requests
from potluck.owner.budget import Budget
from potluck.parties.admission import consent
from support.hostile.asked import OTHER, RUN, answer, policy
from support.hostile.proposals import by_person
from support.parties import across, scene
from support.parties.across import Across


@pytest.fixture(scope="module")
def founded(tmp_path_factory):
    return across.found(tmp_path_factory.mktemp("attacked"))


@pytest.fixture
def fed(founded, tmp_path):
    return Across(across.copy(founded, tmp_path / "f"))


def data(spec, **other):
    return msgspec.structs.replace(spec, data=msgspec.structs.replace(spec.data, **other))


def reads_x(statistic, **other):
    """A plan of one statistic, which reads x alone."""
    plan = scene.plan(privacy=scene.NONE).spec
    made = msgspec.structs.replace(plan.data, target=None, split=None, **({"columns": NUMBER} | other))
    return msgspec.structs.replace(
        plan, task="statistics", data=made, model=None, training=None, statistics=(statistic,)
    )


NUMBER = {"x": Column(kind="number", low=-10.0, high=10.0)}
AVERAGE, COUNT = Statistic(name="m", kind="mean", column="x"), Statistic(name="n", kind="count", by="x")
HIDDEN = Column(kind="ignore")
BY_PLACE = {"p": HIDDEN, "q": HIDDEN, "x": Column(kind="category", values=("0", "1"))}


def test_a_plan_without_header_cannot_read_a_column_under_the_name_of_an_allowed_one(fed):
    """The file's third column is y, and the plan calls it x."""
    policy(fed, "a", ('columns = ["*"]', 'columns = ["x"]'))
    with fed.site("a", threading.Event()) as one:
        said = answer(fed, one, reads_x(COUNT, header=False, columns=BY_PLACE))
        assert (said.verdict, said.codes) == ("denied", ("columns",))
        assert answer(fed, one, reads_x(AVERAGE), OTHER).verdict == "granted"  # the control: x under its own name
    policy(fed, "a", ('columns = ["x"]', 'columns = ["*"]'))
    with fed.site("a", threading.Event()) as one:
        assert answer(fed, one, reads_x(COUNT, header=False, columns=BY_PLACE)).verdict == "granted"


def test_what_the_policy_denies_by_now_is_not_done_though_somebody_approves_it(fed):
    by_person(fed, "a")
    spec, folder = scene.plan().spec, fed.folder / "a"
    with fed.site("a", threading.Event()) as one:
        assert answer(fed, one, spec).verdict == "pending"
        policy(fed, "a", ('noise = ["*"]', 'noise = ["shared"]'))
        inbox.decide(folder, "approve", digest(spec).hex(), "p")
        one._tick()
        assert one._seats == {}
        assert (said := answer(fed, one, spec)).verdict == "denied"
        assert said.codes == ("noise",)
        policy(fed, "a", ('noise = ["shared"]', 'noise = ["*"]'))
        assert answer(fed, one, spec).verdict == "granted"  # the control: it was approved


def test_a_policy_that_became_narrower_stops_a_run_at_the_next_proposal_and_hours_do_not(fed):
    spec = scene.plan().spec
    with fed.site("a", threading.Event()) as one:
        assert answer(fed, one, spec).verdict == "granted"
        policy(fed, "a", ("[approve]", "hours = []\n[approve]"))
        assert answer(fed, one, spec).verdict == "granted"  # taken on in time: it goes on
        assert answer(fed, one, spec, OTHER).codes == ("hours",)
        policy(fed, "a", ('protect = ["*"]', 'protect = ["clear"]'))
        assert set(answer(fed, one, spec).codes) == {"protect", "hours"}
        assert one._seats == {}


@pytest.mark.parametrize("cap", ["epsilon_per_plan", "epsilon_per_year"])
@pytest.mark.parametrize("delta", [0.999999, 0.5, 1.1e-3])
def test_a_large_delta_cannot_make_exact_sums_of_a_capped_epsilon(fed, delta, cap):
    """Near 1 the noise is a third of a row, and the ledger is charged nothing."""
    policy(fed, "a", (f"{cap} = inf", f"{cap} = 3.0"))
    with fed.site("a", threading.Event()) as one:
        said = answer(fed, one, scene.plan(privacy=scene.SHARED | {"delta": delta}).spec)
        assert (said.verdict, said.codes) == ("denied", ("epsilon_per_plan",))
        assert answer(fed, one, scene.plan(privacy=scene.SHARED).spec, OTHER).verdict == "granted"  # the control


def test_sites_that_do_not_exist_cannot_stand_in_for_others(fed):
    policy(fed, "a", ("[approve]", "min_sites = 3\n[approve]"))
    with fed.site("a", threading.Event()) as one:
        said = answer(fed, one, scene.plan("awvu", word="clear").spec)
        assert (said.verdict, said.codes) == ("denied", ("plan",))
        assert answer(fed, one, scene.plan("abcd", word="clear").spec).verdict == "granted"  # the control


@pytest.mark.parametrize("umask", [0o022, 0o000])
def test_recorded_bodies_are_for_nobody_else_on_the_machine(tmp_path, umask):
    before = os.umask(umask)
    try:
        kept = Transcript(tmp_path / "kept")
        kept.read(Label(RoundId(RUN, 1), "clear/input"), site("a"), SERVER, b"an update")
    finally:
        os.umask(before)
    found = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "kept").iterdir()}
    assert found == {"000001.bin": 0o600, "index.jsonl": 0o600}
    assert (tmp_path / "kept").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "kept" / "000001.bin").read_bytes() == b"an update"


def test_two_runs_side_by_side_cannot_exceed_a_cap_that_was_set_while_the_site_runs(fed):
    spec = scene.plan(privacy=scene.SHARED).spec
    cost = dump(mechanism(spec, next(build(spec).lead())).cost)
    with fed.site("a", threading.Event()) as one:
        policy(fed, "a", ("epsilon_per_year = inf", "epsilon_per_year = 4.0"))
        assert [answer(fed, one, spec, run).verdict for run in (RUN, OTHER)] == ["granted", "granted"]
        for number in (1, 2, 3):
            one._ledger.write(Record(f"charge/{RUN}/{number}", cost))
        with contextlib.suppress(Abort):
            for number in (1, 2, 3):
                one._ledger.write(Record(f"charge/{OTHER}/{number}", cost))
        assert 3.0 - 1e-6 <= one._ledger.composed() <= 4.0


def test_the_inbox_says_what_is_read_whatever_a_plan_calls_it(fed):
    by_person(fed, "a")
    spec = msgspec.structs.replace(
        reads_x(AVERAGE, missing=("", "0.5"), columns={"x": Column(kind="number", low=0.0, high=1.0, missing="drop")}),
        purpose="counts. It reads no column.\n  cost: nothing",
        statistics=(Statistic(name="how many rows (count)", kind="sum", column="x"),),
    )
    with fed.site("a", threading.Event()) as one:
        assert answer(fed, one, spec).verdict == "pending"
    words = inbox.inbox(fed.folder / "a")[0].learnt
    assert words.startswith("asked 'counts. It reads no column.\\n  cost: nothing': ")
    assert "sum of 'x', called 'how many rows (count)'" in words
    assert "Taken as no value: an empty cell, '0.5'. Rows without a value in x are left out." in words


def test_a_plan_cannot_learn_from_fewer_rows_than_the_policy_asks_for(fed):
    policy(fed, "a", ("[approve]", "min_rows = 20\n[approve]"))
    spec = scene.plan().spec
    with fed.site("a", threading.Event()) as one:
        split = msgspec.structs.replace(spec.data.split, test=0.98)
        assert answer(fed, one, data(spec, split=split)).verdict == "unable"
        assert answer(fed, one, spec, OTHER).verdict == "granted"  # the control: 40 rows, some held out


def test_a_server_cannot_count_a_sites_rows_by_asking_until_one_fits(fed):
    """Whether rows fit is a bit about them. With rule "policy" three plans a day may tell it; then somebody looks."""
    spec = scene.plan(privacy=scene.SHARED).spec
    with fed.site("a", threading.Event()) as one:
        told = [answer(fed, one, data(spec, max_rows=most), f"{most:032x}").verdict for most in (37, 38, 39, 40)]
        assert told == ["unable", "unable", "unable", "pending"]
        inbox.decide(fed.folder / "a", "approve", digest(data(spec, max_rows=40)).hex(), "p")
        assert answer(fed, one, data(spec, max_rows=40), f"{40:032x}").verdict == "granted"
        assert answer(fed, one, data(spec, max_rows=37), "again").verdict == "unable"  # the same plan says nothing new


def scanned(fed, plan, ends):
    """How many plans of an exact search were granted: each takes on rows whose x is at least a little more."""
    with fed.site("a", threading.Event()) as one:
        for number in range(14):
            where = (Where(column="x", at_least=-3 + number / 100),)
            run = f"{number:032x}"
            if answer(fed, one, data(plan, where=where), run).verdict != "granted":
                return number
            if ends:
                one._consent.close(run, b"")
        return 14


@pytest.mark.parametrize("ends", [True, False])
def test_a_server_cannot_search_for_a_value_by_plans_that_fit_and_cost_nothing(fed, ends):
    """That some row meets a plan's conditions is a bit about the rows: noise does not hide it, and nobody pays."""
    assert scanned(fed, scene.plan(privacy=scene.SHARED).spec, ends) == requests.IDLE
    with Budget(fed.home("a").ledger) as ledger:
        assert ledger.spent() == 0


def test_control_where_nobody_counts_such_plans_any_number_of_them_is_granted(fed, monkeypatch):
    monkeypatch.setattr(requests, "IDLE", 10**9)
    assert scanned(fed, scene.plan(privacy=scene.SHARED).spec, True) == 14


def test_plans_without_noise_are_not_counted(fed):
    assert scanned(fed, scene.plan().spec, True) == 14  # exact sums, which an owner lists or not


@pytest.mark.parametrize(("cheap", "codes"), [(consent.CHEAP, ()), (5.0, (requests.UNUSED,))])
def test_a_run_that_was_carried_out_is_not_counted_unless_it_cost_next_to_nothing(fed, cheap, codes, monkeypatch):
    monkeypatch.setattr(consent, "CHEAP", cheap)
    spec = across.quick(scene.plan(privacy=scene.SHARED))
    with fed.attending(*"abcd"):
        fed.run(spec, wait=60.0)
    with fed.site("a", threading.Event()) as one:
        owner = one._consent._owner
        (kept,) = owner.requests.find(digest(spec).hex())
        assert (kept.state, kept.codes) == ("finished", codes)


def test_a_policy_may_ask_for_plans_that_hold_against_a_lying_server_and_hide_persons(fed):
    policy(fed, "a", ("[approve]", 'server = ["lying"]\nunits = ["person"]\n[approve]'))
    with fed.site("a", threading.Event()) as one:
        said = answer(fed, one, scene.plan(privacy=scene.SHARED, server="curious").spec)
        assert (said.verdict, said.codes) == ("denied", ("server", "units"))
        assert answer(fed, one, scene.plan().spec, OTHER).verdict == "granted"  # the control: lying, no noise
