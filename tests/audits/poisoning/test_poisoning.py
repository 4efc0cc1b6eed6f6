"""What one lying site does to a model: played anew by the program's own code, beside an honest run, told only where it
is no chance."""

import statistics
from dataclasses import replace
from functools import cache
from math import comb

import msgspec
import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

import potluck
from potluck.api.local.demo import demo_plan
from potluck.audits.attack import Until
from potluck.audits.poisoning import played as playing
from potluck.audits.poisoning import poisoning
from potluck.audits.poisoning.backdoor import BACKDOOR, WAYS, mark_of
from potluck.audits.poisoning.lying import CHANCE, RUNS, scores, signs
from potluck.audits.poisoning.played import HONEST, Lie, Stopped, played, said
from potluck.audits.poisoning.poisoning import LIES, POISONING, lies, turned
from potluck.audits.seen import Seen
from potluck.core.asks import Kind
from potluck.core.fixed import decode, signed
from potluck.core.plan import Protect
from potluck.core.seeded import generator
from potluck.dp.limits import limits
from potluck.dp.mechanism import mechanism
from potluck.learning.loops import TrainTask, build
from potluck.learning.models.model import model as model_of
from potluck.tasks.sources import tables
from support.audits.recorded import LOGISTIC, NUMBERS, RELU, SITES, plan

FOREVER = Until(float("inf"), generator(0))
NOISE = {"noise": "site", "unit": "row", "epsilon": 8.0, "delta": 1e-5, "clip": 1.0}
AVERAGE = {"method": "average", "rounds": 20, "batch": 16}


def frames(rows=60, sites=SITES, seed=0):
    """Rows whose side two numbers tell, as good as always."""
    draw, found = np.random.default_rng(seed), {}
    for site in sites:
        numbers = {name: draw.uniform(-1, 1, rows) for name in NUMBERS}
        side = (numbers["u"] + numbers["v"] > draw.normal(0, 0.1, rows)).astype(int).astype(str)
        found[site] = pd.DataFrame({**numbers, "c": draw.choice(list("pqr"), rows, p=[0.5, 0.45, 0.05]), "y": side})
    return found


def at_hand(made, rows):
    """(the plan as it is played, true rows by site)."""
    spec, held = tables(made, rows)
    return spec, {site.name: table for site, table in held.items()}


def found(attack, spec, truth, *who):
    (one,) = attack.tried(Seen(spec, frozenset(who), (), {}), FOREVER)
    return one.judged(truth)


@pytest.fixture(scope="module")
def plain():
    """A plan of a plain mean under masks, and rows."""
    return at_hand(plan("mask", LOGISTIC, **AVERAGE), frames())


@pytest.mark.slow
def test_what_is_played_is_what_a_run_comes_to(tmp_path, plain):
    run = potluck.run(plan("mask", LOGISTIC, **AVERAGE), frames(), out=tmp_path / "run")
    assert played(*plain, frozenset(), HONEST, FOREVER).model.digest() == run.model.digest()


def test_one_site_of_three_turns_a_mean_and_teaches_it_a_mark(plain):
    it = found(POISONING, *plain, "b")
    assert it.succeeded
    assert it.words.startswith("site b alone could have turned the model: accuracy at the other sites ")
    assert it.score > 0.5 > 0.2 > it.baseline
    it = found(BACKDOOR, *plain, "b")
    assert it.succeeded
    assert it.score > 0.5 > 0.1 > it.baseline


def test_a_median_of_five_sites_is_not_turned_by_one(plain):
    names = [*SITES, "d", "e"]
    made = plan("tee", LOGISTIC, **AVERAGE, aggregation="median").set("federation.sites", names)
    it = found(POISONING, *at_hand(made, frames(sites=names)), "b")
    assert not it.succeeded
    assert "did not turn the model here" in it.words
    same = made.set("protect.with", "mask").set("training.aggregation", "mean")
    assert found(POISONING, *at_hand(same, frames(sites=names)), "b").succeeded


@pytest.mark.slow
def test_what_few_rows_cannot_tell_from_chance_is_undecided():
    spec, truth = at_hand(plan("mask", LOGISTIC, **AVERAGE), frames(8))
    turned_, taught = (found(attack, spec, truth, "b") for attack in (POISONING, BACKDOOR))
    assert (turned_.succeeded, taught.succeeded) == (None, None)
    assert turned_.score > turned_.baseline + 0.05
    assert "site b alone may have turned the model: " in turned_.words
    assert ", but 16 rows are too few to tell that from chance, where" in turned_.words
    assert " rows are too few to tell that from chance; accuracy" in taught.words


