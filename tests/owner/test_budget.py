"""A site's ledger: what left is never forgotten, never written twice, and a crash is never papered over."""

import os
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from potluck.core.asks import Kind
from potluck.core.errors import Refused, UsageError
from potluck.core.rounds import CHARGE, Abort, Cause, Record
from potluck.core.wire import dump
from potluck.dp.account import NEIGHBOURS, Cost, calibrate_sampled, event_of, spent
from potluck.dp.events import SampledGauss
from potluck.owner.budget import Budget

HASH = bytes(32)
NOW = 1_700_000_000.0


def cost(phase=Kind.TRAIN, unit="row", sigma=20.0, releases=20, delta=1e-6) -> Cost:
    return Cost(2, phase, unit, NEIGHBOURS, "shared", *event_of(sigma, 1.0, 0.0, False), delta, releases)


def charge(run="run", number=1, value=None) -> Record:
    return Record(f"{CHARGE}{run}/{number}", dump(value or cost()))


def begin(budget: Budget, run="run", unit="row", delta=1e-6, now=NOW) -> None:
    budget.begin(run, "a plan", HASH, unit, delta, now)


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "ledger" / "site.sqlite"


@pytest.fixture
def budget(path):
    with Budget(path) as opened:
        yield opened


def refused(budget: Budget, record: Record) -> Abort:
    with pytest.raises(Abort) as stop:
        budget.write(record)
    return stop.value


def test_only_the_owner_reads_the_file(path, budget):
    begin(budget)
    budget.write(charge())
    modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in path.parent.iterdir()}
    assert modes == {path.name: 0o600, f"{path.name}-journal": 0o600}
    budget.close()
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_a_charge_is_on_the_disk_before_write_returns(path, budget):
    begin(budget)
    budget.write(charge())
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as other:
        assert other.execute("SELECT count(*) FROM facts").fetchone() == (1,)
    other.close()
    assert budget._chain._db.execute("PRAGMA synchronous").fetchone() == (3,)  # EXTRA


def test_a_key_is_written_once_ever_across_processes(path, budget):
    begin(budget)
    budget.write(charge())
    assert refused(budget, charge()).cause is Cause.REPLAY
    budget.finish("run")
    with Budget(path) as later:
        assert refused(later, charge()).cause is Cause.REPLAY
        assert refused(later, Record(charge().key, b"other")).cause is Cause.REPLAY


def test_a_repeated_decision_may_be_written_again_but_not_changed(budget):
    budget.write(Record("step/run/1", b"model", again=True))
    budget.write(Record("step/run/1", b"model", again=True))
    assert refused(budget, Record("step/run/1", b"other", again=True)).cause is Cause.REPLAY
    assert refused(budget, Record("step/run/1", b"model")).cause is Cause.REPLAY


def test_records_that_are_written_together_are_durable_up_to_the_one_that_is_refused(path, budget):
    begin(budget)
    budget.write(Record("round/run/1", b""), charge())
    with pytest.raises(Abort) as stop:
        budget.write(Record("round/run/2", b""), charge(), Record("step/run/2", b""))
    assert stop.value.cause is Cause.REPLAY
    with Budget(path) as later:
        assert [later.fact(key) for key in ("round/run/1", "round/run/2", "step/run/2")] == [b"", b"", None]


def test_spent_is_the_composition_of_what_was_charged(budget):
    begin(budget)
    for number in range(5):
        budget.write(charge(number=number))
    assert budget.spent() == pytest.approx(spent([cost()] * 5, 1e-6))
    budget.finish("run")
    begin(budget, "second", delta=1e-5, now=NOW + 1)
    budget.write(charge("second"))
    assert budget.spent() == pytest.approx(spent([cost()] * 5, 1e-6) + spent([cost()], 1e-5))
    rows = budget.history()
    assert [(row.run, row.releases, row.state, row.unit, row.delta, row.when) for row in rows] == [
        ("run", 5, "finished", "row", 1e-6, NOW),
        ("second", 1, "open", "row", 1e-5, NOW + 1),
    ]
    assert sum(row.epsilon for row in rows) == pytest.approx(budget.spent())


def test_a_sum_without_noise_is_recorded_and_costs_nothing(budget):
    budget.begin("exact", "a plan", HASH, None, None, NOW)
    budget.write(Record(f"{CHARGE}exact/1", b""))
    assert refused(budget, Record(f"{CHARGE}exact/1", b"")).cause is Cause.REPLAY
    assert budget.spent() == 0
    assert budget.cut_off() == []


