"""An interrupted call of attacks goes on after those that had ended; time that is up makes nothing "failed"."""

import json
import shutil
import time
from functools import partial

import pytest

import potluck
from potluck.api.proof.attack import attack
from potluck.audits.attack import Sort, Verdict
from potluck.audits.trial import LATE, STOPPED, trials
from potluck.cli import potluck as verbs
from potluck.cli.door import run
from potluck.core.errors import UsageError
from support.audits.recorded import seen


class Said:
    """An attack that finds one thing. calls: who was tried, by name."""

    sort, reference = Sort.RECONSTRUCTION, "none"

    def __init__(self, name, calls, nothing=False, seconds=0.0):
        self.name, self.calls, self.nothing, self.seconds = name, calls, nothing, seconds
        self.of = frozenset("b")

    def fits(self, known):
        return None

    def tried(self, known, until):
        self.calls.append(self.name)
        while time.monotonic() < until.when and self.seconds:
            time.sleep(0.01)
        return [] if self.nothing else [self]

    def judged(self, truth):
        return Verdict(True, f"{self.name} was tried", 1 / 3)


@pytest.fixture
def table(monkeypatch):
    """Two attacks of a test in place of the program's, and which were tried."""
    calls = []
    two = Said("one", calls), Said("two", calls)
    monkeypatch.setattr("potluck.api.proof.attack.trials", partial(trials, table=two))
    return calls


@pytest.fixture
def mine(one_row, tmp_path):
    """A run's folder of this test alone, without what others found in it; and its rows."""
    new = shutil.ignore_patterns("attacks.json")
    return shutil.copytree(one_row[0], tmp_path / "run", ignore=new), one_row[2]


def interrupted(name):
    if name.startswith("two"):
        raise KeyboardInterrupt


def test_an_interrupted_call_goes_on_where_it_stopped(mine, table, tmp_path):
    """The control of each is tried as well, so that each name comes twice."""
    folder, rows = mine
    kept = tmp_path / "kept.json"
    first = attack(folder, data=rows)
    whole = first.document
    assert (whole["taken"], first.warnings()) == ([], [])
    table.clear()
    with pytest.raises(KeyboardInterrupt):
        attack(folder, data=rows, resume=kept, progress=interrupted)
    assert table == ["one", "one"]
    assert kept.stat().st_mode & 0o777 == 0o600
    done, said = attack(folder, data=rows, resume=kept, progress=table.append), ["two (2 of 2)", "two", "two"]
    assert (done.document, table) == (whole | {"taken": ["one"]}, ["one", "one", *said])
    (beside,) = json.loads(done.kept.read_text())["calls"]
    assert [(one["name"], one["taken"]) for one in beside["attacks"]] == [("one", True), ("two", False)]
    again = attack(folder, data=rows, resume=kept)
    assert again.document == whole | {"taken": ["one", "two"]}
    assert table == ["one", "one", *said]
    for site in rows.values():  # the file is no place for rows
        assert not [cell for cell in site["u"].astype(str) if cell in kept.read_text()]


def test_an_interrupted_verb_says_how_much_is_kept_and_how_to_go_on(mine, table, tmp_path, monkeypatch, capsys):
    kept = tmp_path / "kept.json"
    stops = partial(trials, table=(Said("one", table), Said("two", table)))
    monkeypatch.setattr(
        "potluck.api.proof.attack.trials", lambda *given, **keys: stops(*given[:4], interrupted, **keys)
    )
    assert run(verbs, ["attack", str(mine[0]), "--resume", str(kept)]) == 130
    said = f"{kept} keeps what 1 came to; the same call, unchanged, goes on after it"
    assert said in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("change", "unlike"),
    [
        pytest.param({"data": None}, "sites with rows here", marks=pytest.mark.slow),
        ({"seed": 1, "minutes": 9.0}, "minutes, seed"),
        pytest.param({"seed": 1}, "seed", marks=pytest.mark.slow),
        pytest.param({"minutes": 1.0}, "minutes", marks=pytest.mark.slow),
        pytest.param({"who": "server,a"}, "parties", marks=pytest.mark.slow),
    ],
)  # fmt: skip
def test_a_file_of_another_call_is_refused_and_what_differs_is_named(
    mine, table, tmp_path, monkeypatch, change, unlike
):
    monkeypatch.chdir(tmp_path)
    folder, rows = mine
    attack(folder, data=rows, resume="kept.json")
    with pytest.raises(UsageError, match="is about something else") as error:
        attack(folder, **{"data": rows, "resume": "kept.json"} | change)
    assert error.value.what.endswith(f": not the same {unlike.replace(', ', ' and ')}")
    assert table == ["one", "one", "two", "two"]


