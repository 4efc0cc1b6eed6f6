"""AWS Nitro: every vector, every damaged byte, documents of an authority of our own, and CBOR that is not canonical."""

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from potluck.tee.attestation.evidence import Asked, Evidence
from potluck.tee.attestation.formats import cbor, nitro
from potluck.tee.attestation.verdict import Fault
from potluck.tee.attestation.verify import verify
from support.tee.cases import CASES, asked, codes, every_flip, evidence, flips, fuzzed, listed, named, part, policy
from support.tee.documents import NOW, Nitro, coded, numbers

GOOD = "nitro-prod-2022"


@pytest.fixture(scope="module")
def aws():
    return Nitro()


def verdict(aws, table=None, mode="development", now=NOW, nonce=b"fresh", age=None, **fields):
    given = {"pcr0": [fields.pop("listed", bytes([7] * 48)).hex()]} | (table or {})
    made = Evidence("nitro", aws.document(**fields))
    return verify(made, policy("nitro", mode, age, **given), Asked(now, nonce=nonce, roots=[aws.root.pem]))


@pytest.mark.parametrize("name", named("nitro"))
def test_a_vector_gets_its_verdict_and_its_reason(name):
    found = verify(evidence(name), listed(name), asked(name))
    assert found.accepted == (CASES[name]["expect"] == "accept")
    assert found.accepted or set(codes(found)) <= set(CASES[name]["reason"].split("|"))


def test_claims_are_what_the_document_says_and_production_accepts_it():
    case = CASES[GOOD]
    found = verify(evidence(GOOD), listed(GOOD, "production"), asked(GOOD))
    assert found.accepted
    assert not found.stamp
    assert found.claims["nonce"] == case["nonce"]
    assert found.claims["pcrs"] == case["pcrs"]


def test_the_pin_is_that_of_the_root_in_the_vectors():
    root = (evidence(GOOD).endorsements[0]).decode()
    assert nitro.chains.read([root.encode()], "root").certificates[0].fingerprint == nitro.ROOT_PIN


def test_any_flipped_bit_of_a_document_is_refused():
    given, rules, wanted = evidence(GOOD), listed(GOOD), asked(GOOD)
    for at, changed in flips(given.raw, 400):
        found = verify(part(given, 0, changed), rules, wanted)
        assert not found.accepted, at
        assert not found.claims, at


@pytest.mark.slow
@pytest.mark.parametrize("name", [GOOD, "nitro-ta-control"])
def test_every_flipped_bit_of_a_document_is_refused(name):
    given, rules, wanted = evidence(name), listed(name), asked(name)
    for at, changed in every_flip(given.raw):
        assert not verify(part(given, 0, changed), rules, wanted).accepted, at


def test_a_root_beside_a_document_is_neither_needed_nor_read():
    given, rules, wanted = evidence(GOOD), listed(GOOD), asked(GOOD)
    whole = verify(given, rules, wanted)
    assert verify(Evidence("nitro", given.raw), rules, wanted) == whole
    for _, changed in flips(given.endorsements[0], 20):
        assert verify(part(given, 1, changed), rules, wanted) == whole


def test_fuzzed_documents_are_refused_and_nothing_breaks():
    given, rules, wanted = evidence(GOOD), listed(GOOD), asked(GOOD)
    for blob in fuzzed(given.raw, 1000):
        assert not verify(Evidence("nitro", blob), rules, wanted).accepted or blob == given.raw


def test_a_tagged_document_says_the_same():
    given, rules, wanted = evidence(GOOD), listed(GOOD), asked(GOOD)
    assert verify(Evidence("nitro", b"\xd2" + given.raw), rules, wanted) == verify(given, rules, wanted)
    assert codes(verify(Evidence("nitro", b"\xd2\xd2" + given.raw), rules, wanted)) == ["malformed"]


def test_every_failure_of_policy_is_reported_at_once():
    rules = policy("nitro", age=60, pcr0=["00" * 48], pcr4=[], pcr15=["11" * 48])
    late = asked(GOOD, nonce=b"other", report_data=b"data", now=CASES[GOOD]["at"] + 600)
    found = verify(evidence(GOOD), rules, late)
    assert [(one.code.value, one.path) for one in found.reasons] == [
        ("measurement_not_allowed", "nitro.pcr0"),
        ("measurement_not_allowed", "nitro.pcr4"),
        ("measurement_not_allowed", "nitro.pcr15"),
        ("nonce_mismatch", "nitro.nonce"),
        ("report_data_mismatch", "nitro.user_data"),
        ("evidence_too_old", "max_evidence_age_s"),
    ]
    assert found.claims


@pytest.mark.parametrize(
    ("now", "accepted"), [(1665651478, False), (1665651480, True), (1665662282, True), (1665662283, False)]
)
def test_certificates_count_from_their_first_second_to_their_last(now, accepted):
    found = verify(evidence(GOOD), listed(GOOD), asked(GOOD, now=now))
    assert found.accepted == accepted
    assert accepted or codes(found) == ["certificate_expired"]