def test_the_cap_is_checked_before_the_charge_is_written(path):
    cap = spent([cost()] * 3, 1e-6)
    with Budget(path, cap, delta=1e-6) as budget:
        begin(budget)
        for number in range(3):
            budget.write(charge(number=number))
        assert budget.left() == pytest.approx(0, abs=1e-9)
        stop = refused(budget, charge(number=3))
        assert stop.cause is Cause.BUDGET
        assert "cap" in stop.detail
        assert len(budget._costs("run")) == 3
        assert budget.composed() == pytest.approx(budget.spent())
        assert budget.composed() <= cap
        assert budget.left(cap + 1) == pytest.approx(1)
    with Budget(path) as uncapped:
        assert uncapped.left() is None


def test_a_server_cannot_ask_for_more_sums_than_the_plan_paid_for(budget):
    begin(budget)
    for number in range(2):
        budget.write(charge(number=number, value=cost(releases=2)))
    stop = refused(budget, charge(number=2, value=cost(releases=2)))
    assert (stop.cause, "redo" in stop.detail) == (Cause.BUDGET, True)
    budget.write(charge(number=3, value=cost(Kind.EVALUATE, releases=1)))


@pytest.mark.parametrize(
    "record",
    [
        charge("never begun"),
        charge(value=cost(unit="site")),
        charge(value=cost(delta=1e-5)),
        Record(f"{CHARGE}run/1", b"nonsense"),
        Record(f"{CHARGE}run/1", dump(cost())[:-1]),
        Record(f"{CHARGE}run", dump(cost())),
    ],
    ids=["run", "unit", "delta", "bytes", "short", "key"],
)
def test_a_charge_that_is_not_of_this_run_is_refused_and_not_written(budget, record):
    begin(budget)
    assert refused(budget, record).cause in (Cause.BUDGET, Cause.MALFORMED)
    assert budget.spent() == 0


def test_a_charge_that_is_refused_leaves_what_was_written_before_it(path):
    with Budget(path) as crashed:
        begin(crashed)
        crashed.write(charge())
    marker = Record("round/next/1", b"")
    with Budget(path) as budget:
        with pytest.raises(Abort) as stop:
            budget.write(marker, charge("next"))  # the run that was cut off is to be settled first
        assert stop.value.cause is Cause.BUDGET
        assert "settle" in str(stop.value.detail)
        assert refused(budget, marker).cause is Cause.REPLAY


def test_a_finished_run_takes_no_charge_and_does_not_begin_again(budget):
    begin(budget)
    budget.write(charge())
    budget.finish("run")
    assert refused(budget, charge(number=2)).cause is Cause.BUDGET
    with pytest.raises(Refused, match="has run before"):
        begin(budget)


def test_after_a_crash_everything_is_refused_until_the_owner_settles(path):
    with Budget(path) as crashed:
        begin(crashed)
        crashed.write(charge())
        before = crashed.spent()
    with Budget(path) as budget:
        assert budget.cut_off() == ["run"]
        with pytest.raises(Refused, match=r"settle it first. hint: potluck budget --ledger .* --settle"):
            begin(budget, "next")
        with pytest.raises(Refused, match="settle"):
            begin(budget)
        assert budget.settle() == ["run"]
        assert budget.spent() == before > 0
        begin(budget, "next", now=NOW + 1)
        budget.write(charge("next"))
        assert [row.state for row in budget.history()] == ["settled", "open"]
        assert budget.settle() == []  # what this process runs is not cut off


def test_a_run_that_is_cut_off_while_another_is_open_stops_the_other(path, budget):
    begin(budget)
    with Budget(path) as other:
        begin(other, "other")
        other.write(charge("other"))
    stop = refused(budget, charge())
    assert (stop.cause, "settle" in stop.detail) == (Cause.BUDGET, True)


def test_a_run_cut_off_before_it_charged_may_begin_again(path):
    with Budget(path) as crashed:
        begin(crashed)
    with Budget(path) as budget:
        with pytest.raises(Refused):
            budget.begin("run", "another plan", HASH, "row", 1e-6, NOW)
        begin(budget)
        budget.write(charge())


def test_settled_under_its_feet_a_running_process_charges_nothing_more(path, budget):
    begin(budget)
    budget.write(charge())
    with Budget(path) as other:
        assert other.settle() == ["run"]
    assert refused(budget, charge(number=2)).cause is Cause.BUDGET


