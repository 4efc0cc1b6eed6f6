"""A real TPM from end to end: its key is proven to be in it, its quotes are accepted, and what changes is refused."""

import os
import subprocess

import pytest

from potluck.core.errors import Refused, Unreachable
from potluck.tee.attestation.activation import challenge, listed
from potluck.tee.attestation.attesters.tpm import TpmAttester
from potluck.tee.attestation.evidence import Asked
from potluck.tee.attestation.formats import tpm_structures as s
from potluck.tee.attestation.verify import verify
from support.tee.cases import codes, policy
from support.tee.swtpm import running

DATA = bytes(range(64))
ASKED = Asked(0, report_data=DATA)
KINDS = {
    "rsassa": ("0x81010003", ("-G", "rsa", "-g", "sha256", "-s", "rsassa")),
    "rsapss": ("0x81010004", ("-G", "rsa", "-g", "sha256", "-s", "rsapss")),
    "p256": ("0x81010005", ("-G", "ecc", "-g", "sha256", "-s", "ecdsa")),
    "p384": ("0x81010006", ("-G", "ecc384", "-g", "sha384", "-s", "ecdsa")),
}


@pytest.fixture(scope="module")
def machine():
    with running() as tpm:
        tpm.keys()
        yield tpm


def endorsement(machine):
    """As its owner read it out of the machine."""
    return listed(machine.read("ek.pub"))


def challenged(machine, name="ak", trusted=None):
    return challenge(machine.read("ek.pub"), machine.read(f"{name}.pub"), trusted or [endorsement(machine)], os.urandom)


def production(key, pcrs):
    return policy("tpm", "production", ak=[key], pcrs=pcrs)


def registers(machine, *numbers):
    """What the TPM's own tools say of registers."""
    lines = machine.tool("tpm2_pcrread", "sha256:" + ",".join(map(str, numbers))).splitlines()
    found = {line.split(":")[0].strip(): line.split(":")[1].strip() for line in lines if "0x" in line}
    return {number: [value.removeprefix("0x").lower()] for number, value in found.items()}


def test_a_key_proven_to_be_in_the_tpm_is_trusted_and_its_quote_accepted_in_production(machine):
    made = challenged(machine)
    assert made.name == machine.read("ak.name")
    key = made.proven(machine.activate(made.file()))
    rules = production(key, registers(machine, 0, 4, 7))
    found = verify(TpmAttester(machine.socket).attest(DATA), rules, ASKED)
    assert found.accepted, found.reasons
    assert found.claims["qualifying_data"] == DATA.hex()
    assert set(found.claims["pcrs"]) == {str(number) for number in range(24)}


def test_a_register_that_was_extended_is_refused(machine):
    key = challenged(machine).key
    rules = production(key, registers(machine, 16, 4))
    attester = TpmAttester(machine.socket)
    assert verify(attester.attest(DATA), rules, ASKED).accepted
    machine.tool("tpm2_pcrextend", f"16:sha256={'5a' * 32}")
    found = verify(attester.attest(DATA), rules, ASKED)
    assert [(one.code.value, one.path) for one in found.reasons] == [("pcr_not_allowed", "tpm.pcrs.16")]
    machine.tool("tpm2_pcrreset", "16")
    assert verify(attester.attest(DATA), rules, ASKED).accepted


def test_a_quote_for_somebody_else_is_refused(machine):
    rules = production(challenged(machine).key, registers(machine, 4))
    given = TpmAttester(machine.socket).attest(DATA)
    assert codes(verify(given, rules, Asked(0, report_data=bytes(64)))) == ["report_data_mismatch"]
    assert codes(verify(given, rules, Asked(0, nonce=b"fresh"))) == ["nonce_mismatch"]
    assert codes(verify(given, rules, Asked(0))) == ["nonce_missing"]


def test_a_nonce_is_found_in_a_quote_over_it_filled_up(machine):
    rules = production(challenged(machine).key, registers(machine, 4))
    given = TpmAttester(machine.socket).attest(b"fresh".ljust(64, b"\0"))
    assert verify(given, rules, Asked(0, nonce=b"fresh")).accepted


def test_another_key_of_the_same_tpm_is_refused(machine):
    machine.keys("0x81010007", "other")
    rules = production(challenged(machine).key, registers(machine, 4))
    given = TpmAttester(machine.socket, 0x81010007).attest(DATA)
    assert codes(verify(given, rules, ASKED)) == ["ak_not_trusted"]


