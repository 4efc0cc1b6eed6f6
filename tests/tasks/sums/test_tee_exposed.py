"""A TPM is no enclave: it says what was booted, and its owner reads the memory. Every check and view says so."""

import pytest

import potluck
from potluck.core import plan as plans
from potluck.tee.attestation import evidence
from potluck.tee.attestation.demand import _FORMATS as SPOKEN
from potluck.tee.attestation.demand import SIMULATED, TPM, UNPROTECTED, demanded
from support.parties import scene

WORDS = ("simulated", "tpm", "tsm", "nsm")
REVEAL = {"noise": "reveal", "unit": "row", "epsilon": 3.0, "delta": 1e-5, "clip": 1.0}


def plan(enclave, **said):
    made = scene.plan(word="tee", dropouts=1)
    for key, value in {"protect__enclave": enclave, **said}.items():
        made = made.set(key.replace("__", "."), value)
    return made


def forms(made, party="server"):
    return {row["of"]: row["form"] for row in potluck.explain(made).rows() if row["party"] == party}


@pytest.fixture
def believed(monkeypatch):
    """The mend taken out: a TPM counts as an enclave whose memory is encrypted, as it did."""
    return lambda: monkeypatch.setattr(plans, "SHIELDED", ("tsm", "nsm", "tpm"))


@pytest.mark.parametrize("enclave", WORDS)
def test_a_host_whose_enclave_has_no_encrypted_memory_is_shown_every_update_plain(enclave):
    seen = {of: form for of, form in forms(plan(enclave)).items() if of.endswith("update")}
    assert set(seen.values()) == {"plain" if enclave in ("simulated", "tpm") else "ciphertext"}


def test_the_attack_a_tpm_taken_for_an_enclave_hid_from_explain_what_its_host_reads(believed):
    assert forms(plan("tpm"))["a's update"] == "plain"
    believed()
    assert forms(plan("tpm"))["a's update"] == "ciphertext"


@pytest.mark.parametrize("enclave", WORDS)
def test_a_host_that_reads_updates_reads_what_each_site_evaluates(enclave):
    metrics = forms(plan(enclave))["a's metrics"]
    assert metrics == ("plain" if enclave in ("simulated", "tpm") else "nothing")


def test_the_attack_metrics_by_site_were_said_to_be_hidden_from_a_tpms_host(believed):
    believed()
    assert forms(plan("tpm"))["a's metrics"] == "nothing"


@pytest.mark.parametrize("enclave", WORDS)
def test_a_lying_server_does_not_add_the_noise_unless_hardware_makes_it(enclave):
    errors = plan(enclave, privacy=REVEAL, training={"method": "gradient", "rounds": 2, "expected_rows": 100},
                  federation__server="lying").problems()[0]  # fmt: skip
    refused = any("a lying server would leave out the noise that it owes" in line for line in errors)
    assert refused == (enclave in ("simulated", "tpm"))


def test_the_attack_a_lying_host_with_a_tpm_was_trusted_to_add_the_noise(believed):
    believed()
    made = plan("tpm", privacy=REVEAL, training={"method": "gradient", "rounds": 2, "expected_rows": 100},
                federation__server="lying")  # fmt: skip
    assert not any("leave out the noise" in line for line in made.problems()[0])


@pytest.mark.parametrize("enclave", WORDS)
def test_a_host_that_reads_the_enclave_sees_the_sum_before_the_noise(enclave):
    made = plan(enclave, privacy=REVEAL, training={"method": "gradient", "rounds": 2, "expected_rows": 100},
                federation__server="curious")  # fmt: skip
    assert forms(made)["the sum"] == ("sum" if enclave in ("simulated", "tpm") else "noised")


def test_the_attack_the_exact_sum_was_said_to_be_noised_before_a_tpms_host_sees_it(believed):
    believed()
    made = plan("tpm", privacy=REVEAL, training={"method": "gradient", "rounds": 2, "expected_rows": 100},
                federation__server="curious")  # fmt: skip
    assert forms(made)["the sum"] == "noised"


@pytest.mark.parametrize("enclave", WORDS)
def test_results_and_warnings_say_why_the_host_could_read(enclave):
    said = {"simulated": SIMULATED, "tpm": TPM}.get(enclave)
    warned = [line for line in plan(enclave).problems()[1] if line.startswith("protect.enclave")]
    assert [said in line for line in warned] == ([True] if said else [])
    strict = demanded('version = 1\nformats = ["tpm", "snp", "nitro"]', "policy.toml")
    assert strict.stamp(enclave) == (said or "")


def test_a_development_policy_of_a_tpm_is_stamped_with_both():
    lax = demanded('version = 1\nmode = "development"\nformats = ["tpm"]', "policy.toml")
    assert lax.stamp("tpm") == f"{TPM}; development policy: not everything was checked"


def test_a_word_is_believed_only_if_every_format_that_it_speaks_encrypts_memory():
    encrypted = {word: set(formats) <= set(evidence.SHIELDED) for word, formats in SPOKEN.items()}
    assert encrypted == {word: word in plans.SHIELDED for word in SPOKEN}
    assert set(UNPROTECTED) == set(SPOKEN) - set(plans.SHIELDED)
    assert set(evidence.FORMATS) - set(evidence.SHIELDED) == {"tpm", "nvidia-gpu", "simulated"}