CRASH = """
import os, signal, sys
from pathlib import Path
from potluck.core.asks import Kind
from potluck.core.desk import Desk
from potluck.core.party import SERVER, site
from potluck.core.rounds import CHARGE, Exchange, Label, Parcel, Record, RoundId
from potluck.core.wire import dump
from potluck.dp.account import NEIGHBOURS, Cost, event_of
from potluck.owner.budget import Budget

path, out, point = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
end = (lambda: os._exit(9)) if sys.argv[4] == "exit" else (lambda: os.kill(os.getpid(), signal.SIGKILL))
me, label = site("a"), Label(RoundId("run", 1), "mask/input")
value = dump(Cost(2, Kind.TRAIN, "row", NEIGHBOURS, "shared", *event_of(20.0, 1.0, 0.0, False), 1e-6, 20))

def half():
    yield Exchange(label, send={SERVER: Parcel(label, b"x")}, record=Record(f"{CHARGE}run/1", value), contributes=True)

class Dying(Budget):
    def write(self, record):
        if point == "before": end()
        super().write(record)
        if point == "written": end()

def seal(to, parcel):
    if point == "sealing": end()
    return parcel.body

budget = Dying(path)
budget.begin("run", "a plan", bytes(32), "row", 1e-6, 1.0)
if point == "inside":
    # After the row is written and before the transaction is committed.
    budget._chain._db.create_function("crash", 0, end)
    budget._chain._db.execute("CREATE TEMP TRIGGER t AFTER INSERT ON main.entries BEGIN SELECT crash(); END")
desk = Desk(me, RoundId("run", 1), half(), seal, lambda data: (SERVER, Parcel(label, data)), budget)
letters = desk.start()
if point == "unsent": end()
out.write_bytes(letters[0].data)
if point == "sent": end()
"""


@pytest.mark.parametrize("how", [pytest.param("exit", marks=pytest.mark.slow), "kill"])
@pytest.mark.parametrize("point", ["before", "inside", "written", "sealing", "unsent", "sent"])
def test_a_killed_process_never_loses_the_charge_of_what_left(path, tmp_path, point, how):
    out = tmp_path / "letter"
    run = subprocess.run(
        [sys.executable, "-c", CRASH, str(path), str(out), point, how], capture_output=True, text=True, check=False
    )
    assert run.returncode == (9 if how == "exit" else -signal.SIGKILL), run.stderr
    charged = point not in ("before", "inside")
    assert out.exists() == (point == "sent")
    with Budget(path) as budget:
        # Nothing leaves without a charge; a charge may stay although nothing left.
        assert (budget.spent() > 0) == charged
        assert budget.spent() > 0 or not out.exists()
        if charged:
            with pytest.raises(Refused, match="settle"):
                begin(budget, "next")
            assert budget.settle() == ["run"]
            assert budget.spent() == pytest.approx(spent([cost()], 1e-6))
        begin(budget, "next")
        budget.write(charge("next"))


STREAM = """
import sys
from pathlib import Path
from potluck.core.rounds import CHARGE, Record
from potluck.owner.budget import Budget
budget = Budget(Path(sys.argv[1]))
budget.begin("run", "a plan", bytes(32), "row", 1e-6, 1.0)
value = bytes.fromhex(sys.argv[2])
for number in range(10_000):
    budget.write(Record(f"{CHARGE}run/{number}", value))
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
"""


