"""What `check` says of usefulness: of no use where noise leaves nothing, useful where there are rows or epsilon enough,
and advice that, once it is followed, asks for nothing more."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, log_loss, r2_score, roc_auc_score

import potluck
from potluck.core.plan import Data, Federation, Model, PrivacyPlan, Protect, Split, Target, Training
from potluck.learning.data.encode import encoding
from potluck.learning.data.target import goal_of
from potluck.learning.loops import build
from potluck.learning.training.rates import rate_of
from potluck.tasks.sums.signal import outlook, signal_of
from potluck.tasks.sums.usefulness import advice, rehearsal
from potluck.tasks.sums.usefulness.advice import EPSILON, Rehearsals, setting
from potluck.tasks.sums.usefulness.curve import CURVE, ByCurve
from potluck.tasks.sums.usefulness.rows import made_up
from potluck.tasks.sums.usefulness.useful import useful
from potluck.tasks.sums.usefulness.verdict import LITTLE, POOR, Unknown
from support.learning.sums import category, make, number, replaced

TARGETS = {
    "logistic": (category("0", "1"), {"positive": ("1",)}),
    "linear": (number(0, 10), {}),
    "classes": (category("0", "1", "2"), {"classes": ("0", "1", "2")}),
}


def plan(rows, epsilon, target="logistic", kind=None, **keys):
    """Six numbers and two categories at three sites, as its author may have begun it."""
    kind = kind or {"classes": "additive"}.get(target, target)
    method = "boosting" if kind == "additive" else "gradient"
    column, sides = TARGETS[target]
    columns = {f"x{place}": number(-3, 3) for place in range(6)} | {f"c{place}": category(*"uvw") for place in range(2)}
    usual = {"rounds": 40, "rate": 1.0} if kind == "additive" else {"rate": rate_of(method, "sgd", kind, True)}
    noise = {"noise": "shared", "unit": "row", "epsilon": epsilon, "delta": 1e-5}
    tables = {
        "federation": Federation(sites=("a", "b", "c"), corrupt=1),
        "protect": Protect(scheme="mask"),
        "data": Data(columns=columns | {"y": column}, target=Target(column="y", **sides), split=Split(test=0.25)),
        "privacy": PrivacyPlan(**noise | ({} if kind == "additive" else {"clip": 1.0})),
        "model": Model(kind=kind),
        "training": Training(**{"method": method, "expected_rows": rows} | usual),
    }
    return make(**tables | keys)


def verdicts(rows, epsilon, **keys):
    found = useful(plan(rows, epsilon, **keys), None)
    return found.document()["verdict"], found.warnings()


@pytest.mark.slow
def test_a_small_epsilon_is_of_no_use_to_few_rows_and_is_to_very_many(monkeypatch):
    monkeypatch.setattr(advice, "PASSES", 0)  # other settings change nothing of it
    said, (warning,) = verdicts(400, 0.02)
    assert said == "of no use"
    assert warning.startswith("privacy.epsilon: with 400 training rows and this noise the model is of no use")
    assert "about " in warning.partition("hint: ")[2]
    assert verdicts(400_000, 0.02) in [("useful", []), ("noise costs it little", [])]
    assert verdicts(4_000, 8.0) in [("useful", []), ("noise costs it little", [])]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rows", "epsilon", "keys"),
    [
        (1300, 1.0, {"target": "linear"}),
        pytest.param(400, 0.5, {}, marks=pytest.mark.slow),
        *(
            pytest.param(rows, epsilon, keys, marks=pytest.mark.slow)
            for keys in ({}, {"target": "linear"}, {"target": "classes"}, {"kind": "additive"})
            for rows, epsilon in ((300, 1.0), (1300, 0.02), (1300, 3.0), (30_000, 1.0))
        ),
    ],
)
def test_whoever_follows_the_advice_is_advised_nothing_else(rows, epsilon, keys):
    """At this epsilon; where that leaves the model of little use a larger one may be next, and then nothing is."""
    spec = plan(rows, epsilon, **keys)
    first, then = useful(spec, None), followed(spec)
    again = useful(then, None)
    if then != spec:
        assert again.now == first.then
        assert again.now.fits >= first.now.fits + 0.02  # GAIN is asked of half of these tables, half of it of the rest
    if again.advice():
        assert EPSILON not in {one.key for one in first.changes}
        assert EPSILON in {one.key for one in again.changes}
        assert useful(followed(then), None).advice() == []


def followed(spec):
    """The plan with all that is advised."""
    for one in useful(spec, None).advice():
        spec = setting(spec, one["key"], one["better"])
    return spec


@pytest.mark.slow
def test_what_is_advised_can_be_pasted():
    """As `--set` takes it, and as the plan's own check does."""
    tables = {
        "name": "los", "purpose": "test", "task": "train",
        "federation": {"sites": ["a", "b", "c"], "corrupt": 1}, "protect": {"with": "mask"},
        "data": {"columns": {name: {"kind": "number", "low": 0, "high": 9} for name in "xy"},
                 "target": {"column": "y"}, "split": {"test": 0.25}},
        "privacy": {"noise": "shared", "unit": "row", "epsilon": 0.05, "delta": 1e-5, "clip": 1.0},
        "model": {"kind": "linear"}, "training": {"method": "gradient", "expected_rows": 900, "rate": 3.0},
    }  # fmt: skip
    written = potluck.Plan(**tables)
    verdict = potluck.check(written)
    assert verdict.useful["verdict"] == "of no use"
    assert {one["key"] for one in verdict.document()["advice"]} >= {"training.rate", EPSILON}
    better = written
    for one in verdict.advice:
        better = better.set(one["key"], one["better"])
    after = potluck.check(better)
    assert after.ok
    assert list(after.advice) == []
    assert after.rate["recommended"] == verdict.rate["recommended"] < 3.0
    assert "on made-up rows it did best" in verdict.pace
    assert after.pace.endswith("does well on made-up rows")
    assert any("training.rate: 3 may diverge" in one for one in verdict.warnings)
    assert not any("training.rate" in one for one in after.warnings)
    assert after.useful["value"] == pytest.approx(verdict.useful["advised"]["value"])
    assert not any("of no use as it stands" in one for one in after.warnings)
    assert any("of no use as it stands" in one for one in verdict.warnings)
    assert all(f"{one['key']} = " in " ".join(verdict.usefulness) for one in verdict.advice)