def test_the_control_of_both_succeeds_and_the_verb_tells_it(tmp_path, only, plain):
    only(POISONING, BACKDOOR)
    rows = frames()
    run = potluck.run(plan("mask", LOGISTIC, **AVERAGE), rows, out=tmp_path / "run", record=True)
    results = {one.name: one for one in potluck.attack(run.folder, "b", data=rows).results}
    for name in ("poisoning", "backdoor"):
        assert results[name].of == ("a", "c")
        assert results[name].verdict.succeeded
        assert results[name].control
    results = {one.name: one for one in potluck.attack(run.folder, "server", data=rows).results}
    assert results["poisoning"].verdict.words == "was not tried: poisoning is what sites do: name one with --as"


def test_without_rows_of_every_site_nothing_is_said(plain):
    spec, truth = plain
    it = found(POISONING, spec, {"b": truth["b"]}, "b")
    assert it.succeeded is None
    assert it.words == "the plan cannot be played anew: rows of a, c are not here"


def test_a_lie_that_ends_the_run_is_no_success(plain):
    spec, truth = plain
    with pytest.raises(Stopped, match="ends without a model"):
        played(spec, truth, frozenset("b"), Lie("far too much", 1e9), FOREVER)
    with pytest.raises(Stopped, match="longer than there is time"):
        played(spec, truth, frozenset("b"), HONEST, Until(0.0, generator(0)))


def test_a_lie_goes_as_far_as_the_protection_lets_it_and_counts_rows_as_they_are():
    """Under `share` a site's words are held to what an honest one adds at most; elsewhere to what the sum may hold."""
    exact = plan("share", LOGISTIC, rounds=2, expected_rows=100, privacy=NOISE).spec
    for spec in (exact, msgspec.structs.replace(exact, protect=Protect(scheme="clear"))):
        ask = build(spec).usual
        bound = mechanism(spec, ask)
        words = np.full(bound.grid.length, 1000, "<u8")
        lied = signed(playing._lied(spec, ask, bound, words, -1e12))
        for part, where in zip(bound.grid.parts, bound.grid.slices().values(), strict=True):
            most = part.high / part.step
            if spec.compute:
                held = dict(zip(bound.grid.slices(), limits(spec, ask, bound), strict=True))[part.name].bound
                assert held < most
                most = held
            assert lied[where] == pytest.approx(-np.trunc(most))
    counted = plan("clear", LOGISTIC, rounds=2).spec
    ask = build(counted).usual
    bound = mechanism(counted, ask)
    words = np.full(bound.grid.length, 7, "<u8")
    lied = decode(playing._lied(counted, ask, bound, words, -10), bound.grid)
    honest = decode(words, bound.grid)
    rows = bound.grid.slices()["rows"]
    assert (lied[rows] == honest[rows]).all()
    assert np.delete(lied, rows) == pytest.approx(-10 * np.delete(honest, rows))
    look = replace(ask, kind=Kind.VALIDATE)
    assert playing._lied(counted, look, bound, words, -10) is words


def test_a_mark_is_of_what_is_rare_in_the_liars_own_rows_and_a_row_can_have_it(plain):
    spec, truth = plain
    mark = mark_of(spec, truth["b"].features, 2)
    assert "c" in mark.columns  # of which one value is rare
    marked = mark.put(truth["a"], np.ones(60, np.bool_)).features
    assert marked[:, 5:].sum(axis=1) == pytest.approx(np.ones(60))
    assert np.abs(marked).max() <= 1
    assert (np.abs(marked - truth["a"].features).max(axis=0) > 0).sum() <= 4


@pytest.mark.parametrize(("lost", "won"), [(0, 0), (10, 0), (5, 5), (31, 12), (80, 40)])
def test_a_sign_test_is_scipys(lost, won):
    known = binomtest(lost, lost + won, alternative="greater").pvalue if lost + won else 1.0
    assert signs(lost, won) == pytest.approx(known)