@pytest.mark.parametrize("after", [1, 7, 20])
def test_a_process_killed_at_any_moment_keeps_every_charge_it_reported(path, after):
    value = dump(cost(releases=100_000)).hex()
    process = subprocess.Popen([sys.executable, "-c", STREAM, str(path), value], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for _ in range(after):
        process.stdout.readline()
    os.kill(process.pid, signal.SIGKILL)
    reported = after + len(process.stdout.read().split())
    process.stdout.close()
    process.wait()
    with Budget(path) as budget:
        assert reported <= len(budget._costs("run")) <= reported + 1
        assert budget.cut_off() == ["run"]


def test_a_file_that_is_not_a_budget_is_left_as_it_is(tmp_path):
    texts = {
        "text": b"epsilon = 1\n" * 100,
        "empty": b"",
        "short": b"SQLite format 3\0",
    }
    for name, content in texts.items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(Refused, match="not a budget"):
            Budget(path)
        assert path.read_bytes() == content


def test_another_programs_database_is_left_as_it_is(tmp_path):
    path = tmp_path / "other.sqlite"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE runs (x)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(Refused, match="not a budget"):
        Budget(path)
    assert path.read_bytes() == before


def test_a_later_version_is_refused(path):
    Budget(path).close()
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA user_version = 3")
    other.close()
    with pytest.raises(Refused, match=r"version 3.*later Potluck"):
        Budget(path)


def test_a_damaged_budget_is_refused(path):
    with Budget(path) as budget:
        begin(budget)
        for number in range(20):
            budget.write(charge(number=number))
        budget.finish("run")
    content = bytearray(path.read_bytes())
    content[4096 : 4096 + 64] = b"\xff" * 64
    path.write_bytes(content)
    with pytest.raises(Refused, match="damaged"), Budget(path) as budget:
        budget.spent()
    assert path.read_bytes() == content


def test_an_earlier_version_is_refused_and_left_as_it_is(path):
    path.parent.mkdir()
    with sqlite3.connect(path) as old:
        old.execute("CREATE TABLE runs (run TEXT PRIMARY KEY)")
        old.execute(f"PRAGMA application_id = {0x504C4B42}")
        old.execute("PRAGMA user_version = 1")
    old.close()
    before = path.read_bytes()
    with pytest.raises(Refused, match=r"version 1.*earlier Potluck wrote it: move it away"):
        Budget(path)
    assert path.read_bytes() == before


def test_a_charge_that_is_no_cost_is_not_skipped(path):
    """Whoever computes all hashes again passes the chain; what the entries say must still make sense."""
    with Budget(path) as budget:
        begin(budget)
        with budget._chain.change():
            budget._chain.append("fact", "run", f"{CHARGE}run/1", b"\0", NOW)
    with Budget(path) as budget, pytest.raises(Refused, match="damaged"):
        budget.spent()


def test_a_folder_in_its_place_or_no_way_to_write_is_the_users_to_mend(tmp_path):
    with pytest.raises(UsageError, match="not a file"):
        Budget(tmp_path)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UsageError, match="cannot be used"):
        Budget(tmp_path / "file" / "site.sqlite")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_the_users_to_mend(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(UsageError, match="cannot be used"):
        Budget(tmp_path / "site.sqlite")


def test_a_full_disk_is_an_abort_and_no_charge(path):
    with Budget(path) as budget:
        begin(budget)
        pages = budget._chain._db.execute("PRAGMA page_count").fetchone()[0]
        budget._chain._db.execute(f"PRAGMA max_page_count = {pages}")
        full = refused(budget, Record("step/" + "x" * 100_000, b"model"))
        assert full.cause is Cause.BUDGET
        assert "full" in full.detail


def test_a_locked_file_is_an_abort_and_no_charge(path, budget):
    begin(budget)
    budget._chain._db.execute("PRAGMA busy_timeout = 10")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert refused(budget, charge()).cause is Cause.BUDGET
    other.execute("ROLLBACK")
    other.close()
    budget.write(charge())


def test_two_processes_that_make_the_same_file_share_it(path):
    with Budget(path) as one, Budget(path) as two:
        begin(one)
        begin(two, "other")
        one.write(Record("opened/x", b"1"))
        assert refused(two, Record("opened/x", b"1")).cause is Cause.REPLAY


def test_runs_of_drawn_rows_are_charged_and_capped_like_others(path):
    """The one run that a cap was written for passes, whole; another does not, nor one that would follow its first sum;
    beside a larger cap both do."""
    drawn = Cost(2, Kind.TRAIN, "row", NEIGHBOURS, "shared", SampledGauss(calibrate_sampled(1.0, 1e-6, 4, 0.1), 0.1),
                 1e-33, 1e-6, 4)  # fmt: skip
    for cap, passes in ((1.0, False), (2.0, True)):
        place = path.with_name(f"{cap}.sqlite")
        with Budget(place, cap, delta=1e-6) as budget:
            begin(budget)
            budget.write(charge(value=drawn))
            budget.finish("run")
            begin(budget, "second", now=NOW + 1)
            if passes:
                budget.write(charge("second", value=drawn))
                assert 1.0 < budget.composed() <= budget.composed(cap=cap) <= cap
            else:
                assert refused(budget, charge("second", value=drawn)).cause is Cause.BUDGET
                assert refused(budget, charge("second", 2, cost(sigma=1e3))).cause is Cause.BUDGET
        with Budget(place, 5.0, delta=1e-6) as later:
            assert later.history()[0].epsilon == pytest.approx(spent([drawn], 1e-6))
    with Budget(path, 1.0, delta=1e-6) as budget:
        begin(budget)
        for number in range(4):
            budget.write(charge(number=number, value=drawn))
        assert refused(budget, charge(number=4, value=drawn)).cause is Cause.BUDGET
        assert 0.99 < budget.spent() <= 1.0
        assert budget.composed(cap=1.0) <= 1.0
        assert budget.course("run") == tuple((sums, spent([drawn] * sums, 1e-6)) for sums in (1, 2, 3, 4))
        assert budget.course("run", 2) == budget.course("run")[1::2]
        assert budget.course("another") == ()
