"""Azure's SEV-SNP machines: the vectors, all forms of the file, every damaged bit, and what a policy says of them."""

import base64
import json
import random
import ssl
import string

import pytest

from potluck.tee.attestation.evidence import Asked, Evidence
from potluck.tee.attestation.formats import azure, tpm
from potluck.tee.attestation.verdict import Fault
from potluck.tee.attestation.verify import verify
from support.tee.cases import CASES, asked, codes, every_flip, evidence, flips, fuzzed, named, part, policy

GOOD = "az-snp-v2"
AT = 32 + 1184
"""Where the fields before the runtime JSON begin."""


def table(**more):
    return {"products": ["Milan"], **more}


def rules(**more):
    return policy("az-snp-vtpm", **table(**more))


def claimed():
    return verify(evidence(GOOD), rules(), asked(GOOD)).claims


def production(**more):
    said = claimed()
    own = {"measurements": [said["measurement"]], "pcrs": {key: [said["tpm"]["pcrs"][key]] for key in ("4", "9", "12")}}
    own["min_tcb"] = {"snp": 1, "microcode": 1}
    return policy("az-snp-vtpm", "production", **table(**own | more))


def claimed_registers():
    said = claimed()["tpm"]["pcrs"]
    return {key: [said[key]] for key in ("9", "12")}


def url(data):
    return base64.urlsafe_b64encode(data).decode()


def pieces():
    tree = json.loads(evidence(GOOD).raw)
    quote = tree["tpm_quote"]
    return {
        "report": base64.urlsafe_b64decode(tree["hcl_report"]),
        "vcek": base64.urlsafe_b64decode(tree["vcek"]),
        "message": bytes.fromhex(quote["message"]),
        "signature": bytes.fromhex(quote["signature"]),
        "pcrs": b"".join(map(bytes.fromhex, quote["pcrs"])),
    }


def numbered(given, version=2):
    pcrs = [given["pcrs"][at : at + 32].hex() for at in range(0, len(given["pcrs"]), 32)]
    quote = {"message": given["message"].hex(), "signature": given["signature"].hex(), "pcrs": pcrs}
    tree = {"version": version, "hcl_report": url(given["report"]), "vcek": url(given["vcek"]), "tpm_quote": quote}
    return Evidence("az-snp-vtpm", json.dumps(tree).encode(), evidence(GOOD).endorsements)


def older(given):
    pcrs = [list(given["pcrs"][at : at + 32]) for at in range(0, len(given["pcrs"]), 32)]
    quote = {"message": list(given["message"]), "signature": list(given["signature"]), "pcrs": pcrs}
    tree = {"report": list(given["report"]), "vcek": ssl.DER_cert_to_PEM_cert(given["vcek"]), "quote": quote}
    return Evidence("az-snp-vtpm", json.dumps(tree).encode(), evidence(GOOD).endorsements)


@pytest.mark.parametrize("name", named("az-snp-vtpm"))
def test_a_vector_gets_its_verdict_and_its_reason(name):
    found = verify(evidence(name), rules(**CASES[name].get("policy", {})), asked(name))
    assert found.accepted == (CASES[name]["expect"] == "accept")
    assert found.accepted or set(codes(found)) <= set(CASES[name]["reason"].split("|"))


def test_production_accepts_it_with_measurement_and_registers_and_says_what_it_claims():
    found = verify(evidence(GOOD), production(), asked(GOOD))
    assert found.accepted
    assert not found.stamp
    assert found.claims["product"] == "Milan"
    assert found.claims["tpm"]["qualifying_data"] == CASES[GOOD]["nonce"]
    assert found.claims["machine"] == {"console_enabled": True, "secure_boot": True, "tpm_enabled": True}


def test_all_three_forms_of_the_file_say_the_same():
    whole = verify(evidence(GOOD), rules(), asked(GOOD))
    for made in (numbered(pieces()), numbered(pieces(), 1), older(pieces())):
        assert verify(made, rules(), asked(GOOD)) == whole
    assert codes(verify(numbered(pieces(), 3), rules(), asked(GOOD))) == ["malformed"]