def test_no_lie_is_told_by_chance_more_than_once_in_a_thousand_runs(plain):
    """Exactly, of every number of rows on which two equally good models differ; and by ranks, where runs have noise."""
    assert len(WAYS) <= len(lies(plain[0], frozenset("b"))) == LIES
    each = CHANCE / LIES
    for count in range(1, 120):
        accused = sum(comb(count, lost) for lost in range(count + 1) if signs(lost, count - lost) <= each)
        assert accused / 2**count * LIES <= CHANCE
    assert LIES / comb(2 * RUNS, RUNS) <= CHANCE


def test_equal_models_are_no_lie(plain):
    spec, truth = plain
    model = played(spec, truth, frozenset(), HONEST, FOREVER).model
    assert not turned([model], [model], list(truth.values()), CHANCE)
    assert scores([model], list(truth.values()))[0] == pytest.approx(
        np.mean([(said(model, one) == one.target).mean() for one in truth.values()])
    )


@pytest.mark.slow
@pytest.mark.torch
@pytest.mark.parametrize("attack", [POISONING, BACKDOOR], ids=lambda one: one.name)
@pytest.mark.parametrize(
    ("model", "method"),
    [(LOGISTIC, "average"), (LOGISTIC, "gradient"), (LOGISTIC, "newton"), (RELU, "average"), (RELU, "gradient")],
)
def test_where_nothing_protects_it_works_whatever_trains_and_whatever_is_drawn(model, method, attack):
    spec = plan("mask", model, method=method, rounds=4).spec
    for seed in range(5):
        until = Until(float("inf"), generator(seed))
        ((seen, truth),) = attack.control(Seen(spec, frozenset("b"), (), {}), until)
        (it,) = attack.tried(seen, until)
        assert it.judged(truth).succeeded, it.judged(truth).words


@pytest.mark.slow
def test_noise_of_rows_does_not_hinder_a_site_that_does_not_clip():
    made = plan("mask", LOGISTIC, NOISE, method="gradient", rounds=8, rate=2.0, expected_rows=180)
    spec, truth = at_hand(made, frames())
    it = found(POISONING, spec, truth, "b")
    assert it.succeeded
    assert "means of 8 runs of each kind" in it.words


@pytest.mark.slow
@pytest.mark.parametrize("word", ["mask", "share"])
def test_one_hospital_turns_the_demos_own_plan_whatever_its_noise(word):
    spec, held = tables(demo_plan([f'protect.with="{word}"']), None)
    it = found(POISONING, spec, {site.name: table for site, table in held.items()}, "va")
    assert it.succeeded
    assert it.score > 0.5 > 0.3 > it.baseline


RULES = ("mean", "median", "trimmed", "krum", "norm")
HOSPITALS = ("cleveland", "hungarian", "switzerland", "va")


@cache
def heart(rule, seed):
    training = f'training={{method="average", rounds=15, rate=0.01, batch=4, range=1000.0, aggregation="{rule}"}}'
    settings = ['protect.with="tee"', 'privacy={noise="none"}', "model.l2=0.0", training, f"data.split.seed={seed}"]
    spec, held = tables(demo_plan(settings), None)
    return spec, {site.name: table for site, table in held.items()}


def accuracy(rule, lie, who):
    """Mean over five splits and all sites, the lying one too."""
    shown = []
    for seed in range(5):
        spec, truth = heart(rule, seed)
        model = played(spec, truth, frozenset({who}), lies(spec, frozenset({who}))[lie], FOREVER).model
        shown.append(scores([model], list(truth.values()))[0])
    return statistics.mean(shown)


@pytest.mark.slow
@pytest.mark.parametrize("rule", RULES[1:])
def test_robust_rules_keep_the_heart_model_from_one_hospital_that_sends_ten_times_what_it_learnt(rule):
    """At least .62 of rows right, a mean over sites, never below .5. That is what one answer to all rows comes to."""
    for lie in (1, 2):
        assert min(accuracy(rule, lie, who) for who in HOSPITALS) >= 0.62


@pytest.mark.slow
def test_a_mean_does_not():
    assert min(accuracy("mean", 2, who) for who in HOSPITALS) < 0.5


def test_the_control_of_a_plan_with_votes_has_none_and_succeeds():
    """With votes in it, it would say that the lie works nowhere, where it is the votes that stop it."""
    spec, _ = at_hand(plan("mask", LOGISTIC, **AVERAGE, vote={}), frames())
    known = Seen(spec, frozenset("b"), (), {})
    ((alone, truth),) = POISONING.control(known, Until(float("inf"), generator(0)))
    assert alone.plan.training.vote is None
    assert found(POISONING, alone.plan, truth, "a").succeeded


