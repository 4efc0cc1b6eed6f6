"""Quotes of a platform of our own: each joint of their signatures, and every attribute that a host could bend."""

import hashlib
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from support.tee.cases import codes, flipped, policy
from support.tee.intel import NO_VE, Intel
from support.tee.pki import DAY, NOW, issue, new_key


@pytest.fixture(scope="module", params=["sgx", "tdx"])
def intel(request):
    return Intel(request.param)


@pytest.fixture(scope="module")
def tdx():
    return Intel("tdx")


def test_a_quote_that_another_key_signed_is_refused_at_each_of_its_three_joints(intel):
    rules, other = policy(intel.kind), new_key(ec.SECP256R1)
    assert codes(intel.verdict(rules, intel.quote(key=other))) == ["signature_invalid"]
    assert codes(intel.verdict(rules, intel.quote(qe=intel.enclave_report(bytes(64))))) == ["qe_report_mismatch"]
    false = issue("PCK Certificate", intel.authority, key=other, ca=False)
    stranger = intel.quote(chain=(false, intel.authority, intel.root))
    assert codes(intel.verdict(rules, stranger)) == ["signature_invalid"]


def test_a_quoting_enclave_vouches_for_its_data_too(intel):
    assert intel.verdict(policy(intel.kind), intel.quote(key_data=b"k" * 32)).accepted
    for size in (0, 31, 33):
        assert codes(intel.verdict(policy(intel.kind), intel.quote(key_data=b"k" * size))) == ["malformed"]


def test_a_quote_has_its_platforms_certificate_and_its_authoritys_and_no_words_between(intel):
    """Words that nobody signed would be let in with them."""
    rules, pems = policy(intel.kind), [one.pem for one in (intel.leaf, intel.authority, intel.root)]
    assert intel.verdict(rules, intel.quote(chain=[SimpleNamespace(pem=b"\n".join(pems))])).accepted
    for text in (pems[0], b"words\n" + b"".join(pems), pems[0] + b"words\n" + pems[1] + pems[2]):
        said = intel.verdict(rules, intel.quote(chain=[SimpleNamespace(pem=text)]))
        assert codes(said) == ["chain_invalid"]


def test_a_certificate_of_intels_that_is_no_platforms_is_refused(intel):
    rules = policy(intel.kind)
    plain = issue("PCK Certificate", intel.authority, key=intel.leaf.key, ca=False, ends=NOW + 400 * DAY)
    said = intel.verdict(rules, intel.quote(chain=(plain, intel.authority, intel.root)))
    assert codes(said)[0] in {"chain_invalid", "tcb_not_recognised"}
    assert not said.accepted


def test_a_debugged_quoting_enclave_is_refused(intel):
    public = intel.attestation.public_key().public_numbers()
    key = public.x.to_bytes(32, "big") + public.y.to_bytes(32, "big")
    vouched = hashlib.sha256(key + bytes(range(32))).digest().ljust(64, b"\0")
    good = intel.enclave_report(vouched)
    assert intel.verdict(policy(intel.kind), intel.quote(qe=good)).accepted
    debugged = intel.enclave_report(vouched, attributes=b"\x17")
    assert codes(intel.verdict(policy(intel.kind), intel.quote(qe=debugged))) == ["tcb_not_recognised"]


@pytest.mark.parametrize(
    ("bit", "expected"),
    [
        (0, "debug_enabled"),
        (1, "attributes_not_allowed"),
        (4, "debug_enabled"),
        (5, "debug_enabled"),
        (6, "debug_enabled"),
        (15, "attributes_not_allowed"),
        (17, "attributes_not_allowed"),  # service domains
        (26, "attributes_not_allowed"),
        (28, "attributes_not_allowed"),  # off
        (29, "migration_allowed"),
        (30, None),  # protection keys, key locker, performance counters: the guest's own
        (31, None),
        (40, "attributes_not_allowed"),
        (63, None),
    ],
)
def test_attributes_of_a_domain_are_judged_bit_by_bit(tdx, bit, expected):
    said = tdx.verdict(policy("tdx"), tdx.quote(tdx.domain(NO_VE ^ 1 << bit)))
    assert codes(said) == ([expected] if expected else [])
    assert said.claims["debug"] is (bit == 0)


def test_all_that_is_wrong_with_a_domain_is_said_at_once_with_what_the_policy_says(tdx):
    raw = tdx.quote(tdx.domain(1 << 29 | 1 << 40))
    said = tdx.verdict(policy("tdx", mrtd=["11" * 48]), raw)
    wanted = ["migration_allowed", "attributes_not_allowed", "attributes_not_allowed", "measurement_not_allowed"]
    assert codes(said) == wanted


def test_a_debugged_domains_collateral_is_still_looked_at_where_its_attributes_are_only_odd(tdx):
    raw = tdx.quote(tdx.domain(NO_VE | 1 << 29))
    assert codes(tdx.verdict(policy("tdx"), raw, collateral=b"{}")) == ["collateral_missing"]
    low = tdx.collateral(tdx.information([tdx.level(svn=9)]))
    assert codes(tdx.verdict(policy("tdx"), raw, collateral=low)) == ["tcb_not_recognised"]


