"""Two runs in rounds at the same time, of one office and the same parties as real processes: each ends as if alone."""

import json

import pytest

from potluck.api.network.office.submitted import submitted
from potluck.api.network.sessions import GOING, Order
from potluck.api.network.status import status
from potluck.members.home import CoordinatorHome
from potluck.tee.attestation.demand import built_in_text
from support.owner.policies import OPEN
from support.processes import hospitals, share_rig
from support.processes.rig import BROKER, need_broker, wait_for

ROUNDS = 6


def plan(word, purpose):
    made = hospitals.plan(word, patience=60.0, rounds=ROUNDS).set("purpose", purpose)
    return made.set("federation.server", "curious") if word in ("share", "he") else made


def at_once(rig, word):
    """(both runs as they ended, the digests of their models)."""
    homes = (*hospitals.NAMES, *(share_rig.COMPUTES if word == "share" else ()))
    rig.start(BROKER, *homes)
    rig.spawn("server", "office", rig.fed, 2)
    runs = [
        submitted(CoordinatorHome.at(rig.fed), plan(word, purpose), Order(person="ann", office=True), False)
        for purpose in ("one", "two")
    ]

    def ended():
        found = {one.run: one for one in status(rig.fed).runs}
        return all(run in found and found[run].state not in GOING for run in runs)

    wait_for(ended, 400, "both have ended")
    found = {one.run: one for one in status(rig.fed).runs}
    both = [found[run] for run in runs]
    assert [one.state for one in both] == ["finished", "finished"], [one.why for one in both]
    return both, [json.loads((one.out / "run.json").read_text())["model"]["digest"] for one in both]


@pytest.mark.slow
@pytest.mark.parametrize("word", ["mask", "he", "tee", "share"])
def test_two_runs_in_rounds_at_once_end_as_alone(tmp_path, word, request):
    need_broker()
    if word == "share":
        request.getfixturevalue("mpc_engine")
    make = share_rig.federation if word == "share" else hospitals.federation
    rig = make(tmp_path / "rig")
    for name in hospitals.NAMES if word == "tee" else ():
        (rig.home(name) / "policy.toml").write_text(OPEN + '[attestation]\npolicy = "enclave.toml"\n')
        (rig.home(name) / "enclave.toml").write_text(built_in_text())
    try:
        both, digests = at_once(rig, word)
    finally:
        rig.close()
    assert min(one.ended for one in both) > max(one.first for one in both)  # they were in rounds together
    assert [one.tries for one in both] == [0, 0]
    assert digests == [hospitals.reference(plan("mask", "one")).digest()] * 2
    wait_for(lambda: not rig.processes(), 60, "no process is left")
