"""What a run's last words are, where a site is gone and the others sign no other set without it."""

import pytest

from potluck.core.party import SERVER, site
from potluck.core.rounds import ENCLAVE, SURVIVORS, Abort, Cause
from potluck.drivers.attempt import root_cause

WORDS = {
    SURVIVORS: "the sites of the first sum stay those of the whole run",
    ENCLAVE: "the owners stay with the enclave",
}


@pytest.mark.parametrize("detail", ["", "told"], ids=["across machines", "in one process"])
@pytest.mark.parametrize("stands", WORDS)
def test_a_refusal_as_a_replay_is_explained_by_what_the_refusing_one_stands_by(stands, detail):
    why = Abort(Cause.REPLAY, detail=detail and stands.rstrip("/"))
    missing = Abort(Cause.TOO_FEW, step="a step", stands="" if detail else stands)
    said = root_cause(missing, {site("a"): why})
    assert (said.cause, said.party, said.step) == (Cause.REPLAY, site("a"), "a step")
    assert WORDS[stands] in said.detail
    assert "hint: " in said.detail


@pytest.mark.parametrize("stands", ["", SURVIVORS])
def test_another_replay_is_not(stands):
    why = Abort(Cause.REPLAY, detail="charge" if stands else "")
    said = root_cause(Abort(Cause.TOO_FEW, party=SERVER, step="he/input", stands=stands), {site("a"): why})
    assert (said.cause, said.detail) == (Cause.REPLAY, why.detail)
