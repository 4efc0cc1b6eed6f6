"""Rows stay apart: whatever a graph is, what it computes of one row does not change with the others, in any bit."""

from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from potluck.learning.graph import value
from potluck.learning.graph.bound import Bound
from potluck.learning.graph.interpreter import forward
from potluck.learning.graph.value import Misfit, Rows, Value
from support.examples import examples
from support.graph.modules import SOME_SLOW
from support.graph.random_graphs import BATCH, drawn, violations
from support.graph.running import network, ready, same, with_other_rows

pytestmark = pytest.mark.torch


@settings(max_examples=examples(150))
@given(seed=st.integers(0, 2**32 - 1))
def test_a_row_keeps_its_bits_in_graphs_at_random(seed):
    assert violations(drawn(seed), seed) == []


@pytest.mark.slow
@settings(max_examples=examples(4_000))
@given(seed=st.integers(0, 2**32 - 1))
def test_a_row_keeps_its_bits_in_many_graphs_at_random(seed):
    assert violations(drawn(seed), seed) == []


def test_graphs_at_random_use_nearly_every_operation():
    """The control: the property is about graphs that compute."""
    found = Counter(node.op for seed in range(250) for node in drawn(seed).nodes)
    assert len(found) >= 50
    assert sum(found.values()) > 1_500


def _axis_of_rows_too(self, name, given):
    raw = self._raw(name)
    if type(raw) is not int or not 0 <= raw < given.rank:
        raise Misfit(name)
    return raw


def _axes_of_rows_too(self, name, given):
    found = self.wholes(name, 0)
    if not found or len(set(found)) < len(found) or max(found) >= given.rank or not self.flag("keepdim", False):
        raise Misfit(name)
    return found


def _any_reshape(given, shape, axis):
    if given.rows is None or axis is None:
        return Value(given.dtype, shape)
    return Value(given.dtype, shape, Rows(axis, 1, shape[axis]))


def _any_broadcast(values):
    try:
        shape = tuple(torch.broadcast_shapes(*(one.shape for one in values)))
    except RuntimeError:
        raise Misfit("shapes") from None
    rank = max(one.rank for one in values)
    rows = next(
        (Rows(one.rows.axis + rank - one.rank, one.rows.outer, one.rows.inner) for one in values if one.rows), None
    )
    return shape, rows


@pytest.mark.parametrize(
    ("place", "name", "bug"),
    [
        (Bound, "axis", _axis_of_rows_too),
        (Bound, "axes", _axes_of_rows_too),
        ("potluck.learning.graph.ops.shape", "reshaped", _any_reshape),
        ("potluck.learning.graph.ops.elementwise", "broadcast", _any_broadcast),
    ],
    ids=["softmax", "mean", "reshape", "broadcast"],
)
def test_the_property_finds_a_rule_that_lets_rows_mix(monkeypatch, place, name, bug):
    target = place if isinstance(place, type) else __import__(place, fromlist=["x"])
    monkeypatch.setattr(target, name, bug)
    assert any(violations(drawn(seed), seed) for seed in range(400))


@pytest.mark.parametrize("case", SOME_SLOW)
def test_a_row_of_every_architecture_keeps_its_bits(case):
    program, weights = ready(network(case.name))
    draw = torch.Generator().manual_seed(5)
    batch, row = 16, 11

    def some():
        return {
            name: torch.randint(0, 12, (batch, *one.shape), generator=draw)
            if one.dtype == "int64"
            else torch.randn((batch, *one.shape), generator=draw)
            for name, one in case.inputs.items()
        }

    first, second = some(), some()
    order = torch.randperm(batch, generator=draw)
    mixed = {name: with_other_rows(first[name], second[name], row, order) for name in first}
    before, after = forward(program, weights, first), forward(program, weights, mixed)
    assert same(before[row], after[row])
    assert not same(before, after)


def test_rows_are_told_by_outer_and_inner():
    """Of [3, b, 2] joined to one axis, entry i belongs to row i // 2 % b."""
    one = Value("float32", (3, 1, 2), Rows(1))
    joined = value.reshaped(one, (6,), 0)
    assert joined.rows == Rows(0, 3, 2)
    tensor = torch.arange(BATCH).view(1, BATCH, 1).expand(3, BATCH, 2).reshape(-1)
    assert tensor.tolist() == [i // 2 % BATCH for i in range(3 * BATCH * 2)]
