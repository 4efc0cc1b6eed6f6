"""Survival: known answers of other programs, hostile rows, and intervals and tests that hold with noise."""

import itertools
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
from potluck.learning.statistics import foreseen, lifetimes, moved
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
        ({"outcomes": ("0",)}, "s.events: outcomes are events, each its own"),
        ({"events": ("1", "1")}, "s.events: a value is there twice"),
        ({"outcomes": ("1", "9"), "events": ()}, "s.outcomes: 9 is not declared"),
        ({"horizon": 54.0}, "s.horizon: is beyond the declared range of week"),
        ({"q": (0.5,)}, "s.q: a survival does not read it"),
    ],
)
def test_what_cannot_be_is_refused_by_its_key(keys, said):
    assert any(said in line for line in check(asked(weeks(**keys))))
    assert not list(check(asked(weeks())))


def test_with_noise_only_what_is_measured_is_taken():
    assert not list(check(asked(weeks(), privacy=NOISE)))
    assert not list(check(asked(weeks(event="kind", events=(), outcomes=("even", "odd")), privacy=NOISE)))
    several = asked(weeks(), privacy=replaced(NOISE, unit="person", rows_per_person=2))
    assert any("s: a person counts with several rows" in line for line in check(several))
    below = asked(weeks(), columns=WEEKS | {"week": number(-1, 53)})
    assert any("s.time: week begins below 0" in line for line in check(below))


NOISES = {0.5: 7.667, 1.0: 4.045, 3.0: 1.493}
"""Standard deviation of the noise by epsilon, at delta 1e-5, over the L2 norm of what a row adds."""


def chances(bins, events, leaving, shape=1.0, split=(1.0,)):
    """[outcomes + 1, m] how likely a row leaves at each time by each outcome, or censored: Weibull events, of which
    there is this share by the end if nobody leaves before; a constant hazard of leaving. All leave at the last time."""
    t = np.linspace(0, 1, bins * 100 + 1)
    happens, leaves = np.diff(-math.log(1 - events) * t**shape), np.full(bins * 100, leaving / bins / 100)
    stay = np.append(1.0, np.exp(-np.cumsum(happens + leaves)))
    each = (stay[:-1] - stay[1:]) / (happens + leaves)
    first, second = ((each * one).reshape(bins, -1).sum(axis=1) for one in (happens, leaves))
    second[-1] += stay[-1]
    return np.array([*(part * first for part in split), second])


def true(of):
    """Survival, incidences, restricted mean until the last time and the place of the median: by hand, of chances."""
    reach = of.sum(axis=0)[::-1].cumsum()[::-1]
    survival = np.cumprod(1 - of[:-1].sum(axis=0) / reach)
    shares = np.cumsum(np.append(1.0, survival[:-1]) * of[:-1] / reach, axis=1)
    return survival, shares, survival[:-1].sum() / len(survival), int(np.argmax(survival <= 0.5))


def study(bins, outcomes=(), groups=0, epsilon=1.0):
    """A plan of times between 0 and 1, and the noise in each number."""
    keys = {"event": "kind", "events": (), "outcomes": outcomes} if outcomes else {}
    one = weeks(bins=bins, by="prior" if groups else None, **keys)
    columns = WEEKS | {"week": number(0, 1), "prior": category(*map(str, range(groups or 1)))}
    plan = asked(one, privacy=NOISE, columns=columns)
    return plan, one, NOISES[epsilon] * survival.totals(plan, one).norm


def noised(plan, one, exits, sigma, draw):
    """What is opened of [groups, outcomes + 1, m] exits: nobody undeclared, and nobody of other groups."""
    how = survival.totals(plan, one)
    groups, lines, m = exits.shape
    whole = np.zeros((groups + bool(one.by), lines + 1, m))
    whole[:groups, :lines] = exits
    counts = whole.reshape(-1).astype(int).tolist()
    opened = np.array(how.steps(counts)) / how.parts + draw.normal(0, sigma, len(counts))
    opened = opened.reshape(len(whole), -1)
    return survival.read(plan, one, Part(opened, np.full(opened.shape, sigma), 1.0))


