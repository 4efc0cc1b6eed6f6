"""Rows beyond the first `rows_per_person` of a person count nowhere: no forecast is of them, and owners are told."""

import numpy as np
import pandas as pd
import pytest

from potluck.core.plan import Statistic, Training
from potluck.learning.data import table, tally_words
from potluck.learning.data.table import read
from potluck.learning.data.tally import rests_on
from potluck.learning.loops import build
from potluck.secret.random import system
from potluck.tasks.sums.forecast import forecast_of, words
from support.learning.sums import category, number, replaced, stats, summed
from support.learning.tiny import noised

COLUMNS = {"age": number(20, 90), "sex": category("f", "m"), "chol": number(0, 500, "drop")}
WANTED = (
    Statistic(name="rows", kind="count"),
    Statistic(name="age", kind="mean", column="age", by="sex"),
    Statistic(name="chol", kind="variance", column="chol"),
)


def plan(most=1):
    spec = stats(COLUMNS, *WANTED, privacy=noised("person", rows_per_person=most))
    return replaced(spec, data=replaced(spec.data, person="who"))


def visits(each=2, persons=3000, lacking=0) -> pd.DataFrame:
    """So many rows of every person, one visit of all after the other; the first rows lack their cholesterol."""
    rng = np.random.default_rng(0)
    rows = each * persons
    frame = pd.DataFrame({"who": np.tile(np.arange(persons), each), "age": rng.uniform(20, 90, rows)})
    frame = frame.assign(sex=rng.choice(["f", "m"], rows), chol=rng.uniform(0, 500, rows).astype(str))
    return frame.assign(chol=frame.chol.where(frame.index >= lacking, ""))


def ahead(spec, *frames):
    return forecast_of(spec, [read(frame, spec, "a").tally for frame in frames])


def test_a_forecast_is_of_the_rows_that_count_and_no_other(monkeypatch):
    spec, every = plan(), visits()
    found, first = ahead(spec, every, every), ahead(spec, every[:3000], every[:3000])
    assert found == first
    assert found.rows == 6000
    assert "with 6,000 rows" in words(spec, found)[0]
    # The control: with all rows of a person forecast, the mean is said to be known twice as well as it is.
    monkeypatch.setattr(table, "counted", lambda plan, person, index: index)
    hopeful = ahead(spec, every, every)
    assert hopeful.rows == 12_000
    assert found.noise["age"] / hopeful.noise["age"] == pytest.approx(2, rel=0.02)
    assert found.noise["rows"] == hopeful.noise["rows"]  # a count's noise is the same of any rows


def test_what_counts_in_a_forecast_is_what_the_sum_holds():
    """Known answer: the sum of counts that the site contributes, unit by unit."""
    spec, frame = plan(most=2), visits(each=5, persons=40, lacking=30)
    rows = read(frame, spec, "a")
    task = build(spec)
    ask = next(task.lead())
    total = sum(summed(one, ask) for one in task.contribute(ask, rows, system))
    held = {"rows": total[0], "age": total[1] + total[3] + total[5], "chol": total[7]}
    assert rows.tally.statistics == held == {"rows": 80, "age": 80, "chol": 50}
    assert rows.tally.counted == rests_on(spec, rows.tally) == 80


def test_a_forecast_of_a_statistic_is_of_the_rows_that_have_a_value(monkeypatch):
    spec = plan()
    some = ahead(spec, visits(lacking=1500))
    assert some.noise["chol"] > 1.9 * ahead(spec, visits()).noise["chol"]
    assert some.noise["age"] == ahead(spec, visits()).noise["age"]


def test_an_owner_is_told_how_many_rows_of_persons_are_left_out(monkeypatch):
    spec, frame = plan(most=2), visits(each=5, persons=40, lacking=30)
    found = read(frame, spec, "a").tally
    whose = "rows that are used are of 40 different persons"
    said = [
        "120 of 200 rows are left out: beyond the first 2 rows of a person (privacy.rows_per_person)",
        "statistic 'chol': 50 of 80 rows have a value",
    ]
    assert tally_words.words(found) == said
    assert tally_words.for_owner(spec, found, "a") == ("200 rows read, 80 rows used", whose, *said)
    assert found.document()["beyond"] == 120
    one = read(visits(persons=1), plan(), "a").tally
    assert tally_words.words(one) == [
        "1 of 2 rows is left out: beyond the first row of a person (privacy.rows_per_person)"
    ]
    monkeypatch.setattr(table, "counted", lambda plan, person, index: index)  # the control: nobody says a word
    assert tally_words.words(read(visits(each=5, persons=40), spec, "a").tally) == []


