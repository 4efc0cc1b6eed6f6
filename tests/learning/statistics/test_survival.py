"""Survival: known answers of other programs, hostile rows, and intervals and tests that hold with noise."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from potluck.core.asks import Kind
from potluck.core.plan import PrivacyPlan, Statistic
from potluck.learning.data.table import read
from potluck.learning.loops import build
from potluck.learning.statistics import lifetimes
from potluck.learning.statistics.check import check
from potluck.learning.statistics.kinds import survival
from potluck.learning.statistics.sums import Part
from potluck.secret.random import system
from support.learning.rossi import rossi
from support.learning.sums import category, frames, number, replaced, run, stats, summed

NOISE = PrivacyPlan(noise="shared", unit="row", epsilon=1.0, delta=1e-5)
WEEKS = {
    "week": number(1, 53),
    "arrest": category("0", "1"),
    "kind": category("none", "even", "odd"),
    "fin": category("0", "1"),
    "prior": category("0", "1", "2", "3"),
}


def prisoners():
    rows = rossi()
    kind = np.where(rows["arrest"] == 0, "none", np.where(rows["prio"] % 2 == 0, "even", "odd"))
    return rows.assign(kind=kind, prior=rows["prio"].clip(upper=3))


def asked(*wanted, privacy=None, columns=WEEKS):
    return stats(columns, *wanted, **({"privacy": privacy} if privacy else {}))


def weeks(name="s", **keys):
    base = {"time": "week", "event": "arrest", "events": ("1",), "bins": 52}
    return Statistic(name=name, kind="survival", **(base | keys))


def test_the_prisoners_are_as_lifelines_and_statsmodels_have_them():
    """Kaplan-Meier, Greenwood, log(-log) and log-rank: lifelines 0.30.3; incidences and their errors: statsmodels; the
    restricted mean and its error by hand, as area and by Greenwood's terms."""
    plan = asked(
        weeks(by="fin"),
        weeks("p", by="prior"),
        weeks("h", horizon=40.0),
        weeks("c", event="kind", events=(), outcomes=("even", "odd")),
    )
    assert not list(check(plan))
    found = run(build(plan), frames(plan, prisoners()[:200], prisoners()[200:])).results
    one = found["s"]
    assert one.times == tuple(range(1, 53))
    assert [one.survival[week - 1] for week in (20, 26, 52)] == pytest.approx(
        [0.907407407, 0.875, 0.736111111], abs=1e-9
    )
    assert (one.low[-1], one.high[-1]) == (pytest.approx(0.691860, abs=1e-6), pytest.approx(0.775063, abs=1e-6))
    assert (one.at_risk[0], sum(one.events)) == (432, 114)
    assert (one.logrank.statistic, one.logrank.p, one.logrank.df) == (
        pytest.approx(3.8375696),
        pytest.approx(0.0501161, abs=1e-7),
        1,
    )
    assert found["p"].logrank.statistic == pytest.approx(13.5838709)
    assert found["p"].logrank.df == 3
    assert one.median.value is None
    assert one.rmst.value == pytest.approx(45.8541667)
    assert (one.rmst.high - one.rmst.value) / lifetimes.Z == pytest.approx(0.608509, abs=1e-6)
    assert (found["h"].rmst.horizon, found["h"].rmst.value) == (40, pytest.approx(36.5486111))
    for fin, at_end, mean in (("0", 0.694444444, 44.8333333), ("1", 0.777777778, 46.875)):
        assert (one.by[fin].survival[-1], one.by[fin].rmst.value) == (pytest.approx(at_end), pytest.approx(mean))
    shares = found["c"].outcomes
    assert [shares[name].incidence[-1] for name in ("even", "odd")] == pytest.approx([0.1342593, 0.1296296], abs=1e-7)
    assert found["c"].survival == pytest.approx(one.survival)


