"""Intel SGX and TDX: every vector, every damaged byte, and what is not authenticated has no effect."""

import base64
import json

import pytest

from potluck.tee.attestation.evidence import Asked, Evidence
from potluck.tee.attestation.formats import quotes
from potluck.tee.attestation.verdict import Fault
from potluck.tee.attestation.verify import verify
from support.tee.cases import CASES, asked, codes, every_flip, evidence, flips, fuzzed, listed, named, part, policy

ACCEPTED = {"tdx": "tdx-v4", "sgx": "sgx-v3-status-allowed"}
KINDS = sorted(ACCEPTED)
BEGINS, ENDS = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"


def good(kind):
    name = ACCEPTED[kind]
    return evidence(name), listed(name), asked(name)


def essence(raw):
    """All of a quote that is authenticated: what stands before its certificates, and the first two of these."""
    before, *texts = raw.split(BEGINS, 3)[:3]
    return before, [base64.b64decode(b"".join(text.split(ENDS)[0].split())) for text in texts]


def check_flips(kind, damaged):
    """How many bytes had no effect. A flip in what is authenticated is refused; no other changes anything."""
    given, rules, wanted = good(kind)
    whole, kept, free = verify(given, rules, wanted), essence(given.raw), 0
    end = given.raw.find(b"-----BEGIN CERTIFICATE-----")
    for at, changed in damaged(given.raw):
        found = verify(part(given, 0, changed), rules, wanted)
        if found.accepted:
            free += 1
            assert found == whole, at
            assert at >= end, at
            assert essence(changed) == kept, at
        else:
            assert not found.claims, at
    return free


@pytest.mark.parametrize("name", named("tdx", "sgx"))
def test_a_vector_gets_its_verdict_and_its_reason(name):
    found = verify(evidence(name), listed(name), asked(name))
    assert found.accepted == (CASES[name]["expect"] == "accept")
    assert found.accepted or set(codes(found)) <= set(CASES[name]["reason"].split("|"))


@pytest.mark.parametrize("name", ACCEPTED.values())
def test_claims_are_what_the_manifest_says_and_production_accepts_it(name):
    case, wanted = CASES[name], asked(name)
    said = verify(evidence(name), listed(name), wanted).claims
    assert (said["tcb_status"], list(said["advisories"])) == (case["tcb_status"], case["advisories"])
    for field in {"mrtd", "mrenclave", "mrsigner", "report_data"} & set(case):
        assert said[field] == case[field]
    found = verify(
        evidence(name), listed(name, "production"), asked(name, report_data=bytes.fromhex(said["report_data"]))
    )
    assert found.accepted
    assert not found.stamp
    assert codes(verify(evidence(name), listed(name, "production"), wanted)) == ["nonce_missing"]


@pytest.mark.parametrize(("kind", "least"), [("tdx", 60), pytest.param("sgx", 50, marks=pytest.mark.slow)])
def test_any_flipped_bit_of_a_quote_is_refused_or_changes_nothing(kind, least):
    assert check_flips(kind, lambda raw: flips(raw, 500)) > least  # the root's text and what follows: not looked at


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_flipped_bit_of_a_quote_is_refused_or_changes_nothing(kind):
    assert check_flips(kind, every_flip) > 4000


def check_collateral(kind, damaged):
    given, rules, wanted = good(kind)
    whole = verify(given, rules, wanted)
    tree = json.loads(given.endorsements[0])
    for at, changed in damaged(given.endorsements[0]):
        found = verify(part(given, 1, changed), rules, wanted)
        assert found == whole or not (found.accepted or found.claims), at
        if found.accepted:
            other = json.loads(changed)
            for name in ("tcb_info", "qe_identity"):
                assert other[name] == tree[name], at
                assert other[f"{name}_signature"].lower() == tree[f"{name}_signature"].lower(), at
            for name in ("root_ca_crl", "pck_crl"):
                assert other[name].lower() == tree[name].lower(), at


@pytest.mark.parametrize("kind", KINDS)
def test_any_flipped_bit_of_collateral_is_refused_or_changes_nothing(kind):
    check_collateral(kind, lambda data: flips(data, 200))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_flipped_bit_of_every_byte_of_collateral_is_refused_or_changes_nothing(kind):
    check_collateral(kind, flips)


