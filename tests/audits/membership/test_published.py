"""Exact statistics of more numbers than rows say of each row whether it is in them; with noise they do not."""

from functools import partial

import numpy as np
import pytest

import potluck
from potluck.audits.attack import Until
from potluck.audits.counting import units_of
from potluck.audits.membership.published import PUBLISHED
from potluck.audits.record import Record
from potluck.audits.seen import seen_by
from potluck.core.seeded import generator
from potluck.core.wire import dump, load
from potluck.tasks.sources import held
from potluck.tasks.sums.halves import Opening
from support.audits.recorded import NUMBERS, SITES, changed, frames, verdict

NOISE = {"noise": "shared", "unit": "row", "epsilon": 1.0, "delta": 1e-5}


def plan(privacy=(), person=None):
    """Histograms of five numbers: 60 cells, and five means."""
    columns = {name: {"kind": "number", "low": -1, "high": 1} for name in NUMBERS}
    data = {"columns": columns, "max_rows": 100} | ({"person": person} if person else {})
    return potluck.Plan(
        name="s", purpose="a test", task="statistics", data=data,
        federation={"sites": list(SITES), "server": "curious"}, protect={"with": "mask"},
        privacy={"noise": "none"} | dict(privacy),
        statistics=[{"name": f"h{name}", "kind": "histogram", "column": name, "bins": 12} for name in NUMBERS]
        + [{"name": f"m{name}", "kind": "mean", "column": name} for name in NUMBERS],
    )  # fmt: skip


judged = partial(verdict, PUBLISHED)
"""(folder, plan, rows): what the server finds."""


def test_exact_sums_of_more_numbers_than_rows_say_it_of_each_and_not_if_they_are_zeros(tmp_path):
    def zeroed(line, body):
        if line["step"] != "opened":
            return body
        opened = load(body, Opening)
        return dump(Opening(opened.givers, bytes(len(opened.words))))

    spec, rows = plan(), frames(15)
    folder = potluck.run(spec, rows, out=tmp_path / "run", record=True).folder
    it = judged(folder, spec, rows)
    assert it.succeeded
    assert it.score == 1.0
    assert "picks that one 100 times in 100" in it.words
    other = judged(changed(folder, tmp_path / "zeros", zeroed), spec, rows)
    assert other.succeeded is None
    assert "is not that of the rows" in other.words


@pytest.mark.slow
def test_of_few_rows_several_sums_tell_and_without_time_nothing_is_said(tmp_path):
    spec, rows = plan(), frames(5)
    folder = potluck.run(spec, rows, out=tmp_path / "run", record=True).folder
    assert judged(folder, spec, rows).succeeded
    it = judged(folder, spec, rows, Until(0.0, generator(1)))
    assert it.succeeded is None
    assert "time was up" in it.words


@pytest.mark.usefixtures("repeatable")
@pytest.mark.slow
@pytest.mark.parametrize("word", ["site", "shared", "reveal"])
def test_noise_of_sites_hides_who_is_in_them_and_not_that_of_a_server_from_itself(tmp_path, word):
    spec, rows = plan(NOISE | {"noise": word}), frames(15)
    it = judged(potluck.run(spec, rows, out=tmp_path / "run", ledger=tmp_path, record=True).folder, spec, rows)
    assert it.succeeded is (word == "reveal")
    assert (it.score <= 0.2) is (word != "reveal")


def test_all_rows_of_a_person_are_one_unit():
    rows = frames(15)
    for frame in rows.values():
        frame["who"] = [f"p{place % 4}" for place in range(15)]
    table = held(plan(person="who"), rows)[1]["a"]
    units = units_of(table)
    assert sorted(map(len, units)) == [3, 4, 4, 4]
    assert all(len(set(table.person[some])) == 1 for some in units)
    assert sorted(np.concatenate(units)) == list(range(15))


@pytest.mark.slow
def test_of_fewer_numbers_than_rows_the_area_is_as_linear_algebra_says(tmp_path):
    """Of N rows and numbers of rank d the best linear guess of who is in correlates with it by the root of d / N."""
    from scipy.stats import norm

    spec, rows = plan(), frames(70)
    folder = potluck.run(spec, rows, out=tmp_path / "run", record=True).folder
    resolved, truth = held(spec, rows)
    seen = seen_by(Record.read(folder / "parcels"), resolved, {"server"})
    areas = []
    for seed in range(5):
        (found,) = PUBLISHED.tried(seen, Until(float("inf"), generator(seed)))
        units = [(name, some) for name, table in truth.items() for some in units_of(table)]
        areas.append(found._scores(truth, units, found._asked(truth, units), 1).auc)
    rank = 5 * (12 - 1) + 5
    share = rank / 210
    apart = 2 * np.sqrt(share / (1 - share))
    # Five areas of 105 and 105 rows: their mean has a standard deviation of 0.018 at most.
    assert np.mean(areas) == pytest.approx(norm.cdf(apart / np.sqrt(2)), abs=0.09)
