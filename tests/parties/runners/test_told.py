"""What a coordinator says of a model at a run's end is bounded, in numbers, and the first word stands."""

import json
import math

import msgspec
import pytest

from potluck.core.party import SERVER
from potluck.core.rounds import Abort, Cause
from potluck.core.wire import dump, load
from potluck.learning.evaluation.evaluate import Metrics
from potluck.members.home import SiteHome
from potluck.parties.admission.told import Figure, Told, keep, told_of
from potluck.tasks import released
from support.console import home as homes
from support.parties import scene
from support.parties.across import gather, quick

RUN = "ab" * 16
TOLD = Told((Figure("auc", 0.9, (0.8, None), (0.7, 0.95)),), 40.0)


@pytest.fixture
def home(tmp_path):
    homes.api.site_new(tmp_path / "a", None)
    return SiteHome.at(tmp_path / "a")


def test_released_metrics_travel_and_come_back_as_the_run_has_them(home):
    metrics = Metrics(40, auc=0.9, intervals={"auc": (0.8, math.inf)}, population={"auc": (0.7, 0.95)})
    assert told_of(metrics) == TOLD == load(dump(TOLD), Told, SERVER)
    assert told_of(None) is told_of(Metrics(40.0)) is None
    keep(home, RUN, TOLD)
    keep(home, RUN, Told(TOLD.figures, 7.0))
    said = json.loads((home.folder / "own" / RUN / released.TOLD).read_bytes())["metrics"]
    assert said == {"auc": 0.9, "auc_low": 0.8, "auc_high": None, "auc_population": [0.7, 0.95], "rows": 40.0}


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_no_number_that_is_none_is_kept(home, number):
    for one in (Told(TOLD.figures, number), Told((Figure("auc", 0.5, None, (number, 1.0)),), 1.0)):
        with pytest.raises(Abort, match="no number"):
            keep(home, RUN, one)
    assert not (home.folder / "own").exists()


def test_another_letter_is_malformed():
    one = ("auc", 1.0, None, None)
    for body in (((), 1.0), ([one] * 6, 1.0), ([("<script>", 1.0, None, None)], 1.0), (["auc"], 1.0), ([one], "1")):
        with pytest.raises(Abort) as found:
            load(msgspec.msgpack.encode(body), Told, SERVER)
        assert found.value.cause is Cause.MALFORMED


def test_a_coordinator_says_nothing_of_a_model_of_which_no_round_was(fed):
    """The control is in test_across.py: after the rounds of a run it is kept."""
    plan = quick(scene.plan(privacy=scene.SHARED))
    with fed.attending(*"abcd"), fed.coordinator(plan, RUN) as (coordinator, _):
        gather(coordinator, "abcd")
        coordinator.close(b"m" * 32, told=TOLD)
    assert not list(fed.folder.glob("*/own"))