def drawn(of, n, draw):
    return draw.multinomial(n, of.ravel() / of.sum()).reshape(of.shape).astype(float)


def ends(found):
    """All intervals of a result, [2, ...]: survival, then outcomes, by time; the restricted mean; the median."""
    curves = [found, *(found.outcomes or {}).values()]
    numbers = [
        [*(end for one in curves for end in getattr(one, side)), getattr(found.rmst, side), getattr(found.median, side)]
        for side in ("low", "high")
    ]
    low, high = np.array(numbers, dtype=float)
    return low, np.where(np.isnan(high) & ~np.isnan(low), math.inf, high)  # a median may be open above


def covered(n, of, tries, seed, epsilon=1.0, groups=0):
    """Of each number of `ends`, how often its interval holds the truth where there is one, and how often there is."""
    outcomes = ("even", "odd") if len(of) > 2 else ()
    plan, one, sigma = study(of.shape[1], outcomes, groups, epsilon)
    draw, (alive, shares, mean, middle) = np.random.default_rng(seed), true(of)
    truth = np.concatenate([alive, shares.ravel() if outcomes else [], [mean, middle / len(alive)]])
    held, given = np.zeros(len(truth)), np.zeros(len(truth))
    for _ in range(tries):
        found = noised(plan, one, np.array([drawn(of, n, draw) for _ in range(max(groups, 1))]), sigma, draw)
        low, high = ends(found.by["0"] if groups else found)
        given += ~np.isnan(low)
        held += (low <= truth + 1e-9) & (truth <= high + 1e-9)
    return held / np.maximum(given, 1), given / tries


RARE = chances(52, 0.07, 0.1, shape=2.0, split=(0.7, 0.3))
"""Hardly an event before the middle: some 35 of 500 rows by the end, 2 in the first quarter."""


@pytest.mark.slow
def test_intervals_with_noise_cover_the_population_where_events_are_rare():
    rates, given = covered(500, RARE, 150, 5)
    assert given[:-1].min() == 1
    assert rates[:-1].min() >= 0.85
    assert rates[:-1].mean() >= 0.94


def test_intervals_without_the_noise_would_not(monkeypatch):
    def quiet(of, how, std, wide):
        found = moved.moved(of, how, std, wide)
        return moved.Moved(0 * found.survival, 0 * found.shares, 0.0, found.until)

    monkeypatch.setattr(survival, "moved", quiet)
    rates, _ = covered(500, RARE, 60, 5)
    assert rates[[30, 82, 134, -2]].max() < 0.75


GRID = [
    (n, bins, events, leaving, shape, epsilon)
    for place, (n, bins, events, leaving, shape, epsilon) in enumerate(
        itertools.product(
            (200, 500, 2000, 20_000), (13, 26, 52), (0.02, 0.07, 0.25, 0.6), (0.1, 1.5), (0.5, 1, 2), (0.5, 1, 3)
        )
    )
    if place % 31 == 0
]
"""Of 864 such studies, some of each."""


@pytest.mark.slow
@pytest.mark.parametrize(("n", "bins", "events", "leaving", "shape", "epsilon"), GRID)
def test_intervals_with_noise_cover_whatever_the_rows_events_and_bins(n, bins, events, leaving, shape, epsilon):
    """Where an interval is given in half of the runs or more: 1,000 runs, and the bound leaves them three of their
    standard deviations below .92. By group as well: then all rows together hold the noise of three."""
    for groups, tries in ((0, 1000), (2, 400)):
        of = chances(bins, events, leaving, shape, (0.7, 0.3))
        rates, given = covered(n, of, tries, 7, epsilon, groups)
        assert rates[(given >= 0.5) & (given * tries >= 300)].min(initial=1) >= 0.89


