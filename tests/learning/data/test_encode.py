"""The encoding is arithmetic on declared bounds alone."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from potluck.core.plan import Column
from potluck.learning.data.column import Field
from potluck.learning.data.encode import Encoding, encode, field, referred, scale
from potluck.learning.data.expressions import value_of
from potluck.learning.data.notation import Notation, key
from potluck.learning.data.parts import grounded
from potluck.learning.data.problems import Problems
from potluck.learning.data.source import opened
from potluck.learning.data.sources.memory import ByName
from potluck.learning.data.sql.values import CASE, OTHER, looked_at
from potluck.learning.data.target import Goal
from potluck.learning.models.card import Card, fault


def values_of(one: Field, cells, missing) -> np.ndarray:
    """What a column's cells are, by a query: infinite where a cell does not fit."""
    frame = ByName({"c": cells if isinstance(cells, np.ndarray) else np.array([*cells, None], object)[:-1]}, len(cells))
    with opened(frame, "home").open(["c"], None, Problems("home"), careful=True) as relation:
        ground, found = grounded(relation)
        layer = looked_at(ground)
        top = layer.above("v")
        name = top.define(value_of(one, found["c"], Notation(tuple(missing)), layer))
        return np.array([math.nan if value is None else value for (value,) in relation.rows(top.ask([name]))])


@given(st.floats(-1e6, 1e6), st.floats(-1e3, 1e3), st.floats(1e-3, 1e3))
def test_a_number_is_on_minus_one_to_one_and_its_bounds_are_the_ends(x, low, width):
    high = low + width
    found = scale(np.array([x, low, high]), low, high)
    assert np.all(np.abs(found) <= 1)
    assert found[1] == -1
    assert found[2] == 1
    if low <= x <= high:
        assert found[0] == pytest.approx(2 * (x - low) / (high - low) - 1)


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("1", "1.0", True),
        ("01", "1", True),
        (" a ", "a", True),
        ("1e0", "1", True),
        ("a", "A", False),
        ("nan", "NaN", False),
        ("1_0", "10", False),
        ("inf", "infinity", False),
    ],
)
def test_values_compare_as_numbers_where_both_are_numbers(left, right, same):
    assert (key(left) == key(right)) is same


def test_undeclared_values_are_all_zeros_and_missing_ones_raise_the_flag():
    one = field("c", Column(kind="category", values=("0", "1"), missing="flag"))
    values = values_of(one, ["1.0", "0", "9", "?", None, " 1 "], ("?",))
    assert np.array_equal(values, [1, 0, OTHER, np.nan, np.nan, 1], equal_nan=True)
    features = encode(Encoding(fields=(one,), missing=("?",)), {"c": values})
    assert one.features == ("c=0", "c=1", "c?")
    assert features.tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 0], [0, 0, 1], [0, 0, 1], [0, 1, 0]]


def test_a_flagged_number_is_zero_where_missing():
    one = field("x", Column(kind="number", low=0, high=10, missing="flag"))
    features = encode(Encoding(fields=(one,), missing=()), {"x": np.array([10.0, np.nan])})
    assert one.features == ("x", "x?")
    assert features.tolist() == [[1, 0], [0, 1]]


NUMBER = Field(name="x", kind="number", low=0.0, high=1.0)


@given(st.lists(st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.just(None)), max_size=20))
def test_numbers_are_read_back_bit_for_bit(values):
    found = values_of(NUMBER, [None if value is None else repr(value) for value in values], ("",))
    assert [None if math.isnan(v) else v.hex() for v in found] == [None if v is None else v.hex() for v in values]


@given(
    st.lists(st.one_of(st.text("0123456789.-+eE_ \t\u00a0\u0661infa", max_size=8), st.text(max_size=3)), max_size=30)
)
@example(["1_0", "+-1", "1e400", "-1e400", "inf", "nan", "\u0661", "\u00a01", "1e-400", ".5", "5.", "0x1", "1e5_0"])
def test_a_text_is_a_number_to_queries_where_it_is_one_to_the_keys(texts):
    """Two ways to say what a number is: Python's, by which values compare, and the engine's, which reads cells."""
    found = values_of(NUMBER, texts, ("?", "-9"))
    for text, value in zip(texts, found.tolist(), strict=True):
        if key(text) in (key("?"), key("-9")):
            assert math.isnan(value)
        elif isinstance(key(text), float):
            assert value == key(text), text
        else:
            assert math.isinf(value), text


