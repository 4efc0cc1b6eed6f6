"""The encoding is arithmetic on declared bounds alone."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from potluck.core.plan import Column
from potluck.learning.data.column import OTHER, Field, key
from potluck.learning.data.encode import Encoding, codes, encode, field, numbers, order, referred, scale, written
from potluck.learning.data.problems import Unfit
from potluck.learning.data.target import Goal
from potluck.learning.models.card import Card, fault


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
    values = codes(["1.0", "0", "9", "?", None, " 1 "], order(one.values), ("?",))
    assert np.array_equal(values, [1, 0, OTHER, np.nan, np.nan, 1], equal_nan=True)
    features = encode(Encoding(fields=(one,), missing=("?",)), {"c": values})
    assert one.features == ("c=0", "c=1", "c?")
    assert features.tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 0], [0, 0, 1], [0, 0, 1], [0, 1, 0]]


def test_a_flagged_number_is_zero_where_missing():
    one = field("x", Column(kind="number", low=0, high=10, missing="flag"))
    features = encode(Encoding(fields=(one,), missing=()), {"x": np.array([10.0, np.nan])})
    assert one.features == ("x", "x?")
    assert features.tolist() == [[1, 0], [0, 1]]


@given(st.lists(st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.just(None)), max_size=20))
def test_numbers_are_read_back_bit_for_bit(values):
    cells = [None if value is None else repr(value) for value in values]
    found = numbers(cells, ("",))
    assert [None if math.isnan(v) else v for v in found] == values


@given(st.lists(st.text(max_size=5), min_size=1, max_size=5), st.integers(0, 4))
def test_unfit_tells_the_place_and_no_value(texts, place):
    cells = ["1"] * place + ["x" + "".join(texts)]
    with pytest.raises(Unfit) as caught:
        numbers(cells, ("",))
    assert caught.value.index == [place]
    assert str(caught.value) == "nan, inf or text where a number is expected"


def test_numbers_of_a_frame_meet_categories_as_numbers():
    assert np.array_equal(
        codes(np.array([1.0, 2.0, np.nan]), order(("1", "x")), ()), [0, OTHER, np.nan], equal_nan=True
    )


def test_a_reference_is_no_feature_and_what_is_not_declared_is_missing_beside_it():
    one = Field(name="stage", kind="category", values=("1", "2", "3"), reference="1.0", missing="flag")
    assert one.features == ("stage=2", "stage=3", "stage?")
    cells = referred(one, written(one, ["1", "2.0", "3", "9", "?"], ("?",)))
    assert np.isnan(cells).tolist() == [False, False, False, True, True]
    found = encode(Encoding(fields=(one,), missing=("?",)), {"stage": cells})
    assert found.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1]]


def test_control_without_a_reference_what_is_not_declared_is_all_zeros():
    one = Field(name="stage", kind="category", values=("1", "2", "3"))
    found = encode(Encoding(fields=(one,), missing=()), {"stage": referred(one, written(one, ["1", "9"], ()))})
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
