"""A fit with noise: drawn by those who compute, shared, charged before anything leaves, and in the model alone."""

import json

import numpy as np
import pytest

from potluck.api.local.check import check
from potluck.api.local.explain import explain
from potluck.api.network.reckoning import reckoning
from potluck.core.errors import UsageError
from potluck.core.party import site
from potluck.core.plan import digest
from potluck.core.rounds import CHARGE, Abort, Cause, Record
from potluck.learning.models.model import Model
from potluck.net.broker import binary
from potluck.owner.budget import Budget
from potluck.tasks.fit import halves as vertical
from potluck.tasks.fit.learner import charged, owed
from support.parties import fit_scene
from support.parties.fit_scene import ALPHA, RANKS, STEP, frames, plan, sat
from support.parties.fit_tumours import done
from support.parties.fit_up import started, written

PRIVACY = {"noise": "reveal", "unit": "row", "epsilon": 2.0, "delta": 1e-5, "clip": 1.0}
STEPS = {"method": "gradient", "rounds": 12, "rate": 1.0, "expected_rows": 200}


def noisy(owners=2, **settings):
    return plan(owners, **{"training": STEPS, "privacy": PRIVACY} | settings)


@pytest.fixture
def drawn(monkeypatch):
    """The numbers and each party's noise [parties, rounds, width] that the program got, in plain."""
    found, right = [], fit_scene.regression

    def regression(about, arrays):
        found.append((about, np.array(arrays[-3:])))
        return right(about, arrays)

    monkeypatch.setattr(fit_scene, "regression", regression)
    return found


def opened(desks):
    """What the reader has. Raises what anybody aborted with."""
    for desk in desks.values():
        if desk.abort:
            raise desk.abort
    return desks[site("o0")].result


def test_each_party_draws_its_share_of_the_noise_and_all_of_it_is_in_the_model(drawn):
    made, given = noisy(training__rounds=200), frames(rows=100)
    found = opened(sat(made, given)[0])
    about, noise = drawn[0]
    share = owed(made.spec).share
    assert noise.shape == (3, 200, 5)
    for one in noise:
        # A thousand draws: nearly six deviations of their spread. A third instead of half of the noise would have .82.
        assert 0.87 < one.std() * STEP / share < 1.13
        assert (np.rint(one * STEP) == one * STEP).all()
    assert about["clip"] == 1.0
    assert about["divisor"] == 200
    two = noise[:2].sum(axis=0).std() * STEP
    assert two > 0.87 * owed(made.spec).sigma
    assert found.metrics is None
    assert any("no metrics" in one for one in found.warnings)


def test_models_of_the_same_rows_differ_by_the_noise(drawn):
    models = [opened(sat(noisy(), frames(rows=100))[0]).model.weights for _ in range(6)]
    spread = np.std(models, axis=0)
    # Of one step alone: sigma of all three over the public number of rows. Of thirty numbers together, since those of
    # one weight are as near once in some thousand runs.
    least = np.sqrt(1.5) * owed(noisy().spec).sigma / STEP / 200
    assert (spread > 0).all()
    assert np.sqrt(np.mean(spread**2)) > 0.3 * least
    assert np.abs(np.diff([noise for _, noise in drawn], axis=0)).max() > 0


def test_without_its_noise_the_model_would_be_plain_descent_of_clipped_rows(drawn, monkeypatch):
    monkeypatch.setattr(vertical, "gaussian", lambda sigma, size, draw: np.zeros(size, np.int64))
    given = frames(rows=200)
    found = opened(sat(noisy(), given)[0])
    assert (drawn[0][1] == 0).all()
    again = opened(sat(noisy(), given)[0])
    assert np.abs(found.model.weights - again.model.weights).max() < 1e-5
    assert found.model.weights[1] > found.model.weights[4]


def test_a_party_that_draws_nothing_leaves_noise_enough(drawn, monkeypatch):
    real, calls = vertical.gaussian, []

    def first_draws_nothing(sigma, size, draw):
        calls.append(size)
        return np.zeros(size, np.int64) if len(calls) == 1 else real(sigma, size, draw)

    monkeypatch.setattr(vertical, "gaussian", first_draws_nothing)
    made = noisy(training__rounds=200)
    opened(sat(made, frames(rows=60))[0])
    noise = drawn[0][1]
    assert sum((one == 0).all() for one in noise) == 1
    assert noise.sum(axis=0).std() * STEP > 0.87 * owed(made.spec).sigma


def test_noise_goes_from_each_who_computes_to_each_other_and_to_nobody_else():
    desks, post = sat(noisy(), frames(rows=60))
    opened(desks)
    letters = [move for move in post.transcript.moves if move.label.step == "fit/noise"]
    assert {(move.sender, move.to) for move in letters} == {(a, b) for a in RANKS for b in RANKS if a != b}


def test_a_party_without_noise_to_share_ends_the_round_by_its_name():
    at = "fit/noise"
    desks, _ = sat(noisy(), frames(rows=60), vanish=lambda party, round_, step: party == ALPHA and step == at)
    assert {desk.abort.party for party, desk in desks.items() if party in RANKS[1:]} == {ALPHA}


def test_held_out_rows_are_not_shared_and_no_count_is_opened(drawn):
    desks, _ = sat(noisy(), frames(rows=120))
    opened(desks)
    about, _ = drawn[0]
    assert about["test"] == 0
    assert about["train"] < 120