def test_a_file_is_bound_to_the_letters_of_its_record(mine, table, tmp_path):
    folder, rows = mine
    kept, other = tmp_path / "kept.json", tmp_path / "other"
    attack(folder, data=rows, resume=kept)
    shutil.copytree(folder, other)
    assert attack(other, data=rows, resume=kept).results
    (other / "parcels" / "end.json").unlink()
    with pytest.raises(UsageError, match="is about something else"):
        attack(other, data=rows, resume=kept)


def test_what_was_taken_from_the_file_is_said_since_anybody_may_have_written_it(mine, table, tmp_path, capsys):
    """An edited finding is believed, as every file is whose writer is: but never without a word."""
    (folder, rows), kept = mine, tmp_path / "kept.json"
    attack(folder, data=rows, resume=kept)
    kept.write_text(kept.read_text().replace("one was tried", "all is well"))
    done = attack(folder, data=rows, resume=kept)
    assert "all is well" in done.lines()[0]
    assert done.warnings() == [f"two answers were taken from {kept}, and nobody vouches for that file: one and two"]
    assert done.document["taken"] == ["one", "two"]


TORN = ["half", *(pytest.param(one, marks=pytest.mark.slow) for one in ("", "[]", '{"about": 1}', "kind"))]


@pytest.mark.parametrize("torn", TORN)
def test_a_torn_file_is_an_error_and_no_beginning(mine, table, tmp_path, capsys, torn):
    (folder, rows), kept = mine, tmp_path / "kept.json"
    attack(folder, data=rows, resume=kept)
    whole = kept.read_text()
    about = json.loads(whole)["about"]
    made = {"half": whole[:-9], "kind": json.dumps({"about": about, "done": {"one": [{"name": 3}]}})}.get(torn, torn)
    kept.write_text(made)
    table.clear()
    with pytest.raises(UsageError, match="is not what an interrupted call keeps") as error:
        attack(folder, data=rows, resume=kept)
    assert (error.value.where, kept.read_text(), table) == (str(kept), made, [])


def test_a_file_that_cannot_be_made_is_known_before_anything_is_tried(mine, table, tmp_path, capsys):
    assert run(verbs, ["attack", str(mine[0]), "--resume", str(tmp_path / "away" / "kept.json")]) == 2
    said = capsys.readouterr().err
    assert ("cannot be written" in said, table) == (True, [])
    assert run(verbs, ["attack", str(mine[0]), "--resume", str(tmp_path)]) == 2
    assert "cannot be read" in capsys.readouterr().err


@pytest.mark.slow
def test_what_time_did_not_allow_is_undecided_and_never_failed(one_row):
    """One second: the first takes all of it and finds nothing, and nobody begins after it."""
    calls, begun = [], time.monotonic()
    table = [Said("slow", calls, nothing=True, seconds=9), Said("late", calls)]
    slow, late = trials(seen(*one_row[:2], "server"), {}, 1.0, 0, lambda name: None, table)
    assert time.monotonic() - begun < 60
    assert (slow.verdict.succeeded, slow.verdict.words.split("; ")[0]) == (None, STOPPED)
    assert slow.control is None  # it is not said that it fails where nothing protects, which nobody knows
    assert slow.verdict.words.endswith("no control: its time was up (--minutes), so this failure says little")
    assert (late.tried, late.verdict, late.control) == (True, Verdict(None, LATE), None)
    assert "late" not in calls


def test_what_does_not_fit_leaves_its_time_to_the_others(one_row):
    """Two of ten attacks fit: the first has half of the time, and the last all that is left."""
    ends = []

    class Unfit(Said):
        def fits(self, known):
            return "it does not fit"

    class Timed(Said):
        def tried(self, known, until):
            ends.append(until.when - time.monotonic())
            return super().tried(known, until)

    table = [Timed("first", []), *(Unfit("none", []) for _ in range(8)), Timed("last", [])]
    results = list(trials(seen(*one_row[:2], "server"), {}, 1000.0, 0, lambda name: None, table))
    assert [one.tried for one in results] == [True, *[False] * 8, True]
    assert min(ends) > 200  # of one in ten it would be 100
    assert max(ends) > 900


def test_a_call_without_time_says_of_all_attacks_that_they_were_not_begun(mine):
    done = potluck.attack(mine[0], data=mine[1], minutes=1e-9)
    assert {one.verdict.words for one in done.results if one.tried} == {LATE}
    assert not [line for line in done.lines() if line.startswith(("failed", "SUCCEEDED", "no answer"))]
    assert LATE in done.lines()[0]