def test_every_measured_and_owned_field_is_compared_where_it_stands(tdx):
    codes_of = dict.fromkeys(("mrtd", "rtmr0", "rtmr1", "rtmr2", "rtmr3", "mrseam"), "measurement_not_allowed")
    codes_of |= dict.fromkeys(("mrconfigid", "mrowner"), "owner_not_allowed") | {"xfam": "attributes_not_allowed"}
    values = {name: bytes([at + 1]) * (8 if name == "xfam" else 48) for at, name in enumerate(codes_of)}
    raw = tdx.quote(tdx.domain(**values))
    table = {name: [value.hex()] for name, value in values.items()}
    assert tdx.verdict(policy("tdx", **table), raw).accepted
    for name, code in codes_of.items():
        said = tdx.verdict(policy("tdx", **(table | {name: ["00" * len(values[name])]})), raw)
        assert [(one.code.value, one.path) for one in said.reasons] == [(code, f"tdx.{name}")]


@pytest.mark.parametrize(
    "fields", [{"mrsignerseam": b"\1" * 48}, {"seam_attributes": b"\1" + bytes(7)}, {"svn": b"\0\1"}, {"svn": b"\1\7"}]
)
def test_a_domain_under_a_module_that_the_collateral_does_not_know_is_refused(tdx, fields):
    """Another signer, a debugged module, one that is too old, and one of a kind that Intel does not list."""
    assert codes(tdx.verdict(policy("tdx"), tdx.quote(tdx.domain(**fields)))) == ["tcb_not_recognised"]


def test_a_machine_counts_by_its_name_where_the_policy_lists_any(intel):
    name = "81" * 16
    assert intel.verdict(policy(intel.kind), intel.quote()).claims["ppid"] == name
    assert intel.verdict(policy(intel.kind, ppids=["00" * 16, name.upper()])).accepted
    for listed in ([], ["00" * 16]):
        said = intel.verdict(policy(intel.kind, ppids=listed))
        assert [(one.code.value, one.path) for one in said.reasons] == [("chip_id_not_allowed", f"{intel.kind}.ppids")]


def test_version_five_has_bodies_of_three_kinds_and_bound_services_are_refused(tdx):
    rules = policy("tdx")
    assert tdx.verdict(rules, tdx.quote(version=5)).accepted
    later = tdx.verdict(rules, tdx.quote(tdx.domain(services=bytes(48)), 5))
    assert later.accepted
    assert later.claims["version"] == 5
    bound = tdx.quote(tdx.domain(services=b"\1" + bytes(47)), 5)
    assert codes(tdx.verdict(rules, bound)) == ["attributes_not_allowed"]
    assert codes(tdx.verdict(rules, tdx.quote(tdx.domain() + b"\0", 5))) == ["malformed"]
    started = b"\2" + b"d" * 32 + bytes(104) + b"\3" * 44 + bytes(56)  # names, and versions that it began with
    latest = tdx.quote(tdx.domain(services=bytes(48), more=started), 5)
    assert tdx.verdict(rules, latest).accepted
    assert codes(tdx.verdict(rules, flipped(latest, 54 + 884, 0))) == ["signature_invalid"]
    bound = tdx.quote(tdx.domain(services=b"\1" + bytes(47), more=started), 5)
    assert codes(tdx.verdict(rules, bound)) == ["attributes_not_allowed"]
    assert codes(tdx.verdict(rules, tdx.quote(tdx.domain(services=bytes(48), more=started + b"\0"), 5))) == [
        "malformed"
    ]


def test_a_quote_may_be_filled_up_with_zeros(intel):
    raw = intel.quote()
    padded = raw + bytes(8000 - len(raw))
    assert intel.verdict(policy(intel.kind), padded) == intel.verdict(policy(intel.kind), raw)


def test_an_enclave_that_is_debugged_or_not_initialised_is_refused():
    sgx = Intel("sgx")
    for attributes in (b"\x07", b"\x06", b"\x04"):
        said = sgx.verdict(policy("sgx"), sgx.quote(sgx.enclave_report(attributes=attributes)))
        assert codes(said) == ["debug_enabled"]
        assert said.claims["debug"] is True


@pytest.mark.parametrize(
    ("prod_id", "svn", "expected"),
    [
        (5, 7, []),
        (6, 7, ["prod_id_not_allowed"]),
        (5, 6, ["svn_too_old"]),
        (6, 6, ["prod_id_not_allowed", "svn_too_old"]),
    ],
)
def test_product_and_version_of_an_enclave_are_compared(prod_id, svn, expected):
    sgx = Intel("sgx")
    raw = sgx.quote(sgx.enclave_report(attributes=b"\x05", signer=b"s" * 32, prod_id=prod_id, svn=svn))
    rules = policy("sgx", mrsigner=[(b"s" * 32).hex()], prod_id=5, min_svn=7)
    assert codes(sgx.verdict(rules, raw)) == expected