@pytest.mark.parametrize("target", TARGETS)
def test_made_up_rows_have_the_best_model_that_is_claimed(target):
    """Judged by scikit-learn's metrics: an AUC of .8, an r2 of .5, and of several classes far more right than a guess;
    of ten rows five or one are positive, as asked."""
    spec = plan(1000, 1.0, target)
    found = [made_up(encoding(spec), goal_of(spec), share, 4000, number) for number, share in enumerate([0.5, 0.1] * 3)]
    assert all(np.abs(one.features).max() <= 1 for one in found)
    if target == "logistic":
        assert [one.target.mean() for one in found] == pytest.approx([0.5, 0.1] * 3, abs=0.02)
        assert np.mean([roc_auc_score(one.target, one.best[:, 0]) for one in found]) == pytest.approx(0.8, abs=0.02)
    elif target == "linear":
        assert np.mean([r2_score(one.target, one.best[:, 0]) for one in found]) == pytest.approx(0.5, abs=0.03)
    else:
        right = np.mean([accuracy_score(one.target, one.best.argmax(axis=1)) for one in found])
        guess = np.mean([np.bincount(one.target.astype(int)).max() / 4000 for one in found])
        assert right > guess + 0.15


@pytest.mark.parametrize("rows", [700, 20_000])
def test_a_rehearsal_has_the_noise_that_a_run_would_have(rows):
    """Signal to noise reckons it by another way, from the mechanism of the run's own rows."""
    spec = plan(rows, 0.3)
    some = rehearsal._rows(spec, rows)
    ask = build(spec).usual
    bound, givers = rehearsal._scaled(spec, ask, some / rows)
    std = bound.real(bound.share)[0] * givers**0.5
    assert std / some == pytest.approx(signal_of(spec, ask).sigma / rows, rel=1e-9)
    assert some < rows or rows == 700