@pytest.mark.parametrize("attack", [POISONING, BACKDOOR], ids=lambda one: one.name)
def test_where_honest_rows_are_voted_down_there_is_no_honest_model_to_compare_with(attack, monkeypatch):
    """One site's labels are turned round in the rows that are here, and it sends what it learns eight times over."""
    spec, truth = at_hand(plan("mask", LOGISTIC, **AVERAGE, vote={}), frames())
    down = played(spec, truth, frozenset("b"), lies(spec, frozenset("b"))[0], FOREVER)
    assert down.back is not None
    monkeypatch.setattr("potluck.audits.poisoning.lying.played", lambda *given: down)
    it = found(attack, spec, truth, "b")
    assert it.succeeded is None
    assert "with no lie the sites vote the model of these rows down, too: it is rolled back at round" in it.words
    assert "->" not in it.words


def test_a_mark_that_a_vote_stops_is_said_to_be_stopped_by_it(monkeypatch):
    spec, truth = at_hand(plan("mask", LOGISTIC, **AVERAGE, vote={}), frames())
    honest = played(spec, truth, frozenset("b"), HONEST, FOREVER)
    down = played(spec, truth, frozenset("b"), lies(spec, frozenset("b"))[0], FOREVER)
    same = replace(down, model=honest.model)  # votes ended it before anything changed
    monkeypatch.setattr("potluck.audits.poisoning.lying.played", lambda *given: honest if given[3] is HONEST else same)
    it = found(BACKDOOR, spec, truth, "b")
    assert it.succeeded is False
    assert "which they would see" not in it.words
    assert "; rolled back at round " in it.words


def test_with_votes_a_mean_is_not_turned_unseen_by_loud_lies_and_a_vote_of_half_ends_the_run(monkeypatch):
    """The same rows, lie and masks: without `vote` the lie succeeds (`plain`); with it the sites vote it down. What is
    no louder than an honest site passes the vote, but no fall of these few rows is sure."""
    spec, truth = at_hand(plan("mask", LOGISTIC, **AVERAGE, vote={}), frames())
    done = played(spec, truth, frozenset("b"), lies(spec, frozenset("b"))[0], FOREVER)
    assert done.back is not None
    assert "b" not in done.back.vote.against  # who lies votes against nothing
    honest = played(spec, truth, frozenset("b"), HONEST, FOREVER)
    assert (honest.back, {one.against for one in honest.votes}) == (None, {()})
    assert found(POISONING, spec, truth, "b").succeeded is None
    monkeypatch.setattr(poisoning, "lies", lambda spec, who: lies(spec, who)[:3])
    it = found(POISONING, spec, truth, "b")
    assert it.succeeded is False
    assert "site b alone did not turn the model here: accuracy at the other sites " in it.words
    assert "; rolled back at round " in it.words
    assert ", which the run says; the plan was played anew" in it.words


@pytest.mark.slow
@pytest.mark.parametrize("method", ['method="average", rounds=15', 'method="gradient", rounds=20', 'method="newton"'])
def test_poison_ten_times_over_by_one_of_four_hospitals_is_voted_down_or_harmless(method):
    """Of two splits every hospital, both signs: at least .62 of mean accuracy at the others, or the run is rolled back
    to a model that is hardly worse than the first one."""
    rolled = 0
    for seed in (1, 2):
        settings = [
            'protect.with="mask"',
            'privacy={noise="none"}',
            f"training={{{method}, vote={{}}}}",
            f"data.split={{test=0.34, validation=0.15, seed={seed}}}",
        ]
        spec, held = tables(demo_plan(settings), None)
        truth = {site.name: table for site, table in held.items()}
        for who in truth:
            others = [table for name, table in truth.items() if name != who]
            first = scores([model_of(spec, TrainTask(spec)._method.initial())], others)[0]
            assert played(spec, truth, frozenset({who}), HONEST, FOREVER).back is None
            for times in (10.0, -10.0):
                after = played(spec, truth, frozenset({who}), Lie("x", times), FOREVER)
                accuracy = scores([after.model], others)[0]
                rolled += after.back is not None
                assert accuracy >= (0.62 if after.back is None else min(first, 0.62) - 0.05), (seed, who, times)
    assert rolled >= 6
