"""`potluck run` and its neighbours: the documented JSON, exit codes, and nothing half-written."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from potluck.report import words

NOISE = 'privacy={noise="shared", unit="row", epsilon=2.0, delta=1e-5, clip=1.0}'
GRADIENT = 'training={method="gradient", rounds=5, rate=1.0, expected_rows=200}'


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"a.csv", "b.csv", "c.csv", "d.csv", "plan.toml"}


def test_run_prints_the_documented_json(shops, cli):
    said = cli("run", shops / "plan.toml", "--out", shops / "r", "--json")
    assert said.code == 0, said.err
    j = said.json
    assert set(j) == {
        "plan",
        "task",
        "protect",
        "run",
        "report",
        "model",
        "metrics",
        "held_out",
        "privacy",
        "rounds",
        "warnings",
    }
    assert j["run"] == str(shops / "r")
    assert Path(j["report"]).is_file()
    assert Path(j["model"]["file"]).is_file()
    assert list(j["model"]["coefficients"]) == ["intercept", "x1", "x 2", "kind=red", "kind=green"]
    assert [r["round"] for r in j["rounds"]] == [1, 2, 3]
    assert all(r["bytes_up"] > 0 and r["dropped"] == [] for r in j["rounds"])
    assert j["privacy"]["epsilon"] == dict.fromkeys("abcd")
    assert sum(map(sum, j["metrics"]["federated"]["confusion"]["counts"])) == j["metrics"]["federated"]["rows"]
    assert set(j["metrics"]) == {"federated"}
    assert set(j["metrics"]["federated"]) - {"auc_population", "accuracy_population"} == {
        *("auc", "accuracy", "rows", "confusion")
    }


@pytest.mark.parametrize(
    "training",
    [
        '{method="newton", rounds=3}',
        pytest.param(GRADIENT[9:], marks=pytest.mark.slow),
        pytest.param('{method="average", rounds=3}', marks=pytest.mark.slow),
    ],
)
def test_every_protection_gives_the_same_model_digest(shops, cli, training, he_engine):
    digests = set()
    for word in ("clear", "mask", "he"):
        said = cli("run", shops / "plan.toml", "--out", shops / word, "--json", "--set", f'protect.with="{word}"',
                   "--set", f"training={training}", "--set", 'federation.server="curious"')  # fmt: skip
        assert said.code == 0, said.err
        digests.add(said.json["model"]["digest"])
    assert len(digests) == 1


def test_newton_equals_the_pooled_fit_of_scikit_learn(shops, cli):
    from sklearn.linear_model import LogisticRegression

    split = 'data.split={column="id"}'
    said = cli("run", shops / "plan.toml", "--out", shops / "r", "--json", "--set", split)
    assert said.code == 2  # no row says "test": an empty test split is wrong input
    said = cli("run", shops / "plan.toml", "--out", shops / "r", "--json", "--set", "data.split={test=0.3}",
               "--set", "training.rounds=8")  # fmt: skip
    from potluck.api.plan.plan import Plan
    from potluck.tasks.sources import tables

    _, held = tables(Plan.read(shops / "plan.toml", ["data.split={test=0.3}"]), None)
    x = np.vstack([t.features[~t.test] for t in held.values()])
    y = np.concatenate([t.target[~t.test] for t in held.values()])
    fit = LogisticRegression(C=1.0, tol=1e-12, solver="newton-cholesky").fit(x, y)
    ours = list(said.json["model"]["coefficients"].values())
    assert np.allclose(ours, [fit.intercept_[0], *fit.coef_[0]], atol=1e-6)


@pytest.mark.slow
def test_with_noise_only_noised_values_are_printed_and_the_ledger_is_charged(shops, cli):
    said = cli("run", shops / "plan.toml", "--out", shops / "r", "--json", "--set", NOISE, "--set", GRADIENT)
    assert said.code == 0, said.err
    j = said.json
    assert j["privacy"]["unit"] == "row"
    assert j["privacy"]["neighbours"] == "add-or-remove-one"
    assert all(0.5 < value <= 2.0 for value in j["privacy"]["epsilon"].values())
    assert "by_site" not in j["metrics"]["federated"]
    owners = cli("budget", shops / "plan.toml", "--json", "--set", NOISE, "--set", GRADIENT).json["owners"]
    assert set(owners) == set("abcd")
    for site, row in owners.items():
        assert row["spent"] == pytest.approx(j["privacy"]["epsilon"][site])
        assert row["left"] is None
        assert 0.5 < row["would_spend"] <= 2.0
    cli("run", shops / "plan.toml", "--out", shops / "r2", "--json", "--set", NOISE, "--set", GRADIENT)
    again = cli("budget", shops / "plan.toml", "--json").json["owners"]
    assert again["a"]["spent"] == pytest.approx(2 * owners["a"]["spent"])
    for one in json.loads((shops / "r2/details.json").read_text())["budget"]:  # the report says what `budget` says
        known = again[one["site"]]
        assert [one["composed"], one["composed_delta"]] == [known["composed"], known["composed_delta"]]
        assert one["composed"] < 0.9 * one["spent"]
    page = (shops / "r2/report.html").read_text(encoding="utf-8")
    assert f"added up: {words.epsilon(again['a']['spent'])}<" in page
    assert f">{words.epsilon(again['a']['composed'])}<span" in page


def test_compare_prints_what_nobody_could_do_alone(shops, cli):
    said = cli("run", shops / "plan.toml", "--out", shops / "r", "--json", "--compare")
    metrics = said.json["metrics"]
    assert set(metrics["alone"]) == set("abcd")
    assert set(metrics["federated"]["by_site"]) == set("abcd")
    assert metrics["pooled"]["auc"] == pytest.approx(metrics["federated"]["auc"], abs=1e-3)
    assert "not private" in cli("run", shops / "plan.toml", "--out", shops / "r3", "--compare").out


def test_record_writes_what_each_receiver_reads(shops, cli):
    said = cli("run", shops / "plan.toml", "--out", shops / "r", "--record", "--json")
    lines = [json.loads(x) for x in (shops / "r/parcels/index.jsonl").read_text().splitlines()]
    assert said.code == 0
    assert set(lines[0]) == {"file", "round", "step", "from", "to", "bytes", "sha256"}
    assert all((shops / "r/parcels" / line["file"]).is_file() for line in lines)
    inputs = [line for line in lines if line["step"] == "mask/input"]
    assert {line["from"] for line in inputs} == set("abcd")
    assert {line["to"] for line in inputs} == {"server"}


def test_the_transcript_holds_labels_and_sizes_of_every_letter_and_nothing_else(shops, cli):
    j = cli("run", shops / "plan.toml", "--out", shops / "r", "--json").json
    moves = [json.loads(line) for line in (shops / "r/transcript.jsonl").read_text().splitlines()]
    assert all(set(move) == {"round", "step", "from", "to", "bytes"} for move in moves)
    up = sum(move["bytes"] for move in moves if move["to"] == "server" and move["round"] == 1)
    assert up == j["rounds"][0]["bytes_up"]


def test_out_is_never_overwritten_and_the_default_is_numbered(shops, cli, monkeypatch):
    monkeypatch.chdir(shops)
    assert cli("run", "plan.toml", "--out", "r").code == 0
    said = cli("run", "plan.toml", "--out", "r")
    assert said.code == 2
    assert "is there already" in said.err
    assert cli("run", "plan.toml", "-q").code == 0
    (name,) = (path.name for path in (shops / "runs").iterdir())
    assert name.startswith("shops-")


def test_statistics_equal_pandas_on_the_pooled_rows(shops, cli, he_engine):
    plan = (shops / "plan.toml").read_text().replace('task = "train"', 'task = "statistics"')
    head, _, tail = plan.partition("[data.target]")
    plan = head + "[protect]" + tail.partition("[protect]")[2]
    plan += """
