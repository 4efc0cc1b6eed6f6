"""What evidence says against what was asked and listed."""

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from potluck.tee.attestation.evidence import Asked
from potluck.tee.attestation.formats import compare
from potluck.tee.attestation.verdict import Code, Unchecked
from support.tee.documents import numbers
from support.tee.pki import new_key, rsa_key

VALUE = bytes(range(48))


def found(reasons):
    return [(one.code.value, one.path) for one in reasons]


@pytest.mark.parametrize("allowed", [None, [VALUE.hex()], ["00", VALUE.hex().upper()]])
def test_a_value_that_is_listed_passes_in_either_case_and_an_absent_list_compares_nothing(allowed):
    assert found(compare.among("here", VALUE, allowed, Code.MEASUREMENT)) == []


@pytest.mark.parametrize(
    "allowed", [[], ["00" * 48], [VALUE.hex()[:-2]], [VALUE.hex() + "00"], [" " + VALUE.hex()], [""]]
)
def test_a_value_that_is_not_listed_does_not_and_an_empty_list_allows_nothing(allowed):
    assert found(compare.among("here", VALUE, allowed, Code.PCR)) == [("pcr_not_allowed", "here")]


def test_the_message_shows_ends_and_count_and_the_hint():
    (one,) = compare.among("snp.measurement", VALUE, ["00"], Code.MEASUREMENT, "rebuild")
    said = "measurement_not_allowed: snp.measurement 0001...2e2f is not among 1 allowed values. hint: rebuild"
    assert str(one) == said


@pytest.mark.parametrize(
    ("value", "wanted", "good"),
    [
        (b"a", b"a", True),
        (b"a", None, True),
        (None, None, True),
        (b"a", b"b", False),
        (b"a", b"ab", False),
        (None, b"a", False),
        (b"", b"a", False),
        (b"", b"", False),  # nothing is no nonce
        (None, b"", False),
    ],
)
def test_what_is_asked_for_must_be_there_and_equal(value, wanted, good):
    assert found(compare.equal("here", value, wanted, Code.NONCE)) == ([] if good else [("nonce_mismatch", "here")])


def test_report_data_is_compared_whole_and_a_nonce_filled_up_with_zeros():
    data = b"nonce".ljust(64, b"\0")
    assert found(compare.fresh("tdx", data, Asked(0, b"nonce", data))) == []
    assert found(compare.fresh("tdx", data, Asked(0, data, None))) == []
    for nonce in (b"nonc", b"nonce1", b"", data + b"\0"):
        assert found(compare.fresh("tdx", data, Asked(0, nonce, None))) == [("nonce_mismatch", "tdx.nonce")]
    for wanted in (b"nonce", data[:-1], data[:-1] + b"\1", b""):
        assert found(compare.fresh("tdx", data, Asked(0, None, wanted))) == [
            ("report_data_mismatch", "tdx.report_data")
        ]


def test_an_empty_nonce_does_not_equal_report_data_of_zeros():
    assert found(compare.fresh("tdx", bytes(64), Asked(0, b"", None))) == [("nonce_mismatch", "tdx.nonce")]
    assert found(compare.fresh("tdx", bytes(64), Asked(0, b"\0", None))) == []


def test_both_mismatches_are_reported_and_nothing_asked_is_unchecked():
    both = found(compare.fresh("tdx", bytes(64), Asked(0, b"n", b"d")))
    assert both == [("report_data_mismatch", "tdx.report_data"), ("nonce_mismatch", "tdx.nonce")]
    assert list(compare.fresh("tdx", bytes(64), Asked(0))) == [Unchecked("tdx.nonce or report_data")]


@pytest.mark.parametrize(
    ("curve", "size", "algorithm"), [(ec.SECP256R1, 32, hashes.SHA256), (ec.SECP384R1, 48, hashes.SHA384)]
)
def test_a_signature_is_r_and_s_of_the_curves_size_under_the_curves_hash(curve, size, algorithm):
    key = new_key(curve)
    good = numbers(key.sign(b"message", ec.ECDSA(algorithm())), size)
    public = key.public_key()
    assert compare.signed(public, good, b"message")
    assert not compare.signed(public, good, b"massage")
    assert not compare.signed(new_key(curve).public_key(), good, b"message")
    other = hashes.SHA256 if algorithm is hashes.SHA384 else hashes.SHA384
    assert not compare.signed(public, numbers(key.sign(b"message", ec.ECDSA(other())), size), b"message")
    for bad in (b"", good[:-1], good + b"\0", bytes(2 * size), b"\xff" * 2 * size, good[size:] + good[:size]):
        assert not compare.signed(public, bad, b"message")
    for at in range(2 * size):
        assert not compare.signed(public, good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :], b"message")


def test_a_key_of_another_kind_signs_nothing():
    for key in (None, "key", ed25519.Ed25519PrivateKey.generate().public_key(), rsa_key(2048).public_key()):
        assert not compare.signed(key, bytes(64), b"message")
    odd = new_key(ec.SECP521R1)
    signature = numbers(odd.sign(b"message", ec.ECDSA(hashes.SHA512())), 66)
    assert not compare.signed(odd.public_key(), signature, b"message")
