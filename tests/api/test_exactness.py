"""What is said of a plan's exactness, anywhere, is what the plan does: for every task and every noise."""

import re
import time
from datetime import UTC, datetime
from itertools import product

import numpy as np
import pandas as pd
import pytest

import potluck
from potluck.api.local.run import write
from potluck.api.network import members
from potluck.api.network.asked import Asked
from potluck.api.network.composed import Composed
from potluck.api.network.inbox import inbox
from potluck.api.network.preview import preview
from potluck.api.plan.plan import Plan
from potluck.api.results.facts import Facts
from potluck.cli.text import spent
from potluck.core.plan import canonical, digest
from potluck.dp import claim
from potluck.dp.account import promise
from potluck.dp.mechanism import Noised, mechanism
from potluck.drivers.sums import Log
from potluck.learning.loops import build
from potluck.members.home import SiteHome
from potluck.owner.policy import Approve
from potluck.owner.requests import Request, Requests, State
from potluck.report.page import render
from potluck.tasks.fit.learner import learner
from potluck.tasks.here import Elsewhere
from potluck.tasks.intersect.halves import Intersected

TASKS = ("train", "statistics", "fit", "predict", "intersect")
NOISES = ("none", "site", "shared", "reveal")
SITES = ["a", "b", "c", "d"]
SUMS = ("train", "statistics")
PROMISED = {"unit": "row", "epsilon": 2.0, "delta": 1e-5}
FEATURES = {"x": {"kind": "number", "low": 0, "high": 1}, "y": {"kind": "category", "values": ["0", "1"]}}
OWNED = {"x": FEATURES["x"] | {"owner": "b"}, "z": FEATURES["x"] | {"owner": "a"}, "y": FEATURES["y"] | {"owner": "a"}}
GUESS = {"column": "y", "positive": ["1"]}
TABLES = {
    "train": {
        "data": {"columns": FEATURES, "target": GUESS, "split": {"test": 0.3}, "max_rows": 100},
        "model": {"kind": "logistic"},
        "training": {"method": "gradient", "rounds": 2, "expected_rows": 100},
        "protect": {"with": "mask"},
    },
    "statistics": {
        "data": {"columns": FEATURES, "max_rows": 100},
        "statistics": [{"name": "n", "kind": "count", "by": "y"}],
        "protect": {"with": "mask"},
    },
    "fit": {
        "data": {"columns": OWNED, "target": GUESS, "split": {"test": 0.2}},
        "align": {"keys": ["id"], "protocol": "ecdh"},
        "model": {"kind": "logistic"},
        "training": {"method": "gradient", "rounds": 2, "expected_rows": 100},
        "protect": {"with": "share"},
    },
    "predict": {
        "model": {"digest": "sha256:" + "a" * 64},
        "predict": {"owner": "a", "client": "b", "mode": "batch"},
        "protect": {"with": "share"},
    },
    "intersect": {"align": {"keys": ["id"], "protocol": "ecdh"}},
}


def plan(task: str, noise: str) -> Plan:
    clip = {} if task == "statistics" else {"clip": 1.0}
    return Plan(
        name="x",
        purpose="x",
        task=task,
        federation={"sites": SITES if task in SUMS else ["a", "b"], "server": "curious"},
        privacy={"noise": noise} | ({} if noise == "none" else PROMISED | clip),
        **TABLES[task],
    )


def noised(spec) -> bool:
    """What the plan does, by what carries it out."""
    if spec.task in SUMS:
        return isinstance(mechanism(spec, next(build(spec).lead())), Noised)
    return spec.task == "fit" and learner(spec).share is not None


def asked(spec) -> Asked:
    return Asked(Request("r", "a" * 64, b"{}", "f", 0.0, State.PENDING, ()), spec, 0, 0.0, Composed(), "a")


COMBINATIONS = list(product(TASKS, NOISES))
RUN = [
    (task, noise)
    for task, noise in COMBINATIONS
    if task in SUMS or noise == "none" or (task, noise) == ("fit", "reveal")
]
EXACT = re.compile(r"no noise(?! yet)|no epsilon|(?:is|are) exact|exact sums", re.IGNORECASE)
STATED = re.compile(r"(?:epsilon|epsilon spent: a|ε [=≤]) [0-9]")


def agrees(words: str, noisy: bool) -> None:
    """The words say that something is exact where nothing hides it, and an epsilon where one is promised."""
    assert bool(EXACT.search(words)) != noisy, words
    assert bool(STATED.search(words)) == noisy, words


