"""A model in whole numbers: bounds hold for any row, nothing overflows, and what cannot be carried is refused."""

import numpy as np
import pytest

from potluck.core.predicting import Dense, Net
from potluck.mpc.predict import scale as s
from support.mpc.predict_rig import features, integers, net, plain, scale

SHAPES = [
    ((30, 1), ""),
    ((1, 1), ""),
    ((5, 4, 3), "relu"),
    ((5, 4, 3), "square"),
    ((6, 5, 5, 4, 2), "relu"),
    ((4, 3, 3, 1), "square"),
    ((784, 64, 10), "relu"),
    ((784, 64, 10), "square"),
]


@pytest.mark.parametrize("size", [0.01, 1.0, 8.0])
@pytest.mark.parametrize(("widths", "word"), SHAPES)
def test_margins_in_whole_numbers_are_within_the_bound_of_those_in_plain(widths, word, size):
    made = net(widths, word, size=size, seed=len(widths))
    rows = features(made, 3)
    error = np.abs(integers(made, rows) - plain(made, rows)).max()
    assert error <= scale(made).bound


@pytest.mark.parametrize(("widths", "word"), SHAPES)
def test_the_bound_is_small_for_weights_that_training_leaves(widths, word):
    assert scale(net(widths, word)).bound < {"": 1e-5, "relu": 1e-2, "square": 1}[word]


def test_the_worst_row_stays_within_the_bound_too():
    """Features that all round the same way, weights that are all cut the same way."""
    odd = 1 / 3
    made = Net((Dense(np.full((1, 40), odd), np.array([odd])),), "", np.full(40, -1.0), np.ones(40))
    rows = np.vstack([np.ones((1, 40)), -np.ones((1, 40)), np.full((1, 40), odd)])
    assert 0 < np.abs(integers(made, rows) - plain(made, rows)).max() <= scale(made).bound


@pytest.mark.parametrize("word", ["relu", "square", "tanh"])
@pytest.mark.parametrize("norms", [(0, 0), (3, 2), (9, 4), (1, 12)])
def test_no_integer_can_leave_the_rings_inner_half(word, norms):
    """The largest numbers that inputs within their limits can lead to, layer by layer."""
    found = s.scale((50, 7, 3), word, norms)
    x = 1 << s.FEATURE
    for layer in found.layers:
        largest = (1 << layer.limit) * max(x, 1 << layer.scale)
        assert largest <= 1 << s.ROOM
        assert (1 << layer.limit) * (layer.inputs + 1) <= 1 << (s.ROOM + 1)
        if layer.cut is not None:
            before, after = layer.cut
            x = largest >> before
            assert min(before, after) >= 0
            assert word != "square" or x * x <= 1 << s.ROOM
            x = (x * x if word == "square" else x) >> after
            x = min(x, 1 << s.ENGINE) if word == "tanh" else x


def test_norms_are_rounded_up_to_powers_of_two_and_say_no_more():
    def norm(*weights, bias=0.0):
        return s.norms(Net((Dense(np.array([weights]), np.array([bias])),), "", np.zeros(1), np.ones(1)))[0]

    assert [norm(1.0), norm(1.5), norm(-3.0, 1.5), norm(1.0, bias=-7.0)] == [1, 1, 3, 4]
    assert norm(0.0) == norm(1e-9) == norm(0.9) == 0
    assert s.scale((3, 1), "", (2,)) == s.scale((3, 1), "", (2,))


@pytest.mark.parametrize("weight", [2.0**41, np.inf, np.nan])
def test_weights_that_no_number_carries_are_refused(weight):
    made = Net((Dense(np.array([[weight]]), np.zeros(1)),), "", np.zeros(1), np.ones(1))
    with pytest.raises(s.NoRoom, match="weights are too large"):
        s.norms(made)


@pytest.mark.parametrize(
    ("widths", "word", "norms"),
    [
        ((3, 1), "", (30,)),
        ((3, 2, 1), "relu", (30, 20)),
        ((3, *[2] * 6, 1), "square", (2,) * 7),
        ((3, 2, 1), "tanh", (30, 1)),
        ((3, 2, 1), "", (1, 1)),
        ((3, 1), "relu", (1,)),
        ((3, 1), "", (1, 1)),
        ((3, *[2] * 16, 1), "relu", (0,) * 17),
    ],
)
def test_what_has_no_room_is_refused(widths, word, norms):
    with pytest.raises(s.NoRoom):
        s.scale(widths, word, norms)