@given(st.integers(0, 2**31), st.integers(2, 80), st.booleans())
def test_curves_are_those_of_statsmodels_whatever_the_rows(seed, n, few):
    sm = pytest.importorskip("statsmodels.duration.survfunc")
    draw = np.random.default_rng(seed)
    time, event = draw.integers(1, 4 if few else 13, n), draw.integers(0, 3, n)
    exits = np.zeros((3, 12))
    np.add.at(exits, ((event - 1) % 3, time - 1), 1)
    of = lifetimes.lifetimes(exits)
    theirs = sm.SurvfuncRight(time, (event > 0).astype(int))
    at = theirs.surv_times.astype(int) - 1
    assert of.survival[at] == pytest.approx(theirs.surv_prob, abs=1e-12)
    inside = theirs.surv_prob > 0
    assert np.sqrt(of.variance[at])[inside] == pytest.approx(theirs.surv_prob_se[inside], abs=1e-12)
    share, variance = lifetimes.incidence(of)
    assert share.sum(axis=0) + of.survival == pytest.approx(np.ones(12), abs=1e-12)
    if {1, 2} <= set(event) and of.survival[-1] > 0:
        them = sm.CumIncidenceRight(time, event)
        at = np.asarray(them.times).astype(int) - 1
        for k in (0, 1):
            assert share[k][at] == pytest.approx(np.asarray(them.cinc[k]), abs=1e-12)
            assert np.sqrt(variance[k][at]) == pytest.approx(np.asarray(them.cinc_se[k]), abs=1e-9)


def test_missing_undeclared_and_late_rows_are_treated_as_everywhere():
    columns = {"week": number(0, 10, "drop"), "arrest": category("0", "1", missing="drop"), "g": category("a", "b")}
    plan = asked(weeks(bins=10, by="g"), columns=columns)
    rows = pd.DataFrame(
        {
            "week": [1.0, 2.0, 3.0, np.nan, 99.0, 4.0, 5.0],
            "arrest": ["1", "0", "7", "1", "1", "", "1"],
            "g": list("aabbaaz"),
        }
    )
    found = run(build(plan), frames(plan, rows)).results["s"]
    assert found.at_risk[:2] == (4, 4)  # of weeks 1, 2, 99 and 5; 7 is no declared value
    assert found.events == (0, 1, 0, 0, 0, 1, 0, 0, 0, 1)
    assert (found.by["a"].at_risk[0], found.by["b"].at_risk[0]) == (3, 0)
    assert set(found.by["b"].survival) == {None}
    assert found.by["b"].rmst.value is found.by["b"].median.value is None
    assert found.logrank is None  # one group has nobody
    assert found.by["a"].survival[-1] == 0
    assert (found.by["a"].low[-1], found.by["a"].median.value) == (None, 9.0)


@pytest.mark.parametrize("bins", [10, 52])
def test_a_row_adds_no_more_than_the_sensitivity(bins):
    plan = asked(weeks(bins=bins, by="fin"), privacy=NOISE)
    task = build(plan)
    ask = task.ask(Kind.STATISTICS, 0, b"")
    (block,) = ask.blocks
    assert block.l2 == pytest.approx(1.517049 if bins == 52 else 1.0, abs=1e-6)
    assert block.single is (bins == 10)
    hostile = (
        prisoners().iloc[:6].assign(week=[-9.0, 1e9, 1.0, 53.0, 52.99, 26.5], arrest=["0", "1", "x", "1", "0", "1"])
    )
    for place in range(len(hostile)):
        (given,) = task.contribute(ask, read(hostile.iloc[[place]], plan, "a"), system)
        added = summed(given, ask)
        assert 0 < np.linalg.norm(added) <= block.l2 * (1 + 1e-12)
        assert np.abs(added).max() <= block.high


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"time": None}, "s.time: is missing"),
        ({"time": "arrest"}, "s.time: arrest is a category"),
        ({"event": "week"}, "s.event: week is a number"),
        ({"events": ("2",)}, "s.events: 2 is not declared"),
        ({"events": ("1", "1")}, "s.events: a value is there twice"),
        ({"outcomes": ("1", "9")}, "s.outcomes: 9 is not declared"),
        ({"horizon": 54.0}, "s.horizon: is beyond the declared range of week"),
        ({"q": (0.5,)}, "s.q: a survival does not read it"),
    ],
)
def test_what_cannot_be_is_refused_by_its_key(keys, said):
    assert any(said in line for line in check(asked(weeks(**keys))))
    assert not list(check(asked(weeks())))


