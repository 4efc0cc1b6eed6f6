"""Whom the server names where a compute party was started again in the middle of a round."""

import pytest

from potluck.core.party import Party, Role, site
from potluck.core.rounds import Abort, Cause
from potluck.drivers.attempt import named

BETA, GAMMA = (Party(Role.COMPUTE, name) for name in ("beta", "gamma"))


@pytest.mark.parametrize(
    "abort",
    [Abort(Cause.TOO_FEW), Abort(Cause.ENGINE, party=GAMMA), Abort(Cause.ENGINE, party=site("a")), Abort(Cause.ENGINE)],
    ids=repr,
)
def test_the_one_that_was_started_again_is_named_and_not_those_who_died_of_it(abort):
    found = named(abort, [BETA])
    assert (found.cause, found.party) == (Cause.SILENT, BETA)
    assert named(abort, []) is abort


def test_another_cause_keeps_its_name():
    refused = Abort(Cause.RANGE, party=site("a"))
    assert named(refused, [BETA]) is refused