@pytest.mark.parametrize("privacy", [noised("row"), replaced(noised("person"), noise="none")])
def test_all_rows_count_where_noise_is_not_for_persons(privacy):
    spec = replaced(plan(), privacy=replaced(privacy, rows_per_person=1))
    found = read(visits(each=3, persons=20), spec, "a").tally
    assert (found.beyond, found.counted) == (0, 60)
    assert tally_words.words(found) == []


def trained(**keys):
    spec = stats({"age": number(20, 90), "y": category("0", "1")})
    made = replaced(spec, task="train", statistics=(), training=Training(method="gradient", expected_rows=80))
    from potluck.core.plan import Model, Split, Target

    data = replaced(spec.data, person="who", target=Target(column="y", positive=("1",)), split=Split(test=0.5))
    return replaced(made, data=data, model=Model(kind="logistic"), privacy=noised("person", **keys))


def test_held_out_rows_of_a_person_that_metrics_leave_out_are_told_and_not_forecast(monkeypatch):
    spec = trained(evaluation=0.5)
    frame = pd.DataFrame({"who": np.repeat(np.arange(40), 4), "age": range(20, 180), "y": [0, 1] * 80})
    frame = frame.assign(age=frame.age % 70 + 20)
    rows = read(frame, spec, "a")
    held = int(rows.test.sum())
    assert (rows.tally.held, rows.tally.beyond, rows.tally.beyond_held) == (held, held * 3 // 4, held * 3 // 4)
    line = f"{held * 3 // 4} of {held} held-out rows are left out of the metrics: beyond the first row of a person"
    assert tally_words.words(rows.tally) == [f"{line} (privacy.rows_per_person)"]
    assert rests_on(spec, rows.tally) == 160 - held  # all rows are trained on
    found = forecast_of(spec, [rows.tally])
    assert found.rows == held / 4
    assert f"with about {held // 4} held-out rows, at most 1 of a person," in words(spec, found)[0]
    assert forecast_of(spec, []).rows == 80  # where no rows are here: as the plan expects, and the words say of whom
    none = read(frame, trained(), "a").tally  # the control: a plan without metrics leaves no row out of them
    assert (none.beyond, tally_words.words(none)) == (0, [])


def persons(each, count=40) -> pd.DataFrame:
    """So many rows of every person, of ages that differ."""
    rows = each * count
    frame = pd.DataFrame({"who": np.repeat(np.arange(count), each), "y": [0, 1] * (rows // 2)})
    return frame.assign(age=np.random.default_rng(1).uniform(20, 90, rows).round(3))


def added(spec, rows):
    """[persons, d] what each adds to the first sum, before it is clipped."""
    task = build(spec)
    return np.vstack([one.values for one in task.contribute(next(task.lead()), rows, system)])


def test_training_rows_beyond_a_persons_first_are_in_no_sum_and_their_owner_is_told():
    """Known answer: the sum of a file that never had them."""
    spec, frame = trained(rows_per_person=3), persons(each=5)
    first = frame[frame.groupby("who").cumcount() < 3]
    every, less = read(frame, spec, "a"), read(first, spec, "a")
    np.testing.assert_array_equal(added(spec, every), added(spec, less))
    everything = read(frame, trained(), "a")  # the control: a plan that bounds no rows trains on all, and says nothing
    assert np.abs(added(trained(), everything) - added(spec, every)).max() > 0.1
    assert tally_words.words(everything.tally) == tally_words.words(less.tally) == []
    held, train = every.tally.held, 200 - every.tally.held
    assert (every.tally.beyond, every.tally.beyond_held) == (train * 2 // 5, 0)
    assert rests_on(spec, every.tally) == train * 3 // 5 == int(every.train.sum())
    why = "beyond the first 3 rows of a person (privacy.rows_per_person)"
    line = f"{train * 2 // 5} of {train} training rows are left out: {why}"
    assert tally_words.words(every.tally) == [line]
    assert every.tally.document()["beyond"] == train * 2 // 5
    both = read(frame, trained(rows_per_person=3, evaluation=0.5), "a").tally
    assert (both.beyond, both.beyond_held) == (80, held * 2 // 5)
    assert tally_words.words(both) == [
        line,
        f"{held * 2 // 5} of {held} held-out rows are left out of the metrics: {why}",
    ]
    alone = read(frame, replaced(spec, privacy=noised("row", rows_per_person=3)), "a")
    assert (alone.tally.beyond, int(alone.train.sum())) == (0, 200 - alone.tally.held)