@given(
    st.lists(st.text("01.eE ab\u00c4\u00e4'\"\\\0\u3000", max_size=4), max_size=30),
    st.lists(st.text("01.ab\u00c4'\"\\\0", min_size=1, max_size=3), min_size=1, max_size=4, unique_by=key),
)
def test_a_text_is_a_declared_value_to_queries_where_it_has_its_key(texts, values):
    one = Field(name="c", kind="category", values=tuple(values))
    gone = "?" if key("") in map(key, values) else ""
    found = values_of(one, texts, (gone,))
    places = {key(value): float(place) for place, value in enumerate(values)}
    for text, value in zip(texts, found.tolist(), strict=True):
        if key(text) == key(gone):
            assert math.isnan(value), text
        elif key(text) in places:
            assert value == places[key(text)], text
        else:
            alike = {v.strip().lower() for v in values if isinstance(key(v), str)}
            assert value == (CASE if text.strip().lower() in alike else OTHER), text


def test_numbers_of_a_frame_meet_categories_as_numbers():
    one = Field(name="c", kind="category", values=("1", "x"))
    found = values_of(one, np.array([1.0, 2.0, np.nan, np.inf]), ())
    assert np.array_equal(found, [0, OTHER, np.nan, OTHER], equal_nan=True)


def test_a_reference_is_no_feature_and_what_is_not_declared_is_missing_beside_it():
    one = Field(name="stage", kind="category", values=("1", "2", "3"), reference="1.0", missing="flag")
    assert one.features == ("stage=2", "stage=3", "stage?")
    cells = referred(one, values_of(one, ["1", "2.0", "3", "9", "?"], ("?",)))
    assert np.isnan(cells).tolist() == [False, False, False, True, True]
    found = encode(Encoding(fields=(one,), missing=("?",)), {"stage": cells})
    assert found.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1]]


def test_control_without_a_reference_what_is_not_declared_is_all_zeros():
    one = Field(name="stage", kind="category", values=("1", "2", "3"))
    found = encode(Encoding(fields=(one,), missing=()), {"stage": referred(one, values_of(one, ["1", "9"], ()))})
    assert found.tolist() == [[1, 0, 0], [0, 0, 0]]


def test_a_file_of_a_model_without_references_does_not_mention_them():
    one = Field(name="stage", kind="category", values=("1", "2"))
    assert b"reference" not in msgspec.json.encode(one)
    named = msgspec.json.encode(msgspec.structs.replace(one, reference="1"))
    assert msgspec.json.decode(named, type=Field).features == ("stage=2",)


@pytest.mark.parametrize(
    ("field", "word"),
    [
        (Field(name="s", kind="category", values=("1", "2"), reference="3"), "none of its values"),
        (Field(name="s", kind="number", low=0.0, high=1.0, reference="0"), "is a number"),
    ],
)
def test_a_card_with_a_reference_that_cannot_be_is_broken(field, word):
    how = Encoding(fields=(field, Field(name="x", kind="number", low=0.0, high=1.0)), missing=())
    assert word in fault(Card(kind="logistic", encoding=how, target=Goal(column="y", side="binary", positive=("1",))))


def test_a_number_near_the_end_of_float64_is_clamped_without_overflow():
    """Numpy's warnings are errors in tests. Control: twice such a number is beyond float64."""
    values = np.array([1e308, -1e308, 5.0, 0.1, np.nan])
    with np.errstate(all="raise"):
        assert scale(values, 0.0, 10.0)[:3].tolist() == [1.0, -1.0, 0.0]
        with pytest.raises(FloatingPointError):
            2 * (values - 0.0)


def test_clamping_first_moves_no_bit():
    values = np.random.default_rng(2).uniform(-300, 300, 10_000)
    for low, high in ((0.1, 0.3), (-77.7, 123.4), (1e-9, 3e-9)):
        before = np.clip(2 * (values - low) / (high - low) - 1, -1, 1)
        assert (scale(values, low, high) == before).all()