def test_with_noise_only_what_is_measured_is_taken():
    assert not list(check(asked(weeks(), privacy=NOISE)))
    outcomes = asked(weeks(event="kind", events=(), outcomes=("even", "odd")), privacy=NOISE)
    assert any("s.outcomes: competing outcomes are not measured with noise" in line for line in check(outcomes))
    several = asked(weeks(), privacy=replaced(NOISE, unit="person", rows_per_person=2))
    assert any("s: a person counts with several rows" in line for line in check(several))
    below = asked(weeks(), columns=WEEKS | {"week": number(-1, 53)})
    assert any("s.time: week begins below 0" in line for line in check(below))


def noised(plan, one, exits, sigma, draw):
    """What is opened of [groups, 2, m] exits: events and censored, nobody undeclared, and nobody of other groups."""
    how = survival.totals(plan, one)
    groups, _, m = exits.shape
    whole = np.zeros((groups + bool(one.by), 3, m))
    whole[:groups, :2] = exits
    counts = whole.reshape(-1).astype(int).tolist()
    opened = np.array(how.steps(counts)) / how.parts + draw.normal(0, sigma, len(counts))
    opened = opened.reshape(len(whole), -1)
    return survival.read(plan, one, Part(opened, np.full(opened.shape, sigma), 1.0))


def drawn(n, bins, draw, hazard=1.0):
    """Exits [2, m] of n rows with constant hazards: about .37 survive, some leave before."""
    event, censored = draw.exponential(1 / hazard, n), draw.exponential(4.0, n)
    leaves = np.minimum(np.minimum(event, censored), 1.0)
    place = np.minimum((leaves * bins).astype(int), bins - 1)
    found = np.zeros((2, bins))
    np.add.at(found, (((event > censored) | (leaves >= 1.0)).astype(int), place), 1)
    return found


def study(bins):
    one = weeks(bins=bins)
    plan = asked(one, privacy=NOISE, columns=WEEKS | {"week": number(0, 1)})
    return plan, one, 4.045 * survival.totals(plan, one).norm