def ledgers(spec, folder, cap=None):
    found = {one: Budget(folder / f"{one.name}.sqlite", cap=cap) for one in spec.sites}
    for one in found.values():
        one.begin("a run", spec.name, digest(spec), "row", 1e-5, 1.8e9)
    return found


def test_every_owner_is_charged_before_its_columns_leave(tmp_path):
    made = noisy()
    held = ledgers(made.spec, tmp_path)
    kept = {"ledgers": held, "secrets": tmp_path / "secrets"}
    desks, _ = sat(made, frames(rows=60), vanish=lambda party, round_, step: party in RANKS, **kept)
    assert all(desks[one].abort for one in made.spec.sites)
    assert {one.spent_by("a run") for one in held.values()} == {0.0}  # no box to seal to: nothing left
    opened(sat(made, frames(rows=60), **kept)[0])
    for one in held.values():
        assert 0.99 * 2.0 < one.spent_by("a run") <= 2.0


def test_an_owner_whose_budget_does_not_suffice_shares_nothing(tmp_path):
    made = noisy()
    held = ledgers(made.spec, tmp_path)
    held[site("o1")].limit(1.0, 1e-5)
    desks, post = sat(made, frames(rows=60), ledgers=held)
    assert desks[site("o1")].abort.cause is Cause.BUDGET
    assert not [m for m in post.transcript.moves if m.label.step == "fit/input" and m.sender == site("o1")]
    assert desks[site("o0")].result is None
    assert held[site("o1")].spent_by("a run") == 0.0


def test_a_second_try_that_was_not_paid_for_is_refused(tmp_path):
    made = noisy()
    held = ledgers(made.spec, tmp_path)[site("o0")]
    held.write(Record(f"{CHARGE}a run/1", charged(made.spec)))
    with pytest.raises(Abort) as caught:
        held.write(Record(f"{CHARGE}a run/2", charged(made.spec)))
    assert caught.value.cause is Cause.BUDGET
    assert "privacy.redo" in caught.value.detail


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"privacy__noise": "shared"}, "here all who compute draw noise"),
        ({"privacy__unit": "site"}, "a row is what all owners have of one key"),
        ({"training__method": "newton"}, "newton with noise gives poor models"),
        ({"model": {"kind": "trees"}, "training": {"method": "boosting"}}, "trees are grown without noise"),
        ({"training__batch": 32}, "with noise every step takes all rows"),
        ({"training": {"method": "gradient"}}, "training.expected_rows: is missing"),
        ({"privacy__clip": 65.0}, "privacy.clip: 65 is more than is computed with"),
        ({"protect__compute": ["a", "b"]}, "with noise three parties compute"),
        ({"privacy": {"noise": "reveal"}}, "privacy.epsilon"),
        ({"privacy": {"noise": "reveal"}}, "privacy.clip: is missing"),
        ({"privacy__epsilon": 1e9, "privacy__clip": 1e-5}, "too fine for the steps"),
        ({"privacy__epsilon": 1e-6}, "beyond what the computation carries"),
    ],
)
def test_noise_that_cannot_be_kept_is_refused_by_its_key(settings, said):
    errors, _ = noisy(**settings).problems()
    assert any(said in one for one in errors), errors


def test_check_says_what_it_costs_and_explain_that_the_model_is_noised():
    made = noisy()
    found = check(made)
    assert found.ok, found.errors
    assert found.epsilon == {"o0": 2.0, "o1": 2.0}
    assert any("there are no metrics" in one for one in found.warnings)
    assert not any("the model is exact" in one for one in found.warnings)
    assert reckoning(made.spec, {}) == {"o0": 2.0, "o1": 2.0}
    forms = {(view["party"], view["form"]) for view in explain(made).rows() if view["of"] == "the model"}
    assert ("site o0", "noised") in forms or ("o0", "noised") in forms, forms
    assert not [view for view in explain(made).rows() if view["of"] == "the metrics"]


@pytest.mark.slow
@pytest.mark.usefixtures("repeatable")
def test_a_whole_run_tells_what_each_owner_paid(mpc_engine, tmp_path):
    given = frames(rows=600)
    made = noisy(privacy__epsilon=8.0, training__expected_rows=450)
    run = done(made, given, tmp_path / "run")
    told = run.document["privacy"]
    assert told["noise"] == "reveal"
    assert all(7.9 < one <= 8.0 for one in told["epsilon"].values())
    assert set(told["epsilon"]) == {"o0", "o1"}
    assert run.document["metrics"]["federated"] == {"auc": None, "accuracy": None, "rows": None}
    assert np.abs(run.model.weights).max() < 50
    # Twelve steps from zero: signs of the strongest columns stand out of noise at this epsilon.
    assert run.model.weights[1] > run.model.weights[4]
    page = (tmp_path / "run" / "report.html").read_text()
    assert "No noise is in it" not in page
    assert "Two who compute" in page


@pytest.mark.slow
def test_across_processes_every_owners_ledger_is_charged_and_the_reader_has_the_model(mpc_engine, tmp_path):
    try:
        binary()
    except UsageError:
        pytest.skip("nats-server is missing")
    path, _ = written(tmp_path, training=STEPS | {"expected_rows": 90}, privacy=PRIVACY)
    process = started(path, tmp_path / "run")
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    told = json.loads(out)
    assert {name for name, one in told["privacy"]["epsilon"].items() if 1.98 < one <= 2.0} == {"o0", "o1"}
    assert told["privacy"]["unit"] == "row"
    assert told["metrics"]["federated"] == {"auc": None, "accuracy": None, "rows": None}
    assert np.isfinite(Model.read(tmp_path / "run" / "model.json").weights).all()