def test_what_noise_hides_has_no_interval():
    """Of 200 rows at epsilon .5 nearly all leave early: whoever is left is fewer than the noise."""
    plan, one, sigma = study(13, epsilon=0.5)
    found = noised(
        plan, one, drawn(chances(13, 0.5, 6.0), 400, np.random.default_rng(1))[None], sigma, np.random.default_rng(3)
    )
    known = [end is not None for end in found.low]
    assert known == sorted(known, reverse=True)
    assert 0 < sum(known) < 13
    assert (found.rmst.low, found.rmst.high) == (None, None)
    assert found.rmst.value is not None
    assert None not in found.survival


def test_of_many_rows_intervals_are_as_without_noise():
    plan, one, sigma = study(26)
    exits = drawn(chances(26, 0.5, 0.5), 200_000, np.random.default_rng(2))
    found = noised(plan, one, exits[None], sigma, np.random.default_rng(3))
    of = lifetimes.lifetimes(exits)
    known = lifetimes.ends(of.survival, of.variance)
    assert found.low == pytest.approx(known[0], abs=4e-4)
    assert found.high == pytest.approx(known[1], abs=4e-4)
    mean, variance = lifetimes.restricted_mean(of, np.array(found.times), found.rmst.horizon)
    assert found.rmst.high == pytest.approx(mean + lifetimes.Z * variance**0.5, abs=4e-4)


@pytest.mark.parametrize("bins", [10, 40])
def test_what_noise_moves_is_the_derivative(bins):
    """Known: differences of all that is read off exits, when each opened number of a group grows by a little."""
    how, until, horizon = survival.totals(*study(bins)[:2]), bins - 3, 0.77
    draw, times, little = np.random.default_rng(bins), np.arange(bins) / bins, 1e-5
    groups = [drawn(chances(bins, 0.6, 0.8, split=(0.5, 0.5)), n, draw) + 1 for n in (300, 500, 400)]

    def everything(groups):
        of, *_ = both = list(map(lifetimes.lifetimes, groups))
        mean, _ = lifetimes.restricted_mean(of, times, horizon)
        apart, _ = lifetimes.log_rank(both, until, groups)
        return np.concatenate([of.survival, *lifetimes.incidence(of)[0], [mean]]), apart

    before, squares, crossed = everything(groups), 0.0, 0.0
    for group, line, place in itertools.product(range(3), range(3), range(bins)):
        ones = np.zeros((3, bins))
        ones[line, place] = little
        more = np.diff(how.cumulated(ones), axis=-1, prepend=0.0)
        after = everything([one + more if i == group else one for i, one in enumerate(groups)])
        first, apart = ((new - old) / little for new, old in zip(after, before, strict=True))
        squares, crossed = squares + first**2, crossed + np.outer(apart, apart)
    every = list(map(lifetimes.lifetimes, groups))
    found = moved.moved(every[0], how, 3.0, lifetimes.steps(times, horizon))
    ours = np.concatenate([found.survival, *found.shares, [found.mean]])
    assert ours == pytest.approx(9 * squares, rel=1e-3)
    assert moved.moved_apart(every, how, 3.0, until) == pytest.approx(9 * crossed, rel=1e-3)


@pytest.mark.parametrize("bins", [1, 2, 16, 17, 52])
def test_a_forecast_of_a_curve_is_what_noise_moves_where_it_is_known_worst(bins):
    """Known: the derivatives above, of the rows that the forecast makes up."""
    how = survival.totals(*study(bins)[:2])
    exits = np.full((2, bins), [[foreseen.EVENTS / bins], [0.0]])
    exits[1, -1] = 1 - foreseen.EVENTS
    worst = moved.moved(lifetimes.lifetimes(exits), how, 1.0, np.zeros(bins)).survival.max()
    assert foreseen.curve(how) == pytest.approx(math.sqrt(worst), rel=1e-3)


