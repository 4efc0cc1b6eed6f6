"""`potluck graph`: a graph is made of a module in the working directory, and an owner can read what is in it."""

import json
import sys
from importlib.util import find_spec

import pytest

import potluck

pytestmark = [pytest.mark.torch, pytest.mark.skipif(find_spec("torch") is None, reason="the networks extra is missing")]

NETWORKS = """
import torch
from torch import nn


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(13, 16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 1))


def with_inputs():
    return net(), {"features": [13]}


def lora():
    made = net()
    made[0].requires_grad_(False)
    return made


def words():
    return nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.Linear(12, 2))


def mixing():
    return nn.Sequential(nn.Linear(13, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))


NUMBER = 3


def broken():
    raise ValueError("no such layer")
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working directory with a module of its own."""
    (tmp_path / "networks_of_a_test.py").write_text(NETWORKS)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop("networks_of_a_test", None)


def make(cli, name, *more):
    return cli("graph", "make", f"networks_of_a_test:{name}", *more)


def test_a_graph_is_made_and_shown(cli, here):
    done = make(cli, "net", "--input", "features=13", "-o", here / "net.graph")
    assert done.code == 0, done.err
    assert "written:" in done.out
    shown = cli("graph", "show", here / "net.graph")
    assert shown.code == 0, shown.err
    lines = shown.out.splitlines()
    assert lines[0] == "takes   features: float32 [b, 13]"
    assert any(line.split() == ["0", "linear", "224", "yes", "[b,", "16]"] for line in lines)
    assert "241 parameters trained, 0 frozen; 0 constant numbers" in shown.out
    assert "4 operations: dropout 1, linear 2, relu 1" in shown.out
    assert shown.out.strip() in done.out


def test_the_document_says_what_the_table_says(cli, here):
    made = json.loads(make(cli, "with_inputs", "-o", here / "net.graph", "--json").out)
    shown = json.loads(cli("graph", "show", here / "net.graph", "--json").out)
    assert made == shown
    assert shown["inputs"] == [{"name": "features", "dtype": "float32", "shape": ["b", 13]}]
    assert shown["parameters"] == {"trained": 241, "frozen": 0, "missing": 0, "constants": 0}
    assert [one["parameters"] for one in shown["layers"]] == [224, 17]
    assert shown["file"] == str(here / "net.graph")
    assert shown["row"]["flops"] >= 2 * (13 * 16 + 16)


def test_nothing_is_written_of_a_module_that_mixes_rows(cli, here):
    done = make(cli, "mixing", "--input", "features=13", "-o", here / "net.graph")
    assert done.code == 2
    assert "BatchNorm1d" in done.err
    assert "mixes rows" in done.err
    assert done.out == ""
    assert not (here / "net.graph").exists()


def test_a_base_holds_the_frozen_weights(cli, here):
    done = make(cli, "lora", "--input", "features=13", "-o", here / "a.graph", "--base", here / "base.safetensors")
    assert done.code == 0, done.err
    shown = cli("graph", "show", here / "a.graph")
    assert "17 parameters trained, 224 frozen" in shown.out
    assert "holds 224 of the frozen" in shown.out
    with_base = cli("graph", "show", here / "a.graph", "--base", here / "base.safetensors", "--json")
    assert json.loads(with_base.out)["parameters"]["missing"] == 0
    again = make(cli, "lora", "--input", "features=13", "-o", here / "b.graph", "--base", here / "base.safetensors")
    assert again.code == 0, again.err
    assert (here / "a.graph").read_bytes() == (here / "b.graph").read_bytes()


def test_whole_numbers_are_said_by_their_type(cli, here):
    done = make(cli, "words", "--input", "ids=3:int64", "-o", here / "net.graph", "--json")
    assert json.loads(done.out)["inputs"] == [{"name": "ids", "dtype": "int64", "shape": ["b", 3]}]


@pytest.mark.parametrize(
    ("name", "more", "words"),
    [
        ("net", (), "has to have an input"),
        ("net", ("--input", "features"), "the shape of 'features' is missing"),
        ("net", ("--input", "features=x"), "is no input"),
        ("net", ("--input", "features=0"), "is no shape of a row"),
        ("net", ("--input", "features=13:float16"), "is no shape of a row"),
        ("net", ("--input", "features=12"), "does not export"),
        ("NUMBER", ("--input", "features=13"), "gives a int"),
        ("broken", ("--input", "features=13"), "ValueError in it: no such layer"),
        ("missing", ("--input", "features=13"), "AttributeError in it"),
    ],
)
def test_what_cannot_be_made_is_said(cli, here, name, more, words):
    done = make(cli, name, *more, "-o", here / "net.graph")
    assert done.code == 2
    assert words in done.err
    assert list(here.glob("*.graph")) == []


def test_a_graph_is_never_written_over_and_another_file_is_no_graph(cli, here):
    (here / "net.graph").write_text("mine")
    assert "there already" in make(cli, "with_inputs", "-o", here / "net.graph").err
    shown = cli("graph", "show", here / "net.graph")
    assert shown.code == 2
    assert "is no graph" in shown.err
    assert "no such" in cli("graph", "show", here / "other").err.lower()


def test_python_makes_the_same_file(cli, here):
    make(cli, "net", "--input", "features=13", "-o", here / "a.graph")
    found = potluck.graph(sys.modules["networks_of_a_test"].net(), {"features": [13]}, here / "b.graph")
    assert (here / "a.graph").read_bytes() == (here / "b.graph").read_bytes()
    assert found.document()["parameters"]["trained"] == 241


def test_a_plan_is_shown_by_what_it_trains(cli, shops):
    """Layers with the first weights that the plan's seed gives; a logistic model is one layer."""
    plan = shops / "plan.toml"
    one = json.loads(cli("graph", "show", plan, "--json").out)
    assert [(layer["name"], layer["op"]) for layer in one["layers"]] == [("layers.0", "linear")]
    text = plan.read_text().replace('kind = "logistic"', 'kind = "network"\nlayers = [5]\nseed = 3')
    plan.write_text(text.replace('method = "newton"', 'method = "average"'))
    found = json.loads(cli("graph", "show", plan, "--json").out)
    features = one["inputs"][0]["shape"][1]
    assert [layer["parameters"] for layer in found["layers"]] == [5 * (features + 1), 6]
    assert found["operations"] == {"linear": 2, "relu": 1}
    plan.write_text(plan.read_text().replace("layers = [5]\nseed = 3", "layers = [5]\nseed = 4"))
    other = json.loads(cli("graph", "show", plan, "--json").out)
    assert (other["graph"], other["weights"]) == (found["graph"], other["weights"])
    assert other["weights"] != found["weights"]
    refused = cli("graph", "show", plan, "--base", plan)
    assert refused.code == 2
    assert "the base is looked for in models/ beside it" in refused.err
