"""Intel's word on a platform: its status, its age, whose it is, and a collateral that is not what it says."""

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from potluck.tee.attestation.evidence import Asked, Evidence
from potluck.tee.attestation.verify import verify
from support.tee.cases import codes, policy
from support.tee.intel import Intel, numbered, stamp
from support.tee.pki import DAY, NOW, issue, new_key, revoking

STATUSES = (
    "UpToDate",
    "SWHardeningNeeded",
    "ConfigurationNeeded",
    "ConfigurationAndSWHardeningNeeded",
    "OutOfDate",
    "OutOfDateConfigurationNeeded",
)


@pytest.fixture(scope="module", params=["sgx", "tdx"])
def intel(request):
    return Intel(request.param)


def found(intel, collateral=None, now=NOW, **table):
    return intel.verdict(policy(intel.kind, **table), collateral=collateral, now=now)


def code(intel, **changes):
    """The one code by which collateral with these changes is refused, or accept."""
    return (codes(found(intel, intel.collateral(**changes))) or ["accept"])[0]


def test_our_own_platform_is_accepted_under_our_own_root_only(intel):
    assert found(intel).accepted
    made = Evidence(intel.kind, intel.quote(), (intel.collateral(),))
    assert codes(verify(made, policy(intel.kind), Asked(NOW))) == ["root_not_trusted"]
    assert codes(verify(made, policy(intel.kind), Asked(NOW, roots=[issue("Root CA").pem]))) == ["root_not_trusted"]


@pytest.mark.parametrize("status", STATUSES)
def test_a_status_is_allowed_where_it_is_listed_and_only_there(intel, status):
    given = intel.collateral(intel.information([intel.level(status, advisories=["INTEL-SA-00001"])]))
    said = found(intel, given, allow_tcb_status=[status])
    assert said.accepted
    assert (said.claims["tcb_status"], said.claims["advisories"]) == (status, ("INTEL-SA-00001",))
    others = [one for one in STATUSES if one != status]
    assert codes(found(intel, given, allow_tcb_status=others)) == ["tcb_status_not_allowed"]
    assert codes(found(intel, given, allow_tcb_status=[])) == ["tcb_status_not_allowed"]
    by_default = found(intel, given)
    assert by_default.accepted == (status == "UpToDate")


def test_a_revoked_tcb_is_refused_whatever_is_listed(intel):
    given = intel.collateral(intel.information([intel.level("Revoked")]))
    assert codes(found(intel, given, allow_tcb_status=STATUSES)) == ["tcb_status_not_allowed"]
    with pytest.raises(msgspec.ValidationError, match="'Revoked'"):  # nobody can list it
        found(intel, given, allow_tcb_status=[*STATUSES, "Revoked"])
    given = intel.collateral(identity=intel.identity("Revoked"))
    assert codes(found(intel, given, allow_tcb_status=STATUSES)) == ["tcb_status_not_allowed"]


def test_a_tcb_below_every_level_or_of_an_unknown_status_is_not_recognised(intel):
    for level in (intel.level(svn=9), intel.level("Splendid")):
        assert codes(found(intel, intel.collateral(intel.information([level])))) == ["tcb_not_recognised"]


def test_the_first_level_that_the_platform_reaches_counts(intel):
    levels = [
        intel.level(svn=9),
        intel.level("OutOfDate", svn=3, advisories=["INTEL-SA-00002"]),
        intel.level("UpToDate"),
    ]
    said = found(intel, intel.collateral(intel.information(levels)))
    assert codes(said) == ["tcb_status_not_allowed"]
    assert "INTEL-SA-00002" in said.reasons[0].hint


def test_an_old_quoting_enclave_makes_the_platform_old_and_its_advisories_count(intel):
    levels = [{"tcb": {"isvsvn": 2}, "tcbDate": "2021-01-01T00:00:00Z", "tcbStatus": "OutOfDate"}]
    levels[0]["advisoryIDs"] = ["INTEL-SA-00003"]
    given = intel.collateral(identity=intel.identity(tcbLevels=levels))
    said = found(intel, given)
    assert codes(said) == ["tcb_status_not_allowed"]
    assert said.claims["advisories"] == ("INTEL-SA-00003",)
    low = [levels[0] | {"tcb": {"isvsvn": 9}}]
    assert code(intel, identity=intel.identity(tcbLevels=low)) == "tcb_not_recognised"