@pytest.mark.parametrize("count", [80, pytest.param(2000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", KINDS)
def test_fuzzed_quotes_and_collateral_are_refused_and_nothing_breaks(kind, count):
    given, rules, wanted = good(kind)
    kept, whole = essence(given.raw), verify(given, rules, wanted)
    for blob in fuzzed(given.raw, count):
        found = verify(part(given, 0, blob), rules, wanted)
        assert not found.accepted or (found == whole and essence(blob) == kept)
    for blob in fuzzed(given.endorsements[0], count):
        found = verify(part(given, 1, blob), rules, wanted)
        assert not found.accepted or found == whole


@pytest.mark.parametrize("kind", KINDS)
def test_what_follows_a_quote_has_no_effect_as_far_as_it_may_go(kind):
    given, rules, wanted = good(kind)
    whole = verify(given, rules, wanted)
    bare = quotes.layout(given.raw, kind).whole
    for tail in (b"", bytes(8000 - len(bare)), b"\xff" * 100, bare):
        assert verify(part(given, 0, bare + tail), rules, wanted) == whole
    assert codes(verify(part(given, 0, bare + bytes(quotes.LONGEST)), rules, wanted)) == ["malformed"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_quote_cut_anywhere_is_malformed_or_without_its_certificates(kind):
    given, rules, wanted = good(kind)
    bare = quotes.layout(given.raw, kind).whole
    for size in range(len(bare)):
        assert codes(verify(part(given, 0, bare[:size]), rules, wanted)) == ["malformed"], size


def test_a_root_beside_collateral_is_neither_needed_nor_read():
    given, rules, wanted = good("tdx")
    more = Evidence("tdx", given.raw, (b"any file", *given.endorsements, b""))
    assert verify(more, rules, wanted) == verify(given, rules, wanted)


def test_collateral_twice_is_malformed_and_none_is_missing():
    given, rules, wanted = good("tdx")
    twice = Evidence("tdx", given.raw, given.endorsements * 2)
    assert codes(verify(twice, rules, wanted)) == ["malformed"]
    assert codes(verify(Evidence("tdx", given.raw), rules, wanted)) == ["collateral_missing"]


def test_one_formats_quote_is_not_the_others():
    quote, other = evidence(ACCEPTED["tdx"]), evidence(ACCEPTED["sgx"])
    at = asked(ACCEPTED["tdx"])
    assert codes(verify(Evidence("sgx", quote.raw, quote.endorsements), policy("sgx"), at)) == ["malformed"]
    assert codes(verify(Evidence("tdx", other.raw, other.endorsements), policy("tdx"), at)) == ["malformed"]
    mixed = verify(Evidence("tdx", quote.raw, other.endorsements), policy("tdx"), at)
    assert codes(mixed) == ["collateral_mismatch"]


def test_every_failure_of_policy_against_a_domain_is_reported_at_once():
    none, wanted = ["00" * 48], asked("tdx-v4", nonce=b"n", report_data=bytes(64))
    lists = dict.fromkeys(("mrtd", "rtmr0", "rtmr1", "rtmr2", "mrconfigid", "mrowner"), none)
    lists |= {"rtmr3": [], "mrconfigid": ["11" * 48], "mrowner": []}
    rules = policy("tdx", allow_tcb_status=["OutOfDate"], max_collateral_age_days=0, **lists)
    found = verify(evidence("tdx-v4"), rules, wanted)
    assert [(one.code.value, one.path) for one in found.reasons] == [
        ("measurement_not_allowed", "tdx.mrtd"),
        ("measurement_not_allowed", "tdx.rtmr0"),
        ("measurement_not_allowed", "tdx.rtmr1"),
        ("measurement_not_allowed", "tdx.rtmr2"),
        ("measurement_not_allowed", "tdx.rtmr3"),
        ("owner_not_allowed", "tdx.mrconfigid"),
        ("owner_not_allowed", "tdx.mrowner"),
        ("report_data_mismatch", "tdx.report_data"),
        ("nonce_mismatch", "tdx.nonce"),
        ("tcb_status_not_allowed", "tdx.allow_tcb_status"),
        ("collateral_expired", "tdx.max_collateral_age_days"),
    ]
    assert found.claims["tcb_status"] == "UpToDate"


def test_every_failure_of_policy_against_an_enclave_is_reported_at_once():
    rules = policy(
        "sgx",
        mrenclave=["00" * 32],
        mrsigner=[],
        prod_id=9,
        min_svn=1,
        deny_advisories=["intel-sa-00615", "INTEL-SA-00001"],
        max_collateral_age_days=0,
    )
    found = verify(evidence(ACCEPTED["sgx"]), rules, asked(ACCEPTED["sgx"], nonce=b"n"))
    assert [(one.code.value, one.path) for one in found.reasons] == [
        ("measurement_not_allowed", "sgx.mrenclave"),
        ("measurement_not_allowed", "sgx.mrsigner"),
        ("prod_id_not_allowed", "sgx.prod_id"),
        ("svn_too_old", "sgx.min_svn"),
        ("nonce_mismatch", "sgx.nonce"),
        ("tcb_status_not_allowed", "sgx.allow_tcb_status"),
        ("advisory_not_allowed", "sgx.deny_advisories"),
        ("collateral_expired", "sgx.max_collateral_age_days"),
    ]


def test_an_enclaves_signer_does_for_its_measurement_only_with_product_and_version():
    name, wanted = ACCEPTED["sgx"], asked(ACCEPTED["sgx"], report_data=b"Hello, world!".ljust(64, b"\0"))
    table = CASES[name]["policy"] | {"mrsigner": [CASES[name]["mrsigner"]]}
    missing = verify(evidence(name), policy("sgx", "production", **table), wanted)
    assert [(one.code.value, one.path) for one in missing.reasons] == [
        ("measurement_list_missing", "sgx.prod_id"),
        ("measurement_list_missing", "sgx.min_svn"),
    ]
    assert verify(evidence(name), policy("sgx", "production", prod_id=0, min_svn=0, **table), wanted).accepted


@pytest.mark.parametrize(
    ("days", "late", "accepted"),
    [(0, 0, False), (5, 4 * 86400, True), (5, 5 * 86400, False), (None, 20 * 86400, True)],
)
def test_collateral_may_be_as_old_as_the_policy_says(days, late, accepted):
    name = ACCEPTED["tdx"]
    rules, now = policy("tdx", max_collateral_age_days=days), CASES[name]["at"] + late
    found = verify(evidence(name), rules, Asked(now))
    assert found.accepted == accepted
    assert accepted or codes(found) == ["collateral_expired"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_nonce_is_report_data_filled_up_with_zeros(kind):
    given, rules, wanted = good(kind)
    data = bytes.fromhex(verify(given, rules, wanted).claims["report_data"])
    for nonce in (data, data.rstrip(b"\0")):
        assert verify(given, rules, Asked(wanted.now, nonce=nonce)).accepted
    for nonce in (data[:10], data[1:], b""):
        assert codes(verify(given, rules, Asked(wanted.now, nonce=nonce))) == ["nonce_mismatch"]


@pytest.mark.parametrize("kind", KINDS)
def test_collateral_of_hostile_shape_is_malformed(kind):
    given, rules, wanted = good(kind)
    for text in (b"{", b"{}x", b'{"tcb_info": 1}', b'{"a":' * 20000, b'{"tcb_info": "\xff"}', b"{" + b"[" * 9999):
        assert codes(verify(part(given, 1, text), rules, wanted)) == ["malformed"]
    assert codes(verify(part(given, 1, b"{}"), rules, wanted)) == ["collateral_missing"]
    assert codes(verify(part(given, 1, b"[]"), rules, wanted)) == ["collateral_missing"]
    assert codes(verify(part(given, 1, b"{" + b" " * (1 << 20)), rules, wanted)) == ["malformed"]


@pytest.mark.parametrize(("at", "value"), [(0, 2), (0, 6), (2, 3), (4, 0x82), (12, 0), (632, 0xFF), (764, 5), (766, 0)])
def test_a_quote_with_another_head_is_malformed_before_anything_is_verified(at, value):
    raw = bytearray(evidence(ACCEPTED["tdx"]).raw)
    raw[at] = value
    with pytest.raises(Fault) as caught:
        quotes.layout(bytes(raw), "tdx")
    assert caught.value.reason.code == "malformed"
