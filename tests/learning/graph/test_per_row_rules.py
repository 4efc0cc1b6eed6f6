"""Each row's gradient by factors is that of the row alone: for every rule, and for nodes without one, of any shape."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from potluck.learning.graph.ops import OPS
from potluck.learning.graph.per_row import RULES
from support.examples import examples
from support.graph.rows_alone import compared
from support.graph.scenes import SCENES

pytestmark = pytest.mark.torch


@pytest.mark.parametrize("name", SCENES)
@settings(max_examples=examples(60))
@given(data=st.data(), seed=st.integers(0, 2**32 - 1), units=st.integers(1, 4), each=st.integers(1, 3))
def test_norms_and_clipped_sums_are_those_of_rows_alone(name, data, seed, units, each):
    scene = data.draw(SCENES[name])
    program, trained = scene.ready()
    weights, inputs = scene.given(units * each, seed)
    compared(program, weights, inputs, trained, each=each)


def test_every_rule_is_of_an_operation_and_has_a_scene():
    assert set(RULES.words()) <= set(SCENES) & set(OPS.words())
