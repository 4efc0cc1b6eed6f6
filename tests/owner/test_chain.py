"""The ledger's chain: no entry can be edited, removed, inserted or moved, by whoever holds the file."""

import contextlib
import resource
import shutil
import sqlite3
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from potluck.core.asks import Kind
from potluck.core.errors import Refused, UsageError
from potluck.core.rounds import CHARGE, Abort, Cause, Record
from potluck.core.wire import dump
from potluck.dp.account import NEIGHBOURS, Cost, event_of, spent
from potluck.owner.budget import YEAR, Budget
from potluck.owner.chain import GENESIS, Head, _mark, follow
from support.examples import examples

HASH = bytes(32)
NOW = 1_700_000_000.0
COST = Cost(2, Kind.TRAIN, "row", NEIGHBOURS, "shared", *event_of(20.0, 1.0, 0.0, False), 1e-6, 1000)
ENTRIES = 12
FIELDS = ("seq", "kind", "run", "key", "value", "at", "hash")


def charge(run="run", number=1) -> Record:
    return Record(f"{CHARGE}{run}/{number}", dump(COST))


def rejoin(budget: Budget, run="run", plan_hash=HASH, unit="row", delta=1e-6, now=NOW) -> None:
    budget.rejoin(run, "a plan", plan_hash, unit, delta, now)


def fill(budget: Budget) -> None:
    """Twelve entries of every kind."""
    rejoin(budget)
    for number in range(3):
        budget.write(Record(f"round/run/{number}", b""))
        budget.write(charge(number=number))
    budget.finish("run")
    rejoin(budget, "exact", unit=None, delta=None)
    budget.write(Record(f"{CHARGE}exact/1", b""))
    rejoin(budget, "left")
    with Budget(budget._path) as owner:
        owner.settle()


