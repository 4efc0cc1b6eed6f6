"""A TPM's quotes: the vectors, every damaged bit, quotes of keys of our own, and what a policy has against them."""

import base64
import hashlib
import json
import random

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from potluck.tee.attestation.evidence import Asked, Evidence
from potluck.tee.attestation.formats import tpm
from potluck.tee.attestation.verify import verify
from support.tee.cases import CASES, asked, codes, every_flip, evidence, flips, fuzzed, named, policy
from support.tee.quotes import (
    RSAPSS,
    SHA256,
    SHA384,
    VALUES,
    coded,
    made,
    message,
    rsa_key,
    selection,
    signature,
    spki,
    whole,
)

GOOD = "tpm-rsassa"
AK = tuple(CASES[GOOD]["policy"]["ak"])
KEY, OTHER = rsa_key(), rsa_key()
CURVES = {"p256": ec.generate_private_key(ec.SECP256R1()), "p384": ec.generate_private_key(ec.SECP384R1())}
FRESH = Asked(0, nonce=b"fresh")
FOUR = {"4": [VALUES[4].hex()]}


def production(key=KEY, pcrs=FOUR, **more):
    return policy("tpm", "production", ak=[spki(key)], pcrs=pcrs, **more)


def parts(given):
    """The four parts of the file, decoded, and how to put them back."""
    tree = json.loads(given.raw)
    quote = tree["tpm_quote"]
    return {
        "ak_public": base64.b64decode(tree["ak_public"]),
        "message": base64.b64decode(quote["message"]),
        "signature": base64.b64decode(quote["signature"]),
        "pcrs": b"".join(map(bytes.fromhex, quote["pcrs"])),
    }


def joined(pieces):
    quote = {name: coded(pieces[name]) for name in ("message", "signature")}
    quote["pcrs"] = [pieces["pcrs"][at : at + 32].hex() for at in range(0, len(pieces["pcrs"]), 32)]
    return Evidence("tpm", json.dumps({"ak_public": coded(pieces["ak_public"]), "tpm_quote": quote}).encode())


@pytest.mark.parametrize("name", named("tpm"))
def test_a_vector_gets_its_verdict_and_its_reason(name):
    found = verify(evidence(name), policy("tpm", **CASES[name]["policy"]), asked(name))
    assert found.accepted == (CASES[name]["expect"] == "accept")
    assert found.accepted or set(codes(found)) <= set(CASES[name]["reason"].split("|"))


def test_production_accepts_the_vector_with_its_key_and_registers_and_says_what_it_claims():
    said = verify(evidence(GOOD), policy("tpm", ak=AK), asked(GOOD)).claims
    found = verify(evidence(GOOD), policy("tpm", "production", ak=AK, pcrs={"0": [said["pcrs"]["0"]]}), asked(GOOD))
    assert found.accepted
    assert not found.stamp
    assert found.claims["qualifying_data"] == CASES[GOOD]["nonce"]
    assert found.claims["ak_sha256"] == hashlib.sha256(base64.b64decode(AK[0])).hexdigest()
    assert len(found.claims["pcrs"]) == 24
    assert (found.claims["pcr_bank"], found.claims["clock_safe"], found.claims["resets"]) == ("sha256", True, 2)


@pytest.mark.parametrize(
    "name", ["ak_public", "message", *(pytest.param(one, marks=pytest.mark.slow) for one in ("signature", "pcrs"))]
)
def test_every_flipped_bit_of_what_is_signed_is_refused(name):
    """All of the message, of the signature, of the key and of the registers that were quoted."""
    given = parts(evidence(GOOD))
    rules, wanted = policy("tpm", ak=AK), asked(GOOD)
    assert verify(joined(given), rules, wanted).accepted
    for at, changed in every_flip(given[name]):
        assert not verify(joined(given | {name: changed}), rules, wanted).accepted, at


