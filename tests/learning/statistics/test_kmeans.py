"""Clusters against scikit-learn's from the same first centers, on rows whose clusters are known."""

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans

import potluck
from potluck.learning.statistics.statistics import courses
from potluck.learning.statistics.sums import Part
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


NAMES = ["age", "prio", "week"]


def scaled(frame):
    """The columns on [-1, 1]; and where in their own units -1 lies, and how long 1 is."""
    low, high = np.array([[COLUMNS[name]["low"], COLUMNS[name]["high"]] for name in NAMES]).T
    return 2 * (frame[NAMES].clip(low, high, axis=1).to_numpy() - low) / (high - low) - 1, low, (high - low) / 2


def start_of(spec, z):
    """The first centers that the server asks for."""
    (course,) = courses(spec.spec).values()
    lead = course.lead()
    size = len(next(lead)) // 3
    first = np.zeros((size, 7))
    first[0] = [len(z), *z.sum(axis=0), *(z**2).sum(axis=0)]
    return lead.send(Part(first.ravel(), np.zeros(first.size), 2.0**-48)).reshape(size, 3)


@pytest.mark.parametrize("seed", [0, pytest.param(3, marks=pytest.mark.slow)])
def test_centers_are_those_of_scikit_learn_from_the_same_start(seed, tmp_path):
    spec = plan({"name": "one", "columns": NAMES, "k": 5, "seed": seed}, columns=COLUMNS)
    z, low, half = scaled(rossi())
    one = results(spec, by_age(rossi()), tmp_path / "run")["one"]
    theirs = KMeans(5, init=start_of(spec, z), n_init=1, algorithm="lloyd", tol=0, max_iter=1000).fit(z)
    assert one["within"] == pytest.approx(theirs.inertia_, rel=1e-9)
    order = np.argsort(-np.bincount(theirs.labels_), kind="stable")
    assert np.array(one["centers"]) == pytest.approx(low + (theirs.cluster_centers_[order] + 1) * half)
    assert one["sizes"] == np.bincount(theirs.labels_)[order].tolist()
    assert one["settled"]


def test_another_seed_begins_elsewhere_within_the_same_bounds():
    z, *_ = scaled(rossi())
    starts = [
        start_of(plan({"name": "one", "columns": NAMES, "k": 5, "seed": seed}, columns=COLUMNS), z) for seed in (0, 3)
    ]
    assert np.abs(starts[0] - starts[1]).max() > 0.05
    for start in starts:
        assert (np.abs(start - z.mean(axis=0)) <= 1.5 * z.std(axis=0) + 1e-9).all()


@pytest.mark.filterwarnings("ignore:.*:sklearn.exceptions.ConvergenceWarning")
def test_centers_that_still_move_are_given_and_said_to_move(tmp_path):
    spec = plan({"name": "one", "columns": NAMES, "k": 5, "rounds": 4}, columns=COLUMNS)
    z, low, half = scaled(rossi())
    document = potluck.run(spec, by_age(rossi()), out=tmp_path / "run").document
    one = document["results"]["one"]
    theirs = KMeans(5, init=start_of(spec, z), n_init=1, algorithm="lloyd", tol=0, max_iter=3).fit(
        z
    )  # and one to begin
    mine = np.array(one["centers"])
    centers = low + (theirs.cluster_centers_ + 1) * half
    assert mine[np.lexsort(mine.T)] == pytest.approx(centers[np.lexsort(centers.T)])
    assert (one["settled"], one["rounds"]) == (False, 4)
    assert one["move"] > 1e-3
    assert any("one: after 4 rounds centers still move" in line for line in document["warnings"])


def test_a_center_without_rows_goes_where_rows_are_spread(tmp_path):
    """Two tight clusters far apart, more centers: none stays empty."""
    draw = np.random.default_rng(1)
    frame = pd.DataFrame({"x": np.r_[draw.normal(-9, 0.1, 60), draw.normal(29, 0.1, 30)], "y": 0.0, "z": 0.0})
    one = results(plan({"name": "one", "columns": ["x"], "k": 6}), split(frame), tmp_path / "run")["one"]
    assert len(one["sizes"]) == 6
    assert min(one["sizes"]) > 0
    assert sum(one["sizes"]) == 90


def test_a_lopsided_cluster_is_divided_too(tmp_path):
    """One row far to one side: no row is near the mean and a deviation to the other."""
    frame = pd.DataFrame({"x": np.r_[-9.0, np.full(59, 0.1), np.full(30, 29.0)], "y": 0.0, "z": 0.0})
    one = results(plan({"name": "one", "columns": ["x"], "k": 3}), split(frame), tmp_path / "run")["one"]
    assert one["sizes"] == [59, 30, 1]
    assert [center[0] for center in one["centers"]] == pytest.approx([0.1, 29.0, -9.0])


def test_more_clusters_than_places_leaves_none_without_rows_and_says_so(tmp_path):
    frame = pd.DataFrame({"x": np.repeat([-3.7, 11.0], [40, 20]), "y": 0.0, "z": 0.0})
    document = potluck.run(plan({"name": "one", "columns": ["x"], "k": 4}), split(frame), out=tmp_path / "run").document
    one = document["results"]["one"]
    assert (one["sizes"], one["settled"]) == ([40, 20], True)
    assert [center[0] for center in one["centers"]] == pytest.approx([-3.7, 11.0])
    assert [spread[0] for spread in one["spread"]] == [0, 0]
    assert any("there are 2 clusters with rows, where 4 were asked for" in line for line in document["warnings"])
    assert any("one: x is the same in a cluster" in line for line in document["warnings"])


def test_fewer_rows_than_clusters_are_refused_in_words(tmp_path):
    one = results(plan({"name": "one", "columns": ["x"], "k": 4}), split(rows()[:3]), tmp_path / "1")["one"]
    assert one["centers"] is None
    assert "fewer rows than clusters" in one["refused"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"columns": []}, "columns: needs columns of numbers"),
        ({"columns": ["x", "x"]}, "columns: needs columns of numbers, each once"),
        ({"columns": ["gone"]}, "columns: gone is not a declared column"),
        ({"k": 1}, "k: 1 clusters"),
        ({"k": 1001}, "k: 1001 clusters"),
        ({"rounds": 1}, "rounds: the first one finds where to begin"),
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