def test_a_challenge_for_another_key_is_not_opened(machine):
    """The name is sealed in: the TPM holds the endorsement key and another attestation key, and refuses."""
    machine.keys("0x81010008", "second")
    made = challenged(machine, "second")
    assert made.proven(machine.activate(made.file(), "0x81010008"))
    with pytest.raises(subprocess.CalledProcessError):
        machine.activate(made.file(), "0x81010002")


def test_another_tpm_does_not_open_a_challenge(machine):
    made = challenged(machine)
    with running() as elsewhere:
        elsewhere.keys()
        with pytest.raises(subprocess.CalledProcessError):
            elsewhere.activate(made.file())
        with pytest.raises(Refused, match="not among 1 trusted"):
            challenged(elsewhere, trusted=[endorsement(machine)])
        foreign = TpmAttester(elsewhere.socket).attest(DATA)
    assert codes(verify(foreign, production(made.key, registers(machine, 4)), ASKED)) == ["ak_not_trusted"]


def test_a_wrong_answer_proves_nothing(machine):
    made = challenged(machine)
    for answer in (b"", bytes(32), challenged(machine).secret.expose()):
        with pytest.raises(Refused, match="not the secret"):
            made.proven(answer)
    assert made.secret.expose() not in repr(made).encode()


@pytest.mark.slow
def test_a_damaged_challenge_is_not_opened(machine):
    made = challenged(machine)
    whole = made.file()
    for at in (10, 30, 60, 80, len(whole) - 1):
        damaged = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
        with pytest.raises(subprocess.CalledProcessError):
            machine.activate(damaged)


def test_a_key_that_may_sign_anything_is_not_challenged(machine):
    """An unrestricted key could sign a forged quote: its TPM would not mind."""
    machine.tool("tpm2_createprimary", "-C", "o", "-c", "primary.ctx")
    machine.tool(
        "tpm2_create", "-C", "primary.ctx", "-G", "rsa2048:rsassa-sha256:null", "-u", "free.pub", "-r", "free.priv",
        "-a", "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign",
    )  # fmt: skip
    with pytest.raises(Refused, match="signs what is not the TPM's own"):
        challenged(machine, "free")


def test_keys_in_each_others_place_are_refused(machine):
    ek, ak = machine.read("ek.pub"), machine.read("ak.pub")
    with pytest.raises(Refused, match="not RSA for storage"):
        challenge(ak, ak, [listed(ak)], os.urandom)
    with pytest.raises(Refused, match="signs what is not"):
        challenge(ek, ek, [listed(ek)], os.urandom)
    for area in (b"", ek[:-1], ek + b"\0", bytes(2000)):
        with pytest.raises(Refused):
            challenge(area, ak, [listed(ek)], os.urandom)


@pytest.mark.parametrize(
    "kind", [pytest.param(one, marks=[pytest.mark.slow] * (place > 0)) for place, one in enumerate(KINDS)]
)
def test_quotes_of_every_kind_of_key_are_accepted(machine, kind):
    handle, words = KINDS[kind]
    machine.keys(handle, kind, words)
    made = challenged(machine, kind)
    key = made.proven(machine.activate(made.file(), handle))
    given = TpmAttester(machine.socket, int(handle, 16)).attest(DATA)
    found = verify(given, production(key, registers(machine, 0, 23)), ASKED)
    assert found.accepted, found.reasons


def test_some_registers_or_the_other_bank_can_be_quoted(machine):
    key = challenged(machine).key
    some = TpmAttester(machine.socket, registers=(7, 0)).attest(DATA)
    found = verify(some, production(key, registers(machine, 0, 7)), ASKED)
    assert found.accepted
    assert set(found.claims["pcrs"]) == {"0", "7"}
    assert codes(verify(some, production(key, registers(machine, 4)), ASKED)) == ["pcr_not_quoted"]
    other = TpmAttester(machine.socket, bank=s.SHA384).attest(DATA)
    assert verify(other, policy("tpm", ak=[key]), ASKED).claims["pcr_bank"] == "sha384"


def test_no_key_there_is_said_with_what_to_do(machine):
    with pytest.raises(Unreachable, match="make an attestation key there first"):
        TpmAttester(machine.socket, 0x81010099).attest(DATA)
