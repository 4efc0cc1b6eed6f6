"""Simulated evidence: accepted under a development policy that lists it, and nowhere else."""

import pytest

from potluck.tee.attestation.attesters.simulated import LAYOUT, simulate
from potluck.tee.attestation.evidence import Asked, Evidence
from potluck.tee.attestation.policy import Policy
from potluck.tee.attestation.verify import verify
from support.tee.cases import codes, every_flip, part, policy
from support.tee.pki import NOW, issue

DATA, CODE = bytes(range(64)), b"\x07" * 32
LISTED = {"measurements": [CODE.hex()]}
ASKED = Asked(NOW, report_data=DATA)
ALL = ["measurement_not_allowed", "report_data_mismatch", "nonce_mismatch", "evidence_too_old"]


@pytest.fixture
def made():
    return simulate(DATA, CODE, NOW)


def test_development_accepts_it_and_stamps_the_verdict(made):
    found = verify(made, policy("simulated", age=60, **LISTED), ASKED)
    assert (found.accepted, found.unchecked, found.stamp) == (True, (), "no protection: simulated")
    said = {"measurement": CODE.hex(), "report_data": DATA.hex(), "timestamp": NOW, "simulated": True}
    assert found.claims == said
    assert found.document()["stamp"] == "no protection: simulated"


def test_what_development_lets_go_is_said(made):
    found = verify(made, policy("simulated"), Asked(NOW))
    assert found.accepted
    assert found.unchecked == ("simulated.measurements", "simulated.nonce or report_data")


@pytest.mark.parametrize("mode", ["development", "production"])
def test_a_policy_that_does_not_list_the_format_refuses_it(made, mode):
    assert codes(verify(made, policy("snp", mode), ASKED)) == ["format_not_allowed"]
    assert codes(verify(made, Policy(version=1, formats=(), mode=mode), ASKED)) == ["format_not_allowed"]


def test_production_refuses_it_whatever_is_listed_and_asked(made):
    found = verify(made, policy("simulated", "production", 60, **LISTED), ASKED)
    assert codes(found) == ["simulated"]
    assert found.stamp == "no protection: simulated"
    assert codes(verify(made, policy("simulated", "production"), Asked(NOW))) == [
        "simulated", "measurement_list_missing", "nonce_missing"
    ]  # fmt: skip


def test_no_other_root_can_stand_in_for_the_test_root(made):
    asking = Asked(NOW, report_data=DATA, roots=[issue("root").pem])
    assert codes(verify(made, policy("simulated", **LISTED), asking)) == ["root_not_trusted"]
    assert codes(verify(made, policy("simulated", "production"), asking)) == ["relaxation_in_production"]


def test_every_flipped_bit_is_refused(made):
    for at, changed in every_flip(made.raw):
        found = verify(part(made, 0, changed), policy("simulated"), Asked(NOW))
        assert codes(found) == ["malformed" if at < 24 else "signature_invalid"], at
        assert not found.claims


@pytest.mark.parametrize("size", [0, 1, LAYOUT.size, LAYOUT.size + 63, LAYOUT.size + 65, 4096])
def test_it_has_one_length(made, size):
    raw = made.raw.ljust(size, b"\0")[:size]
    assert codes(verify(Evidence("simulated", raw), policy("simulated"), Asked(NOW))) == ["malformed"]


def test_endorsements_beside_it_are_refused(made):
    beside = Evidence("simulated", made.raw, (b"trust me",))
    assert codes(verify(beside, policy("simulated"), Asked(NOW))) == ["malformed"]


@pytest.mark.parametrize(
    ("table", "asking", "expected"),
    [
        ({"measurements": []}, ASKED, ["measurement_not_allowed"]),
        ({"measurements": ["00" * 32]}, ASKED, ["measurement_not_allowed"]),
        (LISTED, Asked(NOW, report_data=DATA[::-1]), ["report_data_mismatch"]),
        (LISTED, Asked(NOW, nonce=DATA[1:]), ["nonce_mismatch"]),
        (LISTED, Asked(NOW, nonce=b""), ["nonce_mismatch"]),
        (LISTED, Asked(NOW + 61, report_data=DATA), ["evidence_too_old"]),
        (LISTED, Asked(NOW - 61, report_data=DATA), ["evidence_too_old"]),
        ({"measurements": []}, Asked(0, b"n", bytes(64)), ALL),
    ],
)
def test_what_does_not_fit_is_refused_by_name_and_all_of_it(made, table, asking, expected):
    assert codes(verify(made, policy("simulated", age=60, **table), asking)) == expected


def test_a_clock_that_is_a_little_ahead_is_forgiven(made):
    for now in (NOW - 60, NOW + 60):
        assert verify(made, policy("simulated", age=60, **LISTED), Asked(now, report_data=DATA)).accepted


@pytest.mark.parametrize(("data", "code"), [(b"", CODE), (DATA[1:], CODE), (DATA, b""), (DATA, CODE + b"\0")])
def test_the_attester_takes_report_data_and_a_digest_of_the_right_lengths(data, code):
    with pytest.raises(ValueError, match="64 bytes"):
        simulate(data, code, NOW)
