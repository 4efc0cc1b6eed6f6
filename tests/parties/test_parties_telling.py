"""What a run's last words are, where a site is gone and the others sign no other set without it."""

import pytest

from potluck.core.party import SERVER, site
from potluck.core.rounds import Abort, Cause
from potluck.parties.attempt import AGREEING, telling


@pytest.mark.parametrize("step", AGREEING)
def test_across_machines_too_a_refused_set_of_sites_is_explained(step):
    said = telling(Abort(Cause.TOO_FEW, step=step), {site("a"): Abort(Cause.REPLAY)})
    assert (said.cause, said.party, said.step) == (Cause.REPLAY, site("a"), step)
    assert "the sites of the first sum stay those of the whole run" in said.detail
    assert "hint: run again" in said.detail


@pytest.mark.parametrize("step", ["he/keys", "he/input", "mask/advertise", "share/input"])
def test_another_replay_is_not(step):
    said = telling(Abort(Cause.TOO_FEW, party=SERVER, step=step), {site("a"): Abort(Cause.REPLAY)})
    assert (said.cause, said.detail) == (Cause.REPLAY, "")