@pytest.mark.slow
def test_a_model_of_rehearsals_is_that_of_its_rows_where_there_is_hardly_noise():
    """At an epsilon of 1,000 a linear model of 700 made-up rows has the r2 of ordinary least squares, within .03."""
    spec = plan(700, 1000.0, "linear")
    spec = replaced(spec, training=replaced(spec.training, rounds=400, rate=0.3, standardize=True))
    found = made_up(encoding(spec), goal_of(spec), 0.5, 700 + rehearsal.HELD, 3)
    design = np.column_stack([np.ones(len(found.features)), found.features])
    fit, *_ = np.linalg.lstsq(design[:700], found.target[:700])
    expected = r2_score(found.target[700:], design[700:] @ fit)
    assert rehearsal.rehearsed(spec, 700, 0.5, 3).value == pytest.approx(expected, abs=0.03)


def test_more_epsilon_keeps_more():
    kept = [Rehearsals(1000).score(plan(1000, epsilon)).kept for epsilon in (0.05, 0.2, 1.0)]
    assert kept == sorted(kept)
    assert kept[0] < POOR < kept[2]


def test_networks_are_judged_by_their_signal_to_noise():
    low, high = (
        useful(spec, outlook(spec, build(spec).usual))
        for spec in (
            plan(rows, 0.1, kind="network", model=Model(kind="network", layers=(8,))) for rows in (200, 200_000)
        )
    )
    assert isinstance(low, ByCurve)
    assert low.document()["verdict"] == "of no use"
    assert "times as many rows" in low.warnings()[0]
    assert high.document()["verdict"] == "noise costs it little"
    assert high.warnings() == []
    middles = [sum(ByCurve(run).kept) / 2 for run in (0.1, *(at for at, *_ in CURVE), 1e4)]
    assert middles == sorted(middles)
    assert middles[-1] >= LITTLE


def test_where_nothing_is_known_it_says_so():
    by_sites = plan(1000, 1.0, training=Training(method="average", steps=1, expected_rows=1000))
    by_sites = replaced(by_sites, privacy=replaced(by_sites.privacy, unit="site"))
    unsaid = plan(1000, 1.0, kind="additive", training=Training(method="boosting", rounds=40))
    for spec, why in ((by_sites, "sites count here"), (unsaid, "expected_rows")):
        found = useful(spec, None)
        assert isinstance(found, Unknown)
        assert why in found.words()[0]
        assert found.document() == {"verdict": None, "why": found.why}
        assert list(found.advice()) == list(found.warnings()) == []


@pytest.mark.slow
def test_a_model_that_says_no_of_all_rows_fits_badly_though_it_ranks_them_well():
    """Short steps leave log-odds near 0 where 1 of 10 rows is positive. Judged by scikit-learn's log-loss."""
    spec = plan(1300, 8.0)
    found = made_up(encoding(spec), goal_of(spec), 0.1, 3000, 1)
    short = rehearsal._judged(goal_of(spec), 0.1 * found.best, found.best, found.target)
    assert short.value == short.best
    assert short.kept == pytest.approx(1.0)
    assert short.fits < 0.5
    true = rehearsal._judged(goal_of(spec), found.best, found.best, found.target)
    assert (true.kept, true.fits) == (1.0, 1.0)
    chance = 1 / (1 + np.exp(-0.1 * found.best[:, 0]))
    assert rehearsal._loss(goal_of(spec), 0.1 * found.best, found.target) == pytest.approx(
        log_loss(found.target, chance)
    )
    few = useful(spec, None)
    assert "training.rounds" in {one.key for one in few.changes}
