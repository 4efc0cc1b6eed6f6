"""NVIDIA GPUs: every vector, every damaged letter, and reports under an authority of our own."""

import hashlib

import pytest

from potluck.tee.attestation.evidence import Asked, Evidence
from potluck.tee.attestation.formats import chains, nvidia
from potluck.tee.attestation.verify import verify
from support.tee.cases import CASES, asked, codes, every_flip, evidence, flips, fuzzed, listed, named, part, policy
from support.tee.documents import NOW, Gpu
from support.tee.pki import issue, new_key, revoking

GOOD = "nvidia-hopper"


@pytest.fixture(scope="module")
def gpu():
    return Gpu()


def verdict(gpu, raw=None, chain=None, now=NOW, nonce=Gpu.NONCE, report_data=None, **table):
    chain = [gpu.chain] if chain is None else chain
    made = Evidence("nvidia-gpu", gpu.report() if raw is None else raw, tuple(chain))
    wanted = Asked(now, nonce, report_data, [gpu.root.pem])
    return verify(made, policy("nvidia-gpu", **table), wanted)


def ders(blob):
    return [one.der for one in chains.read([blob], "test").certificates]


@pytest.mark.parametrize("name", named("nvidia-gpu"))
def test_a_vector_gets_its_verdict_and_its_reason(name):
    found = verify(evidence(name), listed(name), asked(name))
    assert found.accepted == (CASES[name]["expect"] == "accept")
    assert found.accepted or set(codes(found)) <= set(CASES[name]["reason"].split("|"))


def test_the_pin_is_that_of_the_root_in_the_vectors():
    root = evidence(GOOD).endorsements[1]
    assert chains.read([root], "root").certificates[0].fingerprint == nvidia.ROOT_PIN


def test_the_measurement_is_sha384_of_the_record_as_it_stands_and_production_accepts_it():
    raw = bytes.fromhex(evidence(GOOD).raw.decode())
    measured = hashlib.sha384(raw[45 : 45 + 64 * 55]).hexdigest()
    rules = policy("nvidia-gpu", "production", measurements=[measured.upper()])
    found = verify(evidence(GOOD), rules, asked(GOOD))
    assert found.accepted
    said = found.claims
    assert said["measurement"] == measured
    assert said["nonce"] == CASES[GOOD]["nonce"]
    assert (said["driver"], said["vbios"]) == ("550.90.07", "96.00.9F.00.01")
    assert said["device"] == "NVIDIA:GH100:48B02D92494BADF4"
    assert said["measurements"]["2"].startswith("8048dfd18fe229bf")
    assert "1" not in said["measurements"]
    assert said["reference_values"] == "not compared"


def same_or_refused(found, whole):
    return found == whole or (not found.accepted and not found.claims)


@pytest.mark.parametrize("count", [250, pytest.param(None, marks=pytest.mark.slow)])
def test_any_flipped_bit_of_a_report_is_refused_save_those_that_change_a_letters_case(count):
    given, rules, wanted = evidence(GOOD), listed(GOOD), asked(GOOD)
    whole = verify(given, rules, wanted)
    for at, changed in flips(given.raw, count):
        found = verify(part(given, 0, changed), rules, wanted)
        if changed.lower() == given.raw.lower():
            assert found == whole, at
        else:
            assert not found.accepted, at
            assert not found.claims, at


@pytest.mark.slow
def test_any_flipped_bit_of_a_chain_is_refused_or_changes_nothing():
    given, rules, wanted = evidence(GOOD), listed(GOOD), asked(GOOD)
    whole = verify(given, rules, wanted)
    check_chain_flips(given, rules, wanted, whole, flips(given.endorsements[0], 500))
    for at, changed in flips(given.endorsements[1], 20):  # the root comes twice, and gives no trust
        assert verify(part(given, 2, changed), rules, wanted).accepted or changed[:6] != b"------", at


def check_chain_flips(given, rules, wanted, whole, damaged):
    links = ders(given.endorsements[0])[:4]
    for at, changed in damaged:
        found = verify(part(given, 1, changed), rules, wanted)
        assert same_or_refused(found, whole), at
        if found.accepted:
            assert ders(changed)[:4] == links, at