@pytest.mark.slow
def test_a_flipped_bit_of_the_file_is_refused_or_changes_nothing():
    given, rules, wanted = evidence(GOOD), policy("tpm", ak=AK), asked(GOOD)
    whole_ = verify(given, rules, wanted)
    same = 0
    for at, changed in every_flip(given.raw):
        found = verify(Evidence("tpm", changed), rules, wanted)
        assert not found.accepted or found == whole_, at
        same += found == whole_
    assert same > 100  # white space, and letters of hex in the other case


def test_registers_that_were_not_quoted_say_nothing():
    chosen = (0, 4, 7)
    some = made(KEY, chosen=chosen)
    found = verify(some, production(), FRESH)
    assert found.accepted
    assert set(found.claims["pcrs"]) == {"0", "4", "7"}
    lies = made(KEY, chosen=chosen, pcrs=whole(), values=VALUES | {9: b"lie" + bytes(29)})
    assert verify(lies, production(), FRESH).claims["pcrs"] == found.claims["pcrs"]
    alone = made(KEY, chosen=chosen, pcrs=[VALUES[number].hex() for number in chosen])
    assert verify(alone, production(), FRESH).claims["pcrs"] == found.claims["pcrs"]
    missing = verify(some, production(pcrs=FOUR | {"9": [VALUES[9].hex()]}), FRESH)
    assert codes(missing) == ["pcr_not_quoted"]
    assert missing.reasons[0].path == "tpm.pcrs.9"


@pytest.mark.parametrize("digest", [SHA256, SHA384])
@pytest.mark.parametrize(
    ("key", "scheme"), [(KEY, None), (KEY, RSAPSS), (CURVES["p256"], None), (CURVES["p384"], None)]
)
def test_a_key_of_every_kind_signs_with_both_hashes(key, scheme, digest):
    good = made(key, scheme, digest)
    assert verify(good, production(key), FRESH).accepted
    data = message(extra=b"other", digest_hash="sha384" if digest == SHA384 else "sha256")
    tree = json.loads(good.raw)
    tree["tpm_quote"]["message"] = coded(data)
    assert codes(verify(Evidence("tpm", json.dumps(tree).encode()), production(key), FRESH)) == ["signature_invalid"]


def test_the_bank_of_sha384_has_its_own_values():
    values = {number: bytes([number]) * 48 for number in range(24)}
    good = made(KEY, bank=SHA384, values=values)
    found = verify(good, production(pcrs={"4": [values[4].hex()]}), FRESH)
    assert found.accepted
    assert found.claims["pcr_bank"] == "sha384"
    assert codes(verify(made(KEY, bank=SHA384), production(), FRESH)) == ["malformed"]


def test_a_register_with_another_value_is_named():
    found = verify(made(KEY), production(pcrs={"4": ["00" * 32], "7": [VALUES[7].hex()], "8": []}), FRESH)
    assert [(one.code.value, one.path) for one in found.reasons] == [
        ("pcr_not_allowed", "tpm.pcrs.4"),
        ("pcr_not_allowed", "tpm.pcrs.8"),
    ]


def test_another_key_is_refused_by_name_and_with_its_print():
    found = verify(made(OTHER), production(), FRESH)
    assert codes(found) == ["ak_not_trusted"]
    assert found.claims["ak_sha256"] in found.reasons[0].detail
    renamed = json.loads(made(OTHER).raw) | {"ak_public": spki(KEY)}
    assert codes(verify(Evidence("tpm", json.dumps(renamed).encode()), production(), FRESH)) == ["signature_invalid"]


def test_production_demands_key_registers_and_something_to_compare():
    bare = verify(made(KEY), policy("tpm", "production"), Asked(0))
    assert set(codes(bare)) == {"ak_not_trusted", "measurement_list_missing", "nonce_missing"}
    let_go = verify(made(KEY), policy("tpm"), Asked(0))
    assert let_go.accepted
    assert let_go.unchecked == ("tpm.ak", "tpm.pcrs", "tpm.nonce or report_data")
    assert let_go.stamp
    assert codes(verify(made(KEY), production(pcrs={}), FRESH)) == ["pcr_not_allowed"]