def test_production_demands_registers_since_the_measurement_is_the_paravisors():
    bare = verify(evidence(GOOD), production(pcrs=None), asked(GOOD))
    assert codes(bare) == ["measurement_list_missing"]
    assert bare.reasons[0].path == "az-snp-vtpm.pcrs"
    assert codes(verify(evidence(GOOD), production(measurements=None), asked(GOOD))) == ["measurement_list_missing"]
    now = asked(GOOD).now
    assert codes(verify(evidence(GOOD), production(), Asked(now))) == ["nonce_missing"]


def test_policy_failures_are_named_together():
    found = verify(
        evidence(GOOD),
        production(
            pcrs=claimed_registers() | {"4": ["00" * 32]},
            measurements=["00" * 48],
            products=["Genoa"],
            min_tcb={"snp": 99, "microcode": 1},
        ),
        asked(GOOD, nonce=b"other", report_data=bytes(64)),
    )
    assert set(codes(found)) == {
        "measurement_not_allowed", "product_not_allowed", "tcb_too_old", "pcr_not_allowed", "nonce_mismatch",
        "report_data_mismatch",
    }  # fmt: skip
    assert all(one.path.startswith("az-snp-vtpm.") for one in found.reasons)


def test_the_tables_of_other_formats_do_not_count():
    """A policy for bare SNP says nothing of Azure's machines."""
    found = verify(evidence(GOOD), policy("snp", **table()), asked(GOOD))
    assert codes(found) == ["format_not_allowed"]


def test_another_attestation_key_in_the_json_is_not_vouched_for():
    given = pieces()
    at = given["report"].index(b'"n":"') + 5
    changed = given["report"][:at] + b"A" + given["report"][at + 1 :]
    assert changed != given["report"]
    assert codes(verify(numbered(given | {"report": changed}), rules(), asked(GOOD))) == ["report_data_mismatch"]


def unsigned(name, data):
    """In a certificate nobody signs how many bits of the signature's last byte are unused: nobody looks at it."""
    return {len(data) - 512 - 1} if name == "vcek" else set()


def piece_flips(name, every):
    given, wanted, mine = pieces(), asked(GOOD), rules()
    whole = verify(numbered(given), mine, wanted)
    free = unsigned(name, given[name])
    for at, changed in every(given[name]):
        found = verify(numbered(given | {name: changed}), mine, wanted)
        assert not found.accepted or (at in free and found == whole), at


@pytest.mark.parametrize(
    "name", ["message", *(pytest.param(one, marks=pytest.mark.slow) for one in ("signature", "pcrs", "vcek"))]
)
def test_a_flipped_bit_of_any_signed_byte_is_refused(name):
    piece_flips(name, lambda data: flips(data, 200))


def report_flips(every):
    given, wanted, mine = pieces(), asked(GOOD), rules()
    whole = verify(numbered(given), mine, wanted)
    size = int.from_bytes(given["report"][AT + 16 : AT + 20], "little")
    # Nobody signs the paravisor's header, the first two fields before the JSON, and what is behind it.
    unsigned = {*range(4, 32), *range(AT, AT + 8), *range(AT + 20 + size, len(given["report"]))}
    for at, changed in every(given["report"]):
        found = verify(numbered(given | {"report": changed}), mine, wanted)
        assert (found == whole) if at in unsigned else not found.accepted, at


def test_a_flipped_bit_of_any_byte_of_the_report_is_refused_where_it_is_signed_and_else_changes_nothing():
    report_flips(lambda data: flips(data, 300))


@pytest.mark.slow
def test_every_flipped_bit_of_the_report_is_refused_where_it_is_signed_and_else_changes_nothing():
    report_flips(every_flip)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["message", "signature", "pcrs", "vcek"])
def test_every_flipped_bit_is_refused(name):
    piece_flips(name, every_flip)


def test_a_flipped_bit_of_the_file_or_of_amds_chain_is_refused_or_changes_nothing():
    given, wanted, mine = evidence(GOOD), asked(GOOD), rules()
    whole = verify(given, mine, wanted)
    for number, data in enumerate((given.raw, *given.endorsements)):
        for at, changed in flips(data, 150):
            found = verify(part(given, number, changed), mine, wanted)
            assert not found.accepted or found == whole, (number, at)


def test_without_amds_chain_nobody_vouches_for_the_chip():
    bare = Evidence("az-snp-vtpm", evidence(GOOD).raw)
    assert codes(verify(bare, rules(), asked(GOOD))) == ["chain_invalid"]


