"""Adapters of low rank on a frozen base, with noise: only what trains is clipped and noised, by LoRA both factors, by
FFA-LoRA (Sun et al. 2024, arXiv 2403.12313) the second alone. Against torch's vmap, in one step and in a site's own."""

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

if find_spec("torch") is None:
    pytest.skip("the networks extra is missing", allow_module_level=True)

import torch
from torch import nn
from torch.func import functional_call, grad, vmap
from torch.nn import functional

import potluck
from potluck.core.fixed import decode
from potluck.dp.mechanism import guarded, mechanism
from potluck.learning.data.table import read
from potluck.learning.loops import build
from potluck.learning.models.graphs import follow
from potluck.testing.draws import seeded
from support.graph import hidden
from support.graph.resting import rest

pytestmark = pytest.mark.torch
RATE = 10.0
BOTH, SECOND = ["*"], ["*.up.weight"]
CASES = [pytest.param(BOTH, 1.1, id="lora"), pytest.param(SECOND, 0.3, id="ffa")]
"""What trains, and a clip that cuts some rows' gradients."""


class Low(nn.Module):
    """A frozen layer, and beside it two small ones that train."""

    def __init__(self, wide, out):
        super().__init__()
        self.base = nn.Linear(wide, out).requires_grad_(False)
        self.down, self.up = nn.Linear(wide, 2, bias=False), nn.Linear(2, out, bias=False)

    def forward(self, x):
        return self.base(x) + 2.0 * self.up(self.down(x))


def adapted():
    torch.manual_seed(4)
    return nn.Sequential(Low(4, 8), nn.Tanh(), Low(8, 1))


@pytest.fixture(scope="module")
def resting(tmp_path_factory):
    """The graph, its base in models/ beside it, and the base's hash."""
    return rest(adapted(), 4, tmp_path_factory.mktemp("adapters"))


class Site:
    """A plan's first sum at one site; step: of the grid on which units are."""

    def __init__(self, resting, monkeypatch, trainable, **keys):
        folder, base = resting
        monkeypatch.chdir(folder)
        made = hidden.plan("net.graph", word="clear", **keys)
        made = made.set("model.base", base).set("model.trainable", trainable)
        assert potluck.check(made).errors == []
        follow(made.spec)
        self.spec, self.task = made.spec, build(made.spec)
        self.table = read(hidden.frames(48)["a"], self.spec, "a")
        self.ask = next(self.task.lead())
        self.bound = mechanism(self.spec, self.ask)

    def sent(self, bound):
        """[d] in real numbers, what leaves."""
        given = self.task.contribute(self.ask, self.table, seeded("a"))
        return decode(guarded(bound, given, seeded("a")).words, bound.grid)


def named(trainable):
    """The weights that train, in the graph's order."""
    ends = ("down.weight", "up.weight") if trainable == BOTH else ("up.weight",)
    return {name: one.detach() for name, one in adapted().named_parameters() if name.endswith(ends)}


def rows_of(table, weights):
    """[rows, d] by vmap over torch's own module, at these weights."""
    module = adapted().requires_grad_(False)
    x = torch.tensor(table.features[table.train], dtype=torch.float32)
    y = torch.tensor(table.target[table.train], dtype=torch.float32)

    def loss(held, row, side):
        return functional.binary_cross_entropy_with_logits(functional_call(module, held, row[None])[:, 0], side[None])

    found = vmap(grad(loss), in_dims=(None, 0, 0))(weights, x, y)
    return torch.cat([found[name].flatten(1) for name in weights], 1).double().numpy()


def moved(weights, by):
    """The weights, each moved by its part of a vector."""
    found, at = {}, 0
    for name, one in weights.items():
        found[name] = (one.double() + torch.tensor(by[at : at + one.numel()]).reshape(one.shape)).float()
        at += one.numel()
    return found


def silent(bound):
    """The same bound, without its noise."""
    return replace(bound, word="reveal")


@pytest.mark.parametrize(("trainable", "clip"), CASES)
def test_a_sum_is_of_what_trains_alone_each_row_clipped_over_all_of_it(resting, monkeypatch, trainable, clip):
    noise = {"noise": "site", "clip": clip}
    site = Site(resting, monkeypatch, trainable, privacy=noise)
    units = rows_of(site.table, named(trainable))
    wanted = hidden.clipped(units, clip)
    assert 0.1 < (np.linalg.norm(units, axis=1) > clip).mean() < 1
    assert site.ask.blocks[0].size == len(wanted) == (42 if trainable == BOTH else 18)
    found = site.sent(silent(site.bound))
    assert np.linalg.norm(found - wanted) < 0.01 * len(units) * clip < np.linalg.norm(wanted)
    # The noise is for these numbers and no others: as loud in each, whatever trains beside them.
    other = Site(resting, monkeypatch, BOTH if trainable == SECOND else SECOND, privacy=noise)
    assert site.bound.real(site.bound.sigma) == pytest.approx(other.bound.real(other.bound.sigma), rel=1e-3)


@pytest.mark.parametrize(("trainable", "clip"), CASES)
def test_steps_of_a_site_move_the_adapters_alone(resting, monkeypatch, trainable, clip):
    keys = {"method": "average", "steps": 3, "rounds": 1, "rate": RATE}
    site = Site(resting, monkeypatch, trainable, privacy={"noise": "site", "clip": clip}, **keys)
    found = site.sent(replace(site.bound, each=silent(site.bound.each)))
    weights, by = named(trainable), np.zeros(site.ask.blocks[0].size)
    for _ in range(3):
        by = by - RATE * hidden.clipped(rows_of(site.table, moved(weights, by)), clip) / (135 / 3)
    assert np.linalg.norm(found - by) < 0.02 * np.linalg.norm(by)
    first = -3 * RATE * hidden.clipped(rows_of(site.table, weights), clip) / (135 / 3)
    assert np.linalg.norm(found - first) > 0.05 * np.linalg.norm(by)  # later steps begin where earlier ones ended