def test_production_demands_a_nonce_and_the_image(aws):
    found = verify(evidence(GOOD), policy("nitro", "production"), Asked(CASES[GOOD]["at"]))
    assert codes(found) == ["measurement_list_missing", "nonce_missing"]
    found = verify(evidence(GOOD), policy("nitro"), Asked(CASES[GOOD]["at"]))
    assert found.accepted
    assert found.unchecked == ("nitro.pcr0", "nitro.nonce or report_data")
    assert found.stamp


def test_our_own_document_is_accepted_under_our_own_root_only(aws):
    assert verdict(aws).accepted
    made = Evidence("nitro", aws.document())
    assert codes(verify(made, policy("nitro"), Asked(NOW))) == ["root_not_trusted"]
    assert codes(verdict(aws, mode="production")) == ["relaxation_in_production"]


def test_a_debugged_enclave_is_refused_even_where_its_zeros_are_listed(aws):
    zeros = bytes(48)
    found = verdict(aws, listed=zeros, pcrs={0: zeros, 1: bytes([1] * 48)})
    assert codes(found) == ["debug_enabled"]
    assert found.claims["debug"] is True


def test_a_register_that_is_not_there_is_not_among_those_listed(aws):
    assert codes(verdict(aws, table={"pcr9": ["00" * 48]})) == ["measurement_not_allowed"]


def test_user_data_answers_report_data(aws):
    made = Evidence("nitro", aws.document(user_data=b"d" * 64))
    for wanted, expected in ((b"d" * 64, []), (b"e" * 64, ["report_data_mismatch"]), (b"", ["report_data_mismatch"])):
        found = verify(made, policy("nitro"), Asked(NOW, report_data=wanted, roots=[aws.root.pem]))
        assert codes(found) == expected
    absent = Evidence("nitro", aws.document(user_data=None))
    found = verify(absent, policy("nitro"), Asked(NOW, report_data=b"d", roots=[aws.root.pem]))
    assert codes(found) == ["report_data_mismatch"]


def test_an_empty_nonce_is_never_fresh(aws):
    assert codes(verdict(aws, nonce=b"")) == ["nonce_mismatch"]
    assert codes(verdict(aws, nonce=b"", fields={"nonce": b""})) == ["nonce_mismatch"]


@pytest.mark.parametrize(
    ("age", "ahead", "expected"),
    [
        (60, -60, []),
        (60, -61, ["evidence_too_old"]),
        (0, 0, []),
        (0, 60, []),
        (0, 61, ["evidence_too_old"]),
        (None, -900, []),
    ],
)
def test_a_document_older_than_the_policy_says_is_refused_and_one_from_the_future_too(aws, age, ahead, expected):
    assert codes(verdict(aws, age=age, fields={"timestamp": (NOW + ahead) * 1000})) == expected


@pytest.mark.parametrize("name", ["module_id", "timestamp", "digest", "pcrs", "certificate", "cabundle"])
@pytest.mark.parametrize("value", [..., None, 0, b"", "", [], {}, [b""], {0: b""}])
def test_a_mandatory_field_that_is_absent_or_empty_or_of_another_kind_is_malformed(aws, name, value):
    assert codes(verdict(aws, fields={name: value})) == ["malformed"]


@pytest.mark.parametrize(
    "change",
    [
        {"digest": "SHA256"},
        {"digest": b"SHA384"},
        {"timestamp": -1},
        {"timestamp": True},
        {"module_id": b"i-0"},
        {"pcrs": {0: bytes([7] * 32)}},
        {"pcrs": {0: bytes([7] * 64)}},
        {"pcrs": {1: bytes([7] * 48)}},
        {"pcrs": {0: bytes([7] * 48), 32: bytes(48)}},
        {"pcrs": {0: bytes([7] * 48), -1: bytes(48)}},
        {"pcrs": {"0": bytes([7] * 48)}},
        {"pcrs": {0: bytes([7] * 48), 1: "text"}},
        {"nonce": b"n" * 1025},
        {"user_data": "text"},
        {"public_key": b"k" * 1025},
        {"cabundle": [b"c" * 1025]},
        {"certificate": b"no certificate"},
    ],
)
def test_fields_beyond_their_bounds_are_malformed(aws, change):
    assert codes(verdict(aws, fields=change)) == ["malformed"]


def test_a_bundle_longer_than_a_chain_may_be_is_malformed(aws):
    assert codes(verdict(aws, fields={"cabundle": [aws.root.der] * 9})) == ["malformed"]


def test_a_document_that_is_signed_and_too_long_is_malformed(aws):
    assert codes(verdict(aws, fields={"module_id": "i" * (nitro.LONGEST >> 1)})) == []
    assert codes(verdict(aws, fields={"module_id": "i" * nitro.LONGEST})) == ["malformed"]


