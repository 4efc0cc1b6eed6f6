"""What training a graph takes of a site, against numbers that are counted by hand, and what `check` says of it."""

import pytest

import potluck
from potluck.api.local.check import Verdict
from potluck.learning.graph.interpreter import memory
from potluck.learning.models.room import room
from support.files import pictures
from support.learning.sums import heart

MODULE = pictures.Beside()
TRAINED = 3 * 9 + 3 + 28 + 1
"""A convolution of three kernels 3 x 3 and its biases; 27 numbers and the age to one."""
FORWARD = 2 * 9 * 27 + 27 + 2 * 28 + 1
"""Products and sums of either, and at least: what stands between is counted beside."""


@pytest.fixture
def plan(tmp_path):
    path = pictures.graph(tmp_path / "net.graph", MODULE)

    def made():
        found = pictures.plan(path)
        return found.set("training.batch", 8)

    return made


def test_weights_sums_batch_and_pictures_are_what_they_are_by_hand(plan):
    spec = plan().spec
    found = room(spec)
    assert sum(one.numel() for one in MODULE.parameters()) == TRAINED
    assert found.weights == 2 * 4 * TRAINED
    assert found.vectors == 4 * 8 * TRAINED
    assert found.batch == memory(spec.network.checked, 8)
    assert found.cells == 16 * 8 * 8
    assert found.memory == found.weights + found.vectors + found.batch + found.cells
    assert 3 * FORWARD <= found.flops <= 6 * FORWARD


def test_a_larger_batch_needs_more_and_frozen_weights_no_sums(plan):
    whole, part, larger = plan(), plan(), plan()
    part = part.set("model.trainable", ["last.*"])
    larger = larger.set("training.batch", 80)
    whole, part, larger = (room(one.spec) for one in (whole, part, larger))
    assert (part.weights, part.vectors) == (whole.weights, 4 * 8 * 29)
    assert larger.batch > 5 * whole.batch
    assert larger.memory - larger.batch == whole.memory - whole.batch


def test_a_plan_without_a_graph_has_none():
    assert room(heart()) is None
    assert "room" not in Verdict([]).document()


def test_check_says_it_and_what_a_look_sends(plan):
    one = plan()
    one = one.set("data.split.validation", 0.2)
    one = one.set("training.evaluate_every", 1)
    verdict = potluck.check(one)
    assert verdict.errors == []
    said = verdict.document()
    assert said["room"] == room(one.spec).document()
    assert f"{said['room']['memory']:,} bytes of memory" in verdict.needs
    # 2 x 1024 cells of whole numbers, and a loss in words of 64 bits.
    assert said["looks"] == 2
    assert 8 * 2049 <= said["bytes_up_per_site_look"] < 8 * 2049 + 2000
    assert f"({said['bytes_up_per_site_look']:,} a look)" in verdict.summary()
