"""AMD SEV-SNP: every flipped bit, every product and key, certificates for something else, and a policy's reasons."""

import pytest

from potluck.tee.attestation.evidence import Asked, Evidence
from potluck.tee.attestation.formats import amd, chains
from potluck.tee.attestation.verify import verify
from support.tee.cases import CASES, asked, codes, every_flip, evidence, flips, part, policy
from support.tee.pki import DAY, NOW, issue, revoking, rsa_key
from support.tee.snp import CHIP, PROCESSORS, TCB, Amd, integer, tcb, text

GOOD, VLEK = "snp-milan-v2", "snp-vlek-v3-vmpl1"
PRODUCTS = ("Milan", "Genoa", "Turin")
LENGTH = 1184


def rules(mode="development", **table):
    return policy("snp", mode, None, **({"products": list(PRODUCTS)} | table))


def judged(made, one=None, now=NOW, asking=None, **table):
    return verify(made, rules(**table), (one or Amd("Genoa")).asked(now) if asking is None else asking)


@pytest.fixture(scope="module")
def genoa():
    return Amd("Genoa")


@pytest.fixture(scope="module")
def turin():
    return Amd("Turin")


def test_the_pins_are_those_of_the_roots_in_the_vectors():
    found = chains.read([evidence(GOOD).endorsements[1]], "roots").certificates
    root = next(one for one in found if one.self_issued)
    assert amd.PINS[root.fingerprint] == "Milan"
    assert len(amd.PINS) == 3


@pytest.mark.parametrize("damaged", [lambda raw: flips(raw, 600), pytest.param(every_flip, marks=pytest.mark.slow)])
def test_any_flipped_bit_of_a_report_is_refused(damaged):
    given, wanted = evidence(GOOD), asked(GOOD)
    loose = rules(max_vmpl=3, allow_debug=True, allow_migration=True)
    assert verify(given, loose, wanted).accepted
    for at, changed in damaged(given.raw):
        found = verify(part(given, 0, changed), loose, wanted)
        assert not found.accepted, at
        assert not found.claims, at


@pytest.mark.slow
def test_every_flipped_bit_of_a_report_under_a_clouds_key_is_refused():
    given, wanted = evidence(VLEK), asked(VLEK)
    for at, changed in every_flip(given.raw):
        assert not verify(part(given, 0, changed), rules(max_vmpl=3), wanted).accepted, at


@pytest.mark.parametrize("name", [GOOD, VLEK])
def test_a_flipped_bit_of_a_keys_certificate_is_refused(name):
    given, wanted = evidence(name), asked(name)
    for at, changed in flips(given.endorsements[0], 300):
        assert not verify(part(given, 1, changed), rules(max_vmpl=3), wanted).accepted, at


def test_a_flipped_bit_of_the_chain_is_refused_or_changes_nothing():
    given, wanted = evidence(GOOD), asked(GOOD)
    before, refused = verify(given, rules(), wanted), 0
    for at, changed in flips(given.endorsements[1], 400):
        after = verify(part(given, 2, changed), rules(), wanted)
        refused += not after.accepted
        assert not after.accepted or after == before, at
    assert refused > 200


@pytest.mark.parametrize("version", [2, 3, 4, 5])
@pytest.mark.parametrize("kind", ["vcek", "vlek"])
@pytest.mark.parametrize("product", PRODUCTS)
def test_every_product_key_and_version_is_accepted(product, kind, version):
    one = Amd(product, kind, name=f"{product}-B0" if kind == "vcek" else product)
    found = judged(one.evidence(version=version), one)
    assert found.reasons == ()
    assert (found.claims["product"], found.claims["signing_key"]) == (product, kind)
    fmc = {"fmc": 3} if product == "Turin" else {}
    assert found.claims["reported_tcb"] == {"bootloader": 7, "tee": 1, "snp": 14, "microcode": 200} | fmc
    assert found.claims["measurement"] == "22" * 48


