"""Sums of clipped gradients on the grid: what one unit can change, and the sum by its definition."""

from importlib.util import find_spec
from itertools import repeat

import numpy as np
import pytest

if find_spec("torch") is None:
    pytest.skip("the networks extra is missing", allow_module_level=True)

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from potluck.core.stages import GridBlock
from potluck.learning.graph.per_row import gradients as per_row
from potluck.learning.graph.per_row.gradients import Gradients
from potluck.learning.graph.per_row.pieces import Laid, Outer
from potluck.learning.graph.per_row.uses import uses
from potluck.learning.training import clipped_sums
from potluck.learning.training.clipped_sums import Work, clip, clipped_sum
from support.examples import examples
from support.graph.modules import CASES
from support.graph.rows_alone import alone, lost, norms, units
from support.graph.running import network, ready

pytestmark = pytest.mark.torch
PLAIN = ("cnn1d", "cnn", "gpt2", "llama")
"""Networks that draw nothing while they train."""


class Scene:
    """A network, rows of it, and what they add up to."""

    def __init__(self, name, rows=24, at_once=8, spread=1.0):
        program, weights = ready(network(name))
        self.program, self.weights = program, {key: one.detach() for key, one in weights.items()}
        self.trained = [one.name for one in program.graph.weights if one.train]
        self.inputs = next(one.inputs for one in CASES if one.name == name)
        draw = np.random.default_rng(3)
        self.rows = {
            key: draw.integers(0, 12, (rows, *one.shape))
            if one.dtype == "int64"
            else (spread * draw.standard_normal((rows, *one.shape))).astype(np.float32)
            for key, one in self.inputs.items()
        }
        self.size = sum(self.weights[key].numel() for key in self.trained)
        self.scale = 1.0 + draw.standard_normal(rows) ** 2
        self.calls = 0
        self.work = Work(uses(program, self.trained), self.loss, self.weights, self.take, at_once)

    def take(self, index):
        self.calls += 1
        return {key: one[index] for key, one in self.rows.items()}, self.scale[index]

    @staticmethod
    def loss(made, scale):
        return lost(made) * scale.to(made.dtype)

    def alone(self, each=1):
        """[units, d] gradients by themselves, in float64."""
        given = {key: torch.from_numpy(one) for key, one in self.rows.items()}
        rows = alone(self.program, self.weights, given, self.trained)
        rows = [[part * float(factor) for part in one] for one, factor in zip(rows, self.scale, strict=True)]
        laid = units(rows, each)
        return np.stack([torch.cat([part.flatten() for part in one]).numpy() for one in laid]), norms(laid).numpy()

    def part(self, step=2.0**-16):
        return GridBlock("gradient", self.size, step, 2.0**10)

    def steps(self, slots, most, step=2.0**-16):
        return clipped_sum(self.work, np.asarray(slots), self.part(step), most, repeat(7))


@pytest.mark.parametrize("name", PLAIN)
def test_the_sum_is_that_of_units_clipped_one_by_one(name):
    scene, most, step = Scene(name), 0.5, 2.0**-20
    laid, size = scene.alone(each=2)
    slots = np.arange(24).reshape(12, 2)[np.r_[3:12, 0:3]]
    slots = np.vstack([slots, np.full((4, 2), -1)])
    found = scene.steps(slots, most, step) * step
    kept = most - step * np.sqrt(scene.size)
    wanted = (np.minimum(1.0, kept / size)[:, None] * laid).sum(0)
    assert (size > most).any()
    assert np.linalg.norm(found - wanted) <= 5e-3 * np.linalg.norm(wanted)  # of the clip a part is kept for rounding
    assert np.linalg.norm(found - wanted) <= 12 * 2.0**-7 * most


