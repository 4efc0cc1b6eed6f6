"""What is said of a plan's shape before a run is so: the attack succeeds on that shape, and not on the mended plan."""

import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

import potluck
from potluck.api.network import members
from potluck.api.network.inbox import inbox
from potluck.audits.attack import Until
from potluck.audits.attacks import ATTACKS
from potluck.audits.counting import sum_over
from potluck.audits.membership.candidates import candidates
from potluck.audits.membership.equations import EQUATIONS
from potluck.audits.membership.published import PUBLISHED
from potluck.audits.reconstruction.tracker import TRACKER
from potluck.audits.record import Record
from potluck.audits.seen import Seen, seen_by
from potluck.core.plan import canonical, digest
from potluck.core.seeded import generator
from potluck.learning.models.started import started
from potluck.members.home import SiteHome
from potluck.owner.policy import Approve
from potluck.owner.requests import Requests
from potluck.tasks.shapes.few_rows import DRAWN, FOUND, TRIES
from potluck.tasks.shapes.shape import Case
from potluck.tasks.shapes.shapes import MATCHING, STATISTICS, TRAINING, risks
from potluck.tasks.sources import held, tables
from support.audits import intersections
from support.audits.recorded import LOGISTIC, NUMBERS, RELU, frames, plan, seen
from support.places import SRC

NOISE = {"noise": "shared", "unit": "row", "epsilon": 8.0, "delta": 1e-5, "clip": 1.0}
LINEAR, TREES = {"kind": "linear"}, {"kind": "trees"}
TANH = RELU | {"activation": "tanh"}
CENTRAL = plan("clear", LOGISTIC, NOISE | {"noise": "reveal"}, expected_rows=3)
"""The server adds the noise, and has read each sum before."""
FOREVER = Until(float("inf"), generator(0))
NEWTON = {"method": "newton", "rate": 1.0}


def said(spec, rows=None, before=0):
    """The attacks that are named, in order."""
    found = risks(Case(spec.spec, rows or {}, before))
    for line in found:
        key, _, rest = line.partition(": ")
        assert key in {"privacy.noise", "training.method", "protect.with", "model", "statistics", "align"}
        assert ". hint: " in rest
    return [line.partition("(attack ")[2].partition(")")[0] for line in found]


def test_every_shape_names_an_attack_of_the_table():
    assert {one.attack for one in (*TRAINING, *STATISTICS, *MATCHING)} - {"imprint"} <= {one.name for one in ATTACKS}


