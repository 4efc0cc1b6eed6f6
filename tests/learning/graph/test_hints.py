"""Operations that no graph has, and what to write instead: a module that does as the hint says is taken and equal."""

from importlib.util import find_spec

import numpy as np
import pytest

if find_spec("torch") is None:
    pytest.skip("the networks extra is missing", allow_module_level=True)

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrizations, parametrize

import potluck
from potluck.core.errors import GraphError
from potluck.learning.graph.file import read
from potluck.learning.models.graph_model import GraphModel

pytestmark = pytest.mark.torch


class Least(nn.Module):
    """Of four numbers that a layer makes, by one of these functions."""

    def __init__(self, function):
        super().__init__()
        torch.manual_seed(0)
        self.layer, self.function = nn.Linear(2, 4), function

    def forward(self, x):
        return self.function(self.layer(x).unsqueeze(1))


def normed():
    torch.manual_seed(0)
    return parametrizations.weight_norm(nn.Linear(2, 3))


def folded():
    found = normed()
    return parametrize.remove_parametrizations(found, "weight")


@pytest.mark.parametrize(
    ("refused", "said", "instead"),
    [
        (Least(lambda x: x.max(2).values), r"aten\.max\.dim .*x\.amax\(axis\)", Least(lambda x: x.amax(2))),
        (Least(lambda x: x.min(2).values), r"aten\.min\.dim .*x\.amin\(axis\)", Least(lambda x: x.amin(2))),
        (
            Least(lambda x: x.std(2)),
            r"aten\.std\.dim .*torch\.sqrt\(x\.var\(axis\) \+ eps",
            Least(lambda x: torch.sqrt(x.var(2))),
        ),
        (
            Least(lambda x: x.cumsum(2)[:, 0, 2:]),
            r"aten\.cumsum .*x @ torch\.ones\(n, n\)\.triu\(\)",
            Least(lambda x: (x @ torch.ones(4, 4).triu())[:, 0, 2:]),
        ),
        (
            Least(lambda x: functional.logsigmoid(x)[:, 0]),
            r"aten\.log_sigmoid .*-torch\.nn\.functional\.softplus\(-x\)",
            Least(lambda x: -functional.softplus(-x)[:, 0]),
        ),
        (
            Least(lambda x: torch.logsumexp(x, 2, keepdim=True)[:, 0]),
            r"aten\.logsumexp .*x\.amax\(axis, keepdim=True\)",
            Least(lambda x: (m := x.amax(2, True))[:, 0] + torch.log(torch.exp(x - m).sum(2, keepdim=True))[:, 0]),
        ),
        (normed(), r"_weight_norm .*nn\.utils\.parametrize\.remove_parametrizations\(layer, \"weight\"\)", folded()),
    ],
    ids=["max", "min", "std", "cumsum", "logsigmoid", "logsumexp", "weight norm"],
)
def test_what_no_graph_has_comes_with_what_to_write(tmp_path, refused, said, instead):
    with pytest.raises(GraphError, match=said):
        potluck.graph(refused, inputs={"features": [2]}, path=tmp_path / "refused.graph")
    potluck.graph(instead, inputs={"features": [2]}, path=tmp_path / "net.graph")
    rows = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)
    with torch.no_grad():
        wanted = refused(torch.from_numpy(rows)).numpy()
    found = GraphModel(read(tmp_path / "net.graph")).margins(rows.astype(np.float64))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6)