@pytest.mark.parametrize("wrapped", [True, False])
@pytest.mark.parametrize("product", ["Genoa", "Turin"])
def test_a_chips_name_may_stand_in_der_or_bare(product, wrapped):
    one = Amd(product, wrapped=wrapped)
    assert judged(one.evidence(), one).accepted
    other = b"\xff" + CHIP[1 : 8 if product == "Turin" else 64]
    assert codes(judged(one.evidence(chip=other), one)) == ["chip_id_mismatch"]
    assert codes(judged(one.evidence(chip=bytes(64)), one)) == ["chip_id_mismatch"]


def test_bytes_behind_turins_short_chip_name_must_be_zero(turin):
    assert codes(judged(turin.evidence(chip=CHIP[:9]), turin)) == ["chip_id_mismatch"]


@pytest.mark.parametrize(("product", "part_"), [(one, each) for one in PRODUCTS for each in TCB] + [("Turin", "fmc")])
def test_a_certificate_for_another_tcb_is_refused(product, part_):
    one = Amd(product)
    changed = one.evidence(reported=tcb(product, **{part_: 99}))
    assert codes(judged(changed, one)) == ["tcb_mismatch"]
    assert judged(one.evidence(current=tcb(product, **{part_: 255})), one).accepted


WRONG = (
    *({number: None} for number in ("2", "3.1", "3.8", "4")),
    *({"3.1": value} for value in (b"\4\1\7", b"\2\2\1\7", b"\2\2\7", b"\2\2\xff\xff", b"")),
    {"4": CHIP[:9]},
    *({"2": value} for value in (b"\x16\x09Genoa", b"\x16\x01\xff", b"Genoa")),
)


@pytest.mark.parametrize("changes", WRONG)
def test_a_certificate_without_what_amd_writes_in_it_is_refused(changes):
    one = Amd("Genoa", changes=changes)
    assert codes(judged(one.evidence(), one)) == ["chain_invalid"]


def test_turins_certificate_must_have_the_part_that_turin_has():
    one = Amd("Turin", changes={"3.9": None})
    assert codes(judged(one.evidence(), one)) == ["chain_invalid"]


@pytest.mark.parametrize("cpu", [(0x19, 0x01), (0x1A, 0x02), (0x19, 0x20), (0x17, 0x31), (0x19, 0xB0), (0x1A, 0x12)])
def test_a_processor_of_another_product_than_the_certificates_is_refused(genoa, cpu):
    assert codes(judged(genoa.evidence(cpu=bytes((*cpu, 0))), genoa)) == ["product_mismatch"]
    assert judged(genoa.evidence(version=2, cpu=bytes((*cpu, 0))), genoa).accepted


@pytest.mark.parametrize("model", [0x10, 0x1F, 0xA0, 0xAF])
def test_all_processors_of_a_product_are_known(genoa, model):
    assert judged(genoa.evidence(cpu=bytes((0x19, model, 0))), genoa).accepted


def test_a_product_that_nobody_knows_is_refused():
    one = Amd("Genoa", name="Venice-A0")
    assert codes(judged(one.evidence(), one)) == ["product_mismatch"]


def test_a_pinned_root_vouches_for_its_own_product_alone(monkeypatch):
    one = Amd("Genoa")
    monkeypatch.setitem(amd.PINS, one.root.loaded.fingerprint, "Milan")
    assert codes(judged(one.evidence(), asking=Asked(NOW))) == ["product_mismatch"]
    monkeypatch.setitem(amd.PINS, one.root.loaded.fingerprint, "Genoa")
    assert judged(one.evidence(), asking=Asked(NOW)).accepted


@pytest.mark.parametrize(
    ("kind", "flags"), [("vcek", 1 << 2), ("vlek", 0), ("vcek", 7 << 2), ("vcek", 2), ("vcek", 4 << 2)]
)
def test_the_key_that_the_report_names_must_have_signed_it(kind, flags):
    one = Amd("Genoa", kind)
    assert codes(judged(one.evidence(flags=flags), one)) == ["signing_key_not_allowed"]