@pytest.mark.parametrize("name", ["mlp", "gpt2", pytest.param("llama", marks=pytest.mark.slow)])
@settings(max_examples=examples(30))
@given(data=st.data())
def test_no_slot_changes_whole_steps_by_more_than_the_sensitivity(name, data):
    """Rows of every size stand in the others: what is not finite, large, small, and what is there several times."""
    scene = Scene(name, rows=16, spread=data.draw(st.sampled_from([0.01, 1.0, 50.0])))
    most, step = data.draw(st.sampled_from([0.02, 1.0, 30.0])), 2.0**-16
    for one in scene.rows.values():
        if one.dtype != np.int64:
            one[3], one[4], one[5] = np.nan, 1e30, one[6]
    slots = np.asarray(data.draw(st.permutations(range(16)))).reshape(-1, 1)
    before = scene.steps(slots, most, step)
    for place in data.draw(st.lists(st.integers(0, 15), min_size=1, max_size=4)):
        emptied = slots.copy()
        emptied[place] = -1
        apart = np.linalg.norm((before - scene.steps(emptied, most, step)).astype(float))
        assert apart <= most / step


def test_the_bound_is_nearly_reached_so_it_hides_no_slack():
    scene, most, step = Scene("mlp", spread=30.0), 1.0, 2.0**-20
    before = scene.steps(np.arange(24).reshape(-1, 1), most, step)
    emptied = np.r_[-1, 1:24].reshape(-1, 1)
    apart = np.linalg.norm((before - scene.steps(emptied, most, step)).astype(float)) * step
    assert 0.999 * most <= apart <= most


BUGS = {
    "no clip": lambda self, clip, *, double: torch.ones(len(self.there)),
    "the clip of another norm": lambda self, clip, *, double: (
        clip / next(iter(self.pieces.values())).sizes.norm.sqrt()
    ).clamp(max=1.0).float(),
    "the clip of the sum": lambda self, clip, *, double: (clip / self.norms.mean()).clamp(max=1.0)
    .float()
    .expand(len(self.there)),
}  # fmt: skip


@pytest.mark.parametrize("bug", BUGS)
def test_the_sensitivity_finds_what_does_not_clip_each_unit(bug, monkeypatch):
    monkeypatch.setattr(Gradients, "factors", BUGS[bug])
    scene, most, step = Scene("mlp", spread=5.0), 0.5, 2.0**-16
    slots = np.arange(24).reshape(-1, 1)
    before, worst = scene.steps(slots, most, step), 0.0
    for place in range(24):
        emptied = np.where(slots == place, -1, slots)
        worst = max(worst, float(np.linalg.norm((before - scene.steps(emptied, most, step)).astype(float))))
    assert worst > 1.5 * most / step


@pytest.mark.parametrize("filled", [0, 1, 9, 24])
def test_as_many_microbatches_run_whatever_slots_hold(filled):
    scene = Scene("mlp")
    slots = np.where(np.arange(24) < filled, np.arange(24), -1).reshape(-1, 1)
    found = scene.steps(slots, 1.0)
    assert scene.calls == 3
    assert found.any() == (filled > 0)


def test_a_sum_is_truncated_alike_in_stretches_of_any_length(monkeypatch):
    scene, slots = Scene("cnn"), np.arange(24).reshape(-1, 1)
    whole = scene.steps(slots, 1.0)
    monkeypatch.setattr(clipped_sums, "STRETCH", 7)
    assert (scene.steps(slots, 1.0) == whole).all()
    total = np.zeros(5, dtype=np.int64)
    given = torch.tensor([0.99, -0.99, 1.0, -2.5])
    assert clipped_sums._added(total, 1, given * 2.0**-18, 2.0**-18) == 5
    assert total.tolist() == [0, 0, 0, 1, -2]


def test_words_follow_from_slots_alone():
    first, second = Scene("cnn"), Scene("cnn")
    slots = np.arange(24).reshape(-1, 1)
    assert (first.steps(slots, 1.0) == second.steps(slots, 1.0)).all()
    shifted = np.roll(slots, 3)
    apart = np.abs(first.steps(shifted, 1.0) - second.steps(slots, 1.0))
    assert 0 < apart.max() <= 3 * 2  # other microbatches: each is truncated, and added up otherwise


