"""A server that says two things is told from one that does not; and what it gets where sites answer it."""

import json
from dataclasses import replace

import numpy as np
import pytest

import potluck
from potluck.audits.aggregation.equivocation import EQUIVOCATION
from potluck.audits.attack import Until
from potluck.audits.reconstruction.analytic import ANALYTIC
from potluck.audits.record import Record
from potluck.audits.seen import seen_by
from potluck.core.errors import UsageError
from potluck.core.plan import digest
from potluck.core.rounds import Abort, Cause
from potluck.core.seeded import generator
from potluck.core.wire import dump, load
from potluck.drivers.memory import Memory, new_run
from potluck.drivers.sums import Sums, drive
from potluck.drivers.transcript import Transcript
from potluck.learning.data.table import read
from potluck.learning.loops import build
from potluck.mpc.mask import messages as m
from potluck.tasks.announcement import Announcement
from potluck.tasks.sums import halves
from potluck.tasks.sums.protections import row
from potluck.tasks.sums.together import Together
from support.audits.recorded import changed, frames, plan, seen

FOREVER = Until(float("inf"), generator(0))


def verdict(known):
    assert EQUIVOCATION.fits(known) is None
    (found,) = EQUIVOCATION.tried(known, FOREVER)
    return found.judged({})


def altered(masked, tmp_path, to, step, alter, number=2):
    """The record in which the letter of this step to one party says another thing."""

    def body(line, old):
        return alter(old) if (line["to"], line["step"], line["round"]) == (to, step, number) else old

    return seen(changed(masked[0], tmp_path / "run", body), masked[1], "a", "b")


def another_model(body):
    said = load(body, Announcement)
    numbers = np.frombuffer(said.state, "<f8") + 0.25
    return dump(Announcement(said.plan, said.kind, said.step, memoryview(numbers.tobytes())))


def another_set(body):
    said = load(body, m.Survivors)
    return dump(m.Survivors(said.dealers, said.givers[:-1]))


def another_key(body):
    said = load(body, m.Roster)
    return dump(m.Roster(said.server[::-1], said.listed))


def test_an_honest_server_said_one_thing_and_the_control_finds_a_liar(masked, only):
    only(EQUIVOCATION)
    found = {one.name: one for one in potluck.attack(masked[0], "a,b").results}["equivocation"]
    assert found.verdict.succeeded is False
    looked = (
        "the keys of a round, the model of a step and the sites whose words count (three rounds, no step asked twice)"
    )
    assert f"the server contradicted itself nowhere: {looked}" in found.verdict.words
    assert found.control


@pytest.mark.parametrize(
    "word", ["mask", *(pytest.param(one, marks=pytest.mark.slow) for one in ("clear", "he", "tee"))]
)
def test_no_honest_server_is_accused(tmp_path, word):
    spec = plan(word)
    run = potluck.run(spec, frames(2), out=tmp_path / "run", record=True)
    for who in (("a", "b"), ("server", "a"), ("a", "b", "c", "server")):
        assert verdict(seen(run.folder, spec, *who)).succeeded is False
    told = seen(run.folder, spec, "a", "b").told
    assert ("the sites whose words count" in {one.what for one in told}) == (word != "clear")


@pytest.mark.parametrize(
    ("step", "alter", "what"),
    [
        ("begin", another_model, "the model of a step"),
        (m.SURVIVORS, another_set, "the sites whose words count"),
        (m.ROSTER, another_key, "the keys of a round"),
    ],
)
def test_two_things_to_two_sites_are_seen(masked, tmp_path, step, alter, what):
    it = verdict(altered(masked, tmp_path, "b", step, alter))
    assert it.succeeded
    assert f"it said {what} in 2 ways (round " in it.words


def test_what_is_unlike_by_damage_is_named(masked, tmp_path):
    folder = changed(masked[0], tmp_path / "run", lambda line, body: body)
    index = folder / "parcels" / "index.jsonl"
    lines = [json.loads(line) for line in index.read_text().splitlines()]
    (line,) = [one for one in lines if (one["to"], one["step"], one["round"]) == ("b", "begin", 2)]
    line["sha256"] = "0" * 64
    index.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(UsageError, match="not those of the index"):
        seen(folder, masked[1], "a", "b")