[[statistics]]
name = "mean_x"
kind = "mean"
column = "x1"
by = "kind"
[[statistics]]
name = "rows"
kind = "count"
[[statistics]]
name = "hist"
kind = "histogram"
column = "x 2"
bins = 5
"""
    (shops / "s.toml").write_text(plan)
    pooled = pd.concat([pd.read_csv(shops / f"{s}.csv") for s in "abcd"])
    found = []
    for word in ("mask", "clear", "he"):
        out = shops / f"s-{word}"
        said = cli("run", shops / "s.toml", "--out", out, "--json", "--set", f'protect.with="{word}"',
                   "--set", 'federation.server="curious"')  # fmt: skip
        assert said.code == 0, said.err
        found.append(said.json["results"])
    assert found[0] == found[1] == found[2]
    r = found[0]
    assert r["rows"]["value"] == 320
    assert r["mean_x"]["value"] == pytest.approx(pooled["x1"].clip(-3, 3).mean(), abs=1e-6)
    by = pooled["x1"].clip(-3, 3).groupby(pooled["kind"]).mean()
    assert r["mean_x"]["by"]["red"]["value"] == pytest.approx(by["red"], abs=1e-6)
    assert r["hist"]["value"] == np.histogram(pooled["x 2"], bins=5, range=(0, 10))[0].tolist()


WRONG = [
    ("missing file", ["data.files.a=\"nope.csv\""], 2, "a"),
    ("unknown word", ['protect.with="hee"'], 2, "protect.with"),
    ("unknown key", ["protect.wth=1"], 2, "protect.wth"),
    ("two sites with mask and no noise", ['federation={sites=["a","b"]}'], 2, "hint"),
    ("duplicate site", ['federation={sites=["a","b","c","a"]}'], 2, "twice"),
    ("range upside down", ['data.columns.x1={kind="number", low=3, high=-3}'], 2, "x1"),
    ("text in a number column", ['data.columns.kind={kind="number", low=0, high=1}'], 2, "kind"),
    ("wrong column", ['data.columns.zzz={kind="number", low=0, high=1}'], 2, "zzz"),
    ("a target with one class", ['data.target={column="bought", positive=["yes","no"]}'], 2, "class"),
    ("an empty test split", ["data.split={test=0.0}"], 2, "split"),
    ("epsilon 0", ['privacy={noise="shared", unit="row", epsilon=0, delta=1e-5, clip=1}', GRADIENT], 2, "epsilon"),
    ("no epsilon", ['privacy={noise="shared", unit="row", delta=1e-5, clip=1}', GRADIENT], 2, "epsilon"),
    ("no clip", ['privacy={noise="shared", unit="row", epsilon=1, delta=1e-5}', GRADIENT], 2, "clip"),
    ("newton with noise", [NOISE], 2, "gradient"),
    ("reveal with lying", [NOISE.replace("shared", "reveal"), GRADIENT], 2, "curious"),
    ("he with lying", ['protect.with="he"'], 2, "curious"),
    ("shared with clear", [NOISE, GRADIENT, 'protect.with="clear"'], 2, "mask"),
    ("average with row", [NOISE, 'training={method="average"}'], 2, "one share of noise"),
    ("a plan without rows", ["data.max_rows=10"], 2, "max_rows"),
    ("too many drop-outs", ["federation.dropouts=2"], 2, "hint"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "settings", "code", "word"), WRONG, ids=[case[0] for case in WRONG])
def test_wrong_input_is_one_line_with_a_hint_and_leaves_nothing(shops, cli, what, settings, code, word):
    options = [part for setting in settings for part in ("--set", setting)]
    said = cli("run", shops / "plan.toml", "--out", shops / "r", "--json", *options)
    assert said.code == code, said.err
    assert said.out == ""
    assert len(said.err.strip().splitlines()) == 1
    assert word in said.err
    assert "Traceback" not in said.err
    assert left(shops) <= {"ledger"}


def test_nan_rows_and_text_name_column_and_line_but_never_a_value(shops, cli):
    for bad in ("nan", "inf", "hello-private"):
        text = (shops / "a.csv").read_text().splitlines()
        cells = text[7].split(",")
        cells[2] = bad
        text[7] = ",".join(cells)
        (shops / "a.csv").write_text("\n".join(text) + "\n")
        said = cli("run", shops / "plan.toml", "--out", shops / "r")
        assert said.code == 2
        assert "x1" in said.err
        assert "8" in said.err
        assert "private" not in said.err.replace(str(shops), "")


def test_an_unwritable_place_is_an_error_before_anything_is_charged(shops, cli):
    (shops / "file").write_text("in the way")
    said = cli("run", shops / "plan.toml", "--out", shops / "file" / "r", "--set", NOISE, "--set", GRADIENT)
    assert said.code == 2
    assert "cannot be written" in said.err
    assert left(shops) == {"file"}


def test_no_message_and_no_file_of_a_run_holds_a_column_that_the_plan_does_not_name(shops, cli):
    cli("run", shops / "plan.toml", "--out", shops / "r", "--record", "--compare")
    for path in (shops / "r").rglob("*"):
        if path.is_file():
            assert b"topsecret" not in path.read_bytes(), path


def test_two_runs_with_one_name_do_not_touch_each_other(shops, cli, monkeypatch):
    from datetime import UTC, datetime

    from potluck.api.results.folder import run_folder
    from potluck.core.errors import UsageError

    now = datetime(2026, 1, 1, tzinfo=UTC)
    with run_folder("p", shops / "r", now) as first:
        (first / "mine").write_text("x")
        with pytest.raises(UsageError), run_folder("p", shops / "r", now):
            raise AssertionError("the name was taken")
        assert (first / "mine").read_text() == "x"
    monkeypatch.chdir(shops)
    with run_folder("p", None, now) as one, run_folder("p", None, now) as two:
        assert (one.name, two.name) == ("p-20260101T000000Z", "p-20260101T000000Z-2")


@pytest.mark.slow
def test_a_killed_run_is_no_run_and_keeps_its_charges(shops, cli):
    import signal
    import subprocess
    import sys
    import time

    command = [sys.executable, "-m", "potluck", "run", str(shops / "plan.toml"), "--out", str(shops / "r"),
               "--set", NOISE, "--set", GRADIENT.replace("rounds=5", "rounds=2000")]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    spent = 0.0
    while spent == 0.0 and time.monotonic() < deadline:
        time.sleep(0.2)
        if (shops / "ledger").is_dir() and len(list((shops / "ledger").glob("*.sqlite"))) == 4:
            spent = cli("budget", shops / "plan.toml", "--json").json["owners"]["a"]["spent"]
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert spent > 0
    assert not (shops / "r" / "run.json").exists()
    assert cli("report", shops / "r").code == 2
    assert cli("budget", shops / "plan.toml", "--json").json["owners"]["a"]["settle"] is True
    refused = cli("run", shops / "plan.toml", "--out", shops / "r2", "--set", NOISE, "--set", GRADIENT)
    assert refused.code == 3
    assert f"--ledger {shops / 'ledger'} --settle" in refused.err
    settled = cli("budget", "--ledger", shops / "ledger", "--settle", "--json").json["owners"]["a"]
    assert settled["settle"] is False
    assert settled["spent"] >= spent
    assert cli("run", shops / "plan.toml", "--out", shops / "r2", "--set", NOISE, "--set", GRADIENT).code == 0


def test_set_gives_another_plan_and_leaves_this_one_as_it_was(shops):
    from potluck import Plan
    from potluck.core.errors import PlanError

    plan = Plan.read(shops / "plan.toml")
    before = plan.hash
    with pytest.raises(PlanError):
        plan.set("protect.with", "magic")
    assert plan.hash == before
    assert plan.overrides == ()
    other = plan.set("protect.with", "clear")
    assert other.spec.protect.scheme == "clear" != plan.spec.protect.scheme
    assert other.overrides == ('protect.with="clear"',)
    assert (plan.hash, plan.overrides) == (before, ())
    assert plan.set("protect.with", plan.spec.protect.scheme).hash == before != other.hash


@pytest.mark.parametrize("source", [None, ["rows"], {"x1": [1]}])
def test_data_of_the_wrong_kind_is_an_error_of_ours(shops, source):
    import potluck
    from potluck.core.errors import UsageError

    with pytest.raises(UsageError) as stop:
        potluck.run(shops / "plan.toml", data=dict.fromkeys("abcd", source))
    assert "frame" in str(stop.value)
