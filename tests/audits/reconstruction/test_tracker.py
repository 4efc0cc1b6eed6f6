"""The few rows between two selections come out of the difference of their exact statistics; with noise they do not."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from msgspec import structs

import potluck
from potluck.audits.attack import Until
from potluck.audits.counting import real, sum_over
from potluck.audits.reconstruction.tracker import TRACKER
from potluck.audits.seen import Seen
from potluck.core.errors import UsageError
from potluck.core.seeded import generator
from potluck.core.tables.derived import Where
from potluck.learning.data.table import read
from potluck.learning.selection.within import HIGH, LOW, alike, rows_in, within
from potluck.learning.statistics.kinds import kind_of
from potluck.learning.statistics.parts import parted
from potluck.learning.statistics.reading import groups
from potluck.tasks.sources import held

SITES = ("a", "b", "c")
COLUMNS = {
    "age": {"kind": "number", "low": 0, "high": 120},
    "sex": {"kind": "category", "values": ["F", "M"]},
    "chol": {"kind": "number", "low": 0, "high": 500},
}
ASKED = [
    {"name": "m", "kind": "mean", "column": "chol"},
    {"name": "h", "kind": "histogram", "column": "age", "bins": 12},
    {"name": "s", "kind": "count", "by": "sex"},
]
YOUNG = [{"column": "age", "below": 90}]
NOISE = {"noise": "shared", "unit": "row", "epsilon": 8.0, "delta": 1e-5}
FOREVER = Until(float("inf"), generator(0))


@pytest.fixture(autouse=True)
def alone(only):
    only(TRACKER)


def plan(where=(), word="mask", statistics=ASKED, privacy=(), name="p"):
    return potluck.Plan(
        name=name, purpose="a test", task="statistics", federation={"sites": list(SITES), "server": "curious"},
        data={"columns": COLUMNS, "where": list(where), "max_rows": 200}, statistics=list(statistics),
        protect={"with": word}, privacy={"noise": "none"} | dict(privacy),
    )  # fmt: skip


def rows(old=1, count=30):
    """At site b so many are 90 or older, and all others are younger."""
    rng, found = np.random.default_rng(3), {}
    for site in SITES:
        found[site] = pd.DataFrame(
            {
                "age": rng.integers(20, 90, count),
                "sex": rng.choice(["F", "M"], count),
                "chol": rng.uniform(100, 400, count).round(2),
            }
        )
    found["b"].loc[: old - 1, "age"] = [91 + 2 * one for one in range(old)]
    found["b"].loc[: old - 1, "sex"] = ["F", "M", *["F"] * old][:old]
    return found


def tried(tmp_path, first, second, data):
    """What the tracker says of two recorded runs, the later of which is attacked by its server."""
    for name, spec in (("0", first), ("1", second)):
        potluck.run(spec, data, out=tmp_path / name, ledger=tmp_path / "ledgers", record=True)
    done = potluck.attack(tmp_path / "1", data=data, before=tmp_path / "0")
    return [one for one in done.results if one.name == "tracker"]


def two(first, second, data, then=None):
    """(what it finds without a record, the later run's rows, the earlier one's). then: of these."""
    runs = [held(spec, some) for spec, some in ((first, data if then is None else then), (second, data))]
    sums = [sum_over(spec, truth, FOREVER) for spec, truth in runs]
    before, now = (Seen(spec, frozenset({"server"}), (known,), {}) for (spec, _), known in zip(runs, sums, strict=True))
    both = replace(now, before=before)
    assert TRACKER.fits(both) is None
    (found,) = TRACKER.tried(both, FOREVER)
    return found, runs[1][1], runs[0][1]


@pytest.mark.slow
@pytest.mark.parametrize("order", [(0, 1), pytest.param((1, 0), marks=pytest.mark.slow)])
def test_a_row_that_went_is_found_as_one_that_came_where_files_are_as_they_were_at_either_run(tmp_path, order):
    spec, full = plan(), rows()
    runs = [full, full | {"b": full["b"].iloc[1:]}]
    for name, place in zip(("0", "1"), order, strict=True):
        potluck.run(spec, runs[place], out=tmp_path / name, ledger=tmp_path / "ledgers", record=True)

    def said(data):
        found = potluck.attack(tmp_path / "1", data=data, before=tmp_path / "0").results
        return next(one.verdict for one in found if one.name == "tracker")

    it = said(full)
    assert it.succeeded
    assert "of which one has just that" in it.words
    lacks = said(runs[1])
    assert lacks.succeeded is None
    run = "later" if order == (1, 0) else "earlier"
    assert f"rows of the {run} run are not here to compare; --data takes the files as they were at either run" in (
        lacks.words
    )


@pytest.mark.parametrize("later", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_the_one_row_between_two_selections_is_found_under_masks(tmp_path, later):
    """A site with `allow.min_cell` lets the second plan wait: tests/attacks/privacy/test_differencing.py."""
    plans = [plan(), plan(YOUNG)]
    (it,) = tried(tmp_path, plans[1 - later], plans[later], rows())
    assert it.of == SITES
    assert it.verdict.succeeded
    assert it.verdict.score == 1.0
    assert it.control
    words = it.verdict.words
    assert words.startswith(
        "one row of sites a, b, c together is in one of the two runs alone, and what it has in m, h "
    )
    assert words.endswith("(compared with the row)")
    data = rows()["b"].iloc[0]
    assert not any(str(data[name]) in words for name in ("age", "chol"))


@pytest.mark.usefixtures("repeatable")
@pytest.mark.parametrize(("noise", "found"), [("shared", False), pytest.param("reveal", True, marks=pytest.mark.slow)])
def test_noise_of_sites_hides_it_and_that_of_the_server_not_from_the_server(tmp_path, noise, found):
    privacy = NOISE | {"noise": noise}
    (it,) = tried(tmp_path, plan(privacy=privacy), plan(YOUNG, privacy=privacy), rows())
    assert it.verdict.succeeded is found
    assert it.control


@pytest.mark.slow
def test_without_rows_the_texts_of_the_plans_decide():
    found, *_ = two(plan(), plan(YOUNG), rows())
    assert found.judged({}).succeeded
    assert "by the texts of the plans" in found.judged({}).words
    apart, *_ = two(plan(), plan([{"column": "sex", "in": ["F", "M"]}, *YOUNG]), rows())
    assert apart.judged({}).succeeded
    cross, now, then = two(plan([{"column": "age", "at_least": 22}]), plan([{"column": "age", "below": 88}]), rows())
    assert not cross.judged({}).succeeded
    assert not cross.judged_beside(now, then).succeeded


@pytest.mark.parametrize(
    ("old", "asked", "succeeds", "words"),
    [
        (2, ASKED, True, "what each has in h and s"),
        (
            2,
            ASKED[:1],
            False,
            "two rows of sites a, b, c together are in one of the two runs alone, of which numbers of all",
        ),
        (1, [{"name": "c", "kind": "count"}], False, "is in one of the two runs alone, of which numbers of all"),
        (4, ASKED[1:2], True, "what each has in h is"),
        (5, ASKED, False, "five rows of sites a, b, c together are in one of the two runs alone, from 5 on no few"),
        (0, ASKED, False, "no rows of"),
    ],
)
def test_of_a_few_rows_what_tells_them_apart_is_said(old, asked, succeeds, words):
    found, now, then = two(plan(statistics=asked), plan(YOUNG, statistics=asked), rows(old))
    it = found.judged_beside(now, then)
    assert it.succeeded is succeeds
    assert words in it.words


@pytest.mark.slow
def test_a_row_that_came_is_told_from_several_that_came_and_went_by_the_rows_alone():
    data = rows(0, 5)
    more = data | {"c": pd.concat([data["c"], rows(0)["a"].tail(1)], ignore_index=True)}
    found, now, _ = two(plan(), plan(), more, data)
    assert found.judged({}).succeeded is None
    it = found.judged(now)
    assert it.succeeded
    assert "compared with 16 rows, of which one has just that; that two came and one went looks so in " in it.words
    swapped = more | {"a": more["a"].assign(chol=[499, *more["a"]["chol"][1:]])}
    found, now, _ = two(plan(), plan(), swapped, data)
    assert found.judged(now).succeeded is None
    assert "no row that was looked at has that" in found.judged(now).words


def test_one_that_went_while_another_came_are_not_said_to_be_nobody():
    """The counts of all are equal then, and no other number is."""
    full = rows()
    other = full | {"b": pd.concat([full["b"].iloc[1:], full["c"].iloc[:1]])}
    found, _, _ = two(plan(), plan(), full, other)
    it = found.judged({})
    assert it.succeeded is None
    assert "as many rows came as went between the two runs, and exact sums of m, h and s differ" in it.words
    same, _, _ = two(plan(), plan(), full, full)
    assert same.judged({}).succeeded is False


@pytest.mark.slow
def test_a_difference_that_some_who_came_and_others_who_went_make_too_decides_nothing():
    data = rows(0, 8)
    more = data | {"c": pd.concat([data["c"], rows(0)["a"].tail(1)], ignore_index=True)}
    found, now, _ = two(*[plan(statistics=ASKED[1:])] * 2, more, data)
    it = found.judged(now)
    assert it.succeeded is None
    assert "often looks like one row" in it.words


def test_rows_of_other_runs_bear_nothing_out():
    found, now, then = two(plan(), plan(YOUNG), rows())
    other = {name: held(spec, rows(2))[1] for name, spec in (("now", plan(YOUNG)), ("then", plan()))}
    assert found.judged_beside(now, then).succeeded
    it = found.judged_beside(other["now"], other["then"])
    assert it.succeeded is None
    assert "are they of these runs?" in it.words


def test_runs_that_ask_nothing_alike_are_not_compared(tmp_path, masked):
    one, other = plan(statistics=ASKED[:1]), plan(statistics=[{"name": "v", "kind": "variance", "column": "chol"}])
    seens = [Seen(spec.spec, frozenset({"server"}), (), {}) for spec in (one, other)]
    assert "no statistic in common" in TRACKER.fits(replace(seens[0], before=seens[1]))
    assert "--before" in TRACKER.fits(seens[0])
    assert "publishes no statistics" in TRACKER.fits(Seen(masked[1].spec, frozenset({"server"}), (), {}))
    potluck.run(one, rows(), out=tmp_path / "run", record=True)
    with pytest.raises(UsageError, match="of statistics also another plan's"):
        potluck.attack(tmp_path / "run", before=masked[0])


# What plans' texts say

BOUNDS = [Where(column="age", **{word: float(at)}) for word in (*LOW, *HIGH) for at in (3, 4, 5)]
LISTS = [Where(column="sex", **{word: some}) for word in ("within", "not_in") for some in (("F",), ("M",), ("F", "M"))]


def meets(one, age, sex):
    ((word, value),) = one.said.items()
    tests = (
        {"at_least": age >= value, "above": age > value, "at_most": age <= value, "below": age < value}
        if (one.column == "age")
        else {"in": sex in value, "not_in": sex not in value}
    )
    return tests[word]


def test_a_selection_lies_within_another_just_where_every_row_of_it_does():
    """Over all ages and sexes that there are: half years, for bounds that are open."""
    spec = plan().spec
    every = [(age / 2, sex) for age in range(2, 14) for sex in "FM"]
    said = 0
    for one in (*BOUNDS, *LISTS):
        for other in (*BOUNDS, *LISTS):
            plans = [structs.replace(spec, data=structs.replace(spec.data, where=(some,))) for some in (one, other)]
            taken = [{row for row in every if meets(some, *row)} for some in (one, other)]
            if within(*plans):
                assert taken[0] <= taken[1]
            elif one.column == other.column == "age" and taken[0] <= taken[1]:
                raise AssertionError(f"{one} lies within {other}")
            said += within(*plans)
    assert said > 40


KINDS = [
    {"kind": "count", "by": "sex"},
    {"kind": "mean", "column": "chol", "by": "sex"},
    {"kind": "variance", "column": "chol"},
    {"kind": "histogram", "column": "age", "bins": 4},
    {"kind": "contingency", "columns": ["sex", "arm"]},
    {"kind": "missing", "columns": ["age"]},
    {"kind": "top", "column": "sex", "k": 1},
    {"kind": "pca", "columns": ["age", "chol"]},
    {"kind": "test", "test": "correlation", "columns": ["age", "chol"]},
    {"kind": "test", "test": "welch", "column": "age", "by": "sex"},
    {"kind": "test", "test": "chi2", "columns": ["sex", "arm"]},
]


@pytest.mark.parametrize("asked", KINDS, ids=str)
def test_a_statistic_that_says_how_many_rows_it_is_of_says_it_right(asked):
    frame = rows()["a"].assign(arm=["x", "y"] * 15)
    columns = COLUMNS | {"arm": {"kind": "category", "values": ["x", "y"]}}
    spec = plan(statistics=[{"name": "k"} | asked]).set("data.columns", columns).spec
    (one,) = parted(spec) if len(parted(spec)) == 1 else parted(spec)[:1]
    table = read(frame, spec, "a")
    values = real(spec, table, FOREVER)[: groups(spec, one) * kind_of(one).width(spec, one)]
    counted = rows_in(spec, one, values.reshape(groups(spec, one), -1))
    assert counted.sum() == 30
    if one.by:
        assert sorted(counted) == sorted([0, (frame["sex"] == "F").sum(), (frame["sex"] == "M").sum()])


def test_what_two_plans_ask_alike_has_the_same_columns():
    narrow = COLUMNS | {"chol": COLUMNS["chol"] | {"high": 400}}
    first, second = plan().spec, plan(name="q", statistics=[one | {"name": f"{one['name']}2"} for one in ASKED])
    assert {name: other for name, (_, other) in alike(first, second.spec).items()} == {"m": "m2", "h": "h2", "s": "s2"}
    assert set(alike(first, second.set("data.columns", narrow).spec)) == {"h", "s"}
