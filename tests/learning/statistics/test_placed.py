"""A value's bin is the number of edges at most it, to the last bit, though most values are placed by a quotient."""

import math
from bisect import bisect_right

import duckdb
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from potluck.learning.data.sql import layers
from potluck.learning.data.sql.dialect import DUCKDB
from potluck.learning.data.sql.layers import Layer, inside, placed
from support.examples import examples

NUMBER = st.floats(-1e300, 1e300) | st.floats(-1e3, 1e3) | st.integers(-200, 200).map(float)
WIDTH = st.sampled_from([0.1, 1.0, 3.0, 7.5, 1e-3, 200.0, 1e6, 1e14, 1e20, 1e-20]) | st.floats(1e-6, 1e6)


def edges_of(low, high, parts):
    return np.linspace(low, high, parts + 1)[1:-1].tolist()


def in_engine(low, high, parts, values, known):
    """known: whether a layer below says already which values are within the range."""
    listed = ", ".join("(NULL)" if value is None else f"({DUCKDB.double(value)})" for value in values)
    ground = Layer(DUCKDB, f"(VALUES {listed}) AS source (x)", "a")
    value = ground.define("x")
    below = ground.above("o")
    if known:
        below.define(inside(value, DUCKDB.double(low), DUCKDB.double(high)))
    helper = below.above("h")
    top = helper.above("t")
    name = top.define(f"CAST({placed(value, low, high, edges_of(low, high, parts), helper)} AS INTEGER)")
    return [place for (place,) in duckdb.execute(top.ask([name])).fetchall()]


def around(value):
    """A double and those beside it."""
    found = [value]
    for way in (-math.inf, math.inf):
        near = value
        for _ in range(3):
            near = math.nextafter(near, way)
            found.append(near)
    return found


@settings(max_examples=examples(60))
@given(NUMBER, WIDTH, st.integers(1, 300), st.lists(st.floats(0, 1), max_size=20), st.booleans())
@example(0.0, 1.0, 10, [0.3], True)
@example(-50.0, 200.0, 20, [0.25], False)
@example(1e15, 1.0, 8, [0.5], True)
def test_a_value_is_in_the_bin_that_python_finds_by_comparing(low, width, parts, shares, known):
    high = low + width
    if not high > low:
        high = math.nextafter(low, math.inf)
    near = [one for edge in (low, *edges_of(low, high, parts), high) for one in around(edge)]
    values = [None, low - width, high + width, *(low + share * width for share in shares), *near]
    expected = [None if one is None else bisect_right(edges_of(low, high, parts), one) for one in values]
    assert in_engine(low, high, parts, values, known) == expected


def test_control_without_a_margin_a_value_beside_an_edge_is_in_the_wrong_bin(monkeypatch):
    low, high, parts = 0.1, 0.7, 30
    values = [one for edge in edges_of(low, high, parts) for one in around(edge)]
    expected = [bisect_right(edges_of(low, high, parts), one) for one in values]
    assert in_engine(low, high, parts, values, True) == expected
    monkeypatch.setattr(layers, "ROUNDED", 0.0)
    assert in_engine(low, high, parts, values, True) != expected


@pytest.mark.parametrize(
    ("low", "high", "parts", "quotient"),
    [
        (-50.0, 150.0, 20, True),
        (0.0, 1e6, 1000, True),
        (0.0, 1.0, 2, False),  # a comparison or two are faster
        (1e15, 1e15 + 1, 8, False),  # no room between two roundings
        (-8e307, 8e307, 8, False),
        (0.0, 1e-300, 8, False),
    ],
)
def test_a_quotient_is_asked_where_it_can_tell(low, high, parts, quotient):
    layer = Layer(DUCKDB, "t", "h")
    assert ("floor(" in placed("x", low, high, edges_of(low, high, parts), layer)) is quotient
