"""Operators that networks of today use: each is taken with the module's own bits, and none of them mixes rows."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import potluck
from potluck.core.errors import GraphError
from potluck.learning.graph.file import read
from potluck.learning.graph.interpreter import forward, program, tensors

pytestmark = pytest.mark.torch


class Middle(nn.Module):
    """A function between two layers, so that gradients go through it."""

    def __init__(self, function):
        super().__init__()
        torch.manual_seed(0)
        self.layer, self.function, self.head = nn.Linear(6, 8), function, nn.Linear(8, 2)

    def forward(self, x):
        return self.head(self.function(self.layer(x)))


def grid(x):
    return x.view(-1, 2, 2, 2)


def wide(x):
    return x.flatten(1)[:, :8]


TAKEN = {
    "amax": lambda x: x - x.amax(-1, keepdim=True),
    "amin": lambda x: x - grid(x).amin((1, 3)).repeat(1, 4),
    "maximum": lambda x: torch.maximum(x, -x) + torch.min(x, 2 * x),
    "normalize": lambda x: F.normalize(x, dim=-1),
    "norm of maps": lambda x: x / (1 + torch.norm(grid(x), dim=(2, 3)).repeat_interleave(4, 1)),
    "var": lambda x: (x - x.mean(-1, keepdim=True)) / torch.sqrt(x.var(-1, unbiased=False, keepdim=True) + 1e-5),
    "var of maps": lambda x: x / (1 + grid(x).var((2, 3), correction=1).repeat(1, 4)),
    "glu": lambda x: F.glu(torch.cat([x, 2 * x], -1)),
    "log": lambda x: torch.log(x.abs() + 1) + torch.log1p(x * x) + torch.sin(x) * torch.cos(x) + torch.erf(x),
    "log_softmax": lambda x: F.log_softmax(x, dim=-1),
    "prelu": lambda x: F.prelu(grid(x), torch.tensor([0.1, 0.3])).flatten(1) + F.prelu(x, torch.tensor([0.2])),
    "compared": lambda x: x * (x >= 0.1).float() + torch.where(x < -0.1, 2 * x, x) * (x <= 1) * (x != 0),
    "stack": lambda x: torch.stack([x, 2 * x], 1).sum(1),
    "tile": lambda x: wide(x.tile(1, 2)),
    "movedim": lambda x: grid(x).movedim((1, 2), (3, 1)).flatten(1),
    "pixels": lambda x: F.pixel_shuffle(x[:, :, None, None], 2).flatten(1),
    "einsum": lambda x: torch.einsum("bhqd,bhkd->bhqk", x.view(-1, 2, 2, 2), x.view(-1, 2, 2, 2)).flatten(1),
    "einsum of a table": lambda x: torch.einsum("bcd,ec->bde", x.view(-1, 2, 4), torch.eye(2)).flatten(1),
    "largest of bins": lambda x: F.adaptive_max_pool2d(grid(x), 1).flatten(1).repeat(1, 4) + x,
    "linear": lambda x: wide(F.interpolate(x[:, None], scale_factor=2, mode="linear")),
    "trilinear": lambda x: wide(F.interpolate(x.view(-1, 1, 2, 2, 2), scale_factor=2, mode="trilinear")),
    "nearest": lambda x: wide(F.interpolate(x.view(-1, 1, 2, 2, 2), scale_factor=2)) + wide(
        F.interpolate(x[:, None], scale_factor=1.5)),
}  # fmt: skip


@pytest.mark.parametrize("word", TAKEN)
def test_an_operator_keeps_its_bits(word, tmp_path):
    """`potluck.graph` compares outputs and gradients itself; this looks at rows that it has not seen."""
    module = Middle(TAKEN[word])
    potluck.graph(module, inputs={"features": [6]}, path=tmp_path / "net.graph")
    network = read(tmp_path / "net.graph")
    rows = torch.randn(5, 6, generator=torch.Generator().manual_seed(9))
    held = tensors(network)
    ours, theirs = forward(program(network.checked), held, {"features": rows}), module(rows)
    assert torch.equal(ours, theirs)
    names = [one.name for one in network.graph.weights]
    pull = torch.randn(theirs.shape, generator=torch.Generator().manual_seed(1))
    own = torch.autograd.grad(theirs, [module.get_parameter(name) for name in names], pull)
    for one, other in zip(torch.autograd.grad(ours, [held[name] for name in names], pull), own, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda x: x - x.amax(0, keepdim=True), "amax.*mixes rows"),
        (lambda x: x / x.var(0, keepdim=True), "var.*mixes rows"),
        (lambda x: x / (1 + x.norm(dim=0, keepdim=True)), "norm.*mixes rows"),
        (lambda x: F.log_softmax(x, dim=0), "softmax.*mixes rows"),
        (lambda x: torch.einsum("bi,bj,bk->bk", x, x, x), "einsum .*two values"),
        (lambda x: torch.einsum("bi,bj->ij", x, x), "rows"),
        (lambda x: torch.einsum("bi,ci->bc", x, x) @ x, "matmul.*mixes rows"),
        (lambda x: x.repeat(2, 1), "rows"),
        (lambda x: torch.stack([x, x], 0).sum(0).movedim(0, 1) @ x, "rows"),
        (lambda x: F.adaptive_max_pool1d(x[:, None], 3).flatten(1).mean(1, True) + x, "unequal widths.*divide"),
        (lambda x: x / x.norm(p=1, dim=1, keepdim=True), "ord has to be 2.*abs, pow and sum"),
    ],
    ids=["amax", "var", "norm", "softmax", "three", "outer", "gram", "repeat", "product", "bins", "taxi"],
)
def test_what_would_mix_rows_or_has_no_words_is_refused_by_name(function, said, tmp_path):
    with pytest.raises(GraphError, match=said):
        potluck.graph(Middle(function), inputs={"features": [6]}, path=tmp_path / "net.graph")
