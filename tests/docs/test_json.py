"""The JSON reference is complete: every key of a real document is on its page."""

import msgspec
import pytest

import potluck
from potluck.api.graph.show import show
from potluck.api.proof.audit import Audited
from potluck.audits.promises.promise import Bound, Check
from support.docs.keys import SITES, keys, section
from support.learning.judged import NOISE, finished
from support.learning.judged import plan as judging
from support.learning.judged import sites as rows_of


def test_every_key_of_a_run_is_documented(plan):
    names = frozenset({*SITES, "all_of_it", "0", "1"})
    run = potluck.run(potluck.Plan.read(plan), compare=True)
    counts = potluck.Plan.read(plan)
    counts = counts.set("task", "statistics").set(
        "statistics", [{"name": "all_of_it", "kind": "histogram", "column": "x", "by": "y"}]
    )
    more = potluck.run(counts)
    found = keys(msgspec.to_builtins(run.document), names) | keys(msgspec.to_builtins(more.document), names)
    assert found >= {"federated_released", "by", "edges", "digest"}
    assert found - section("run, demo, up, server run") == set()


def test_every_key_of_an_evaluation_is_documented(tmp_path):
    models = {kind: finished(kind) for kind in ("logistic", "linear", "trees")}
    ran = [
        ([models["logistic"], models["trees"]], {"privacy": NOISE | {"noise": "site"}, "bins": 2}),
        ([models["linear"]], {"bins": 2}),
    ]
    found = set()
    for number, (some, more) in enumerate(ran):
        made = judging(tmp_path, some, by="sex", **more)
        run = potluck.run(made, rows_of(some[0]), out=tmp_path / f"run-{number}")
        found |= keys(msgspec.to_builtins(run.document), frozenset({"f", "m", "other", *"abc"}))
    assert found >= {"decision_curve", "treat_all", "gaps", "differences", "observed", "mae", "brier_low"}
    found = {one.removesuffix("_low").removesuffix("_high").removesuffix("_population") for one in found}
    assert found - section("run, demo, up, server run") == set()


def test_every_key_of_a_simulation_is_documented(plan, tmp_path):
    done = potluck.simulate(plan, sites=5, out=tmp_path / "out", processes=1)
    found = keys(msgspec.to_builtins(done.document), frozenset(done.model.coefficients))
    assert found >= {"simulated", "clients_per_second", "noise_cohort"}
    assert found - section("simulate") == set()


def test_every_key_of_check_is_documented(plan):
    document = msgspec.to_builtins(potluck.check(plan).document())
    assert isinstance(document, dict)
    values = document.pop("values")
    assert keys(document, frozenset({*SITES, "gradient"})) | {"values"} <= section("check")
    assert values


def test_every_key_of_explain_and_budget_is_documented(plan):
    assert keys(potluck.explain(potluck.Plan.read(plan)).rows(), frozenset()) <= section("explain")
    assert keys(potluck.budget(plan).document(), frozenset(SITES)) <= section("budget")


def test_every_key_of_an_audit_is_documented():
    bound, check = Bound("paired", 2.0, 1.0, 0.9999, True, "held"), Check("noise", None, "not audited")
    found = keys(msgspec.to_builtins(Audited("a", "sha256:0", [bound], [check]).document()), frozenset())
    assert found >= {"audits", "lower_bound", "checks", "expected"}
    assert found - section("audit") == set()


def test_every_key_of_a_graph_is_documented(tmp_path):
    torch = pytest.importorskip("torch")
    path = tmp_path / "net.graph"
    potluck.graph(torch.nn.Linear(3, 1), {"features": [3]}, path)
    document = {"file": str(path), **show(path).document()}
    operations = document.pop("operations")
    assert operations == {"linear": 1}
    assert keys(document, frozenset()) | {"operations"} <= section("graph")