def test_a_party_that_read_nothing_twice_says_so(masked):
    known = seen(masked[0], masked[1], "a")
    one = replace(known, told=tuple(one for one in known.told if one.round == 1 and one.what == "the model of a step"))
    assert EQUIVOCATION.fits(one) == "these parties read nothing twice that has to be alike"


def parties(tmp_path, word="mask", **memory):
    """A plan of three sites of which one may drop out; all its parties, in memory and recorded; and their rows."""
    spec = plan(word).set("federation.dropouts", 1).spec
    frame = frames(1)
    tables = {site: read(frame[site.name], spec, site.name) for site in spec.sites}
    kept = Memory(spec.sites, digest(spec), transcript=Transcript(tmp_path), **memory)
    return spec, Together(spec, build(spec), row(spec).build(spec, None), tables, kept, new_run()), tables


def test_an_honest_server_that_a_site_left_is_not_accused(tmp_path):
    """It names fewer sites in a later exact round. They refuse."""
    spec, together, _ = parties(tmp_path, vanish=lambda who, of, step: (who.name, of.number, step) == ("c", 2, m.INPUT))
    with pytest.raises(Abort, match="already used"):
        drive(build(spec), Sums(spec, together))
    for who in ("a", "b"), ("server",), ("server", "a"):
        known = seen_by(Record.read(tmp_path), spec, who)
        assert {1, 2} <= {one.round for one in known.told}
        assert EQUIVOCATION.fits(known) is not None or not verdict(known).succeeded
    assert "no step asked twice" in verdict(seen_by(Record.read(tmp_path), spec, ("a", "b"))).words


def asked_twice(tmp_path, later=False):
    """The first sum under masks, and again (or the next one) as if site c had left, each by all parties' own halves:
    what came of both, and what the server knows."""
    spec, together, tables = parties(tmp_path)
    steps = build(spec).lead()
    ask = next(steps)
    first = together.attempt(ask, 1, {}, frozenset())
    ask = steps.send(first.answer) if later else ask
    second = together.attempt(ask, 2, {spec.sites[-1]: Cause.SILENT}, frozenset())
    return first, second, seen_by(Record.read(tmp_path), spec, {"server"}), tables


@pytest.mark.parametrize("later", [False, True])
def test_sites_open_no_sum_a_second_time_over_fewer_nor_the_next_one(tmp_path, later):
    """Rounds over other sites each would be solved for single updates: Lam and others 2021, arXiv 2106.03328."""
    first, second, known, _ = asked_twice(tmp_path, later)
    assert first.abort is None
    assert second.abort.cause is Cause.REPLAY
    assert [one.of for one in known.sums] == [{"a", "b", "c"}]
    again = "no step asked twice" if later else "one step asked again"
    assert again in verdict(seen_by(Record.read(tmp_path), known.plan, {"a", "b"})).words


def test_sites_that_would_give_away_the_row_of_whoever_left(tmp_path, monkeypatch):
    """The seeded fault: each round is a release of its own, as only noise allows."""
    right = halves.terms
    weak = lambda *about: replace(right(*about), once=f"{about[1].number}")  # noqa: E731
    monkeypatch.setattr(halves, "terms", weak)
    first, second, known, tables = asked_twice(tmp_path)
    assert (first.abort, second.abort) == (None, None)
    assert [one.of for one in known.sums] == [{"a", "b", "c"}, {"a", "b"}, {"c"}]
    (guess,) = [one for one in ANALYTIC.tried(known, FOREVER) if one.of == {"c"}]
    it = guess.judged({site.name: table for site, table in tables.items()})
    assert it.succeeded
    assert it.score == 1.0
    assert verdict(known).succeeded  # two sets for one sum, as the program itself reckons
