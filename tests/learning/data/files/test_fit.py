"""A raster is brought to the plan's shape, on [-1, 1]: by arithmetic that these tests do in another way."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from potluck.learning.data.files.fit import picture, tensor
from potluck.learning.data.files.raster import Raster, Unreadable


def triangle(size, wanted):
    """[wanted, size] the weights of a triangle filter that covers what a pixel of the result stands for."""
    scale = size / wanted
    reach = max(scale, 1.0)
    at = (np.arange(wanted) + 0.5) * scale
    distance = np.abs((np.arange(size) + 0.5)[None] - at[:, None]) / reach
    weights = np.clip(1 - distance, 0, None)
    return weights / weights.sum(1, keepdims=True)


def by_hand(values, shape):
    for axis, size in enumerate(shape):
        values = np.moveaxis(np.tensordot(triangle(values.shape[axis], size), values, (1, axis)), 0, axis)
    return values


@pytest.mark.parametrize(
    ("size", "wanted"), [((40, 50), (7, 9)), ((7, 9), (40, 50)), ((28, 28), (28, 28)), ((1, 5), (3, 2))]
)
def test_a_picture_is_resized_by_a_triangle_that_covers_all_its_pixels(size, wanted):
    values = np.random.default_rng(1).integers(0, 255, size, np.uint8)
    found = picture(Raster(values[None]), (1, *wanted), 0, 255).values
    assert found.shape == (1, *wanted)
    assert np.allclose(found[0], by_hand(2 * (values / 255) - 1, wanted), atol=1e-6)


def test_a_volume_is_resized_in_all_its_axes():
    values = np.random.default_rng(1).normal(size=(9, 20, 12)).astype(np.float32)
    found = picture(Raster(values[None]), (1, 4, 8, 15), -8, 8).values
    assert np.allclose(found[0], by_hand(values / 8, (4, 8, 15)), atol=1e-6)


def test_numbers_are_scaled_cut_and_counted():
    found = tensor(Raster(np.array([-3.0, -1.0, 0.0, 4.0, 5.0, 6.0])), (6,), -1, 4)
    assert np.allclose(found.values, [-1, -1, -0.6, 1, 1, 1])
    assert (found.numbers, found.below, found.above) == (6, 1, 2)


def test_a_slope_comes_before_the_window_and_monochrome1_is_turned_round():
    raw = np.array([[[0, 1024, 2048]]], np.uint16)
    found = picture(Raster(raw, 1, -1024, inverted=True), (1, 1, 3), -1000, 1000)
    assert np.allclose(found.values, [[[1, 0, -1]]])
    assert (found.below, found.above) == (1, 1)


@pytest.mark.parametrize(("inverted", "wanted"), [(False, [-1, -0.5, 0, -1]), (True, [-1, 0.5, 0, 1])])
def test_padding_is_the_darkest_there_is_and_is_not_counted(inverted, wanted):
    raw = np.array([[[9000, 1500, 2000, 900]]], np.uint16)
    found = picture(Raster(raw, 1, -1000, inverted, (8999, 9001)), (1, 1, 4), 0, 2000)
    assert np.allclose(found.values, [[wanted]])
    assert (found.numbers, found.below, found.above) == (4, 1, 0)


def test_colour_becomes_grey_and_grey_three_channels():
    red = np.array([255, 0, 0], np.uint8)[:, None, None]
    assert picture(Raster(red), (1, 1, 1), 0, 255).values.item() == pytest.approx(2 * 0.299 - 1, abs=1e-6)
    grey = np.full((1, 2, 2), 51, np.uint8)
    assert np.allclose(picture(Raster(grey), (3, 2, 2), 0, 255).values, np.full((3, 2, 2), -0.6))


@pytest.mark.parametrize(
    ("values", "shape"),
    [((2, 2), (1, 2, 2)), ((1, 1, 2, 2), (1, 2, 2)), ((4, 2, 2), (4, 2, 2)), ((3, 2, 2), (1, 3, 2, 2))],
    ids=["without an axis of channels", "one slice", "four channels", "a volume without channels"],
)
def test_axes_that_say_nothing_may_be_absent(values, shape):
    assert picture(Raster(np.zeros(values)), shape, 0, 1).values.shape == shape


@pytest.mark.parametrize(
    ("values", "shape"),
    [((2, 2, 2), (1, 2, 2)), ((3, 2, 2), (4, 2, 2)), ((5,), (1, 2, 2)), ((1, 3, 2, 2), (1, 2, 2))],
)
def test_axes_that_say_something_else_are_refused(values, shape):
    with pytest.raises(Unreadable):
        picture(Raster(np.zeros(values)), shape, 0, 1)


def test_a_tensor_of_another_shape_is_refused():
    with pytest.raises(Unreadable, match="another shape"):
        tensor(Raster(np.zeros((2, 3))), (3, 2), 0, 1)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_refused(wrong):
    for make in (tensor, picture):
        with pytest.raises(Unreadable, match="nan or inf"):
            make(Raster(np.array([[[wrong, 0.0]]])), (1, 1, 2), 0, 1)


@given(
    st.integers(0, 2**32),
    st.tuples(*[st.integers(1, 12)] * 2),
    st.tuples(*[st.integers(1, 12)] * 2),
    st.floats(-1e6, 1e6),
    st.floats(1e-3, 1e6),
)
def test_whatever_the_numbers_the_result_is_within_bounds(seed, size, wanted, low, width):
    values = np.random.default_rng(seed).normal(low, 3 * width, (1, *size))
    found = picture(Raster(values), (1, *wanted), low, low + width).values
    assert found.dtype == np.float32
    assert np.abs(found).max() <= 1
