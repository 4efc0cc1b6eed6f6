"""Votes of sites on each round's model: under every protection the same model, a liar is voted down, nobody forges."""

from dataclasses import replace

import msgspec
import pytest

import potluck
from potluck.core import prose
from potluck.core.asks import Kind, Votes
from potluck.core.party import SERVER, site
from potluck.core.plan import digest
from potluck.core.rounds import Abort, Cause, Inbox, RoundId, Terms
from potluck.core.wire import dump
from potluck.drivers.memory import Memory
from potluck.learning import voting
from potluck.tasks.sums import halves, votes
from potluck.tasks.sums.votes import Ballot, Counted, cast, count, statement
from support.docs.keys import keys, section
from support.learning.lying import lying
from support.parties import scene
from support.spoken import spoken

ROUNDS, SINCE, ROWS = 6, 3, 100
NAMES = "abcd"


def plan(word="clear", vote=True, rounds=ROUNDS, validation=True, **federation):
    """Four sites that train by themselves; none may be missing."""
    made = scene.plan(NAMES, word=word, server="curious", **{"dropouts": 0} | federation)
    made = made.set("data.split", {"test": 0.3} | ({"validation": 0.3} if validation else {}))
    made = made.set("training", {"method": "average", "rounds": rounds, "rate": 0.5, "batch": 8, "range": 1000.0})
    return made.set("training.vote", {}) if vote else made


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Made when first asked for: by protection, whether sites vote, rounds, and whether b lies."""
    known = {}

    def made(word="clear", vote=True, rounds=ROUNDS, lies=False):
        asked = (word, vote, rounds, lies)
        if asked not in known:
            out = tmp_path_factory.mktemp("votes") / "run"
            with lying("b", -300.0 if lies else 1.0, SINCE):
                known[asked] = potluck.run(plan(word, vote, rounds), data=scene.frames(NAMES, ROWS), out=out)
        return known[asked]

    return made


WORDS = ["mask", *(pytest.param(word, marks=pytest.mark.slow) for word in ("he", "share", "tee"))]


@pytest.mark.parametrize("word", ["clear", *WORDS])
def test_where_nobody_is_against_the_model_is_that_of_a_plan_without_votes(run, word):
    found, without = run(word).document, run("clear", vote=False).document
    assert found["model"]["digest"] == without["model"]["digest"]
    assert found["votes"] == [{"round": one, "against": [], "of": 4} for one in range(1, ROUNDS + 1)]
    assert "rolled_back" not in found
    assert len(found["rounds"]) == ROUNDS
    assert found["metrics"]["federated"] == without["metrics"]["federated"]


@pytest.mark.parametrize("word", ["clear", *WORDS])
def test_a_liar_is_voted_down_and_the_model_before_its_lie_is_kept(run, word):
    """The model after SINCE rounds is the last honest one."""
    found, before = run(word, lies=True).document, run("clear", vote=False, rounds=SINCE).document
    back = found["rolled_back"]
    assert (back["round"], back["of"]) == (SINCE + 1, 4)
    assert {"a", "c", "d"} & set(back["against"])
    assert len(back["against"]) >= 2
    assert found["model"]["digest"] == before["model"]["digest"]
    assert found["model"]["round"] == SINCE
    assert found["metrics"]["federated"] == before["metrics"]["federated"]
    (said,) = [one for one in found["warnings"] if "rolled back" in one]
    assert said.startswith(f"rolled back at round {SINCE + 1} by {len(back['against'])} of 4 sites")


def test_without_votes_the_lie_stands(run):
    """The control."""
    lied, honest = (run("clear", vote=False, lies=one).document["metrics"]["federated"] for one in (True, False))
    assert lied["accuracy"] < honest["accuracy"] - 0.15


def test_a_lie_in_the_last_round_is_voted_down_too(tmp_path):
    with lying("b", -300.0, ROUNDS - 1):
        found = potluck.run(plan(), data=scene.frames(NAMES, ROWS), out=tmp_path / "run").document
    assert found["rolled_back"]["round"] == ROUNDS
    assert found["model"]["round"] == ROUNDS - 1
    assert len(found["rounds"]) == ROUNDS


@pytest.mark.parametrize(("who", "down"), [("b", False), ("bd", True)])
def test_a_minority_cannot_end_a_run_and_half_can(monkeypatch, run, tmp_path, who, down):
    honest = voting.against
    monkeypatch.setattr(voting, "against", lambda plan, ask, rows: honest(plan, ask, rows) or rows.site in who)
    done = potluck.run(plan(), data=scene.frames(NAMES, ROWS), out=tmp_path / "run")
    found = done.document
    assert ("rolled_back" in found) == down
    assert found["votes"][0] == {"round": 1, "against": list(who), "of": 4}
    if not down:
        assert found["model"]["digest"] == run().document["model"]["digest"]
        (said,) = [one for one in found["warnings"] if "outvoted" in one]
        assert said.startswith("b was against the model in 6 of 6 votes (rounds 1 to 6) and was outvoted. hint: ")
        page = done.report(tmp_path / "report.html").read_text(encoding="utf-8")
        assert page.count("b was against the model in 6 of 6 votes") == 3  # printed, summary, warning
        assert page.count("<bdi>b</bdi>") >= 6
    else:
        assert not any("outvoted" in one for one in found["warnings"])


def test_the_report_the_exit_code_and_the_reference_say_so(run, tmp_path, capsys):
    done = run(lies=True)
    page = done.report(tmp_path / "report.html").read_text(encoding="utf-8")
    assert f"found the model of round {SINCE + 1} worse and voted it down: this model is that of round {SINCE}" in page
    assert len(done.document["rounds"]) == SINCE + 1  # and not the one in which nothing was added
    assert f"in {prose.count(SINCE + 1, 'round')}." in page
    assert "and one round of votes alone took" in page
    found = keys(msgspec.to_builtins(done.document), frozenset(NAMES))
    assert {"votes", "rolled_back", "against"} <= found <= section("run, demo, up, server run")
    file = tmp_path / "plan.toml"
    frames = scene.frames(NAMES, ROWS)
    for name, frame in frames.items():
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    made = plan().set("data.files", {name: f"{name}.csv" for name in NAMES})
    file.write_text(made.source)
    settings = [word for one in made.overrides for word in ("--set", one)]
    with lying("b", -300.0, SINCE):
        said = spoken(capsys, "run", file, *settings, "--out", tmp_path / "run")
    assert said.code == 4, said.err
    assert f"rolled back at round {SINCE + 1} by " in said.err
    assert "model: " in said.out


def test_owners_and_views_are_told_of_the_bit():
    votes_ = [view for view in potluck.explain(plan()).rows() if view["of"].endswith("'s votes")]
    read = [view for view in votes_ if view["form"] == "plain"]
    assert {view["party"] for view in read} == {"server", *NAMES}
    assert all("one bit in the clear" in view["note"] and "validation rows" in view["note"] for view in read)
    bare = [
        view["note"]
        for view in potluck.explain(plan(validation=False)).rows()
        if view["of"] == "a's votes" and view["form"] == "plain"
    ]
    assert all("training rows" in note for note in bare)


# One vote, half by half.

SITES = tuple(map(site, NAMES))
TERMS = Terms(RoundId("run", 7), b"d" * 32, "once", SITES, 3, 0, 32)


@pytest.fixture
def memory():
    return Memory(SITES, digest(plan().spec))


def ballot(memory, who, against, terms=TERMS):
    return Ballot(SITES.index(who), against, memory.seat(who).sign(statement(terms, against)))


def heard(memory, me, mine, ballots):
    """What the site `me` makes of these as the counted votes. Raises Abort."""
    half = cast(TERMS, memory.seat(me), mine)
    sent = next(half)
    assert sent.send[SERVER].body == dump(ballot(memory, me, mine))
    with pytest.raises(StopIteration):
        half.send(Inbox({SERVER: dump(Counted(tuple(ballots)))}))


def flipped(one):
    return Ballot(one.site, not one.against, one.signature)


def test_a_site_goes_on_where_fewer_than_half_are_against(memory):
    a, b, c, d = SITES
    heard(memory, a, True, [ballot(memory, one, one is a) for one in SITES])
    heard(memory, a, False, [ballot(memory, one, False) for one in (a, c, d)])
    for against in ({a, b}, {b, c, d}):
        with pytest.raises(Abort) as stopped:
            heard(memory, a, a in against, [ballot(memory, one, one in against) for one in SITES])
        assert stopped.value.cause is Cause.VOTED
    with pytest.raises(Abort) as stopped:  # silence counts as neither: of three votes two
        heard(memory, a, False, [ballot(memory, a, False), ballot(memory, b, True), ballot(memory, c, True)])
    assert stopped.value.cause is Cause.VOTED


def forgeries(memory):
    """(what the server hands out instead of a, b, c, d all against but one, and the cause by which a refuses it)."""
    a, b, c, d = (ballot(memory, one, one is not SITES[3]) for one in SITES)
    yield [a, flipped(b), flipped(c), d], Cause.SIGNATURE
    yield [a, Ballot(1, False, d.signature), c, d], Cause.SIGNATURE
    yield [flipped(a), b, c, d], Cause.SIGNATURE
    yield [b, c, d], Cause.SURVIVORS
    yield [a, d], Cause.COHORT
    yield [a, d, d, d], Cause.MALFORMED
    yield [a, c, b, d], Cause.MALFORMED
    yield [a, b, c, Ballot(9, False, d.signature)], Cause.MALFORMED


def test_a_server_that_forges_leaves_out_or_repeats_votes_is_refused_by_name(memory):
    tried = list(forgeries(memory))
    assert len(tried) >= 8
    for ballots, cause in tried:
        with pytest.raises(Abort) as stopped:
            heard(memory, SITES[0], True, ballots)
        assert (stopped.value.cause, stopped.value.party) == (cause, SERVER)


def test_a_vote_of_another_round_counts_in_none(memory):
    other = replace(TERMS, digest=b"e" * 32)
    old = {one: ballot(memory, one, one is SITES[0], other if one is SITES[1] else TERMS) for one in SITES}
    with pytest.raises(Abort) as stopped:
        heard(memory, SITES[0], True, old.values())
    assert stopped.value.cause is Cause.SIGNATURE


def test_the_server_counts_each_site_once_by_its_own_signature(memory):
    a, b, c, d = SITES
    half = count(TERMS, memory.seat(SERVER))
    asked = next(half)
    assert (asked.expect, asked.at_least) == (frozenset(SITES), 3)
    for sender, body, cause in (
        (b, ballot(memory, a, True), Cause.MALFORMED),
        (b, Ballot(1, True, ballot(memory, a, True).signature), Cause.SIGNATURE),
        (b, flipped(ballot(memory, b, True)), Cause.SIGNATURE),
    ):
        with pytest.raises(Abort) as stopped:
            asked.read(sender, dump(body))
        assert stopped.value.cause is cause
    bodies = {one: asked.read(one, dump(ballot(memory, one, one is a))) for one in (a, b, c)}
    told = half.send(Inbox(bodies, {d: Cause.SILENT}))
    assert set(told.send) == {a, b, c}
    with pytest.raises(StopIteration) as ended:
        half.send(Inbox())
    assert ended.value.value == Votes(frozenset({a, b, c}), frozenset({a}))


def test_a_server_that_goes_on_against_the_votes_gets_nothing(monkeypatch):
    """Sites that saw the votes add nothing, whatever the server makes of them; then it has no sum."""
    honest = votes.count

    def deaf(terms, me):
        found = yield from honest(terms, me)
        return Votes(found.voted, frozenset())

    it = scene.Scene(plan())
    with lying("b", -300.0, SINCE):
        monkeypatch.setattr(halves, "count", deaf)
        with pytest.raises(Abort) as stopped:
            it.run()
    assert stopped.value.cause is Cause.VOTED
    last = max(one.label.round.number for one in it.memory.transcript.moves)
    steps = {one.label.step for one in it.memory.transcript.moves if one.label.round.number == last}
    assert votes.COUNTED in steps
    assert "clear/input" not in steps


def test_who_is_silent_counts_as_neither():
    """d vanishes where it would vote on the model that b turned: two of the three that are left are enough."""

    def vanish(party, round_, step):
        return party == site("d") and round_.number == SINCE + 2 and step == votes.BALLOT

    with lying("b", -300.0, SINCE):
        found = scene.Scene(plan("mask", dropouts=1), vanish=vanish).run()
    assert found.back.vote == voting.Vote(SINCE + 1, ("a", "b", "c"), 3)


def test_kinds_of_round_stay_what_they_were():
    """A vote is part of training: ledgers and markers know no other kind."""
    assert "vote" not in {kind.value for kind in Kind}
    assert plan().spec.steps == ROUNDS + 1
    assert plan(vote=False).spec.steps == ROUNDS
