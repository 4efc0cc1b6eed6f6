"""Claims about a prediction across machines: real homes, policies and ledgers, the network in memory."""

import stat

import msgspec
import numpy as np
import pytest

from potluck.core.errors import Refused
from potluck.core.plan import canonical
from potluck.core.rounds import Abort, Cause
from potluck.learning.evaluation.evaluate import Metrics
from potluck.learning.training.trained import OwnModel
from potluck.members.home import SiteHome
from potluck.owner.budget import Budget
from potluck.tasks import own
from potluck.tasks.predict import scorers
from potluck.tasks.predict.site import SCORES, Known
from support.parties import predict_scene as scene
from support.parties.predict_hall import RUN, Hall, enrolled, plan, policy, scores


@pytest.fixture(autouse=True)
def stand_in(monkeypatch):
    monkeypatch.setitem(scorers.SCORERS.entries, "he", scene.ROW)


@pytest.fixture
def folder(tmp_path):
    return enrolled(tmp_path)


def test_the_client_keeps_the_scores_for_its_owner_alone(folder):
    hall = Hall(folder)
    with hall.attending("hospital", "clinic"):
        log = hall.predict(plan(folder))
    found, told = scores(folder)
    plain = scene.logistic().scores(folder / "clinic" / "rows.csv")
    assert 0 < np.abs(found - plain).max() <= told.max_error_bound
    assert told.rows == 7
    path, _ = SCORES.find(folder / "clinic", RUN)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [one.traffic.up > 0 for one in log.rounds] == [True]
    assert not (folder / "hospital" / "predictions").exists()


def test_the_owners_ledger_says_how_many_rows_were_scored(folder):
    hall = Hall(folder)
    with hall.attending("hospital", "clinic"):
        hall.predict(plan(folder))
        hall.predict(plan(folder), run="cd" * 16)
    with Budget(SiteHome.at(folder / "hospital").ledger) as ledger:
        found = ledger.scored()
    assert [(one.model, one.client, one.rows) for one in found] == [(scene.logistic().digest(), "clinic", 7)] * 2
    assert {one.run for one in found} == {RUN, "cd" * 16}


def test_a_finished_prediction_stands_when_the_server_starts_again(folder):
    hall = Hall(folder)
    with hall.attending("hospital", "clinic"):
        first = hall.predict(plan(folder))
        again = hall.predict(plan(folder))
    assert [one.number for one in first.rounds] == [one.number for one in again.rounds] == [1]


def refused(folder, spec=None):
    hall = Hall(folder)
    with hall.attending("hospital", "clinic"), pytest.raises((Refused, Abort)) as error:
        hall.predict(spec or plan(folder))
    return hall, error.value


def test_an_owner_with_another_model_cannot_take_part(folder):
    scene.linear().write(folder / "hospital" / "model.json")
    hall, error = refused(folder)
    assert "hospital cannot carry it out (data)" in str(error)
    assert any("not the one that the plan names" in line for line in hall.heard["hospital"])
    assert SCORES.find(folder / "clinic", RUN) is None


@pytest.mark.parametrize("bare", [True, False])
def test_an_owners_own_model_of_a_run_with_noise_scores_for_nobody_else(folder, bare):
    """It has no noise: see `training.local`. Without noise in that run it is scored with as any other."""
    own.write(OwnModel(scene.logistic(), Metrics(None), bare), folder / "hospital" / "own" / RUN)
    if not bare:
        hall = Hall(folder)
        with hall.attending("hospital", "clinic"):
            hall.predict(plan(folder))
        return
    hall, error = refused(folder)
    assert "hospital cannot carry it out (data)" in str(error)
    assert any("this model has no noise" in line for line in hall.heard["hospital"])
    assert SCORES.find(folder / "clinic", RUN) is None


@pytest.mark.parametrize(
    ("name", "file", "key", "words", "code"),
    [
        ("hospital", "model.json", "models", '["linear"]', "models"),
        pytest.param("hospital", "model.json", "tasks", '["train"]', "tasks", marks=pytest.mark.slow),
        ("clinic", "rows.csv", "tasks", '["train"]', "tasks"),
        pytest.param("clinic", "rows.csv", "protect", '["mask"]', "protect", marks=pytest.mark.slow),
    ],
)
def test_a_policy_refuses_a_prediction_by_its_key(folder, name, file, key, words, code):
    policy(folder, name, file, **{key: words})
    _, error = refused(folder)
    assert f"{name} refuses this plan ({code})" in str(error)


def test_columns_that_the_clients_policy_does_not_allow_are_refused_when_the_card_names_them(folder):
    policy(folder, "clinic", "rows.csv", columns='["age"]')
    hall, error = refused(folder)
    assert isinstance(error, Abort)
    assert error.cause is Cause.REFUSED
    assert any("'sex'" in line for line in hall.heard["clinic"])
    assert SCORES.find(folder / "clinic", RUN) is None


def test_rows_that_cannot_be_encoded_stop_the_client_whose_owner_alone_hears_why(folder):
    (folder / "clinic" / "rows.csv").write_text("age,sex\nsecretive,1\n")
    hall, error = refused(folder)
    assert error.cause is Cause.REFUSED
    assert "age" not in str(error)
    assert any("column 'age', line 2" in line for line in hall.heard["clinic"])
    assert not any("secretive" in line for line in hall.heard["clinic"])


def test_more_rows_than_agreed_are_refused_at_the_client(folder):
    hall, error = refused(folder, plan(folder, "predict.max_rows=6"))
    assert error.cause is Cause.REFUSED
    assert any("predict.max_rows (6)" in line for line in hall.heard["clinic"])


def test_a_run_whose_name_is_a_path_stays_in_the_home(folder):
    SCORES.keep(folder / "clinic", "../../outside", Known(0.0, (), 1), b"row,score\n0,0.5\n")
    assert not list(folder.glob("outside*"))
    assert len(list((folder / "clinic" / "predictions").iterdir())) == 2


def test_nothing_of_the_model_is_in_the_proposal(folder):
    sent = msgspec.json.decode(canonical(plan(folder)))["model"]
    assert sent.pop("digest") == scene.logistic().digest()
    defaults = {"l2": 1.0, "layers": [64], "trainable": ["*"], "activation": "relu", "depth": 3, "bins": 16}
    assert {key: value for key, value in sent.items() if value} == defaults