def test_at_another_time_the_certificate_is_not_valid():
    assert codes(verify(evidence(GOOD), rules(), asked(GOOD, now=1_500_000_000))) == ["certificate_expired"]


def head(report, at, value):
    return report[: AT + at] + value.to_bytes(4, "little") + report[AT + at + 4 :]


def test_a_report_of_another_form_is_malformed():
    given = pieces()
    report = given["report"]
    forms = [
        b"", report[: AT + 19], b"HCLB" + report[4:], head(report, 8, 4), head(report, 12, 2),
        head(report, 16, 1 << 31), report + bytes(16 << 10),
    ]  # fmt: skip
    for form in forms:
        assert codes(verify(numbered(given | {"report": form}), rules(), asked(GOOD))) == ["malformed"]
    assert codes(verify(numbered(given | {"report": head(report, 16, 4)}), rules(), asked(GOOD))) == [
        "report_data_mismatch"
    ]


@pytest.mark.parametrize("text", ["", "text", "\N{LATIN SMALL LETTER E WITH ACUTE}"])
def test_a_certificate_that_is_no_pem_is_malformed(text):
    changed = json.dumps(json.loads(older(pieces()).raw) | {"vcek": text}).encode()
    assert codes(verify(part(evidence(GOOD), 0, changed), rules(), asked(GOOD))) == ["malformed"]


def test_base64url_has_one_form_filled_up_or_not():
    tree, letters = (
        json.loads(evidence(GOOD).raw),
        string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_",
    )
    name = next(one for one in ("hcl_report", "vcek") if len(tree[one].rstrip("=")) % 4)
    bare = tree[name].rstrip("=")
    other = bare[:-1] + letters[letters.index(bare[-1]) ^ 1]  # the same bytes
    for text, expected in ((bare, []), (other, ["malformed"]), (bare[:9] + "\n" + bare[9:], ["malformed"])):
        changed = json.dumps(tree | {name: text}).encode()
        assert codes(verify(part(evidence(GOOD), 0, changed), rules(), asked(GOOD))) == expected


@pytest.mark.parametrize(
    "keys",
    [
        [],
        [{"kid": "HCLEkPub", "kty": "RSA", "n": "AQAB", "e": "AQAB"}],
        [{"kid": "HCLAkPub", "kty": "EC"}],
        [{"kid": "HCLAkPub", "kty": "RSA", "n": "AQAB", "e": "AQAB"}] * 2,
        [{"kid": "HCLAkPub", "kty": "RSA", "n": "", "e": ""}],
        [{"kid": "HCLAkPub", "kty": "RSA", "n": "!", "e": "AQAB"}],
        [{"kid": "HCLAkPub", "kty": "RSA", "n": url(b"\xff" * 128), "e": "AQAB"}],
    ],
)
def test_a_json_without_one_strong_attestation_key_is_refused(keys):
    said = tpm.decoded(json.dumps({"keys": keys}).encode(), azure.Runtime, "runtime")
    with pytest.raises(Fault):
        azure._key(said)


@pytest.mark.parametrize(
    "raw", [b"", b"{}", b'{"hcl_report": 1}', b'{"hcl_report":' * 9000, b"[" * 90000, b"\xff" * 99]
)
def test_what_is_no_such_file_is_malformed(raw):
    assert codes(verify(Evidence("az-snp-vtpm", raw), rules(), asked(GOOD))) == ["malformed"]


def fuzz(count):
    given, wanted, mine = evidence(GOOD), asked(GOOD), rules()
    whole = verify(given, mine, wanted)
    draw = random.Random(9)
    for blob in fuzzed(given.raw, count):
        found = verify(part(given, 0, blob), mine, wanted)
        assert not found.accepted or found == whole
    taken = pieces()
    for name in ("message", "signature", "pcrs", "vcek", "report"):
        for blob in fuzzed(taken[name], count // 5, draw.random()):
            found = verify(numbered(taken | {name: blob}), mine, wanted)
            assert not found.accepted or found == whole
    for blob in fuzzed(older(taken).raw, count // 5):
        found = verify(part(given, 0, blob), mine, wanted)
        assert not found.accepted or found == whole


@pytest.mark.slow
def test_fuzzed_files_and_parts_are_refused_and_nothing_breaks():
    fuzz(1000)


@pytest.mark.slow
def test_a_hundred_thousand_fuzzed_files_and_parts_are_refused():
    fuzz(46_000)