def test_a_denied_advisory_is_refused_by_name_in_either_case(intel):
    given = intel.collateral(intel.information([intel.level(advisories=["INTEL-SA-00001", "INTEL-SA-00002"])]))
    assert found(intel, given, deny_advisories=["INTEL-SA-00009"]).accepted
    said = found(intel, given, deny_advisories=["intel-sa-00001", "INTEL-SA-00002"])
    assert codes(said) == ["advisory_not_allowed"] * 2
    assert "INTEL-SA-00001" in said.reasons[0].detail


@pytest.mark.parametrize("part", ["tcb_info", "qe_identity", "pck_crl"])
def test_the_oldest_part_is_the_collaterals_age(intel, part):
    old = {"issueDate": stamp(NOW - 9 * DAY)}
    changes = {
        "tcb_info": {"information": intel.information(**old)},
        "qe_identity": {"identity": intel.identity(**old)},
        "pck_crl": {"list": revoking(intel.authority, begins=NOW - 9 * DAY, extensions=numbered(intel.authority))},
    }
    given = intel.collateral(**changes[part])
    assert found(intel, given, max_collateral_age_days=9).accepted
    assert codes(found(intel, given, max_collateral_age_days=8)) == ["collateral_expired"]
    assert found(intel, max_collateral_age_days=1).accepted


@pytest.mark.parametrize("name", ["information", "identity"])
@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        ({"nextUpdate": NOW - 1}, "collateral_expired"),
        ({"issueDate": NOW + 1}, "collateral_expired"),
        ({"issueDate": NOW, "nextUpdate": NOW + 1}, "accept"),
    ],
)
def test_a_part_out_of_its_dates_is_expired(intel, name, dates, expected):
    said = {key: stamp(value) for key, value in dates.items()}
    assert code(intel, **{name: getattr(intel, name)(**said)}) == expected


def test_lists_out_of_date_are_expired_and_certificates_too(intel):
    past = {"begins": NOW - 9, "ends": NOW - 1}
    old = revoking(intel.authority, extensions=numbered(intel.authority), **past)
    assert code(intel, list=old) == "collateral_expired"
    assert code(intel, root_list=revoking(intel.root, extensions=numbered(intel.root), **past)) == "collateral_expired"
    for begins, expected in ((NOW + 1, "collateral_expired"), (NOW, "accept")):  # nor is one from the future any good
        early = {"begins": begins, "ends": NOW + DAY}
        assert code(intel, list=revoking(intel.authority, extensions=numbered(intel.authority), **early)) == expected
        assert code(intel, root_list=revoking(intel.root, extensions=numbered(intel.root), **early)) == expected
    assert codes(found(intel, now=NOW + 2 * DAY)) == ["collateral_expired"]
    assert codes(found(intel, now=NOW + 500 * DAY)) == ["certificate_expired"]
    assert codes(found(intel, now=0)) == ["certificate_expired"]


def test_a_signer_out_of_date_makes_collateral_expired(intel):
    late = issue("TCB Signing", intel.root, key=intel.signer.key, ca=False, ends=NOW - 1)
    chain = (late.pem + intel.root.pem).decode()
    assert code(intel, tcb_info_issuer_chain=chain) == "collateral_expired"


@pytest.mark.parametrize("who", ["leaf", "authority", "signer"])
def test_whoever_is_revoked_is_refused(intel, who):
    one = getattr(intel, who)
    above = intel.authority if who == "leaf" else intel.root
    given = revoking(above, [one.parsed.serial_number], extensions=numbered(above))
    assert code(intel, **{"list" if who == "leaf" else "root_list": given}) == "certificate_revoked"


def test_a_revocation_list_that_is_forged_or_anothers_is_refused(intel):
    forged = revoking(intel.authority, key=new_key(ec.SECP256R1), extensions=numbered(intel.authority))
    assert code(intel, list=forged) == "collateral_signature_invalid"
    roots = revoking(intel.root, extensions=numbered(intel.root))
    assert code(intel, list=roots) == "collateral_mismatch"
    authoritys = revoking(intel.authority, extensions=numbered(intel.authority))
    assert code(intel, root_list=authoritys) == "collateral_mismatch"