@pytest.fixture(scope="module")
def filled(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("chain") / "ledger.sqlite"
    with Budget(path, clock=lambda: NOW + 1) as budget:
        fill(budget)
        assert budget.head().seq == ENTRIES + 1
    return path


@contextlib.contextmanager
def edited(path: Path):
    """A copy of the ledger, edited by someone who knows SQLite: triggers are out of the way, and back afterwards."""
    copy = path.with_name("copy.sqlite")
    shutil.copy(path, copy)
    with contextlib.closing(sqlite3.connect(copy, isolation_level=None)) as db:
        db.execute("PRAGMA synchronous = OFF")
        triggers = db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            db.execute(f"DROP TRIGGER {name}")
        yield copy, db
        for _, sql in triggers:
            db.execute(sql)


def refused(path: Path) -> str:
    before = path.read_bytes()
    with pytest.raises(Refused) as stop:
        Budget(path)
    assert path.read_bytes() == before, "a refused ledger is left as it is"
    assert stop.value.hint
    return stop.value.what


def test_control_a_copy_that_nobody_edited_opens(filled):
    with edited(filled) as (copy, _):
        pass
    with Budget(copy) as one, Budget(filled) as other:
        assert one.history() == other.history()
        assert one.head() == other.head()


NEW = {
    "seq": st.integers(100, 1 << 62),
    "kind": st.sampled_from(["begin", "finish", "settle", "fact"]),
    "run": st.text(st.characters(codec="utf-8"), max_size=8),
    "key": st.text(st.characters(codec="utf-8"), max_size=8),
    "value": st.binary(max_size=80),
    "at": st.floats(allow_nan=False, width=64),
    "hash": st.binary(max_size=33),
}


@settings(max_examples=examples(150))
@given(st.data())
def test_no_field_of_any_entry_can_be_edited(filled, data):
    seq, field = data.draw(st.integers(1, ENTRIES + 1)), data.draw(st.sampled_from(FIELDS))
    value = data.draw(NEW[field])
    with edited(filled) as (copy, db):
        before = db.execute(f"SELECT {field} FROM entries WHERE seq = ?", (seq,)).fetchone()[0]
        if repr(before) == repr(value):
            return
        try:
            db.execute(f"UPDATE entries SET {field} = ? WHERE seq = ?", (value, seq))
        except sqlite3.IntegrityError:  # a unique index was in the way
            return
    what = refused(copy)
    assert what == f"entry {seq} of the ledger is {'missing' if field == 'seq' else 'not what was written'}"


@given(seq=st.integers(1, ENTRIES + 1), byte=st.integers(0, 79), bit=st.integers(0, 7))
def test_not_one_bit_of_a_charge_or_a_hash_can_be_turned(filled, seq, byte, bit):
    for field in ("value", "hash"):
        with edited(filled) as (copy, db):
            raw = bytearray(db.execute(f"SELECT {field} FROM entries WHERE seq = ?", (seq,)).fetchone()[0])
            if not raw:
                continue
            raw[byte % len(raw)] ^= 1 << bit
            db.execute(f"UPDATE entries SET {field} = ? WHERE seq = ?", (bytes(raw), seq))
        assert refused(copy) == f"entry {seq} of the ledger is not what was written"


@pytest.mark.parametrize("seq", range(1, ENTRIES + 1))
def test_an_entry_cannot_be_removed_nor_its_gap_closed(filled, seq):
    with edited(filled) as (copy, db):
        db.execute("DELETE FROM entries WHERE seq = ?", (seq,))
    assert refused(copy) == f"entry {seq} of the ledger is missing"
    with edited(filled) as (copy, db):
        db.execute("DELETE FROM entries WHERE seq = ?", (seq,))
        db.execute("UPDATE entries SET seq = -seq WHERE seq > ?", (seq,))
        db.execute("UPDATE entries SET seq = -seq - 1 WHERE seq < 0")
    assert refused(copy) == f"entry {seq} of the ledger is not what was written"


@pytest.mark.parametrize("seq", [1, 5, ENTRIES])
def test_an_entry_cannot_be_inserted_or_moved(filled, seq):
    with edited(filled) as (copy, db):
        db.execute("UPDATE entries SET seq = -seq WHERE seq >= ?", (seq,))
        db.execute("UPDATE entries SET seq = -seq + 1 WHERE seq < 0")
        db.execute("INSERT INTO entries SELECT ?, 'fact', '', 'new', x'', at, hash FROM entries LIMIT 1", (seq,))
    assert refused(copy) == f"entry {seq} of the ledger is not what was written"
    with edited(filled) as (copy, db):
        for now, then in ((seq, -1), (seq + 1, seq), (-1, seq + 1)):
            db.execute("UPDATE entries SET seq = ? WHERE seq = ?", (then, now))
    assert refused(copy) == f"entry {seq} of the ledger is not what was written"


@pytest.mark.parametrize("seq", [0, -5])
def test_entries_in_front_of_the_first_are_not_overlooked(filled, seq):
    """Numbers below 1 would be skipped by a check that starts at 1, and counted by every query."""
    with edited(filled) as (copy, db):
        db.execute("INSERT INTO entries VALUES (?, 'finish', 'open', '', x'', 1.0, x'')", (seq,))
    assert refused(copy) == "entry 1 of the ledger has another one in front of it"


def test_a_changed_view_or_index_cannot_hide_entries(filled):
    for statements in (
        "DROP VIEW facts; CREATE VIEW facts AS SELECT seq, key, value, run, at FROM entries WHERE 0",
        "DROP VIEW runs; CREATE VIEW runs AS SELECT 1 AS seq, '' AS run, x'' AS value, 1.0 AS began, 'open' AS state",
        "DROP INDEX fact_keys; CREATE INDEX fact_keys ON entries (key) WHERE kind = 'fact'",
        "CREATE TABLE more (x)",
        "CREATE TRIGGER late AFTER INSERT ON entries BEGIN SELECT 1; END",
    ):
        with edited(filled) as (copy, db):
            db.executescript(statements)
        assert "indexes, triggers or views were changed" in refused(copy)


def test_an_index_that_lacks_a_key_does_not_let_it_be_written_again(filled):
    with edited(filled) as (copy, db):
        db.execute("PRAGMA writable_schema = ON")
        kept = db.execute("SELECT sql FROM sqlite_schema WHERE name = 'fact_keys'").fetchone()[0]
        db.execute("DROP INDEX fact_keys")
        db.execute(kept.replace("kind = 'fact'", "kind = 'none'"))
        db.execute("UPDATE sqlite_schema SET sql = ? WHERE name = 'fact_keys'", (kept,))
    assert "not a budget, or is damaged" in refused(copy)


def test_the_file_itself_refuses_changes(filled):
    copy = filled.with_name("own.sqlite")
    shutil.copy(filled, copy)
    with contextlib.closing(sqlite3.connect(copy, isolation_level=None)) as db:
        for statement in (
            "UPDATE entries SET value = x''",
            "DELETE FROM entries",
            "INSERT INTO entries SELECT seq + 100, kind, run, 'new', value, at, hash FROM entries WHERE kind = 'fact'",
        ):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                db.execute(statement)
    with Budget(copy) as budget:
        assert budget.head().seq == ENTRIES + 1


def test_whoever_takes_the_triggers_away_to_edit_is_told_what_was_edited(filled):
    copy = filled.with_name("bare.sqlite")
    for edit, what in (
        ("UPDATE entries SET value = x'00' WHERE seq = 3", "entry 3 of the ledger is not what was written"),
        ("DROP TRIGGER never_updated", "the ledger's indexes, triggers or views were changed"),
        ("DROP VIEW runs", "the ledger's indexes, triggers or views were changed"),
        ("DROP TABLE entries", "is not a budget, or is damaged"),
    ):
        shutil.copy(filled, copy)
        with contextlib.closing(sqlite3.connect(copy, isolation_level=None)) as db:
            if edit.startswith("UPDATE"):
                db.execute("DROP TRIGGER never_updated")
            db.execute(edit)
        assert refused(copy) == what


def test_no_two_entries_hash_alike_by_moving_bytes_between_fields():
    with pytest.raises(Refused):
        follow(GENESIS, [(1, b"fact", b"", b"ab", b"c", 1.0, bytes(32))], "here")
    marks = set()
    for key, value in ((b"ab", b"c"), (b"a", b"bc"), (b"abc", b""), (b"", b"abc")):
        for run in (b"", b"a"):
            for at in (0.0, -0.0, struct.unpack(">d", b"\0" * 7 + b"\1")[0]):
                marks.add(_mark(bytes(32), 1, (b"fact", run, key), value, at))
    assert len(marks) == 24


def test_an_edit_under_a_running_process_is_noticed_before_the_next_entry(tmp_path):
    path = tmp_path / "ledger.sqlite"
    with Budget(path) as budget:
        fill(budget)
        old = path.read_bytes()
        rejoin(budget, "more")
        budget.write(charge("more"))
        path.write_bytes(old)  # in place: the same file, as it was
        with pytest.raises(Abort) as stop:
            budget.write(charge("more", 2))
        assert stop.value.cause is Cause.BUDGET
        assert "while this process used it" in stop.value.detail


# Runs that go on after a crash.


def test_a_site_that_was_killed_takes_up_its_run_without_settling(tmp_path):
    path = tmp_path / "ledger.sqlite"
    with Budget(path) as killed:
        rejoin(killed)
        rejoin(killed, "other")
        killed.write(charge())
        killed.write(charge("other"))
    with Budget(path) as budget:
        assert budget.cut_off() == []
        rejoin(budget, now=NOW + 5)
        budget.write(charge(number=2))
        with pytest.raises(Abort) as stop:
            budget.write(charge())  # the round it had begun
        assert stop.value.cause is Cause.REPLAY
        with pytest.raises(Abort) as stop:
            budget.write(charge("other", 2))  # not taken up by this process
        assert stop.value.cause is Cause.BUDGET
        rejoin(budget, "third")
        budget.write(charge("third"))
        begin = (budget.begin, "in one process", "a plan", HASH, "row", 1e-6, NOW)
        begin[0](*begin[1:])  # joined runs are not cut off: nothing about them is unknown
        assert [row.when for row in budget.history()] == [NOW] * 4
        assert budget.spent_by("run") == pytest.approx(spent([COST] * 2, 1e-6))
        assert budget.spent_by("never") == 0


def test_a_run_cut_off_in_one_process_does_not_stop_a_site_but_still_counts(tmp_path):
    path = tmp_path / "ledger.sqlite"
    with Budget(path) as killed:
        killed.begin("inside", "a plan", HASH, "row", 1e-6, NOW)
        killed.write(charge("inside"))
    with Budget(path) as budget:
        rejoin(budget)
        budget.write(charge())
        assert budget.cut_off() == ["inside"]
        assert budget.spent() == pytest.approx(2 * spent([COST], 1e-6))
        with pytest.raises(Refused, match="begun with another plan"):
            rejoin(budget, "inside")  # its process wrote no markers: nobody knows what left


@pytest.mark.parametrize("change", [{"plan_hash": b"\1" * 32}, {"unit": "person"}, {"delta": 1e-5}, {"delta": None}])
def test_an_open_run_cannot_be_rejoined_as_another(tmp_path, change):
    path = tmp_path / "ledger.sqlite"
    with Budget(path) as killed:
        rejoin(killed)
    with Budget(path) as budget:
        with pytest.raises(Refused, match="begun with another plan"):
            rejoin(budget, **change)
        with pytest.raises(Abort):
            budget.write(charge())
        rejoin(budget)
        budget.write(charge())


def test_a_finished_or_settled_run_cannot_be_rejoined(filled):
    with Budget(filled) as budget:
        before = budget.head()
        for run, state in (("run", "finished"), ("left", "settled")):
            with pytest.raises(Refused, match=f"is {state} here"):
                rejoin(budget, run)
        with pytest.raises(UsageError, match="needs a name"):
            rejoin(budget, "")
        assert budget.head() == before


# Windows of time.


def test_a_yearly_cap_forgets_runs_of_years_ago_and_no_others(tmp_path):
    path, one = tmp_path / "ledger.sqlite", spent([COST], 1e-6)
    come_to = [spent([COST] * count, 1e-6) for count in range(6)]  # runs of one charge each, composed at their delta
    between = [(come_to[i] + come_to[i + 1]) / 2 for i in range(5)]
    now = [NOW]
    with Budget(path, yearly=between[2], delta=1e-6, clock=lambda: now[0]) as budget:
        for number in range(3):
            now[0] = NOW + number * (YEAR / 2 + 1)
            rejoin(budget, f"run {number}", now=now[0])
            budget.write(charge(f"run {number}"))
            budget.finish(f"run {number}")
        # A year and two seconds after the first run: two of three count.
        assert budget.spent() == pytest.approx(3 * one)
        assert budget.spent(now[0] - YEAR) == pytest.approx(2 * one)
        assert budget.composed() == pytest.approx(come_to[3])
        assert budget.composed(now[0] - YEAR) == pytest.approx(come_to[2])
        assert budget.left() == pytest.approx(between[2] - come_to[2])
        rejoin(budget, "more", now=now[0])
        before = budget.head()
        with pytest.raises(Abort) as stop:
            budget.write(charge("more"))
        assert (stop.value.cause, "a year" in stop.value.detail) == (Cause.BUDGET, True)
        assert budget.head() == before, "nothing was written"
        now[0] += YEAR / 2
        budget.write(charge("more"))
    with Budget(path, cap=between[4], yearly=100.0, delta=1e-6, clock=lambda: now[0] + 9 * YEAR) as budget:
        assert budget.left() == pytest.approx(between[4] - come_to[4])  # the tighter of both
        rejoin(budget, "last")
        with pytest.raises(Abort, match="cap"):
            budget.write(charge("last"))


def test_a_run_of_long_ago_counts_while_it_is_open_and_from_its_last_charge(tmp_path):
    path, one = tmp_path / "ledger.sqlite", spent([COST], 1e-6)
    now = [NOW]
    with Budget(path, clock=lambda: now[0]) as budget:
        rejoin(budget)
        budget.write(charge())
        assert budget.spent(NOW + 10) == pytest.approx(one)  # open: it may be charged any time
        now[0] = NOW + 20
        budget.write(charge(number=2))
        now[0] = NOW + 30
        budget.finish("run")
        assert budget.spent(NOW + 10) == budget.spent() > one
        assert budget.spent(NOW + 20) == budget.spent()
        assert budget.spent(NOW + 21) == 0


# Many processes, full disks.

WRITER = """
import sys
from pathlib import Path
from potluck.core.rounds import CHARGE, Record
from potluck.owner.budget import Budget
path, name, value = Path(sys.argv[1]), sys.argv[2], bytes.fromhex(sys.argv[3])
with Budget(path) as budget:
    budget.rejoin(name, "a plan", bytes(32), "row", 1e-6, 1.0)
    for number in range(40):
        budget.write(Record(f"{CHARGE}{name}/{number}", value))
"""


@pytest.mark.slow
def test_processes_that_write_at_once_keep_one_chain(tmp_path):
    path = tmp_path / "ledger.sqlite"
    runs = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), name, dump(COST).hex()], stderr=subprocess.PIPE)
        for name in ("a", "b", "c")
    ]
    for run in runs:
        _, words = run.communicate()
        assert run.returncode == 0, words.decode()
    with Budget(path) as budget:
        assert budget.head().seq == 3 * 41
        assert [row.releases for row in budget.history()] == [40] * 3


