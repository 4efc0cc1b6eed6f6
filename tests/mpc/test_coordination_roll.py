"""The roll after an engine failed: who is gone is named before those whose engines died of it."""

import pytest

from potluck.core.party import Party, Role
from potluck.core.rounds import Abort, Cause, Inbox, Label, RoundId
from potluck.core.wire import dump
from potluck.mpc.coordination import Here, Place, in_step

ALPHA, BETA, GAMMA = RANKS = tuple(Party(Role.COMPUTE, name) for name in ("alpha", "beta", "gamma"))
ROUND = RoundId("run", 1)


class Failed:
    """A call whose engine ended."""

    def result(self):
        raise Abort(Cause.ENGINE, detail="the library failed")


class Closing:
    """An engine that can be ended."""

    def close(self):
        """Nothing to end."""


def called(got, gone):
    """What alpha says when its engine failed, having heard this of the others."""
    place = Place(RANKS, ALPHA, Closing())
    half = in_step(place, lambda step: Label(ROUND, step), "run", Failed(), "share/roll")
    next(half)
    half.send(Inbox({BETA: dump(Here()), GAMMA: dump(Here())}))
    with pytest.raises(Abort) as caught:
        half.send(Inbox({party: dump(Here(failed)) for party, failed in got.items()}, gone))
    return caught.value.cause, caught.value.party


def test_whoever_is_gone_is_named_though_other_engines_failed():
    assert called({GAMMA: True}, {BETA: Cause.SILENT}) == (Cause.SILENT, BETA)
    assert called({GAMMA: False}, {BETA: Cause.SILENT}) == (Cause.SILENT, BETA)


def test_an_engine_that_failed_alone_is_named_and_of_two_neither():
    assert called({BETA: False, GAMMA: False}, {}) == (Cause.ENGINE, ALPHA)
    assert called({BETA: True, GAMMA: False}, {}) == (Cause.ENGINE, None)
