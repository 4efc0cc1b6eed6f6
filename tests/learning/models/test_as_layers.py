"""Graphs that are nothing but layers become models of layers, and whatever else they hold is refused by name."""

from importlib.util import find_spec

import numpy as np
import pytest

if find_spec("torch") is None:
    pytest.skip("the networks extra is missing", allow_module_level=True)

import torch
from torch import nn

import potluck
from potluck.core.errors import UsageError
from potluck.learning.models.exports.as_graph import as_graph
from potluck.learning.models.exports.as_layers import as_layers
from potluck.learning.models.graph_model import GraphModel
from potluck.learning.models.model import Model
from potluck.learning.models.model import model as built
from potluck.learning.models.scoring import net
from support.graph import trained as drawn
from support.learning.models import some

pytestmark = pytest.mark.torch


class Square(nn.Module):
    def forward(self, x):
        return x.pow(2)


class Times(nn.Module):
    def forward(self, x):
        return x * x


class Addmm(nn.Module):
    def __init__(self):
        super().__init__()
        self.matrix, self.bias = nn.Parameter(torch.randn(2, 5)), nn.Parameter(torch.randn(5))

    def forward(self, x):
        return torch.addmm(self.bias, x, self.matrix)


class Half(nn.Module):
    """A linear layer of a part of its input."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(2, 2), nn.Linear(2, 1)

    def forward(self, x):
        return self.two(torch.relu(self.one(x))) + self.two(x)


def modelled(module, tmp_path, kind="binary"):
    plan = drawn.plan(drawn.made(module, tmp_path / "net.graph"), kind)
    network = plan.spec.network
    weights = np.concatenate([network.tensors[one.name].reshape(-1) for one in network.graph.weights])
    return built(plan.spec, weights.astype(np.float64))


def stack(between, outputs=1):
    torch.manual_seed(1)
    hidden = nn.Linear(4, 3, bias=False)
    return nn.Sequential(nn.Linear(2, 4), between(), nn.Dropout(0.3), hidden, between(), nn.Linear(3, outputs))


@pytest.mark.parametrize(
    ("module", "kind", "activation"),
    [
        (stack(nn.ReLU), "binary", "relu"),
        (stack(nn.Tanh, 3), "classes", "tanh"),
        (stack(Square), "number", "square"),
        (stack(Times), "binary", "square"),
        (nn.Sequential(Addmm(), nn.Tanh(), nn.Linear(5, 1)), "binary", "tanh"),
        (nn.Linear(2, 1), "binary", "relu"),
    ],
    ids=["relu", "tanh", "square", "times", "addmm", "one"],
)
def test_a_stack_of_layers_predicts_the_same_from_its_file(tmp_path, module, kind, activation):
    model = modelled(module, tmp_path, kind)
    model.write(tmp_path / "model.json")
    potluck.export(tmp_path, tmp_path / "layers.json", to="layers")
    made = Model.read(tmp_path / "layers.json")
    rows = drawn.frames(kind=kind)["a"].drop(columns="y")
    assert made.network.activation == activation
    np.testing.assert_allclose(made.scores(rows), model.scores(rows), rtol=0, atol=1e-6)
    assert len(net(made).layers) == len(made.shapes)  # what protections take
    with pytest.raises(UsageError, match="is there already"):
        potluck.export(tmp_path, tmp_path / "layers.json", to="layers")


@pytest.mark.parametrize("activation", ["relu", "tanh", "square"])
def test_layers_that_became_a_graph_come_back_bit_for_bit(activation):
    first = some("network", ("a", "b", "c"), activation)
    graph = Model(first.kind, first.encoding, first.target, np.zeros(0), graph=GraphModel(as_graph(first)))
    again = as_layers(graph)
    assert np.array_equal(again.weights, first.weights)
    assert again.digest() == first.digest()


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (drawn.mlp(), r"node 2 \(layer_norm\): is no layer of a model of layers"),
        (nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 1)), "several of them"),
        (nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1)), "no activation between two layers"),
        (nn.Sequential(nn.Linear(2, 1), nn.Tanh()), "one after the last"),
        (nn.Sequential(nn.Tanh(), nn.Linear(2, 1)), r"node 1 \(tanh\): is no layer"),
        (nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.ReLU(), nn.Linear(3, 1)), r"node 3 \(relu\): is no layer"),
        (Half(), r"node 4 \(linear\): is no layer"),
        (drawn.convolution(), r"node 1 \(reshape\): is no layer"),
    ],
    ids=["norm", "two", "none", "last", "first", "twice", "branch", "convolution"],
)
def test_whatever_is_no_stack_is_refused_by_name(tmp_path, module, words):
    with pytest.raises(UsageError, match=words):
        as_layers(modelled(module, tmp_path))


def test_a_model_of_layers_is_no_graph():
    with pytest.raises(UsageError, match="is no graph"):
        as_layers(some("network"))
