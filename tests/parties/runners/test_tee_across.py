"""`tee` across machines, with the network in memory: every owner judges the enclave under a policy of its own."""

import pytest

from potluck.core.errors import Refused
from potluck.core.rounds import Abort, Cause
from potluck.drivers.sums import Sums
from potluck.learning.loops import build
from potluck.tee.attestation.demand import built_in_text
from support.owner.policies import OPEN
from support.parties import across, scene
from support.parties.across import quick

RUN = "ab" * 16
NAMES = "abcd"
STRICT = 'version = 1\nformats = ["snp"]\n[snp]\nmeasurements = ["{}"]\n'.format("ab" * 48)
OTHER_CODE = (
    f'version = 1\nmode = "development"\nformats = ["simulated"]\n[simulated]\nmeasurements = ["{"ab" * 32}"]\n'
)


@pytest.fixture(scope="module")
def founded(tmp_path_factory):
    folder = across.found(tmp_path_factory.mktemp("federation"))
    for name in NAMES:
        demands(folder / name, built_in_text())
    return folder


def demands(home, text):
    """The owner's policy names a file of what it demands of enclaves; None: it names none."""
    (home / "policy.toml").write_text(OPEN + ('[attestation]\npolicy = "enclave.toml"\n' if text else ""))
    if text:
        (home / "enclave.toml").write_text(text)


def test_the_model_is_the_one_of_a_run_in_one_process(fed):
    with fed.attending(*NAMES):
        outcome, log = fed.run(quick(scene.plan(word="tee"), 10.0))
    assert outcome.model.digest() == scene.Scene(scene.plan(word="mask")).run().model.digest()
    assert [one.number for one in log.rounds] == [1, 2, 3, 4]
    assert all(not one.dropped for one in log.rounds)


@pytest.mark.parametrize(
    "text",
    [
        None,
        *(
            pytest.param(one, marks=pytest.mark.slow)
            for one in (STRICT, "version = 1", 'version = 1\nformats = ["simulated"]\n')
        ),
    ],
)
def test_an_owner_who_would_not_believe_it_denies_the_plan(fed, text):
    demands(fed.folder / "b", text)
    with fed.attending(*NAMES), pytest.raises(Refused, match=r"b refuses this plan \(attestation\)"):
        fed.run(quick(scene.plan(word="tee")))
    words = " ".join(fed.heard["b"])
    assert "attestation" in words or "enclave" in words
    with fed.attending(*NAMES):
        fed.run(quick(scene.plan(word="mask")), run="cd" * 16)  # the control: all else it allows


def test_no_plan_brings_its_own_policy(fed):
    """What the coordinator's plan names is the coordinator's: a site reads its own file."""
    demands(fed.folder / "b", STRICT)
    plan = scene.plan(word="tee").set("protect.policy", str(fed.folder / "a" / "enclave.toml"))
    with fed.attending(*NAMES), pytest.raises(Refused, match=r"b refuses this plan \(attestation\)"):
        fed.run(quick(plan))


def test_one_owner_of_four_expects_other_code_and_the_rest_go_on(fed):
    demands(fed.folder / "b", OTHER_CODE)
    with fed.attending(*NAMES):
        outcome, log = fed.run(quick(scene.plan(word="tee"), 4.0))
    assert [set(one.dropped) for one in log.rounds] == [{"b"}] * 4
    assert log.rounds[0].dropped["b"] is Cause.EVIDENCE
    assert any("measurement_not_allowed" in line for line in fed.heard["b"])
    assert outcome.model.coefficients


@pytest.mark.slow
def test_a_server_that_was_started_again_has_another_enclave_and_the_run_ends_by_name(fed):
    plan = quick(scene.plan(word="tee"), 4.0)
    with fed.attending(*NAMES):
        with fed.coordinator(plan, RUN) as (coordinator, journal):
            coordinator.gather()
            first = Sums(plan, coordinator, store=journal)
            first(next(build(plan).lead()))
        with pytest.raises(Abort) as stop:
            fed.run(plan, repeats=1)
        assert stop.value.cause is Cause.REPLAY
        assert "started again has other keys. hint: start a new run" in str(stop.value)
        outcome, _ = fed.run(plan, run="ef" * 16)
    assert outcome.model.coefficients