def test_long_sums_in_float32_would_cost_the_clip_and_are_made_in_float64():
    part, narrow = GridBlock("gradient", 64, 2.0**-18, 1.0), {}
    for terms, rows in ((1, 16), (64, 8), (64, 16), (64, 2048)):
        ones = torch.ones(rows, 1, terms, 8)
        narrow[terms, rows] = Gradients({"w": Outer(ones, ones, (8, 8))}, torch.ones(rows, dtype=torch.bool))
    assert [one.dear for one in narrow.values()] == [False, False, True, True]
    assert clip(narrow[1, 16], part, 1.0) > 0.9999
    assert clip(narrow[64, 2048], part, 1.0) > 0.9999
    # The facts of a hand calculation: 2 E = 2 gamma(8 * 64 + 2) * 8 * 16 at 2^-24.
    n = (8 * 64 + 2) * 2.0**-24
    assert narrow[64, 8].error(1.0, double=False) == pytest.approx(n / (1 - n) * 8 * 16, rel=1e-12)


def test_as_many_units_as_stand_in_a_microbatch_are_added_up_in_float32_for_a_hundredth_of_the_clip():
    draw = torch.Generator().manual_seed(3)
    left, right = torch.randn(256, 1, 1, 3, generator=draw), torch.randn(256, 1, 1, 5, generator=draw)
    found = Gradients({"w": Outer(left, right, (3, 5))}, torch.ones(256, dtype=torch.bool))
    factors, sums = found.factors(1.0, double=False), found.clipped(1.0)["w"]
    # By hand: 256 products, a factor's product, and what is too small for a float.
    n = 258 * 2.0**-24
    assert found.error(0.5, double=False) == pytest.approx(n / (1 - n) * 256 * 0.5, rel=1e-12)
    assert not found.dear
    part = GridBlock("gradient", 15, 2.0**-30, 1.0)
    assert clip(found, part, 1.0) == pytest.approx(1 / (1 + 2 * n / (1 - n) * 256), rel=1e-6)
    exact = (factors.double()[:, None, None] * left[:, 0, 0, :, None].double() * right[:, 0, 0, None].double()).sum(0)
    assert 0 < float((sums - exact).norm()) <= found.error(1.0, double=False)


def test_a_unit_whose_products_cancel_is_clipped_by_its_reach():
    """Of the first unit every two products cancel: its norm is 0, and its reach 64 * 8. Rounding grows with that."""
    left, right = torch.ones(4, 1, 64, 8), torch.ones(4, 1, 64, 8)
    right[0] = torch.tensor([1.0, -1.0] * 32)[None, :, None]
    flat = Gradients({"w": Outer(left, right, (8, 8))}, torch.ones(4, dtype=torch.bool))
    factors = flat.factors(1.0, double=True)
    assert float(factors[0]) == pytest.approx(16 / (64 * 8), rel=1e-5)
    assert float(factors[1]) == pytest.approx(1 / (64 * 8), rel=1e-5)
    assert float((factors * flat.reaches).max()) <= 16.0


def test_a_grid_that_is_too_coarse_and_a_short_microbatch_are_refused():
    found = Gradients({"w": Laid(torch.ones(4, 100))}, torch.ones(4, dtype=torch.bool))
    with pytest.raises(ValueError, match="too coarse"):
        clip(found, GridBlock("gradient", 100, 0.125, 8.0), 1.0)
    with pytest.raises(ValueError, match="shorter"):
        Scene("mlp").steps(np.arange(23).reshape(-1, 1), 1.0)


def test_rounding_in_float64_is_what_a_dear_sum_uses(monkeypatch):
    scene, slots = Scene("llama", rows=8), np.arange(8).reshape(-1, 1)
    asked = []
    real = Gradients.clipped
    monkeypatch.setattr(
        Gradients, "clipped", lambda self, clip, *, double: asked.append(double) or real(self, clip, double=double)
    )
    scene.steps(slots, 1.0)
    monkeypatch.setattr(per_row, "DEAR", 1.0)
    scene.steps(slots, 1.0)
    assert asked[-1] is False