@pytest.mark.slow
def test_every_flipped_bit_of_a_report_and_of_its_chain_is_refused_or_changes_nothing():
    given, rules, wanted = evidence(GOOD), listed(GOOD), asked(GOOD)
    whole = verify(given, rules, wanted)
    check_chain_flips(given, rules, wanted, whole, every_flip(given.endorsements[0]))
    for at, changed in every_flip(given.raw):
        accepted = verify(part(given, 0, changed), rules, wanted).accepted
        assert accepted == (changed.lower() == given.raw.lower()), at


@pytest.mark.parametrize("count", [100, pytest.param(2000, marks=pytest.mark.slow)])
def test_fuzzed_reports_and_chains_are_refused_and_nothing_breaks(count):
    given, rules, wanted = evidence(GOOD), listed(GOOD), asked(GOOD)
    links = ders(given.endorsements[0])[:4]
    for blob in fuzzed(given.raw, count):
        assert not verify(part(given, 0, blob), rules, wanted).accepted or blob.lower().strip() == given.raw.lower()
    for blob in fuzzed(given.endorsements[0], count):
        if verify(part(given, 1, blob), rules, wanted).accepted:
            assert set(links) <= set(ders(blob))


def test_every_failure_of_policy_is_reported_at_once():
    rules = policy("nvidia-gpu", measurements=["00" * 48])
    found = verify(evidence(GOOD), rules, asked(GOOD, nonce=bytes(32), report_data=bytes(64)))
    assert [(one.code.value, one.path) for one in found.reasons] == [
        ("measurement_not_allowed", "nvidia-gpu.measurements"),
        ("nonce_mismatch", "nvidia-gpu.nonce"),
        ("report_data_mismatch", "nvidia-gpu.report_data"),
    ]
    assert found.claims


def test_production_demands_a_nonce_and_a_measurement():
    found = verify(evidence(GOOD), policy("nvidia-gpu", "production"), Asked(NOW))
    assert codes(found) == ["measurement_list_missing", "nonce_missing"]


def test_an_empty_list_allows_nothing(gpu):
    assert codes(verdict(gpu, measurements=[])) == ["measurement_not_allowed"]


def test_our_own_report_is_accepted_under_our_own_root_only(gpu):
    assert verdict(gpu).accepted
    made = Evidence("nvidia-gpu", gpu.report(), (gpu.chain,))
    assert codes(verify(made, policy("nvidia-gpu"), Asked(NOW, Gpu.NONCE))) == ["root_not_trusted"]


def test_the_order_of_certificates_does_not_matter_but_the_gpus_own_must_be_there(gpu):
    backwards = [one.pem for one in (gpu.root, gpu.model, gpu.rom, gpu.leaf)]
    assert verdict(gpu, chain=backwards).accepted
    assert codes(verdict(gpu, chain=backwards[:3])) == ["chain_invalid"]
    assert codes(verdict(gpu, chain=[gpu.leaf.pem, gpu.model.pem])) == ["chain_invalid"]
    assert codes(verdict(gpu, chain=[])) == ["endorsement_missing"]
    assert codes(verdict(gpu, chain=[b""])) == ["malformed"]


def test_dates_and_revocation_count(gpu):
    assert codes(verdict(gpu, now=NOW + 10 * 86400)) == ["certificate_expired"]
    revoked = revoking(gpu.rom, [gpu.leaf.parsed.serial_number])
    assert codes(verdict(gpu, chain=[gpu.chain, revoked])) == ["certificate_revoked"]
    assert verdict(gpu, chain=[gpu.chain, revoking(gpu.rom, [5])]).accepted


def test_a_signature_by_another_gpu_is_refused(gpu):
    assert codes(verdict(gpu, gpu.report(key=new_key()))) == ["signature_invalid"]
    other = issue("gpu", gpu.rom, ca=None)
    assert codes(verdict(gpu, chain=[other.pem, gpu.chain])) == ["signature_invalid"]


@pytest.mark.parametrize("oid", ["2.23.133.5.4.1", "2.23.133.5.4.1.1"])
def test_the_certificate_is_of_the_firmware_in_the_report(oid):
    assert verdict(Gpu(oid=oid)).accepted
    assert codes(verdict(Gpu(firmware=bytes([6] * 48), oid=oid))) == ["tcb_mismatch"]