@pytest.mark.parametrize(
    ("spec", "rows", "named"),
    [
        (plan("mask"), 1, ["analytic"]),
        (plan("mask"), 40, ["equations"]),
        (plan("mask"), 400, []),
        (plan("mask", batch=96, expected_rows=300), None, ["equations"]),
        (plan("mask", aggregation="median"), 40, []),
        (plan("mask", method="average"), 40, []),
        (plan("clear"), 1, ["analytic"]),
        (plan("clear"), 100, ["equations"]),
        (plan("clear"), 1000, []),
        (plan("mask", TANH), 2, []),
        (plan("mask", LOGISTIC), 1, []),
        (plan("mask", LOGISTIC), 40, []),
        (plan("clear", LOGISTIC), 1, ["analytic", "rates"]),
        (plan("clear", LOGISTIC), 40, ["equations", "rates"]),
        (plan("clear", LOGISTIC), 100, ["rates"]),
        (plan("mask", LOGISTIC, rounds=20), 40, ["equations"]),
        (plan("mask", TREES, method="boosting", rounds=2), 400, ["equations"]),
        (plan("mask", LOGISTIC, rounds=1000), 100, []),  # of six columns there are 107 functions at most
        (plan("mask", LOGISTIC, **NEWTON), 40, ["equations", "gram"]),
        (plan("mask", LOGISTIC, **NEWTON), 400, ["gram"]),
        (plan("mask", privacy=NOISE, expected_rows=3), 1, []),
        (CENTRAL, 1, ["analytic"]),
        (CENTRAL, 40, ["equations"]),
        (CENTRAL, 100, []),
        (plan("clear", LOGISTIC, NOISE | {"noise": "site"}, expected_rows=3), 1, []),
    ],
)  # fmt: skip
def test_a_plan_is_warned_of_its_own_shape_alone(spec, rows, named):
    assert said(spec, rows and dict.fromkeys("abc", rows)) == named


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A plan whose model is a graph of a first layer, an operation and a last layer."""

    def made(between, word="clear"):
        torch.manual_seed(0)
        path = tmp_path_factory.mktemp("graph") / "one.graph"
        net = torch.nn.Sequential(torch.nn.Linear(8, 16), between, torch.nn.Linear(16, 1))
        potluck.graph(net, inputs={"features": [8]}, path=path)
        return plan(word, {"kind": "network", "graph": str(path), "l2": 0.0})

    return made


@pytest.mark.slow
@pytest.mark.torch
def test_a_graph_that_begins_with_a_layer_of_relu_has_the_shape_of_layers(begun):
    relu, tanh = begun(torch.nn.ReLU()), begun(torch.nn.Tanh())
    assert said(relu, {"a": 3, "b": 8, "c": 5}) == ["analytic"]
    assert said(relu, dict.fromkeys("abc", 40)) == ["equations"]
    assert said(relu, dict.fromkeys("abc", 1000)) == []
    assert said(tanh, {"a": 3, "b": 8, "c": 5}) == []
    assert said(tanh, {"a": 1, "b": 8, "c": 5}) == ["analytic"]


def test_the_rows_of_sites_that_may_collude_are_not_counted_on():
    def over(rows, corrupt=0, word="mask"):
        return Case(plan(word).set("federation.corrupt", corrupt).spec, rows).over

    def summed(rows, corrupt=0, word="mask"):
        return Case(plan(word).set("federation.corrupt", corrupt).spec, rows).summed

    assert summed({"a": 1, "b": 2, "c": 9}) == 12
    assert summed({"a": 1, "b": 2, "c": 900}, corrupt=1) == 3
    assert over({"a": 1, "b": 2, "c": 900}) == "903 rows at most"
    assert over({"a": 1, "b": 2, "c": 900}, corrupt=1) == "3 rows at most, without those of one site that may collude"
    assert summed({"a": 1, "b": 2}) == 103  # the plan says that c may have 100
    assert summed({"a": 4, "b": 2, "c": 9}, word="clear") == 2


def test_numbers_alone_have_no_value_that_one_row_has():
    spec = plan("mask", LOGISTIC, **NEWTON).set("data.columns.c", {"kind": "number", "low": 0, "high": 1})
    assert said(spec, dict.fromkeys("abc", 400)) == []


def counting(word="mask", privacy=(), bins=12):
    """Histograms of five numbers and their means: 65 numbers, where a histogram has 12 bins."""
    columns = {name: {"kind": "number", "low": -1, "high": 1} for name in NUMBERS}
    asked = [{"name": f"h{name}", "kind": "histogram", "column": name, "bins": bins} for name in NUMBERS]
    return potluck.Plan(
        name="s", purpose="a test", task="statistics", data={"columns": columns, "max_rows": 100},
        federation={"sites": list("abc"), "server": "curious"}, protect={"with": word},
        privacy={"noise": "none"} | dict(privacy),
        statistics=asked + [{"name": f"m{name}", "kind": "mean", "column": name} for name in NUMBERS],
    )  # fmt: skip


PROMISED = {"noise": "shared", "unit": "row", "epsilon": 1.0, "delta": 1e-5}


@pytest.mark.parametrize(
    ("spec", "rows", "named"),
    [
        (counting(), 15, ["published"]),
        (counting(), 40, []),
        (counting("clear"), 40, ["published"]),
        (counting(privacy=PROMISED), 15, []),
    ],
)
def test_exact_statistics_of_more_numbers_than_rows_are_named(spec, rows, named):
    assert said(spec, dict.fromkeys("abc", rows)) == named


@pytest.mark.parametrize(
    ("spec", "named"), [(counting(), ["tracker"]), (counting(privacy=PROMISED), []), (intersections.plan(), ["again"])]
)
def test_what_ran_here_before_is_said_of_statistics_and_of_keys(spec, named):
    assert said(spec) == []
    assert said(spec, before=2) == named


def test_an_imprint_is_named_whatever_protects_the_sum():
    spec = plan("mask").spec
    weights = np.full((16, 8), 1 / 8)
    vector = np.concatenate([weights.T.ravel(), np.linspace(-1, 1, 16), np.full(16, 0.1), [0.0]])
    line = risks(Case(started(spec, vector.tobytes())))[0]
    assert line.startswith("model: 16 of the 16 units")


def test_check_says_it_and_a_run_does_not_repeat_it(tmp_path):
    for site, frame in frames(1).items():
        frame.to_csv(tmp_path / f"{site}.csv", index=False)
    spec = plan("mask").set("data.files", {site: str(tmp_path / f"{site}.csv") for site in "abc"})
    (line,) = [one for one in potluck.check(spec).warnings if "(attack " in one]
    assert "a sum is over 3 rows at most" in line
    assert f"in {FOUND[3]} of {TRIES} made-up runs" in line
    assert not any("(attack " in one for one in potluck.run(spec, out=tmp_path / "run").warnings)


def test_the_demos_plan_has_no_known_shape():
    assert said(potluck.Plan.read(SRC / "demo" / "heart.toml")) == []


def test_the_inbox_says_it_and_how_often_the_plan_ran_here(tmp_path):
    members.site_new(tmp_path / "a")
    spec, rules = plan("mask", LOGISTIC, **NEWTON).spec, Approve()
    with Requests(SiteHome.at(tmp_path / "a").requests) as requests:
        for number in range(3):
            run = f"run {number}"
            requests.ask(run, digest(spec), canonical(spec), "f", time.time(), (), rules)
            if number < 2:
                requests.approve(digest(spec).hex(), "somebody", time.time(), rules)
                requests.finish(run)
    (waits,) = inbox(tmp_path / "a")
    assert waits.before == 2
    assert waits.document()["risks"] == waits.risks
    assert [line.partition("(attack ")[2].partition(")")[0] for line in waits.risks] == ["gram", "differencing"]
    assert "ran here two times before" in waits.risks[-1]


def test_it_is_said_how_many_numbers_differ():
    """Pencil and paper: of five numbers and three values, 98 monomials of degree 3 and less, and 9 products."""
    (line,) = risks(Case(plan("mask", LOGISTIC, rounds=30).spec, dict.fromkeys("abc", 70)))
    assert "about 107 different exact numbers are opened in all rounds, of 210 rows at most: from half" in line
    (line,) = risks(Case(plan("mask", rounds=2).spec, dict.fromkeys("abc", 70)))
    assert "about 322 different exact numbers" in line  # two rounds of 8 x 16 weights, 16 biases, 16 weights, a bias


# The attack succeeds on the shape, and not on the mended plan


def succeeded(folder, spec, rows, name, who="server", before=None):
    """Whether the attack of this name finds what it is after in a run of the plan."""
    potluck.run(spec, rows, out=folder / "run", ledger=folder / "ledger", record=True)
    truth = {site.name: table for site, table in tables(spec, rows)[1].items()}
    known = seen(folder / "run", spec, *who.split(","))
    known = replace(known, candidates=candidates(known.plan, truth, known.names))
    if before is not None:
        known = replace(known, before=before)
    attack = next(one for one in ATTACKS if one.name == name)
    if attack.fits(known) is not None:
        return False
    return any(one.judged(truth).succeeded for one in attack.tried(known, FOREVER))


@pytest.mark.slow
@pytest.mark.parametrize(("rows", "hits"), FOUND.items())
def test_as_many_tries_find_a_row_of_few_as_are_quoted(tmp_path, rows, hits):
    found = [
        succeeded(tmp_path / str(seed), plan("mask"), frames(rows // 3, seed), "analytic") for seed in range(TRIES)
    ]
    assert sum(found) == hits


@pytest.mark.slow
@pytest.mark.torch
@pytest.mark.parametrize(("rows", "hits"), DRAWN.items())
def test_a_graph_gives_a_row_away_as_often_as_is_quoted(tmp_path, begun, rows, hits):
    spec = begun(torch.nn.ReLU(), "mask")
    found = [succeeded(tmp_path / str(seed), spec, frames(rows // 3, seed), "analytic") for seed in range(TRIES)]
    assert sum(found) == hits


@pytest.mark.usefixtures("repeatable")
@pytest.mark.slow
@pytest.mark.parametrize(("rows", "spec"), [(1, plan("mask", privacy=NOISE, expected_rows=3)), (40, plan("mask"))])
def test_noise_and_more_rows_mend_it(tmp_path, rows, spec):
    assert not any(succeeded(tmp_path / str(seed), spec, frames(rows, seed), "analytic") for seed in range(2))


@pytest.mark.slow
def test_noise_that_the_server_adds_hides_nothing_from_it(tmp_path):
    assert succeeded(tmp_path / "reveal", CENTRAL, frames(1), "analytic")
    mended = plan("clear", LOGISTIC, NOISE | {"noise": "site"}, expected_rows=3)
    assert not succeeded(tmp_path / "site", mended, frames(1), "analytic")


@pytest.mark.slow
def test_a_rare_value_gives_its_row_away_to_newton_and_not_to_descent(tmp_path):
    rows = frames(40)
    for frame in rows.values():
        frame["c"] = np.where(frame["c"] == "r", "q", frame["c"])
    rows["b"].loc[17, "c"] = "r"
    assert succeeded(tmp_path / "newton", plan("mask", LOGISTIC | {"l2": 1.0}, **NEWTON), rows, "gram")
    mended = plan("mask", LOGISTIC)
    assert not any(succeeded(tmp_path / name, mended, rows, name) for name in ("gram", "analytic"))


@pytest.mark.slow
def test_a_sites_rate_is_read_in_the_clear_and_not_through_masks(tmp_path):
    rows = frames(40)
    rows["b"]["y"] = ["1"] * 31 + ["0"] * 9
    assert succeeded(tmp_path / "clear", plan("clear", LOGISTIC), rows, "rates")
    assert not succeeded(tmp_path / "mask", plan("mask", LOGISTIC), rows, "rates")


@pytest.mark.slow
@pytest.mark.usefixtures("repeatable")
def test_a_row_that_came_is_the_difference_of_two_runs_and_not_with_noise(tmp_path):
    rows = frames(40)
    more = rows | {"b": pd.concat([rows["b"], frames(1, seed=9)["b"]], ignore_index=True)}
    noised = plan("mask", LOGISTIC, privacy=NOISE, expected_rows=120)
    for name, spec, hit in (("exact", plan("mask", LOGISTIC), True), ("noise", noised, False)):
        potluck.run(spec, rows, out=tmp_path / name / "before", record=True)
        first = seen(tmp_path / name / "before", spec, "server")
        assert succeeded(tmp_path / name, spec, more, "differencing", before=first) is hit


@pytest.mark.slow
def test_of_statistics_a_row_that_came_is_found_in_every_try_and_not_with_noise():
    for spec, hits in ((counting(), TRIES), (counting(privacy=PROMISED), 0)):
        found = 0
        for seed in range(TRIES):
            rows = frames(10, seed)
            more = rows | {"b": pd.concat([rows["b"], frames(1, seed=99)["b"]], ignore_index=True)}
            both = [held(spec, some) for some in (rows, more)]
            seens = [Seen(spec, frozenset({"server"}), (sum_over(spec, truth, FOREVER),), {}) for spec, truth in both]
            (one,) = TRACKER.tried(replace(seens[1], before=seens[0]), FOREVER)
            found += one.judged(both[1][1]).succeeded or 0
        assert found == hits


@pytest.mark.slow
@pytest.mark.usefixtures("repeatable")
def test_more_exact_numbers_than_rows_say_who_is_in_them_and_noise_does_not(tmp_path):
    for name, spec, hit in (("exact", counting(), True), ("noise", counting(privacy=PROMISED), False)):
        rows = frames(15)
        potluck.run(spec, rows, out=tmp_path / name, record=True)
        resolved, truth = held(spec, rows)
        known = seen_by(Record.read(tmp_path / name / "parcels"), resolved, {"server"})
        (one,) = PUBLISHED.tried(known, FOREVER)
        assert one.judged(truth).succeeded is hit


SPLIT = {"test": 0.34}


def named(folder, spec, rows):
    """(the attacks that are named for so many rows that train, the scores that `equations` gives)."""
    potluck.run(spec, rows, out=folder / "run", ledger=folder / "ledger", record=True)
    resolved, truth = held(spec, rows)
    known = seen_by(Record.read(folder / "run" / "parcels"), resolved, {"server"})
    known = replace(known, candidates=candidates(resolved, truth, known.names))
    warned = said(spec, {site: int(table.train.sum()) for site, table in truth.items()})
    if EQUATIONS.fits(known) is not None:
        return warned, None
    (one,) = EQUATIONS.tried(known, FOREVER)
    return warned, one.scores(truth)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spec", "rows"),
    [
        (plan("mask", LOGISTIC, rounds=15, rate=1.0), 100),
        (plan("clear", LOGISTIC), 60),
        (plan("mask", LOGISTIC, **NEWTON), 60),
        (plan("mask", LINEAR, **NEWTON | {"rounds": 1}), 30),
        (plan("mask", rounds=2), 100),
        (plan("mask", TREES, method="boosting", rounds=1), 300),
        (plan("mask", batch=120, expected_rows=240, rounds=3), 120),
    ],
)
def test_half_as_many_numbers_as_rows_tell_members_as_well_as_is_quoted(tmp_path, spec, rows):
    spec = spec.set("data.split", SPLIT).set("data.max_rows", 1000)
    if spec.spec.model.kind == "linear":
        spec = spec.set("data.target", {"column": "x"})
    for seed in range(3):
        warned, scores = named(tmp_path / str(seed), spec, frames(rows, seed))
        assert "equations" in warned
        assert scores.auc >= 0.7
        assert scores.chance < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spec", "rows"),
    [
        (plan("mask", LOGISTIC, rounds=1, rate=1.0), 200),
        (plan("mask", LOGISTIC, NOISE, expected_rows=200, rounds=15), 100),
        (plan("mask", method="average"), 100),
    ],
)
def test_few_numbers_noise_and_own_steps_name_hardly_anybody_and_nothing_is_said(tmp_path, spec, rows):
    warned, scores = named(tmp_path, spec.set("data.split", SPLIT).set("data.max_rows", 1000), frames(rows))
    assert "equations" not in warned
    assert scores is None or (scores.caught() < 0.05 and scores.chance > 1e-4)