@pytest.mark.parametrize("data", [bytes(range(64)), hashlib.sha256(bytes(range(64))).digest()])
def test_report_data_is_found_as_it_is_or_hashed(data):
    wanted = Asked(0, report_data=bytes(range(64)))
    assert verify(made(KEY, extra=data), production(), wanted).accepted
    assert codes(verify(made(KEY, extra=data[:-1]), production(), wanted)) == ["report_data_mismatch"]
    assert codes(verify(made(KEY, extra=data), production(), Asked(0, report_data=bytes(64)))) == [
        "report_data_mismatch"
    ]


def test_a_nonce_is_found_as_it_is_or_filled_up_and_an_empty_one_never():
    for extra in (b"fresh", b"fresh".ljust(64, b"\0"), hashlib.sha256(b"fresh".ljust(64, b"\0")).digest()):
        assert verify(made(KEY, extra=extra), production(), FRESH).accepted
        assert codes(verify(made(KEY, extra=extra), production(), Asked(0, nonce=b"stale"))) == ["nonce_mismatch"]
    for extra in (b"fres", b"fresh\0", b"fresh" + bytes(60)):
        assert codes(verify(made(KEY, extra=extra), production(), FRESH)) == ["nonce_mismatch"]
    for extra in (b"", bytes(64)):
        assert codes(verify(made(KEY, extra=extra), production(), Asked(0, nonce=b""))) == ["nonce_mismatch"]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"magic": 0xFF544346}, "malformed"),
        ({"type": 0x8017}, "malformed"),
        ({"extra": bytes(67)}, "malformed"),
        ({"signer": bytes(69)}, "malformed"),
        ({"safe": 2}, "malformed"),
        ({"tail": b"\0"}, "malformed"),
        ({"said": bytes(65)}, "malformed"),
        ({"said": bytes(32)}, "pcr_digest_mismatch"),
        ({"said": b""}, "pcr_digest_mismatch"),
        ({"selection": selection()}, "pcr_not_quoted"),
        ({"selection": selection((SHA256, []))}, "pcr_not_quoted"),
        ({"selection": selection((SHA256, [0]), (SHA384, [1]))}, "pcr_not_quoted"),
        ({"selection": selection((4, range(24)))}, "algorithm_not_allowed"),
        ({"selection": b"\0\0\0\1\0\x0b\4\0\0\0\1"}, "malformed"),
        ({"selection": b"\0\0\0\1\0\x0b\5" + bytes(5)}, "malformed"),
        ({"selection": b"\xff\xff\xff\xff"}, "malformed"),
        ({"selection": selection((SHA256, range(24)), *[(4, [])] * 16)}, "malformed"),
    ],
)
def test_a_signed_message_of_another_form_is_refused_by_name(fields, code):
    assert codes(verify(made(KEY, **fields), production(), FRESH)) == [code]


def test_an_empty_bank_beside_the_quoted_one_is_nothing():
    assert verify(made(KEY, selection=selection((4, []), (SHA256, range(24)))), production(), FRESH).accepted


def test_bytes_behind_a_signature_are_refused_since_nobody_signed_them():
    for key in (KEY, CURVES["p256"]):
        good = parts(made(key))
        for tail in (b"\0", bytes(64)):
            changed = joined(good | {"signature": good["signature"] + tail})
            assert codes(verify(changed, production(key), FRESH)) == ["malformed"]


def test_weak_algorithms_are_refused():
    good = parts(made(KEY))
    data = good["message"]
    sha1 = signature(KEY, data)[:2] + b"\0\4" + signature(KEY, data)[4:]
    scheme = b"\0\x05" + signature(KEY, data)[2:]
    for signed in (sha1, scheme):
        assert codes(verify(joined(good | {"signature": signed}), production(), FRESH)) == ["algorithm_not_allowed"]
    small = rsa_key(1024)
    assert codes(verify(made(small), production(small), FRESH)) == ["algorithm_not_allowed"]
    der = (
        ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    )
    k1 = ec.generate_private_key(ec.SECP256K1())
    for foreign in (der, base64.b64decode(spki(k1))):
        assert codes(verify(joined(good | {"ak_public": foreign}), production(), FRESH)) == ["algorithm_not_allowed"]


