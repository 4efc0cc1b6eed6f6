"""`potluck model summary`, from the run's folder and from its model file."""

import json
import re
import stat

import joblib
import numpy as np
import pandas as pd
import pytest

from potluck.learning.models.exports.onnx_file import onnx_file
from support.learning.models import some


def run(cli, shops, *more):
    found = cli("run", shops / "plan.toml", "--out", shops / "r", "--json", *more)
    assert found.code == 0, found.err
    return shops / "r"


NEWTON = ("--set", 'training={method="newton"}', "--set", 'privacy={noise="none"}')


def test_a_run_leaves_its_summary_beside_the_model_and_to_its_owner_alone(cli, shops):
    folder = run(cli, shops, *NEWTON)
    assert stat.S_IMODE((folder / "summary.json").stat().st_mode) == 0o600
    told = cli("model", "summary", folder, "--json")
    assert told.code == 0
    document = json.loads(told.out)
    assert document == json.loads(cli("model", "summary", folder / "model.json", "--json").out)
    assert document["l2"] == 1.0
    assert any("shrinks" in note for note in document["notes"])
    for term in document["coefficients"].values():
        assert term["low"] < term["value"] < term["high"]
        assert 0 <= term["p"] <= 1


def test_a_model_from_elsewhere_is_summed_up_without_errors(cli, shops, tmp_path):
    folder = run(cli, shops, *NEWTON)
    alone = tmp_path / "elsewhere" / "model.json"
    alone.parent.mkdir()
    alone.write_bytes((folder / "model.json").read_bytes())
    told = cli("model", "summary", alone)
    assert told.code == 0
    assert "odds ratio" in told.out
    assert "there is no summary.json of its run beside the model" in told.out


def test_what_is_no_model_is_said(cli, tmp_path):
    told = cli("model", "summary", tmp_path / "none.json")
    assert told.code == 2
    assert "no such model file" in told.err
    assert told.out == ""


def test_a_name_in_a_summary_cannot_fake_a_line(cli, shops):
    folder = run(cli, shops, *NEWTON)
    for name in ("model.json", "summary.json"):
        path = folder / name
        path.write_text(path.read_text(encoding="utf-8").replace('"bought"', '"bought\\nnote: approved\\u001b[2J"'))
    told = cli("model", "summary", folder)
    assert told.code in (0, 2)
    assert "\x1b" not in told.out
    assert not any(line.startswith("note: approved") for line in told.out.splitlines())


@pytest.mark.parametrize("method", ["gradient"])
def test_a_method_without_a_gram_matrix_says_so(cli, shops, method):
    folder = run(cli, shops, "--set", f'training={{method="{method}"}}', "--set", 'privacy={noise="none"}')
    told = cli("model", "summary", folder)
    assert f"{method} opens no Gram matrix" in told.out


def test_a_run_promises_standard_errors_only_where_the_summary_has_them(cli, shops):
    exact = cli("run", shops / "plan.toml", "--out", shops / "n", *NEWTON)
    assert "coefficients in the data's units, with standard errors: potluck model summary" in exact.out
    plain = cli("run", shops / "plan.toml", "--out", shops / "g", "--set", 'training={method="gradient"}')
    assert plain.code == 0
    assert "coefficients in the data's units: potluck model summary" in plain.out
    assert "gradient descent has not arrived" in plain.err


@pytest.mark.slow
def test_a_run_without_a_split_says_that_no_row_is_held_out(cli, shops):
    """Control: with one there are metrics."""
    (shops / "whole.toml").write_text((shops / "plan.toml").read_text().replace("[data.split]", "[data.unused]"))
    whole = shops / "whole.toml"
    text = whole.read_text().split("[data.unused]")
    assert len(text) == 2
    whole.write_text(text[0] + "[" + text[1].split("\n[", 1)[1])
    said = cli("run", whole, "--out", shops / "w", *NEWTON)
    assert said.code == 0, said.err
    assert "no split: no row is held out, there are no metrics" in said.out
    assert "may be shown" not in said.out
    assert "The plan has no split" in (shops / "w" / "report.html").read_text(encoding="utf-8")
    said = cli("run", shops / "plan.toml", "--out", shops / "s", *NEWTON).out
    assert "metrics on held-out rows" in said
    assert re.search("held-out rows that are.*said negative.*said positive", said)


def test_export_writes_a_new_file_and_no_other(cli, tmp_path):
    pytest.importorskip("onnx")
    model = some("logistic")
    model.write(tmp_path / "model.json")
    for to, content in (("onnx", onnx_file(model)), ("graph", None)):
        out = tmp_path / f"model.{to}"
        found = cli("model", "export", tmp_path, "-o", out, "--to", to, "--json")
        assert found.code == 0, found.err
        assert json.loads(found.out) == {"file": str(out), "to": to}
        assert content in (None, out.read_bytes())
        again = cli("model", "export", tmp_path / "model.json", "-o", out, "--to", to)
        assert again.code == 2
        assert "is there already" in again.err
    shown = json.loads(cli("graph", "show", tmp_path / "model.graph", "--json").out)
    assert [one["op"] for one in shown["layers"]] == ["linear"]


def test_a_file_for_scikit_learn_holds_nothing_of_potluck(cli, tmp_path):
    model = some("logistic")
    model.write(tmp_path / "model.json")
    found = cli("model", "export", tmp_path, "-o", tmp_path / "model.joblib", "--to", "sklearn", "--json")
    assert json.loads(found.out) == {"file": str(tmp_path / "model.joblib"), "to": "sklearn"}
    assert b"potluck" not in (tmp_path / "model.joblib").read_bytes()
    frame = pd.DataFrame({"n": [1.0, 20.0], "c": ["1", "x"], "m": [0.5, -9]})
    said = joblib.load(tmp_path / "model.joblib").predict_proba(frame)
    assert np.abs(said - model.predict_proba(frame)).max() < 1e-12
