"""Additive models are scored as one layer over the cells in which a row lies, under every protection of layers."""

import msgspec
import numpy as np
import pytest

import potluck
from potluck.learning.models.card import fault
from potluck.learning.models.scoring import lying, net
from support.learning import boosted
from support.parties import predict_scene as scene


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def made(name):
    """(model after some rounds, rows without a target)"""
    frame, columns, target = boosted.mixed() if name == "mixed" else boosted.numbered(name)
    plan = boosted.plan(columns, target, model={"kind": "additive"}, training={"rounds": 8})
    run = potluck.run(plan, boosted.dealt(frame))
    return run.model, frame.drop(columns="y"), run.folder / "model.json"


def scored(path, rows, word):
    plan = potluck.Plan(
        name="score", purpose="Score rows that nobody else sees", task="predict",
        federation={"sites": ["hospital", "clinic"], "server": "curious"}, model={"file": str(path)},
        predict={"owner": "hospital", "client": "clinic", "max_rows": len(rows)},
        protect={"with": word}, privacy={"noise": "none"},
    )  # fmt: skip
    return potluck.run(plan, {"clinic": rows}, ledger="ledger", compare=True).document


@pytest.mark.parametrize(
    "name", ["mixed", *(pytest.param(name, marks=pytest.mark.slow) for name in ("wine", "diabetes"))]
)
def test_one_layer_over_cells_has_the_models_own_margins(name):
    model, frame, _ = made(name)
    read, layers = model.inputs(frame), net(model)
    bits = lying(model.card, read)
    assert bits.shape == (len(frame), model.card.inputs)
    assert set(np.unique(bits)) == {0.0, 1.0}
    columns = len(model.encoding.fields)
    assert (bits.sum(axis=1) == columns).all()
    assert np.abs(scene.forward(layers, bits) - model.margins(read.features)).max() < 1e-12
    assert (layers.low == 0).all()
    assert (layers.high == 1).all()


def test_cards_with_bins_that_cannot_be_are_refused():
    card = made("mixed")[0].card
    assert fault(card) == ""
    assert card.bins == 16
    for bins in (0, 1, -2, 257, 1 << 40):
        assert "bins" in fault(msgspec.structs.replace(card, bins=bins))
    other = scene.logistic().card
    assert fault(other) == ""
    assert "bins" in fault(msgspec.structs.replace(other, bins=16))


@pytest.mark.parametrize(
    "word", ["tee", pytest.param("share", marks=pytest.mark.slow), pytest.param("he", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("name", ["mixed", pytest.param("wine", marks=pytest.mark.slow)])
def test_scores_are_those_in_plain(name, word, request):
    if word != "tee":
        request.getfixturevalue({"share": "mpc_engine", "he": "he_engine"}[word])
    _, frame, path = made(name)
    found = scored(path, frame.head(60), word)
    beside = found["agreement"]
    assert beside["rows"] == beside["same_labels"] == 60
    assert beside["largest_error"] <= found["max_error_bound"] < 1e-4
