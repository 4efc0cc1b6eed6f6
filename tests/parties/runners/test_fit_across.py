"""Fits across processes: `up` gives the model of the pooled columns, to its reader alone, and says who is gone."""

import contextlib
import json
import math
import os
import signal
import sqlite3
import time
from pathlib import Path

import numpy as np
import pytest

from potluck.core.errors import UsageError
from potluck.learning.data.columns import encoding
from potluck.learning.data.target import goal_of
from potluck.learning.evaluation.evaluate import Metrics
from potluck.learning.models.model import Model
from potluck.learning.training.trained import Trained
from potluck.net.broker import binary
from potluck.tasks.fit.site import FITTED, keep, kept
from support.parties.fit_scene import leaving, newton, plan, pooled
from support.parties.fit_up import started, written


@pytest.fixture
def broker(mpc_engine):
    try:
        return binary()
    except UsageError:
        pytest.skip("nats-server is missing")


def running(folder, name):
    """The process of a home of this run, by its command line."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue  # it is gone
        if any(str(folder).encode() in word and word.endswith(name.encode()) for word in words) and b"site" in words:
            return int(path.parent.name)
    return None


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["ecdh", "rr22"])
def test_up_gives_the_model_of_the_pooled_columns(broker, tmp_path, protocol):
    path, given = written(tmp_path, align__protocol=protocol)
    process = started(path, tmp_path / "run")
    data, words = process.communicate(timeout=240)
    assert process.returncode == 0, words
    document = json.loads(data)
    whole = pooled(given)
    train = whole[whole.fold == "train"]
    x = np.column_stack([np.ones(len(train)), *(train[f"x{n}"] for n in range(4))])
    weights = newton(x, train.y.to_numpy(), np.ones(len(train)), 1.0)
    assert np.abs(Model.read(tmp_path / "run" / "model.json").weights - weights).max() < 1e-3
    assert document["metrics"]["federated"]["rows"] == (whole.fold == "test").sum()
    assert document["model"]["digest"] == Model.read(tmp_path / "run" / "model.json").digest()


@pytest.mark.slow
def test_up_gives_the_model_of_the_pooled_columns_where_two_compute(broker, tmp_path):
    path, given = written(tmp_path, protect={"with": "share", "compute": ["alpha", "beta"]})
    process = started(path, tmp_path / "run")
    _, words = process.communicate(timeout=400)
    assert process.returncode == 0, words
    whole = pooled(given)
    train = whole[whole.fold == "train"]
    x = np.column_stack([np.ones(len(train)), *(train[f"x{n}"] for n in range(4))])
    weights = newton(x, train.y.to_numpy(), np.ones(len(train)), 1.0)
    assert np.abs(Model.read(tmp_path / "run" / "model.json").weights - weights).max() < 1e-3


@pytest.mark.slow
def test_a_compute_party_that_is_killed_costs_a_try_or_ends_the_run_by_name(broker, tmp_path):
    path, _ = written(tmp_path, federation__patience=8.0)
    process = started(path, tmp_path / "run")
    victim, end = None, time.monotonic() + 120
    while victim is None and time.monotonic() < end and process.poll() is None:
        victim = running(tmp_path, "compute-beta")
        time.sleep(0.2)
    assert victim is not None
    time.sleep(6)
    os.kill(victim, signal.SIGKILL)
    data, words = process.communicate(timeout=300)
    assert process.returncode in (0, 3, 4), words
    assert process.returncode == 0 or "beta" in words
    assert process.returncode != 0 or json.loads(data)["model"]["digest"]


def gave(ledger):
    """Whether an owner's ledger says that its columns may have left."""
    if not ledger.is_file():
        return False
    with contextlib.closing(sqlite3.connect(f"{ledger.as_uri()}?mode=ro", uri=True, timeout=5.0)) as db:
        try:
            return bool(db.execute("SELECT count(*) FROM facts WHERE key GLOB 'fit/*/tried'").fetchone()[0])
        except sqlite3.OperationalError:
            return False  # it is being made


@pytest.mark.slow
def test_a_compute_party_that_is_killed_once_columns_left_is_named_and_not_the_owner_that_gives_no_more(
    broker, tmp_path
):
    path, _ = written(tmp_path, federation__patience=8.0)
    process, end = started(path, tmp_path / "run"), time.monotonic() + 180
    ledgers = [tmp_path / "ledger" / f"{name}.sqlite" for name in ("o0", "o1")]
    while not all(map(gave, ledgers)) and time.monotonic() < end and process.poll() is None:
        time.sleep(0.02)
    os.kill(running(tmp_path, "compute-beta"), signal.SIGKILL)
    _, words = process.communicate(timeout=300)
    assert process.returncode == 4, words
    assert "beta" in words.splitlines()[-1]
    assert "once in a run" in words


@pytest.mark.slow
def test_too_few_kept_rows_end_the_run_at_once_in_nobodys_name(broker, tmp_path):
    path, given = written(tmp_path)
    leaving(given, "test", 9)["o0"].to_csv(tmp_path / "o0.csv", index=False)
    process = started(path, tmp_path / "run")
    data, words = process.communicate(timeout=400)
    assert (process.returncode, data) == (4, ""), words
    line = next(one for one in words.splitlines() if "too few rows" in one)
    assert "fit.min_rows" in line
    assert not any(name in line for name in ("alpha", "beta", "gamma", "o0", "o1"))
    assert len([one for one in words.splitlines() if "too few rows" in one]) == 1


def test_what_a_reader_keeps_is_what_it_had(tmp_path):
    assert FITTED.find(tmp_path, "a run") is None
    weights = np.array([0.5, 1.0, -1.0, 0.25, 0.0])
    made = plan().spec
    model = Model("logistic", encoding(made), goal_of(made), weights)
    ends = {"auc": (0.5, 0.875), "rmse": (0.25, math.inf), "r2": (-math.inf, 1.0)}  # of few rows an end may be open
    keep(tmp_path, "a run", Trained(model, Metrics(7, auc=0.75, accuracy=0.5, population=ends), ("mind",)))
    found = kept(tmp_path, "a run")
    assert found.metrics.population == ends
    assert found.model.digest() == model.digest()
    assert (found.metrics.rows, found.metrics.auc, found.warnings) == (7, 0.75, ("mind",))
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "models").iterdir())