def covered(n, bins, tries, seed, reads=lambda found: (found.low, found.high)):
    """How often the pointwise intervals hold the true survival of discretised exponential times."""
    plan, one, sigma = study(bins)
    draw = np.random.default_rng(seed)
    wide = drawn(2_000_000, bins, np.random.default_rng(1))
    truth = lifetimes.lifetimes(wide).survival
    points, hits = [bins // 4, bins // 2, bins - 2], 0
    for _ in range(tries):
        low, high = reads(noised(plan, one, drawn(n, bins, draw)[None], sigma, draw))
        hits += sum(low[at] <= truth[at] <= high[at] for at in points)
    return hits / tries / len(points)


def test_intervals_with_noise_cover_the_population():
    assert covered(200, 52, 100, 5) >= 0.90


def test_intervals_without_the_noise_would_not(monkeypatch):
    monkeypatch.setattr(survival.np, "var", lambda *_, **__: 0.0)
    assert covered(200, 52, 100, 5) < 0.88


@pytest.mark.slow
@pytest.mark.parametrize("bins", [13, 52])
@pytest.mark.parametrize("n", [500, 2000, 20_000])
def test_intervals_with_noise_cover_whatever_the_rows_and_bins(n, bins):
    assert covered(n, bins, 400, 7) >= 0.90


def compared(groups, n, tries, seed, hazard=1.0):
    """How often the log-rank test says at 5 % that groups differ, the last of which has this hazard, others 1."""
    one = weeks(bins=52, by="prior")
    columns = WEEKS | {"week": number(0, 1), "prior": category(*map(str, range(groups)))}
    plan, draw = asked(one, privacy=NOISE, columns=columns), np.random.default_rng(seed)
    sigma, said = 4.045 * survival.totals(plan, one).norm, []
    for _ in range(tries):
        exits = np.array([drawn(n, 52, draw, hazard if i == groups - 1 else 1.0) for i in range(groups)])
        said.append(noised(plan, one, exits, sigma, draw).logrank.p < 0.05)
    return float(np.mean(said))


@pytest.mark.slow
@pytest.mark.parametrize("groups", [2, 3, 4])
@pytest.mark.parametrize("n", [250, 1000, 10_000])
def test_the_log_rank_test_with_noise_holds_its_level_and_finds_differences(groups, n):
    assert compared(groups, n, 400, n + groups) <= 0.05 + 2.5 * math.sqrt(0.05 * 0.95 / 400)
    assert compared(groups, n, 30, 9, hazard=1.8) > 0.8


def test_more_groups_than_are_measured_are_not_compared_with_noise():
    one = weeks(bins=20, by="prior")
    columns = WEEKS | {"prior": category(*"01234")}
    exits = np.array([drawn(500, 20, np.random.default_rng(i)) for i in range(5)])
    open_, private = asked(one, columns=columns), asked(one, privacy=NOISE, columns=columns)
    counts = np.concatenate([exits, np.zeros((5, 1, 20))], axis=1).reshape(5, -1)
    counts = np.concatenate([counts, np.zeros((1, 60))])
    assert survival.read(open_, one, Part(counts, np.zeros_like(counts), 1.0)).logrank.df == 4
    assert noised(private, one, exits, 6.0, np.random.default_rng(0)).logrank is None


def test_the_same_release_says_the_same_and_claims_no_mean():
    plan, one, sigma = study(52)
    exits = drawn(500, 52, np.random.default_rng(2))[None]
    first, again = (noised(plan, one, exits, sigma, np.random.default_rng(4)) for _ in "ab")
    assert first.document() == again.document()
    assert (first.rmst.low, first.rmst.high) == (None, None)
    assert first.rmst.value == pytest.approx(
        lifetimes.restricted_mean(lifetimes.lifetimes(exits[0]), np.array(first.times), first.rmst.horizon)[0], abs=0.1
    )
    assert all(a >= b for a, b in zip(first.survival, first.survival[1:], strict=False))


def test_what_is_shown_has_curves_from_time_zero_and_every_number():
    plan = asked(weeks(by="fin"), weeks("c", event="kind", events=(), outcomes=("even", "odd")))
    found = run(build(plan), frames(plan, prisoners())).results
    curves, first, test, points = found["s"].shown(plan, plan.statistics[0])
    assert [row[:3] for row in first.rows] == [("all", 432, 114), ("0", 216, 66), ("1", 216, 48)]
    assert test.rows[0][0] == "log-rank, by fin"
    assert [(one.name, one.x[0], one.y[0], len(one.x)) for one in curves.curves] == [
        ("fin = 0", 0.0, 1.0, 53),
        ("fin = 1", 0.0, 1.0, 53),
    ]
    assert curves.beneath == "at risk"
    there = [(rows["week"] >= 52).sum() for _, rows in prisoners().groupby("fin")]
    assert [one.counts[:2] + one.counts[-1:] for one in curves.curves] == [(216, 216, there[0]), (216, 216, there[1])]
    assert len(points.rows) == 3 * 52
    forms = found["c"].shown(plan, plan.statistics[1])
    assert [one.name for one in forms[2].curves] == ["even", "odd"]
    assert len(forms[3].rows) == 2 * 52


def test_what_noise_leaves_of_the_last_row_at_risk_does_not_make_the_log_rank_test_blind():
    """d (n - d) / (n - 1) has no bound where n is a little more than 1, as no count of rows is."""
    base = np.array([[[0.0, 20.0, 0.0], [0.0, 30.0, 0.0]], [[0.0, 5.0, 0.0], [0.0, 45.0, 0.0]]])
    late = np.array([[[0.0, 0.0, 0.2], [0.0, 0.0, 0.300001]], [[0.0, 0.0, 0.2], [0.0, 0.0, 0.3]]])
    apart, plain = lifetimes.log_rank(list(base))
    found, noisy = lifetimes.log_rank(list(base + late))
    assert noisy == pytest.approx(plain, rel=0.1)
    assert found == pytest.approx(apart, abs=0.3)