def test_an_interval_of_a_probability_is_wilsons_and_wider_by_noise():
    """Known: statsmodels, of shares of 50 rows."""
    proportion = pytest.importorskip("statsmodels.stats.proportion")
    share, rows = np.array([0, 1, 20, 50]) / 50, np.full(4, 50.0)
    low, high = moved.wilson(share, share, share * (1 - share) / 50, np.zeros(4), rows)
    known = proportion.proportion_confint([0, 1, 20, 50], 50, method="wilson")
    assert low == pytest.approx(known[0], abs=1e-12)
    assert high == pytest.approx(known[1], abs=1e-12)
    wide = moved.wilson(share, share, share * (1 - share) / 50, np.full(4, 0.01), rows)
    assert (wide[0][1:] < low[1:]).all()
    assert (wide[1][:3] > high[:3]).all()
    assert (wide[0][0], wide[1][3]) == (0, 1)


def compared(groups, n, of, tries, seed, epsilon=1.0, last=None):
    """How often the log-rank test says at 5 % that groups differ, and how often it says anything. Groups are of n and
    3 n rows in turn. last: the chances of the last group, if they are others."""
    plan, one, sigma = study(of.shape[1], groups=groups, epsilon=epsilon)
    draw, said = np.random.default_rng(seed), []
    for _ in range(tries):
        exits = [drawn(of, n * (1, 3)[i % 2], draw) for i in range(groups)]
        exits[-1] = exits[-1] if last is None else drawn(last, n, draw)
        test = noised(plan, one, np.array(exits), sigma, draw).logrank
        said += [test.p < 0.05] if test else []
    return float(np.mean(said)) if said else math.nan, len(said) / tries


@pytest.mark.slow
def test_the_log_rank_test_with_noise_holds_its_level():
    """At n = 250 the noise in differences is more than what the events vary by."""
    wrong, given = compared(3, 250, chances(52, 0.15, 0.5), 200, 3)
    assert given == 1
    assert 0.0 < wrong <= 0.125  # .05 and five standard deviations


@pytest.mark.slow
@pytest.mark.parametrize("groups", [2, 3, 5, 8])
@pytest.mark.parametrize("n", [250, 1000, 10_000])
@pytest.mark.parametrize(
    ("bins", "events", "leaving", "epsilon"), [(52, 0.6, 0.1, 1), (13, 0.07, 1.5, 0.5), (52, 0.2, 0.5, 3)]
)
def test_the_log_rank_test_is_wrong_as_often_as_it_says(groups, n, bins, events, leaving, epsilon):
    of = chances(bins, events, leaving)
    wrong, given = compared(groups, n, of, 1000, n + groups, epsilon)
    assert given < 0.3 or 0.029 <= wrong <= 0.073  # .05, and three standard deviations


@pytest.mark.slow
def test_the_log_rank_test_with_noise_finds_differences():
    found, _ = compared(4, 500, chances(52, 0.5, 0.5), 100, 9, last=chances(52, 0.7, 0.5))
    assert found > 0.9


def test_the_log_rank_test_says_nothing_of_groups_that_noise_hides():
    one = weeks(bins=20, by="prior")
    columns = WEEKS | {"prior": category(*"01234")}
    exits = np.array([drawn(chances(20, 0.5, 0.5), 500, np.random.default_rng(i)) for i in range(5)])
    open_, private = asked(one, columns=columns), asked(one, privacy=NOISE, columns=columns)
    counts = np.concatenate([exits, np.zeros((5, 1, 20))], axis=1).reshape(5, -1)
    counts = np.concatenate([counts, np.zeros((1, 60))])
    assert survival.read(open_, one, Part(counts, np.zeros_like(counts), 1.0)).logrank.df == 4
    assert noised(private, one, exits, 6.0, np.random.default_rng(0)).logrank.df == 4
    exits[3] = 0
    assert noised(private, one, exits, 6.0, np.random.default_rng(0)).logrank is None


def test_the_same_release_says_the_same():
    plan, one, sigma = study(52)
    exits = drawn(chances(52, 0.5, 0.5), 500, np.random.default_rng(2))[None]
    first, again = (noised(plan, one, exits, sigma, np.random.default_rng(4)) for _ in "ab")
    assert first.document() == again.document()
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