def test_fields_that_are_not_known_yet_change_nothing(aws):
    assert verdict(aws, fields={"tomorrow": b"x"}).accepted


@pytest.mark.parametrize("header", [{1: -7}, {1: -36}, {1: -35, 4: b"kid"}, {}, {"1": -35}, {3: -35}])
def test_any_algorithm_but_es384_alone_is_refused(aws, header):
    assert codes(verdict(aws, header=header)) == ["algorithm_not_allowed"]


@pytest.mark.parametrize("header", [[1, -35], -35, "alg", False])
def test_a_header_that_is_no_map_is_malformed(aws, header):
    assert codes(verdict(aws, header=header)) == ["malformed"]


@pytest.mark.parametrize("payload", [[], 7, "text", b"", None, True])
def test_a_payload_that_is_no_map_is_malformed(payload):
    raw = coded([coded({1: -35}), {}, coded(payload), bytes(96)])
    assert codes(verify(Evidence("nitro", raw), policy("nitro"), Asked(NOW))) == ["malformed"]


def test_an_unprotected_header_is_malformed(aws):
    assert codes(verdict(aws, unprotected={1: -35})) == ["malformed"]
    assert codes(verdict(aws, unprotected=[])) == ["malformed"]


def test_a_signature_by_another_key_or_of_another_length_is_refused(aws):
    other = ec.generate_private_key(ec.SECP384R1())
    assert codes(verdict(aws, key=other)) == ["signature_invalid"]
    for wrong in (b"", b"\0" * 96, b"\0" * 95, b"\xff" * 96, b"\1" * 192):
        assert codes(verdict(aws, signature=wrong)) == ["signature_invalid"]


def test_a_signature_in_der_is_refused(aws):
    made = aws.payload()
    message = coded(["Signature1", coded({1: -35}), b"", made])
    der = aws.leaf.key.sign(message, ec.ECDSA(hashes.SHA384()))
    assert codes(verdict(aws, signature=der)) == ["signature_invalid"]
    assert verdict(aws, signature=numbers(der)).accepted


def test_a_document_signed_by_an_authority_of_its_chain_is_refused(aws):
    bundle = [aws.root.der]
    found = verdict(aws, key=aws.middle.key, fields={"certificate": aws.middle.der, "cabundle": bundle})
    assert codes(found) == ["chain_invalid"]


def test_a_document_of_hostile_size_is_refused_before_it_is_read():
    for raw in (b"\x9a\xff\xff\xff\xff" * 100, b"\x84" * 16000, b"\xbb" + b"\xff" * 8, b"\x5b" + b"\xff" * 8):
        assert codes(verify(Evidence("nitro", raw), policy("nitro"), Asked(NOW))) == ["malformed"]
    for size in (16385, 1 << 20, (1 << 20) + 1):
        assert codes(verify(Evidence("nitro", bytes(size)), policy("nitro"), Asked(NOW))) == ["malformed"]


@pytest.mark.parametrize(
    "value",
    [
        0,
        23,
        24,
        255,
        256,
        65535,
        65536,
        1 << 32,
        (1 << 64) - 1,
        -1,
        -24,
        -25,
        -(1 << 64),
        b"",
        b"x" * 23,
        b"x" * 24,
        b"x" * 256,
        b"x" * 65536,
        "",
        "ü",
        [],
        [1, [2, [3]]],
        {},
        {1: 2, "a": b"c"},
        True,
        False,
        None,
    ],
)
def test_canonical_cbor_is_read_as_a_library_reads_it(value):
    assert cbor.read(coded(value), "here") == value


@pytest.mark.parametrize("size", [0, 23, 24, 255, 256, 65535, 65536])
def test_a_byte_string_is_written_as_a_library_writes_it(size):
    assert cbor.text(b"x" * size) == coded(b"x" * size)


@pytest.mark.parametrize(
    "data",
    [
        "",
        "1817",  # 23 in two bytes
        "1900ff",
        "1a0000ffff",
        "1b00000000ffffffff",
        "3817",
        "5803616263",
        "9f01ff",  # indefinite
        "5f4161ff",
        "bf0102ff",
        "c074",  # a tag
        "d2a0",
        "f93c00",  # floats
        "fa3f800000",
        "fb3ff0000000000000",
        "f7",  # undefined
        "f818",
        "f0",
        "ff",
        "1c",
        "1f",
        "61ff",  # no UTF-8
        "62c3",
        "a201020103",  # a key twice
        "a2616101616102",
        "a1a001",  # keys of other kinds
        "a1410101",
        "a1f501",
        "a1f601",
        "a101",  # too short
        "8201",
        "0000",  # too long
        "8181818181",  # too deep
        "818181818181818100",
    ],
)
def test_anything_but_canonical_cbor_within_bounds_is_malformed(data):
    with pytest.raises(Fault) as caught:
        cbor.read(bytes.fromhex(data), "here")
    assert caught.value.reason.code == "malformed"
