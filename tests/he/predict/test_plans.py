"""What can be planned without an engine: diagonals, fits, bounds, sizes, and what is refused before a run."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from potluck.core.errors import PlanError
from potluck.core.party import SERVER
from potluck.core.predicting import Dense, Net
from potluck.core.views import Form, breaks, together
from potluck.he.predict import diagonals, levels, polynomial
from potluck.he.predict.circuit import Outline, compile, upward
from potluck.he.predict.protection import forecast, problems
from potluck.he.predict.views import views
from support.he.prediction import CLIENT, OWNER, net, plain, rows

sizes = st.integers(1, 64)


def product(turns, vectors, x):
    """What the engine computes, in the clear: vectors [count, slots] as encoded, x [slots] -> [slots]."""
    total = np.zeros_like(x)
    for start in range(0, turns.count, turns.babies):
        inner = sum(vectors[start + b] * np.roll(x, -b) for b in range(turns.babies))
        total += np.roll(inner, -start)
    for stride in turns.folds:
        total += np.roll(total, -stride)
    return total


@given(sizes, sizes, st.sampled_from([64, 128, 512]), st.integers(0, 2**20))
def test_diagonals_give_the_matrix_times_the_vector_in_every_period(high, wide, slots, seed):
    rng = np.random.default_rng(seed)
    weights, x = rng.normal(size=(high, wide)), rng.normal(size=wide)
    place = diagonals.arrangement(high, wide, slots)
    first = product(diagonals.first(high, wide, slots), diagonals.first_vectors(weights, slots), np.append(x, 0)[place])
    later = product(diagonals.later(high, wide), diagonals.later_vectors(weights, slots), diagonals.spread(x, slots))
    assert np.allclose(first, diagonals.spread(weights @ x, slots))
    assert np.allclose(later, diagonals.spread(weights @ x, slots))


@pytest.mark.parametrize("degree", sorted(polynomial.LEVELS))
def test_a_fit_is_nowhere_worse_than_it_says(degree):
    t = np.random.default_rng(degree).uniform(-1, 1, 200_000)
    assert np.abs(polynomial.relu(degree)(t) - np.maximum(t, 0)).max() <= polynomial.relu(degree).error
    fit = polynomial.tanh(6.0, degree)
    assert np.abs(fit(t) - np.tanh(6 * t)).max() <= fit.error
    assert np.abs(np.diff(fit(np.sort(t))) / np.diff(np.sort(t))).max() <= fit.steepness


@pytest.mark.parametrize("degree", [0, 4, 28, 60])
def test_there_are_no_fits_of_other_degrees(degree):
    for fit in (lambda: polynomial.relu(degree), lambda: polynomial.tanh(4.0, degree)):
        with pytest.raises(ValueError, match="no series"):
            fit()
    with pytest.raises(ValueError, match="no series"):
        polynomial.good_tanh(500.0, degree)


def test_higher_degrees_fit_better():
    errors = [polynomial.relu(degree).error for degree in sorted(polynomial.LEVELS)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.003


@given(st.sampled_from(["relu", "tanh"]), st.integers(0, 2**20), st.sampled_from([0.3, 1.0, 3.0]))
def test_the_cost_of_a_fit_covers_what_it_does_to_margins(activation, seed, size):
    made = net((4, 5, 3), activation, seed=seed, size=size)
    compiled = compile(made, "batch", 1)
    said = compiled.layers[0]
    weights, bias = (
        np.frombuffer(body).reshape(shape) for body, shape in zip(compiled.buffers, ((5, 4), (5,)), strict=False)
    )
    last, shift = np.frombuffer(compiled.buffers[2]).reshape(3, 5), np.frombuffer(compiled.buffers[3])
    x = rows(made, 500, seed)
    inner = x @ weights.T + bias
    assert np.abs(inner).max() <= 1
    hidden = np.polynomial.chebyshev.chebval(inner, said["series"])
    margins = (hidden @ last.T + shift) * 2.0**compiled.exponent
    assert np.abs(margins - plain(made, x)).max() <= compiled.cost <= compiled.bound


@pytest.mark.parametrize(
    ("value", "told"),
    [(0.0, 0.0), (1.0, 1.0), (0.0123, 0.02), (9.1, 10.0), (1e-7, 1e-7), (1.01e-7, 2e-7), (340.0, 400.0)],
)
def test_a_bound_is_told_with_one_digit_rounded_up(value, told):
    assert upward(value) == told


@pytest.mark.parametrize(
    ("outline", "word"),
    [
        (Outline((784, 64, 10), "square", "batch", 5), 'mode = "single"'),
        (Outline((2500, 1), "", "batch", 5), 'mode = "single"'),
        (Outline((20000, 1), "", "batch", 5), "fewer columns"),
        (Outline((20000, 1), "", "single", 5), "fewer columns"),
        (Outline((13, 128, 1), "relu", "batch", 5), 'mode = "single"'),
        (Outline((4096, 4096, 4096, 2), "square", "single", 5), "smaller network"),
        (Outline((784, 64, 10), "relu", "single", 5, 0.5), "federation.patience"),
        (Outline((784, 64, 10), "square", "single", 10**6), "max_rows = "),
        (Outline((5, *[4] * 7, 1), "square", "single", 5), "smaller network"),
        (Outline((5, 4, 4, 4, 4, 1), "relu", "single", 5), "smaller network"),
        (Outline((5, 1), "relu", "single", 5), "activation"),
        (Outline((5, 4, 1), "", "single", 5), "activation"),
        (Outline((5, 1), "", "single", 10**7), "max_rows"),
        (Outline((0, 1), "", "single", 5), "max_rows"),
    ],
)
def test_what_cannot_be_carried_is_refused_in_one_line_with_a_hint(outline, word):
    (problem,) = problems(outline)
    assert ". hint: " in problem
    assert word in problem
    with pytest.raises(PlanError):
        forecast(outline)


@pytest.mark.parametrize(
    ("outline", "name", "depth", "degree"),
    [
        (Outline((30, 1), "", "batch", 4096), "1 level, N = 4096", 1, 0),
        (Outline((784, 64, 10), "square", "single", 3), "3 levels, N = 8192", 3, 0),
        (Outline((784, 64, 10), "relu", "single", 3), "8 levels, N = 32768", 8, 59),
        (Outline((13, 8, 6, 1), "tanh", "single", 3), "13 levels, N = 32768", 13, 27),
        (Outline((13, 8, 1), "square", "batch", 3), "3 levels, N = 8192", 3, 0),
    ],
)
def test_a_shape_alone_says_what_a_run_needs(outline, name, depth, degree):
    told = forecast(outline)
    assert (told.parameters, told.depth, told.degree) == (name, depth, degree)
    assert problems(outline) == []


def test_a_forecast_counts_the_bytes_of_blocks_and_keys():
    told = forecast(Outline((30, 1), "", "batch", 4096))
    assert (told.query, told.reply, told.keys) == (60 * 131072, 2 * 65536, 131072)
    told = forecast(Outline((784, 64, 10), "square", "single", 3))
    assert (told.query, told.reply) == (3 * 524288, 3 * 131072)
    assert 30e6 < told.keys < 50e6


def one(weights, bias=0.0, low=-1.0, high=1.0):
    weights = np.atleast_2d(weights)
    width = weights.shape[1]
    return Net((Dense(weights, np.full(len(weights), bias)),), "", np.full(width, low), np.full(width, high))


@pytest.mark.parametrize("weight", [np.nan, np.inf, 2.0**21, -(2.0**60)])
def test_a_weight_that_is_no_number_or_too_large_is_refused_without_being_shown(weight):
    for made in (one([1.0, weight]), one([1.0], bias=weight)):
        with pytest.raises(PlanError) as caught:
            compile(made, "batch", 1)
        assert str(weight) not in str(caught.value)


@pytest.mark.parametrize("weight", [600.0, 1e5])
def test_margins_beyond_the_room_of_the_last_level_are_scaled_down(weight):
    compiled = compile(one([weight, weight]), "batch", 1)
    assert 2 * weight / 2**compiled.exponent <= levels.TABLE[0].room
    assert np.frombuffer(compiled.buffers[0]).max() == weight / 2**compiled.exponent


def test_sums_that_grow_beyond_every_set_are_refused():
    with pytest.raises(PlanError, match="too large"):
        compile(net((50, 40, 1), "square", size=1e4), "single", 1)


@pytest.mark.parametrize(
    "made",
    [
        Net((Dense(np.ones((1, 2)), np.zeros(2)),), "", -np.ones(2), np.ones(2)),
        Net((Dense(np.ones((1, 3)), np.zeros(1)),), "", -np.ones(2), np.ones(2)),
        one([1.0], low=-1.5),
        one([1.0], low=0.5, high=0.0),
        one([1.0], low=np.nan),
        Net((), "", -np.ones(2), np.ones(2)),
    ],
)
def test_a_malformed_model_is_refused(made):
    with pytest.raises(PlanError):
        compile(made, "batch", 1)


def test_only_client_and_owner_together_read_everything():
    rows_ = views(OWNER, CLIENT, 10)
    for of in ("clinic's rows", "clinic's scores"):
        forms = {view.party: view.form for view in rows_ if view.of == of}
        assert forms == {OWNER: Form.CIPHERTEXT, CLIENT: Form.PLAIN, SERVER: Form.CIPHERTEXT}
    forms = {view.party: view.form for view in rows_ if view.of == "the model"}
    assert forms == {OWNER: Form.PLAIN, CLIENT: Form.RELEASED, SERVER: Form.NOTHING}
    seen = {view.of: view.form for view in together(rows_, frozenset({SERVER, OWNER}))}
    assert seen["clinic's rows"] is Form.CIPHERTEXT
    assert not any(breaks(view.breaks_if, frozenset({SERVER})) for view in rows_)


def test_the_views_say_how_many_scores_the_client_reads_and_what_replies_are_not():
    note = next(view.note for view in views(OWNER, CLIENT, 10) if (view.party, view.of) == (CLIENT, "the model"))
    assert "at most 10 scores" in note
    assert "not circuit-private" in note