def test_a_key_has_one_form():
    """A point that is written compressed is the same key in other bytes, which nobody signed."""
    key = CURVES["p256"]
    x = key.public_key().public_numbers().x.to_bytes(32, "big")
    sign = bytes([2 + key.public_key().public_numbers().y % 2])
    der = base64.b64decode(spki(key))
    short = b"\x30\x39" + der[2:-68] + b"\x03\x22\0" + sign + x
    assert codes(verify(joined(parts(made(key)) | {"ak_public": short}), production(key), FRESH)) == ["malformed"]


def test_a_signature_of_the_other_kind_of_key_is_nobodys():
    curve = CURVES["p256"]
    data = message()
    for key, other in ((KEY, curve), (curve, KEY)):
        pieces = parts(made(key)) | {"signature": signature(other, data)}
        assert codes(verify(joined(pieces), production(key), FRESH)) == ["signature_invalid"]
    zero = b"\0\x18\0\x0b\0\1\0\0\1\0"
    assert codes(verify(joined(parts(made(curve)) | {"signature": zero}), production(curve), FRESH)) == [
        "signature_invalid"
    ]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 20000,
        b'{"x":' * 5000,
        b'{"ak_public": 7, "tpm_quote": {}}',
        b" " * (33 << 10),
        b'{"ak_public": "!!!!", "tpm_quote": {"message": "", "signature": "", "pcrs": []}}',
        b'{"ak_public": "AAAA", "tpm_quote": {"message": "", "signature": "", "pcrs": []}}',
        b'{"ak_public": "", "tpm_quote": {"message": "", "signature": "", "pcrs": []}}',
    ],
)
def test_what_is_no_such_file_is_malformed(raw):
    assert codes(verify(Evidence("tpm", raw), production(), FRESH)) == ["malformed"]


def test_a_good_file_may_be_as_long_as_the_bound_and_no_longer():
    for size, expected in ((tpm.LONGEST, []), (tpm.LONGEST + 1, ["malformed"])):
        assert codes(verify(Evidence("tpm", made(KEY).raw.ljust(size)), production(), FRESH)) == expected


def test_values_that_do_not_fit_the_selection_are_malformed():
    for pcrs in ([], whole()[:23], ["zz" * 32] * 24, ["00"] * 24, [None] * 24, [*whole(), "00"]):
        assert codes(verify(made(KEY, pcrs=pcrs), production(), FRESH)) == ["malformed"]


def test_base64_has_one_form():
    tree = json.loads(made(KEY).raw)
    short = next(name for name in ("message", "signature") if tree["tpm_quote"][name].endswith("="))
    text = tree["tpm_quote"][short].rstrip("=")
    for other in (text, text[:-1] + chr(ord(text[-1]) + 1) + "=" * (-len(text) % 4), text[:8] + "\n" + text[8:]):
        tree["tpm_quote"][short] = other
        assert codes(verify(Evidence("tpm", json.dumps(tree).encode()), production(), FRESH)) == ["malformed"]


def fuzz(count):
    given, rules, wanted = evidence(GOOD), policy("tpm", ak=AK), asked(GOOD)
    whole_ = verify(given, rules, wanted)
    for blob in fuzzed(given.raw, count):
        found = verify(Evidence("tpm", blob), rules, wanted)
        assert not found.accepted or found == whole_
    draw = random.Random(8)
    pieces = parts(given)
    for name in ("message", "signature", "ak_public", "pcrs"):
        for blob in fuzzed(pieces[name], count // 4, draw.random()):
            found = verify(joined(pieces | {name: blob}), rules, wanted)
            assert not found.accepted or blob == pieces[name]


def test_fuzzed_files_and_parts_are_refused_and_nothing_breaks():
    fuzz(2000)


@pytest.mark.slow
def test_a_hundred_thousand_fuzzed_files_and_parts_are_refused():
    fuzz(50_000)


def test_a_flipped_bit_of_a_curves_signature_is_refused():
    good = parts(made(CURVES["p384"]))
    for at, changed in flips(good["signature"]):
        found = verify(joined(good | {"signature": changed}), production(CURVES["p384"]), FRESH)
        assert not found.accepted, at
