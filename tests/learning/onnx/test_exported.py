"""`potluck model export`: the same scores by onnxruntime, and layers as a graph that plans may name."""

import json
from dataclasses import replace
from importlib.util import find_spec

import msgspec
import numpy as np
import onnx
import pandas as pd
import pytest
import torch

import potluck
from potluck.api.results.export import export
from potluck.core.errors import UsageError
from potluck.learning.data.mixed import taken as tokens
from potluck.learning.graph.file import read
from potluck.learning.models.exports.as_graph import as_graph
from potluck.learning.models.exports.onnx_file import onnx_file
from potluck.learning.models.graph_model import GraphModel
from potluck.learning.models.model import Model
from potluck.learning.models.model import model as built
from support.graph import trained as drawn
from support.learning.models import some
from support.onnx.running import run

pytestmark = pytest.mark.torch


def small(*args, **keys):
    """Weights so small that float32 tells scores apart: squares of large ones are larger than it is exact for."""
    model = some(*args, **keys)
    return replace(model, weights=model.weights * 0.4)


CASES = {
    "logistic": small("logistic"),
    "linear": small("linear"),
    **{f"layers-{word}": small("network", activation=word) for word in ("relu", "tanh", "square")},
    "layers-classes": small("network", ("a", "b", "c")),
    "layers-labels": small("labels"),
}
CASE = pytest.mark.parametrize("model", CASES.values(), ids=CASES)


def encoded(model, rows=200):
    """Encoded features that nobody trained on."""
    return np.random.default_rng(9).uniform(-1, 1, (rows, len(model.encoding.names)))


@CASE
def test_onnxruntime_scores_as_potluck_does(model):
    features = encoded(model)
    ours = model.scored_features(features)
    (theirs,) = run(onnx_file(model), {"features": features.astype(np.float32)})
    assert theirs.shape == (200, model.target.outputs)
    ours = ours.reshape(theirs.shape)
    scale = np.abs(ours).max()
    assert np.abs(theirs - ours).max() <= 1e-6 * scale
    assert np.ptp(ours) > 1e-3 * scale  # they differ from row to row


@pytest.mark.parametrize(("low", "high"), [(-1e100, 1e100), (0.0, 1e39), (0.0, 1e-300), (3.3e38, 3.5e38)])
def test_a_target_whose_range_float32_does_not_have_is_refused(low, high):
    model = small("linear")
    with pytest.raises(UsageError, match="float32 has no numbers of the range"):
        onnx_file(replace(model, target=msgspec.structs.replace(model.target, low=low, high=high)))


@CASE
def test_layers_as_a_graph_give_the_same_margins_and_the_file_is_one_that_plans_take(model, tmp_path):
    features = encoded(model)
    export(model, tmp_path / "net.graph", to="graph")
    network = read(tmp_path / "net.graph")
    np.testing.assert_allclose(GraphModel(network).margins(features), model.margins(features), rtol=1e-12, atol=1e-12)
    assert [one.name for one in network.graph.weights][:2] == ["layers.0.weight", "layers.0.bias"]


def test_a_model_of_layers_goes_on_as_a_graph(tmp_path):
    """Rounds of a plan with layers, then rounds of a plan whose graph is that model."""
    frames, tables = drawn.frames(), drawn.tables("x")
    tables["model"] = {"kind": "network", "layers": [6], "activation": "tanh", "seed": 2, "l2": 0.01}
    first = potluck.run(potluck.Plan(**tables), frames, out=tmp_path / "first", ledger=tmp_path / "l")
    potluck.export(tmp_path / "first", tmp_path / "net.graph", to="graph")
    plan = drawn.plan(tmp_path / "net.graph")
    begun = built(plan.spec, as_vector(plan))
    x = frames["a"].drop(columns="y")
    np.testing.assert_allclose(begun.scores(x), first.model.scores(x), rtol=1e-12)
    second = potluck.run(plan, frames, out=tmp_path / "second", ledger=tmp_path / "l2").model
    assert second.graph.network.digest == as_graph(first.model).digest
    assert np.abs(second.scores(x) - first.model.scores(x)).max() > 1e-4  # it has learnt more


