"""Each row's gradient by factors is that of the row alone: for every rule, and for nodes without one, of any shape."""

from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from potluck.learning.graph.ops import OPS
from potluck.learning.graph.per_row import RULES
from potluck.learning.graph.per_row.gradients import gradients
from potluck.learning.graph.per_row.pieces import Laid, squares
from potluck.learning.graph.per_row.uses import uses
from support.examples import examples
from support.graph.rows_alone import alone, compared, lost, norms, units
from support.graph.scenes import SCENES

pytestmark = pytest.mark.torch


SOME = (
    *(
        "linear_joined",
        "matmul_by_heads",
        "embedding",
        "conv2d_of_frames",
        "conv_transpose1d",
        "layer_norm",
        "group_norm",
    ),
    *("mul", "expand", "where", "tied_table_and_head", "low_rank_product"),
)


def looked_at(name, data, seed, units, each):
    scene = data.draw(SCENES[name])
    program, trained = scene.ready()
    weights, inputs = scene.given(units * each, seed)
    compared(program, weights, inputs, trained, each=each)


SHAPES = given(data=st.data(), seed=st.integers(0, 2**32 - 1), units=st.integers(1, 4), each=st.integers(1, 3))


@pytest.mark.parametrize("name", SOME)
@settings(max_examples=10)
@SHAPES
def test_norms_and_clipped_sums_are_those_of_rows_alone(name, data, seed, units, each):
    looked_at(name, data, seed, units, each)


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENES)
@settings(max_examples=examples(100))
@SHAPES
def test_norms_and_clipped_sums_of_every_rule_are_those_of_rows_alone(name, data, seed, units, each):
    looked_at(name, data, seed, units, each)


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENES)
@settings(max_examples=examples(20))
@given(data=st.data(), seed=st.integers(0, 2**32 - 1), each=st.integers(1, 2))
def test_in_float64_they_are_so_to_ten_digits_but_for_what_a_bound_adds(name, data, seed, each):
    scene = data.draw(SCENES[name])
    program, trained = scene.ready("float64")
    weights, inputs = scene.given(2 * each, seed, "float64")
    rows = units(alone(program, weights, inputs, trained), each)
    there = torch.ones(2 * each, dtype=torch.bool)
    found = gradients(uses(program, trained), weights, inputs, lost, there, each=each, train=False)
    assert ((found.norms - norms(rows)).abs() <= 1e-6 * found.reaches + 1e-9).all()
    total = found.clipped(2.0**60, double=True)
    for i, name in enumerate(trained):
        assert torch.allclose(total[name], rows[0][i] + rows[1][i], rtol=1e-10, atol=1e-10 * float(found.reaches.max()))


def test_every_rule_is_of_an_operation_and_has_a_scene():
    assert set(RULES.words()) <= set(SCENES) & set(OPS.words())


@pytest.mark.parametrize("dtype", [torch.float32, pytest.param(torch.float64, marks=pytest.mark.slow)])
def test_squared_norms_are_no_less_than_they_are_and_hardly_more(dtype):
    """Of lengths around those that are added up at a time, by fractions."""
    draw = torch.Generator().manual_seed(4)
    sizes = (1, 2, 127, 128, 129, 257, 784, 1009, 8192, 16_385)
    given = [torch.randn((3, size), generator=draw, dtype=dtype) * 10.0 ** (i - 5) for i, size in enumerate(sizes)]
    found = squares(*given)
    assert found.shape == (len(sizes), 3)
    for i, one in enumerate(given):
        for row in range(3):
            exact = sum(Fraction(float(number)) ** 2 for number in one[row])
            assert exact <= Fraction(float(found[i, row])) <= exact * (1 + Fraction(1, 30_000))


def test_what_is_laid_out_in_another_order_adds_up_to_the_same():
    """As gradients of a convolution are, whose channels come last in memory."""
    each = torch.randn((4, 3, 5, 2), generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    moved, factors = each.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2), torch.tensor([1.0, 0.5, 0.0, 2.0])
    assert moved.stride() != each.stride()
    wanted = (each * factors.double()[:, None, None, None]).sum(0)
    for one in (Laid(each), Laid(moved), Laid(moved).without(torch.tensor([False, False, True, False]))):
        assert torch.allclose(one.total(factors.double()), wanted, rtol=1e-12)
    assert torch.allclose(Laid(moved).joined(2).each, each[::2] + each[1::2])


def test_norms_of_the_same_memory_read_otherwise_are_their_own():
    """Rows and columns of one matrix lie in the same memory."""
    both = torch.arange(1.0, 26.0, dtype=torch.float64).reshape(5, 5)
    rows, columns, again = squares(both, both.t(), both.reshape(5, 1, 5))
    assert torch.allclose(rows, both.square().sum(1), rtol=1e-6)
    assert torch.allclose(columns, both.square().sum(0), rtol=1e-6)
    assert torch.equal(rows, again)