def test_a_certificate_that_names_no_firmware_fits_only_a_report_that_names_none():
    silent = Gpu(firmware=None)
    assert codes(verdict(silent)) == ["tcb_mismatch"]
    assert verdict(silent, silent.report(fields={})).accepted
    for odd in (b"", b"\5", bytes(200)):
        assert codes(verdict(silent, silent.report(fields={20: odd}))) == ["tcb_mismatch"]


@pytest.mark.parametrize(
    "head",
    [
        {"question": b"\x12\xe0\x01\xff"},  # another version
        {"question": b"\x11\xe1\x01\xff"},  # another question
        {"question": b"\x11\xe0\x00\xff"},  # not asked to be signed
        {"question": b"\x11\xe0\x01\x02"},  # one measurement only
        {"answer": b"\x12\x60\0\0"},
        {"answer": b"\x11\x7f\0\0"},  # an error
        {"answer": b"\x11\x60\0\x01"},  # signed with another slot's key
        {"count": b"\0"},
        {"count": b"\1"},
        {"count": b"\3"},
        {"size": b"\0\0\0"},
        {"size": b"\xff\xff\xff"},
        {"length": b"\0\0"},
        {"length": b"\xff\xff"},
        {"nonce": bytes(31)},
        {"own": bytes(33)},
        {"opaque": b""},
    ],
)
def test_a_report_of_another_shape_is_malformed_even_if_it_is_signed(gpu, head):
    assert codes(verdict(gpu, gpu.report(**head))) == ["malformed"]


def test_measurements_of_another_shape_are_malformed(gpu):
    good = gpu.block(1)
    for blocks in ([], [good, good], [gpu.block(1, how=2)], [good + b"\0"], [good[:-1]], [good, good[:3]]):
        assert codes(verdict(gpu, gpu.report(blocks=blocks))) == ["malformed"]
    assert verdict(gpu, gpu.report(blocks=[gpu.block(7, b"")])).accepted


def test_a_measurement_left_out_or_moved_or_of_another_kind_changes_the_measurement(gpu):
    ways = [[gpu.block(1), gpu.block(2)], [gpu.block(2), gpu.block(1)], [gpu.block(1)]]
    ways += [[gpu.block(1, kind=0x81), gpu.block(2)], [gpu.block(1), gpu.block(3)]]
    found = {verdict(gpu, gpu.report(blocks=blocks)).claims["measurement"] for blocks in ways}
    assert len(found) == len(ways)


def test_a_field_twice_or_cut_is_malformed(gpu):
    assert codes(verdict(gpu, gpu.report(fields=[(3, b"a"), (3, b"b")]))) == ["malformed"]
    assert codes(verdict(gpu, gpu.report(length=b"\3\0", opaque=b"\3\0\5"))) == ["malformed"]
    assert codes(verdict(gpu, gpu.report(length=b"\5\0", opaque=b"\3\0\2\0a"))) == ["malformed"]


def test_text_in_claims_is_plain(gpu):
    said = verdict(gpu, gpu.report(fields={3: b"\x1b[31m\xff\0rest", 6: b""})).claims
    assert said["driver"].isascii()
    assert said["driver"].isprintable()
    assert said["vbios"] == ""


def test_a_report_is_hex_and_nothing_else(gpu):
    good = gpu.report()
    assert verdict(gpu, b"\n " + good.upper() + b"\r\n").accepted
    for bad in (
        bytes.fromhex(good.decode()),
        good[:-1],
        good + b"00",
        b"0x" + good,
        good[:8] + b" " + good[8:],
        b"",
        b"zz",
    ):
        assert codes(verdict(gpu, bad)) == ["malformed"]


def test_a_report_that_is_signed_and_too_long_is_malformed(gpu):
    for size, expected in ((nvidia.LONGEST >> 1, []), (nvidia.LONGEST, ["malformed"])):
        fields = {3: b"5" * size, 20: gpu.FIRMWARE}
        assert codes(verdict(gpu, gpu.report(fields=fields))) == expected


def test_a_report_of_hostile_size_is_refused_before_it_is_read():
    for size in (2 * nvidia.LONGEST + 3, 1 << 20, (1 << 20) + 1):
        found = verify(Evidence("nvidia-gpu", b"0" * size), policy("nvidia-gpu"), Asked(NOW))
        assert codes(found) == ["malformed"]
    found = verify(Evidence("nvidia-gpu", b"11", (b"x",) * 9), policy("nvidia-gpu"), Asked(NOW))
    assert codes(found) == ["malformed"]