def as_vector(plan):
    return np.concatenate([one.reshape(-1) for one in plan.spec.network.tensors.values()])


def test_a_graph_of_two_inputs_is_exported_with_what_a_reader_needs(tmp_path):
    module = drawn.mlp(3)
    plan = drawn.plan(drawn.made(module, tmp_path / "net.graph"), "classes")
    with torch.no_grad():
        for one in module.parameters():
            one += 0.01
    weights = np.concatenate([one.detach().numpy().reshape(-1) for one in module.parameters()]).astype(np.float64)
    model = built(plan.spec, weights)
    model.write(tmp_path / "model.json")
    export(tmp_path, tmp_path / "model.onnx", to="onnx")
    content = (tmp_path / "model.onnx").read_bytes()
    assert content == onnx_file(model)
    x = drawn.frames(kind="classes")["b"].drop(columns="y")
    (theirs,) = run(content, {"features": model.features(x).astype(np.float32)})
    np.testing.assert_allclose(theirs, model.scores(x), rtol=1e-6, atol=1e-7)
    (theirs,) = run(onnx_file(model, raw=True), {name: x[name].to_numpy() for name in ("x", "z")})
    np.testing.assert_allclose(theirs, model.scores(x), rtol=1e-6, atol=1e-7)
    with pytest.raises(UsageError, match="whose pipeline needs Potluck"):
        export(model, tmp_path / "model.joblib", to="sklearn")
    told = {one.key: one.value for one in onnx.load_from_string(content).metadata_props}
    assert json.loads(told["potluck.features"]) == list(model.encoding.names)
    assert json.loads(told["potluck.target"])["classes"] == ["u", "v", "w"]
    assert told["potluck.model"] == model.digest()
    assert [one.version for one in onnx.load_from_string(content).opset_import] == [20]


def test_an_unknown_form_is_refused_by_name(tmp_path):
    with pytest.raises(UsageError, match="there is no form 'pickle'"):
        export(CASES["logistic"], tmp_path / "x", to="pickle")


def test_trees_are_no_layers(tmp_path):
    card = CASES["logistic"]
    trees = Model("trees", card.encoding, card.target, np.zeros(0))
    for to in ("onnx", "graph"):
        with pytest.raises(UsageError, match="is a model of kind trees, which is made of no layers"):
            export(trees, tmp_path / to, to=to)


def test_scores_of_rows_that_a_plan_would_drop_are_no_numbers():
    model = CASES["logistic"]
    frame = pd.DataFrame({"n": [1.0], "c": ["1"], "m": [-9]})
    features = model.features(frame)
    (theirs,) = run(onnx_file(model), {"features": features.astype(np.float32)})
    assert np.isnan(model.scores(frame)).tolist() == np.isnan(theirs[:, 0]).tolist()


@pytest.mark.slow
@pytest.mark.skipif(find_spec("tokenizers") is None, reason="the networks extra is missing")
def test_a_network_of_texts_takes_their_tokens(tmp_path):
    """As a run leaves it, on rows that it has not seen: tokens by the column's name, and which of them are real."""
    from support.files import texts

    graph = texts.graph(tmp_path / "net.graph")
    plan = texts.plan(graph, texts.written(tmp_path / "tokenizer.json"))
    done = potluck.run(plan, texts.frames(), out=tmp_path / "run", ledger=tmp_path / "ledger")
    export(tmp_path / "run", tmp_path / "net.onnx", to="onnx")
    rows = pd.DataFrame({"note": ["severe chest pain at rest", "she walks daily", "the", "left arm numb " * 9]})
    taken = done.model.inputs(rows).taken
    given = {one.name: tokens(taken, one.name) for one in done.model.graph.network.graph.inputs}
    assert given.keys() == {"note", "note.mask"}
    (theirs,) = run((tmp_path / "net.onnx").read_bytes(), given)
    ours = done.model.scores(rows)
    np.testing.assert_allclose(theirs[:, 0], ours, rtol=0, atol=1e-6)
    assert np.ptp(ours) > 1e-3