def test_collateral_of_another_kind_or_family_or_pce_or_enclave_is_refused(intel):
    assert (
        code(intel, information=intel.information(id="SGX" if intel.kind == "tdx" else "TDX")) == "collateral_mismatch"
    )
    assert code(intel, identity=intel.identity(id="QVE")) == "collateral_mismatch"
    assert code(intel, information=intel.information(fmspc="00A067110000")) == "collateral_mismatch"
    assert code(intel, information=intel.information(pceId="0001")) == "collateral_mismatch"
    assert code(intel, identity=intel.identity(mrsigner="00" * 32)) == "qe_report_mismatch"
    assert code(intel, identity=intel.identity(isvprodid=9)) == "qe_report_mismatch"
    assert code(intel, identity=intel.identity(attributes="13" + "00" * 15)) == "tcb_not_recognised"
    assert code(intel, identity=intel.identity(miscselect="00000001")) == "tcb_not_recognised"


def test_collateral_that_a_platforms_own_key_signed_is_refused(intel):
    """Its certificate leads to the root as the signer's does: whoever got one platform's key would vouch for all."""
    chain = (intel.leaf.pem + intel.authority.pem + intel.root.pem).decode()
    both = {"tcb_info_issuer_chain": chain, "qe_identity_issuer_chain": chain}
    assert code(intel, key=intel.leaf.key, **both) == "chain_invalid"
    above = (intel.authority.pem + intel.root.pem).decode()
    both = {"tcb_info_issuer_chain": above, "qe_identity_issuer_chain": above}
    assert code(intel, key=intel.authority.key, **both) == "chain_invalid"


def test_collateral_of_a_forged_intel_of_the_same_names_is_refused(intel):
    other = Intel(intel.kind)
    assert codes(found(intel, other.collateral())) == ["root_not_trusted"]
    assert code(intel, key=other.signer.key) == "collateral_signature_invalid"
    signers = (other.signer.pem + intel.root.pem).decode()
    both = {"tcb_info_issuer_chain": signers, "qe_identity_issuer_chain": signers}
    assert code(intel, key=other.signer.key, **both) == "chain_invalid"


def test_a_chain_of_collateral_needs_no_root_in_it(intel):
    alone = intel.signer.pem.decode()
    assert code(intel, tcb_info_issuer_chain=alone, qe_identity_issuer_chain=alone) == "accept"


PARTS = (
    "pck_crl_issuer_chain",
    "root_ca_crl",
    "pck_crl",
    "tcb_info_issuer_chain",
    "tcb_info",
    "tcb_info_signature",
    "qe_identity_issuer_chain",
    "qe_identity",
    "qe_identity_signature",
)


@pytest.mark.parametrize("name", PARTS)
def test_a_part_that_is_missing_or_empty_or_no_text_is_refused_by_name(intel, name):
    for value, expected in ((None, "collateral_missing"), ("", "collateral_missing"), (7, "malformed")):
        said = found(intel, intel.collateral(**{name: value}))
        assert codes(said) == [expected]
        assert expected == "malformed" or said.reasons[0].path == f"{intel.kind}.collateral.{name}"


@pytest.mark.parametrize("name", [name for name in PARTS if name != "pck_crl_issuer_chain"])
@pytest.mark.parametrize("value", ["zz", "00", "{}", "é", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----"])
def test_a_part_of_nonsense_is_refused(intel, name, value):
    assert code(intel, **{name: value}) in {"malformed", "collateral_signature_invalid"}


@pytest.mark.parametrize("text", ["[]", "{}", "7", '{"id": "TDX"}', "[" * 5000])
def test_signed_nonsense_is_refused(intel, text):
    assert code(intel, information=text) == "malformed"
    assert code(intel, identity=text) == "malformed"


def test_dates_without_a_zone_are_refused(intel):
    assert code(intel, information=intel.information(issueDate="2025-01-01T00:00:00")) == "malformed"