def test_of_two_keys_certificates_the_one_that_the_report_names_counts():
    chip, cloud = Amd("Genoa"), Amd("Genoa", "vlek")
    made = chip.evidence(None, cloud.leaf.der, cloud.middle.pem)
    made = Evidence("snp", made.raw, (cloud.leaf.der, *made.endorsements, cloud.middle.pem))
    assert judged(made, chip).accepted


def test_endorsements_without_a_key_are_named(genoa):
    made = Evidence("snp", genoa.report(), (genoa.middle.pem + genoa.root.pem,))
    assert codes(judged(made, genoa)) == ["endorsement_missing"]
    assert codes(judged(Evidence("snp", genoa.report()), genoa)) == ["endorsement_missing"]


def test_an_authority_is_no_key_and_a_key_right_under_the_root_is_none(genoa):
    flat = Amd("Genoa")
    extensions = [(one.value, False) for one in flat.leaf.parsed.extensions]
    flat.leaf = issue("SEV-VCEK", flat.root, key=flat.leaf.key, ca=None, uses=None, extensions=extensions)
    assert codes(judged(flat.evidence(), flat)) == ["chain_invalid"]
    other = Amd("Genoa")
    other.leaf = issue("SEV-OTHER", other.middle, key=other.leaf.key, ca=None, uses=None, extensions=extensions)
    assert not judged(other.evidence(), other).accepted


def test_a_root_of_the_right_name_with_another_key_is_refused(genoa):
    stranger = issue("ARK-Genoa", key=rsa_key())
    assert codes(judged(genoa.evidence(), asking=Asked(NOW, roots=[stranger.pem]))) == ["root_not_trusted"]
    assert codes(judged(genoa.evidence(), asking=Asked(NOW))) == ["root_not_trusted"]


@pytest.mark.parametrize("now", [NOW - 2 * DAY, NOW + 2 * DAY])
def test_certificates_count_at_the_time_that_is_asked_for(genoa, now):
    assert codes(judged(genoa.evidence(), genoa, now)) == ["certificate_expired"]


def test_a_revocation_list_counts_where_it_is_given(genoa):
    good = revoking(genoa.root)
    assert judged(genoa.evidence(None, good), genoa).accepted
    bad = revoking(genoa.root, [genoa.middle.parsed.serial_number])
    assert codes(judged(genoa.evidence(None, bad), genoa)) == ["certificate_revoked"]
    old = revoking(genoa.root, ends=NOW - 1, begins=NOW - DAY)
    assert codes(judged(genoa.evidence(None, old), genoa)) == ["collateral_expired"]
    forged = revoking(genoa.root, key=genoa.middle.key)
    assert codes(judged(genoa.evidence(None, forged), genoa)) == ["collateral_signature_invalid"]


@pytest.mark.parametrize(
    "fields", [*({"version": one} for one in (0, 1, 6, 1 << 16)), {"algorithm": 0}, {"algorithm": 2}]
)
def test_versions_and_algorithms_that_are_not_known_are_refused(genoa, fields):
    assert codes(judged(genoa.evidence(**fields), genoa)) == ["malformed"]


@pytest.mark.parametrize("size", [0, 1, LENGTH - 1, LENGTH + 1, 2 * LENGTH])
def test_a_report_has_one_length(genoa, size):
    raw = genoa.report().ljust(size, b"\0")[:size]
    assert codes(judged(genoa.evidence(raw), genoa)) == ["malformed"]
    assert codes(judged(genoa.evidence(genoa.report()[:-1] + b"\1"), genoa)) == ["malformed"]  # nor does any follow


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"policy": 0xB0000}, "debug_enabled"),
        ({"policy": 0x70000}, "migration_allowed"),
        ({"policy": 0x10000}, "attributes_not_allowed"),
        ({"policy": 0x30000 | 1 << 26}, "attributes_not_allowed"),
        ({"vmpl": 1}, "vmpl_not_allowed"),
        ({"vmpl": 0xFFFFFFFF}, "vmpl_not_allowed"),
    ],
)
def test_what_lets_the_host_in_is_refused(genoa, fields, expected):
    found = judged(genoa.evidence(**fields), genoa)
    assert codes(found) == [expected]
    assert found.claims["policy"]


