"""Clusters against scikit-learn's from the same first centers, on rows whose clusters are known."""

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans

import potluck
from potluck.learning.statistics.statistics import courses
from support.learning.rossi import COLUMNS, by_age, rossi

MADE = {name: {"kind": "number", "low": -10, "high": 30} for name in "xyz"}
KNOWN = {(0.0, 0.0, 20.0): 200, (10.0, -5.0, 0.0): 120, (20.0, 20.0, 10.0): 60}


def plan(*wanted, columns=MADE, **more):
    return potluck.Plan(
        **{
            "name": "clusters",
            "purpose": "clusters",
            "task": "statistics",
            "federation": {"sites": ["a", "b", "c"], "server": "curious"},
            "data": {"columns": columns, "max_rows": 500},
            "protect": {"with": "mask"},
            "privacy": {"noise": "none"},
            "statistics": [{"kind": "kmeans", **one} for one in wanted],
        }
        | more
    )


def rows():
    draw = np.random.default_rng(0)
    each = [draw.normal(center, 1.0, (size, 3)) for center, size in KNOWN.items()]
    return pd.DataFrame(draw.permutation(np.vstack(each)), columns=list("xyz"))


def results(spec, sites, out):
    return potluck.run(spec, sites, out=out).document["results"]


def split(frame):
    return {name: frame.iloc[place::3].reset_index(drop=True) for place, name in enumerate("abc")}


def test_clusters_that_are_apart_are_found(tmp_path):
    one = results(plan({"name": "one", "columns": list("xyz"), "k": 3}), split(rows()), tmp_path / "run")["one"]
    assert one["columns"] == list("xyz")
    assert one["sizes"] == [200, 120, 60]
    assert np.array(one["centers"]) == pytest.approx(np.array(list(KNOWN)), abs=0.5)
    assert np.array(one["spread"]) == pytest.approx(np.ones((3, 3)), abs=0.2)
    assert one["n"] == 380


def test_centers_are_those_of_scikit_learn_from_the_same_start(tmp_path):
    names = ["age", "prio", "week"]
    spec = plan({"name": "one", "columns": names, "k": 5}, columns=COLUMNS)
    frame = rossi()
    one = results(spec, by_age(frame), tmp_path / "run")["one"]
    low, high = np.array([[COLUMNS[name]["low"], COLUMNS[name]["high"]] for name in names]).T
    z = 2 * (frame[names].clip(low, high, axis=1).to_numpy() - low) / (high - low) - 1
    (course,) = courses(spec.spec).values()
    lead = course.lead()
    next(lead)
    first = np.zeros((5, 7))
    first[0] = [len(z), *z.sum(axis=0), *(z**2).sum(axis=0)]
    start = lead.send(type("Part", (), {"values": first.ravel()})).reshape(5, 3)
    theirs = KMeans(5, init=start, n_init=1, algorithm="lloyd", tol=0, max_iter=1000).fit(z)
    assert one["within"] == pytest.approx(theirs.inertia_, rel=1e-9)
    order = np.argsort(-np.bincount(theirs.labels_), kind="stable")
    assert np.array(one["centers"]) == pytest.approx(low + (theirs.cluster_centers_[order] + 1) * (high - low) / 2)
    assert one["sizes"] == np.bincount(theirs.labels_)[order].tolist()


def test_a_center_without_rows_goes_where_rows_are_spread(tmp_path):
    """Two tight clusters far apart, three centers: none stays empty."""
    draw = np.random.default_rng(1)
    frame = pd.DataFrame({"x": np.r_[draw.normal(-9, 0.1, 60), draw.normal(29, 0.1, 30)], "y": 0.0, "z": 0.0})
    one = results(plan({"name": "one", "columns": ["x"], "k": 6}), split(frame), tmp_path / "run")["one"]
    assert len(one["sizes"]) == 6
    assert min(one["sizes"]) > 0
    assert sum(one["sizes"]) == 90


def test_what_there_is_too_little_of_is_refused_in_words(tmp_path):
    few = rows()[:3]
    one = results(plan({"name": "one", "columns": ["x"], "k": 4}), split(few), tmp_path / "1")["one"]
    assert one["centers"] is None
    assert "fewer rows than clusters" in one["refused"]
    one = results(plan({"name": "one", "columns": list("xyz"), "k": 5, "rounds": 3}), split(rows()), tmp_path / "2")[
        "one"
    ]
    assert one["centers"] is None
    assert "centers still move" in one["refused"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"columns": []}, "columns: needs columns of numbers"),
        ({"columns": ["x", "x"]}, "columns: needs columns of numbers, each once"),
        ({"columns": ["gone"]}, "columns: gone is not a declared column"),
        ({"k": 1}, "k: 1 clusters"),
        ({"k": 1001}, "k: 1001 clusters"),
        ({"bins": 5}, "bins: a kmeans does not read it"),
    ],
)
def test_what_does_not_fit_is_an_error_of_check(change, words):
    asked = {"name": "one", "columns": ["x", "y"], **change}
    assert any(words in error for error in potluck.check(plan(asked)).errors)


def test_noise_is_refused():
    noise = {"noise": "shared", "unit": "row", "epsilon": 1.0, "delta": 1e-5}
    (error,) = potluck.check(plan({"name": "one", "columns": ["x"]}, privacy=noise)).errors
    assert "kmeans is refused with noise" in error
