"""The JSON reference is complete: every key of a real document is on its page."""

from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pytest
from docs_pages import DOCS, ticks

import potluck
from potluck.api.network.budget import budget

PAGE = DOCS / "reference" / "json.md"
SITES = ("a", "b", "c", "d")


def section(name: str) -> set[str]:
    """The keys that a section of the page names, without the names of tables around them."""
    parts = {part.split("\n", 1)[0].strip(): part for part in PAGE.read_text(encoding="utf-8").split("\n## ")}
    return {word for tick in ticks(parts[name]) for word in tick.split(".")}


WHOLE = ("coefficients", "settings")
"""Tables whose keys are a plan's."""


def keys(document: object, skip: frozenset[str]) -> set[str]:
    """Every key at any depth, but for names that a plan gives."""
    if isinstance(document, dict):
        inner = {key for key in document if key not in skip}
        return inner.union(*(keys(value, skip) for key, value in document.items() if key not in WHOLE))
    return set().union(*(keys(item, skip) for item in document)) if isinstance(document, list) else set()


@pytest.fixture
def plan(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for site in SITES:
        x = rng.uniform(0, 1, 60)
        y = np.where(rng.uniform(0, 1, 60) < x, "1", "0")
        pd.DataFrame({"x": x, "y": y}).to_csv(tmp_path / f"{site}.csv", index=False)
    text = f"""
version = 1
name = "keys"
purpose = "every key"
task = "train"
federation = {{ sites = {list(SITES)}, dropouts = 1 }}
data.files = {{ {", ".join(f'{site} = "{site}.csv"' for site in SITES)} }}
data.columns.x = {{ kind = "number", low = 0, high = 1 }}
data.columns.y = {{ kind = "category", values = ["0", "1"] }}
data.target = {{ column = "y", positive = ["1"] }}
data.split.test = 0.3
model.kind = "logistic"
training = {{ method = "gradient", rounds = 2, expected_rows = 160 }}
protect.with = "mask"
privacy = {{ noise = "shared", unit = "row", epsilon = 1.0, delta = 1e-5, clip = 1.0 }}
"""
    (tmp_path / "plan.toml").write_text(text, encoding="utf-8")
    return tmp_path / "plan.toml"


def test_every_key_of_a_run_is_documented(plan):
    names = frozenset({*SITES, "all_of_it", "0", "1"})
    run = potluck.run(potluck.Plan.read(plan), compare=True)
    counts = potluck.Plan.read(plan)
    counts.set("task", "statistics").set(
        "statistics", [{"name": "all_of_it", "kind": "histogram", "column": "x", "by": "y"}]
    )
    more = potluck.run(counts)
    found = keys(msgspec.to_builtins(run.document), names) | keys(msgspec.to_builtins(more.document), names)
    assert found >= {"federated_released", "by", "edges", "digest"}
    assert found - section("run, demo, up, server run") == set()


def test_every_key_of_check_is_documented(plan):
    document = msgspec.to_builtins(potluck.check(plan).document())
    assert isinstance(document, dict)
    values = document.pop("values")
    assert keys(document, frozenset({*SITES, "gradient"})) | {"values"} <= section("check")
    assert values


def test_every_key_of_explain_and_budget_is_documented(plan):
    assert keys(potluck.explain(potluck.Plan.read(plan)).rows(), frozenset()) <= section("explain")
    owners = {name: owner.document() for name, owner in budget(plan, None).items()}
    assert keys({"owners": owners}, frozenset(SITES)) <= section("budget")