def test_what_is_allowed_is_not_refused(genoa):
    assert judged(genoa.evidence(policy=0xF0000, vmpl=3), genoa, allow_debug=True, allow_migration=True, max_vmpl=3)
    host = genoa.evidence(vmpl=0xFFFFFFFF)
    assert codes(judged(host, genoa, max_vmpl=3)) == ["vmpl_not_allowed"]
    assert judged(genoa.evidence(policy=0x20000), genoa).claims["smt_allowed"] is False
    assert judged(genoa.evidence(), genoa).claims["smt_allowed"] is True


LISTS = {
    "measurements": ("22" * 48, "measurement_not_allowed"),
    "host_data": ("33" * 32, "host_data_not_allowed"),
    "id_key_digests": ("44" * 48, "id_key_not_allowed"),
    "author_key_digests": ("55" * 48, "id_key_not_allowed"),
    "chip_ids": (CHIP.hex(), "chip_id_not_allowed"),
}


@pytest.mark.parametrize("key", LISTS)
def test_a_list_compares_an_empty_one_allows_nothing_and_an_absent_one_anything(genoa, key):
    value, code = LISTS[key]
    made = genoa.evidence(id_key=b"\x44" * 48, author=b"\x55" * 48)
    assert judged(made, genoa, **{key: ["00" * (len(value) // 2), value]}).accepted
    assert judged(made, genoa).accepted
    for listed in ([], ["00" * (len(value) // 2)]):
        found = judged(made, genoa, **{key: listed})
        assert [(one.code.value, one.path) for one in found.reasons] == [(code, f"snp.{key}")]


def test_turins_chips_may_be_listed_by_their_short_names(turin):
    assert judged(turin.evidence(), turin, chip_ids=[CHIP[:8].hex()]).accepted
    assert judged(turin.evidence(), turin, chip_ids=[CHIP[:8].ljust(64, b"\0").hex()]).accepted
    assert codes(judged(turin.evidence(), turin, chip_ids=[CHIP[:7].hex() + "ff"])) == ["chip_id_not_allowed"]


@pytest.mark.parametrize(
    ("key", "place", "code"),
    [
        ("min_tcb", "reported", "tcb_too_old"),
        ("min_committed_tcb", "committed", "tcb_rollback_possible"),
        ("min_launch_tcb", "launch", "tcb_too_old"),
    ],
)
@pytest.mark.parametrize("part_", ["bootloader", "tee", "snp", "microcode", "fmc"])
def test_each_part_of_each_tcb_has_its_least(turin, key, place, code, part_):
    have = {"bootloader": 7, "tee": 1, "snp": 14, "microcode": 200, "fmc": 3}[part_]
    assert judged(turin.evidence(), turin, **{key: {part_: have}}).accepted
    found = judged(turin.evidence(), turin, **{key: {part_: have + 1}})
    assert [(one.code.value, one.path) for one in found.reasons] == [(code, f"snp.{key}.{part_}")]
    if place != "reported":  # which its certificate binds
        lower = turin.evidence(**{place: tcb("Turin", **{part_: 0})})
        assert codes(judged(lower, turin, **{key: {part_: have}})) == [code]


def test_a_part_that_a_product_does_not_have_is_not_compared(genoa):
    assert judged(genoa.evidence(), genoa, min_tcb={"fmc": 9}).accepted


def test_products_keys_and_versions_of_guests_are_a_policys(genoa):
    assert codes(judged(genoa.evidence(), genoa, products=["Milan", "Turin"])) == ["product_not_allowed"]
    assert codes(judged(genoa.evidence(), genoa, signing_key=["vlek"])) == ["signing_key_not_allowed"]
    assert judged(genoa.evidence(), genoa, min_guest_svn=5).accepted
    assert codes(judged(genoa.evidence(), genoa, min_guest_svn=6)) == ["svn_too_old"]


def test_milan_must_be_listed():
    one = Amd("Milan")
    found = verify(one.evidence(), policy("snp"), one.asked())
    assert codes(found) == ["product_not_allowed"]
    assert "Milan" in found.reasons[0].hint


def test_all_reasons_of_a_policy_are_told_together(genoa):
    made = genoa.evidence(policy=0xF0000, vmpl=2)
    table = {"measurements": [], "host_data": [], "chip_ids": [], "id_key_digests": [], "products": ["Turin"]}
    table |= {"signing_key": ["vlek"], "min_tcb": {"snp": 255}, "min_committed_tcb": {"snp": 255}, "min_guest_svn": 9}
    wanted = genoa.asked(nonce=b"other", report_data=bytes(64))
    found = verify(made, rules(**table), wanted)
    assert set(codes(found)) == {
        "debug_enabled", "migration_allowed", "vmpl_not_allowed", "product_not_allowed", "signing_key_not_allowed",
        "measurement_not_allowed", "host_data_not_allowed", "chip_id_not_allowed", "id_key_not_allowed",
        "tcb_too_old", "tcb_rollback_possible", "svn_too_old", "nonce_mismatch", "report_data_mismatch",
    }  # fmt: skip
    assert all(one.path.startswith("snp.") for one in found.reasons)


def test_a_nonce_or_report_data_that_is_another_is_refused_by_name(genoa):
    data = b"a nonce of mine".ljust(64, b"\0")
    made = genoa.evidence(data=data)
    table = {"measurements": ["22" * 48], "min_tcb": {"snp": 1, "microcode": 1}}
    assert judged(made, asking=genoa.asked(nonce=b"a nonce of mine"), **table).unchecked == ()
    assert judged(made, asking=genoa.asked(report_data=data), **table).accepted
    assert codes(judged(made, asking=genoa.asked(nonce=b"a nonce of mina"))) == ["nonce_mismatch"]
    assert codes(judged(made, asking=genoa.asked(report_data=data[:63]))) == ["report_data_mismatch"]


def test_production_demands_a_measurement_and_something_fresh():
    given, wanted = evidence(GOOD), asked(GOOD)
    found = verify(given, rules("production"), wanted)
    assert codes(found) == ["measurement_list_missing", "min_tcb_missing", "nonce_missing"]
    table = {"measurements": [CASES[GOOD]["measurement"]], "min_tcb": {"snp": 1, "microcode": 1}}
    told = Asked(wanted.now, report_data=bytes.fromhex(CASES[GOOD]["report_data"]))
    found = verify(given, rules("production", **table), told)
    assert (found.accepted, found.stamp) == (True, "")
    assert codes(verify(given, rules("production", allow_debug=True, **table), told)) == ["relaxation_in_production"]


def test_the_rig_writes_what_amd_writes():
    assert integer(200) == b"\2\2\0\xc8"
    assert text("Genoa") == b"\x16\5Genoa"
    assert {amd.processor(family, model) for family, model, _ in PROCESSORS.values()} == set(PRODUCTS)


def test_of_several_certificates_of_a_kind_the_one_that_signed_counts_in_any_order():
    """A machine keeps the certificate of its older firmware, or another machine's, beside its own."""
    given = evidence(GOOD)
    own, *chain = given.endorsements
    other = evidence("snp-wrong-vcek-other-chip").endorsements[0]
    for beside in ((own, other), (other, own)):
        made = Evidence("snp", given.raw, (*beside, *chain))
        assert verify(made, rules(), asked(GOOD)).accepted
    alone = Evidence("snp", given.raw, (other, other, *chain))
    assert codes(verify(alone, rules(), asked(GOOD))) == ["signature_invalid"]
