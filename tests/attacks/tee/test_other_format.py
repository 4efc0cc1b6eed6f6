"""A host whose machine is to speak for itself, and that shows evidence of another kind which the policy lists too."""

from potluck.core.party import SERVER
from potluck.core.rounds import Cause
from potluck.tee.attestation.demand import built_in_text, demanded
from potluck.tee.sum import messages as m
from potluck.tee.sum.protection import build
from support.parties import scene
from support.tee.rig import arrays, left, sitting, stopped

BOTH = built_in_text().replace('["simulated"]', '["snp", "simulated", "tpm"]')


def judging(enclave):
    made = scene.plan(word="tee")
    made = made.set("protect.enclave", enclave)
    return build(made.spec, demanded(BOTH, "policy.toml")).judge


def test_simulated_evidence_is_refused_where_the_plan_names_hardware_even_where_a_development_policy_lists_both():
    sat = sitting(arrays(4), 1, by=judging("tsm"))
    found = stopped(sat.run())
    assert set(found) == set(range(4))
    for cause, named, why in found.values():
        assert (cause, named) == (Cause.EVIDENCE, SERVER)
        assert "format_not_allowed" in why
    assert not left(sat, m.INPUT)


def test_each_enclave_is_believed_in_the_formats_that_it_speaks_and_the_policys_hash_stays():
    spoken = {"simulated": ("simulated",), "tsm": ("snp",), "tpm": ("tpm",)}
    assert {word: judging(word).policy.formats for word in spoken} == spoken
    assert {judging(word).hash for word in spoken} == {demanded(BOTH, "policy.toml").hash}
