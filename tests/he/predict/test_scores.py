"""Scores computed on ciphertexts are the model's own, to within the bound that goes with them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from potluck.core.ledger import Volatile
from potluck.core.predicting import SCORED, Dense, Net
from potluck.he.predict.protection import Predicting
from support.examples import examples
from support.he.prediction import CLIENT, OWNER, Room, meeting, net, plain, rows


@pytest.fixture(scope="module")
def predicting(he_engine):
    made = Predicting()
    yield made
    made.close()


def close(predicting, mode, made, features):
    scored = Room(predicting, meeting(mode, len(features)), made, features).scored()
    error = np.abs(scored.margins - plain(made, features)).max()
    assert error <= scored.bound
    return scored


@settings(max_examples=examples(6))
@given(
    mode=st.sampled_from(["batch", "single"]),
    widths=st.one_of(st.tuples(st.integers(1, 40), st.integers(1, 5)), st.tuples(*[st.integers(1, 9)] * 3)),
    size=st.sampled_from([1e-3, 1.0, 30.0]),
    count=st.integers(1, 5),
    seed=st.integers(0, 2**20),
)
def test_scores_on_ciphertexts_are_the_plain_ones_within_the_bound(predicting, mode, widths, size, count, seed):
    made = net(widths, "square" if len(widths) == 3 else "", seed=seed, size=size)
    close(predicting, mode, made, rows(made, count, seed))


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["batch", "single"])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_a_fitted_activation_keeps_its_bound_and_says_what_it_costs(predicting, mode, activation):
    made = net((6, 4, 2), activation, seed=4)
    scored = close(predicting, mode, made, rows(made, 2))
    assert any("polynomial of degree" in note for note in scored.notes)
    assert scored.bound < 0.5


@pytest.mark.slow
def test_two_hidden_layers_of_squares_take_five_levels(predicting):
    made = net((5, 7, 3, 2), "square", seed=8)
    close(predicting, "single", made, rows(made, 2))


@pytest.mark.slow
def test_corners_of_the_range_are_scored_within_the_bound(predicting):
    made = net((6, 5, 3), "square", seed=9, size=4.0)
    corners = np.vstack([made.low, made.high, np.where(made.layers[0].weights[0] > 0, made.high, made.low)])
    close(predicting, "single", made, corners)


def test_labels_of_a_whole_set_are_those_of_the_model_in_plain(predicting):
    table, label = load_breast_cancer(return_X_y=True)
    features = 2 * (table - table.min(0)) / (table.max(0) - table.min(0)) - 1
    model = LogisticRegression(max_iter=2000).fit(features, label)
    made = Net((Dense(model.coef_, model.intercept_),), "", np.full(30, -1.0), np.ones(30))
    scored = close(predicting, "batch", made, features)
    assert np.array_equal(scored.margins[:, 0] > 0, model.predict(features) == 1)


def test_a_batch_larger_than_a_ciphertext_keeps_the_order_of_rows(predicting):
    made = net((13, 1), seed=1)
    close(predicting, "batch", made, rows(made, 2049))


def digits(size):
    images, label = load_digits(return_X_y=True)
    grid = np.minimum(np.arange(size) * 8 // size, 7)
    return (images.reshape(-1, 8, 8) / 16)[:, grid][:, :, grid].reshape(len(images), -1), label


def trained(features, label, activation):
    if activation == "square":  # what sklearn cannot train: a random layer of squares under a fitted last one
        rng = np.random.default_rng(0)
        first = Dense(rng.normal(size=(64, features.shape[1])) / 12, rng.normal(size=64))
        hidden = (features @ first.weights.T + first.bias) ** 2
        last = LogisticRegression(max_iter=500).fit(hidden, label)
        layers = (first, Dense(last.coef_, last.intercept_))
    else:
        model = MLPClassifier((64,), max_iter=60, random_state=0, alpha=1.0, early_stopping=True).fit(features, label)
        layers = tuple(Dense(w.T.copy(), b) for w, b in zip(model.coefs_, model.intercepts_, strict=True))
    return Net(layers, activation, np.zeros(features.shape[1]), np.ones(features.shape[1]))


@pytest.mark.slow
@pytest.mark.parametrize("activation", ["square", "relu"])
def test_labels_of_digits_by_a_network_are_those_in_plain(predicting, activation):
    features, label = digits(28)
    made = trained(features[:1000], label[:1000], activation)
    chosen = features[1000:1100]
    scored = close(predicting, "single", made, chosen)
    assert np.array_equal(scored.margins.argmax(1), plain(made, chosen).argmax(1))


def test_how_many_rows_were_scored_is_recorded_before_scores_leave(predicting):
    class Watching(Volatile):
        def write(self, record):
            written.append((record.key, record.value))
            super().write(record)

    written = []
    made = net((3, 1))
    room = Room(predicting, meeting("batch", 9), made, rows(made, 4), ledgers={OWNER: Watching()})
    room.scored()
    assert written == [(f"{SCORED}run/1", b"4")]


def test_a_round_whose_record_is_taken_gives_no_scores(predicting):
    made = net((3, 1))
    ledger = Volatile()
    Room(predicting, meeting("batch", 9), made, rows(made, 4), ledgers={OWNER: ledger}).scored()
    desks = Room(predicting, meeting("batch", 9), made, rows(made, 4), ledgers={OWNER: ledger}).run()
    assert desks[OWNER].abort.cause == "round or step already used"
    assert desks[CLIENT].result is None