@pytest.mark.parametrize(("task", "noise"), COMBINATIONS)
def test_every_combination_of_task_and_noise_is_known_here(task, noise):
    """What is refused today and carried out tomorrow has to be added to RUN, and so to all that follows."""
    assert (not plan(task, noise).problems()[0]) == ((task, noise) in RUN)


@pytest.mark.parametrize(("task", "noise"), RUN)
def test_the_inbox_says_what_the_plan_does(task, noise):
    spec = plan(task, noise).spec
    agrees(asked(spec).cost, noised(spec))


@pytest.mark.parametrize(("task", "noise"), RUN)
def test_check_says_what_the_plan_does(task, noise):
    made = plan(task, noise)
    found = potluck.check(made)
    assert found.ok
    agrees(found.summary(), noised(made.spec))
    assert all((cost is not None) == noised(made.spec) for cost in found.epsilon.values())


@pytest.mark.parametrize(("task", "noise"), RUN)
def test_explain_says_noised_of_what_is_noised_and_of_nothing_else(task, noise):
    made = plan(task, noise)
    rows = [row for row in potluck.explain(made).rows() if row["of"] in ("the sum", "the model")]
    forms = {row["form"] for row in rows}
    assert ("noised" in forms) == (noised(made.spec) and (task, noise) != ("statistics", "reveal"))
    if task in SUMS:  # under `reveal` the server, and nobody else, sees more
        seen = [row for row in rows if row["form"] == "sum"]
        assert bool(seen) == (noise in ("none", "reveal"))
        assert noise == "none" or all("before it adds the noise" in row["note"] for row in seen)


@pytest.fixture(scope="module")
def frames():
    draw = np.random.default_rng(1)
    return {
        name: pd.DataFrame({"x": draw.uniform(0, 1, 60), "y": draw.integers(0, 2, 60).astype(str)}) for name in SITES
    }


@pytest.mark.parametrize(("task", "noise"), RUN)
def test_the_runs_text_and_its_report_say_what_the_plan_did(task, noise, frames, tmp_path):
    made, folder = plan(task, noise), tmp_path / "run"
    if task in SUMS:
        document = potluck.run(made, frames, out=folder, ledger=tmp_path / "ledger").document
    else:  # across machines, where the server knows no more than this
        folder.mkdir()
        outcome = Intersected(None) if task == "intersect" else Elsewhere()
        cost = dict.fromkeys(made.spec.federation.sites, promise(made.spec))
        write(folder, Facts(made, made.spec, datetime.now(UTC), outcome, Log([]), cost, []))
        document = potluck.Run.read(folder).document
    agrees(spent(document), noised(made.spec))
    agrees(re.sub(r"<[^>]+>", "", render(folder)), noised(made.spec))


@pytest.fixture(scope="module")
def home(tmp_path_factory, frames):
    """Site a, enrolled, with rows and a policy."""
    folder = tmp_path_factory.mktemp("home")
    members.federation_new(folder / "fed", "tls://localhost:4222", time.time(), 30)
    members.site_new(folder / "a", None)
    (folder / "a" / "policy.toml").write_text('version = 1\n[source]\nfile = "rows.csv"\n')
    frames["a"].to_csv(folder / "a" / "rows.csv", index=False)
    members.federation_add(folder / "fed", [folder / "a" / "a.card"], time.time())
    members.site_join(folder / "a", folder / "fed" / "federation.toml", time.time(), "")
    return folder / "a"


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("task", SUMS)
def test_the_preview_says_what_the_plan_does(task, noise, home):
    spec = plan(task, noise).spec
    with Requests(SiteHome.at(home).requests) as requests:
        requests.ask(digest(spec).hex(), digest(spec), canonical(spec), "f", time.time(), (), Approve())
    found = preview(home, digest(spec).hex())
    assert found.noise.startswith("no noise: these are exact sums") != noised(spec)
    assert any(one.cost == found.asked.cost for one in inbox(home, digest(spec).hex()))


@pytest.mark.parametrize(("task", "noise"), [("fit", "reveal"), ("train", "shared")])
def test_words_that_forget_the_noise_are_noticed(task, noise, monkeypatch):
    """The control: an inbox that takes the plan for one without noise."""
    made = plan(task, noise)
    monkeypatch.setattr(claim, "cost", lambda plan: None)
    with pytest.raises(AssertionError):
        agrees(asked(made.spec).cost, noised(made.spec))


@pytest.mark.parametrize("unit", ["person", "site"])
def test_no_metrics_are_announced_where_none_are_released(unit):
    made = plan("train", "site").set("data.person", "who").set("privacy.unit", unit)
    assert "metrics" not in asked(made.spec).learnt
    made = made.set("privacy.evaluation", 0.1)
    assert "metrics" in asked(made.spec).learnt