FULL = """
import resource, sys
from pathlib import Path
from potluck.core.rounds import CHARGE, Abort, Record
from potluck.owner.budget import Budget
path, value = Path(sys.argv[1]), bytes.fromhex(sys.argv[2])
with Budget(path) as budget:
    budget.rejoin("run", "a plan", bytes(32), "row", 1e-6, 1.0)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 8192, resource.RLIM_INFINITY))
    done = 0
    try:
        for number in range(1000):
            budget.write(Record(f"{CHARGE}run/{number}", value))
            done += 1
    except Abort as stop:
        print(done, budget.head().seq, stop.cause.name, "cannot be used" in stop.detail)
    try:
        budget.write(Record(f"{CHARGE}run/again", value))
    except Abort as stop:
        print(stop.cause.name)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    budget.write(Record(f"{CHARGE}run/space", value))
"""


def test_on_a_full_disk_a_charge_is_refused_and_nothing_is_half_written(tmp_path):
    path = tmp_path / "ledger.sqlite"
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    run = subprocess.run(
        [sys.executable, "-c", FULL, str(path), dump(COST).hex()], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    done, seq, *words = run.stdout.split()
    assert words == ["BUDGET", "True", "BUDGET"]
    assert 0 < int(done) < 1000
    assert int(seq) == int(done) + 1
    with Budget(path) as budget:
        assert budget.head().seq == int(done) + 2
        assert len(budget._costs("run")) == int(done) + 1
        rejoin(budget)
        budget.write(charge(number=2000))


def test_an_entry_outside_a_change_is_a_bug(filled):
    with Budget(filled) as budget, pytest.raises(ValueError, match="within a change"):
        budget._chain.append("fact", "", "key", b"", NOW)


def test_a_failed_change_leaves_the_head_where_it_was(tmp_path):
    with Budget(tmp_path / "ledger.sqlite") as budget:
        rejoin(budget)
        before = budget.head()
        with contextlib.suppress(ZeroDivisionError), budget._chain.change():
            budget._chain.append("fact", "", "key", b"", NOW)
            raise ZeroDivisionError
        assert budget.head() == before == Head(1, before.hash)
        budget.write(charge())
        assert budget.head().seq == 2
