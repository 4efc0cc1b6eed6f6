"""What a production policy must say: who lists too little is refused, and does not trust any kernel unawares."""

import pytest
import tomli_w

from potluck.tee.attestation import policy as policies
from potluck.tee.attestation import starter as starters
from potluck.tee.attestation import verify as verifier
from potluck.tee.attestation.demand import demanded
from potluck.tee.attestation.evidence import Asked, Evidence
from potluck.tee.attestation.formats import chains, quotes
from potluck.tee.attestation.starter import look, starter
from potluck.tee.attestation.verify import verify
from support.tee.cases import CASES, asked, codes, evidence, listed, policy
from support.tee.intel import NOW, PLACES, Intel
from support.tee.snp import Amd

GOOD = {
    form: next(name for name, case in CASES.items() if case["format"] == form and case["expect"] == "accept"
               and "trust_anchor" not in case)
    for form in ("snp", "az-snp-vtpm", "tdx")
}  # fmt: skip
PRODUCTS = ["Milan", "Genoa", "Turin"]
FORMER = {name: ("mrtd",) if name == "tdx" else ("measurements",) for name in GOOD}
"""What production demanded before."""


def whole(form):
    """Every key that production demands, from the good evidence itself."""
    said = look(evidence(GOOD[form]), asked(GOOD[form])).claims
    if form == "tdx":
        status = [said["tcb_status"]]
        return {key: [said[key]] for key in ("mrtd", "rtmr1", "rtmr2")} | {"allow_tcb_status": status}
    found = {"measurements": [said["measurement"]], "products": PRODUCTS, "min_tcb": {"snp": 1, "microcode": 1}}
    return found | ({"pcrs": registers("4", "9", "12")} if form == "az-snp-vtpm" else {})


def registers(*numbers, **instead):
    """Registers of Azure's good evidence, whose firmware started the kernel: 8 and 11 are zeros, 9 and 12 are not."""
    said = look(evidence(GOOD["az-snp-vtpm"]), asked(GOOD["az-snp-vtpm"])).claims["tpm"]["pcrs"]
    return {number: [said[number]] for number in numbers} | instead


def judged(form, table):
    """The verdict on good evidence in production, under that table."""
    said = look(evidence(GOOD[form]), asked(GOOD[form])).claims
    fresh = asked(GOOD[form])
    if fresh.nonce is None and fresh.report_data is None:
        fresh = Asked(fresh.now, report_data=bytes.fromhex(said["report_data"]))
    return verify(evidence(GOOD[form]), policy(form, "production", **table), fresh)


DEMANDS = [
    ("tdx", "rtmr1", None),
    ("tdx", "rtmr2", None),
    ("tdx", "mrtd", None),
    ("snp", "min_tcb", None),
    ("snp", "min_tcb", {"snp": 1}),
    ("snp", "min_tcb", {"microcode": 1, "bootloader": 1, "tee": 0}),
    ("snp", "min_tcb", {"snp": 0, "microcode": 0}),
    ("snp", "min_tcb", {"snp": 1, "microcode": 0}),
    ("az-snp-vtpm", "min_tcb", {"snp": 0, "microcode": 1}),
    ("az-snp-vtpm", "min_tcb", None),
    ("az-snp-vtpm", "pcrs", ("0",)),
    ("az-snp-vtpm", "pcrs", ("4",)),
    ("az-snp-vtpm", "pcrs", ("4", "9")),
    ("az-snp-vtpm", "pcrs", ("4", "12")),
    ("az-snp-vtpm", "pcrs", ("4", "8")),
    ("az-snp-vtpm", "pcrs", ("4", "8", "9")),  # 8 is all zeros: GRUB did not run
    ("az-snp-vtpm", "pcrs", ("4", "11", "12")),  # 11 is all zeros: no unified kernel did
    ("az-snp-vtpm", "pcrs", ("9", "12")),
]


@pytest.mark.parametrize(("form", "key", "instead"), DEMANDS)
def test_production_refuses_a_policy_that_leaves_out_what_it_demands(form, key, instead, monkeypatch):
    table = whole(form)
    assert judged(form, table).accepted  # the control: nothing else is missing
    if key == "pcrs":
        instead = registers(*instead)
    del table[key]
    table |= {} if instead is None else {key: instead}
    found = judged(form, table)
    missing = "min_tcb_missing" if key == "min_tcb" else "measurement_list_missing"
    assert set(codes(found)) == {missing}
    assert all(one.path.startswith(f"{form}.{key}") for one in found.reasons)
    monkeypatch.setattr(policies, "DEMANDED", FORMER)  # the mend taken out: any kernel, or any firmware, would do
    assert judged(form, table).accepted == (key != "mrtd")


SOME = "ab" * 32
ZEROS = "00" * 32
BOOTS = [
    ({"8": [SOME], "9": [SOME]}, True),
    ({"9": [SOME], "12": [SOME]}, True),
    ({"11": [SOME], "12": [ZEROS]}, True),
    ({"11": [SOME]}, False),
    ({"11": [ZEROS], "12": [SOME]}, False),
    ({"11": [SOME, ZEROS], "12": [SOME]}, False),
    ({"8": [SOME], "9": [ZEROS]}, False),
    ({"9": [SOME], "12": ["ff" * 32]}, False),
    ({"8": [], "9": []}, True),
    ({}, False),
]


@pytest.mark.parametrize(("listed_", "settles"), BOOTS)
def test_a_boot_loader_alone_is_any_kernel_in_production(listed_, settles):
    """GRUB, a kernel that the firmware starts, a unified kernel: each by the registers that settle it."""
    table = whole("az-snp-vtpm") | {"pcrs": registers("4") | listed_}
    found = judged("az-snp-vtpm", table)
    missing = [one.path for one in found.reasons if one.code.value == "measurement_list_missing"]
    assert missing == ([] if settles else ["az-snp-vtpm.pcrs.9"])


def test_another_kernel_behind_the_listed_boot_loader_is_refused(monkeypatch):
    """What the host would change: the kernel's own registers. Register 4 holds the boot loader, and stays."""
    other = whole("az-snp-vtpm") | {"pcrs": registers("4", "12") | {"9": [SOME]}}
    assert codes(judged("az-snp-vtpm", other)) == ["pcr_not_allowed"]
    bare = whole("az-snp-vtpm") | {"pcrs": registers("4")}
    assert not judged("az-snp-vtpm", bare).accepted
    former = policies.DEMANDED | {
        "az-snp-vtpm": tuple(one for one in policies.DEMANDED["az-snp-vtpm"] if one != policies.KERNEL)
    }
    monkeypatch.setattr(policies, "DEMANDED", former)  # the mend taken out: nothing compares them
    assert judged("az-snp-vtpm", bare).accepted


@pytest.mark.parametrize("key", ["mrtd", "rtmr1", "rtmr2"])
def test_a_list_that_is_there_and_empty_allows_no_kernel(key):
    assert codes(judged("tdx", whole("tdx") | {key: []})) == ["measurement_not_allowed"]


IDLE = "00" * 48


@pytest.mark.parametrize("values", [[IDLE], ["ab" * 48, IDLE], ["ff" * 48]])
@pytest.mark.parametrize("key", ["rtmr1", "rtmr2"])
def test_a_register_that_nothing_extended_is_any_kernel_in_production(key, values):
    found = judged("tdx", whole("tdx") | {key: values})
    missing = [one.path for one in found.reasons if one.code.value == "measurement_list_missing"]
    assert missing == [f"tdx.{key}"]


def believed(it, monkeypatch):
    """The verdict in production, and the policy's text: it is made from evidence of a guest like Azure's, where nothing
    measures the kernel into the registers."""
    root = chains.certificate(it.root.der, "root")
    monkeypatch.setattr(quotes, "_pinned", lambda: chains.Trust(frozenset({root.fingerprint}), (root,)))
    shown = Evidence("tdx", it.quote(it.domain(mrtd=b"\x11" * 48, data=b"d" * 64)), (it.collateral(),))
    fresh = Asked(NOW, report_data=b"d" * 64)
    text = starter(shown, look(shown, fresh).claims)
    return verify(shown, demanded(text, "new policy").policy, fresh), text


def test_a_policy_made_from_a_guest_whose_kernel_nothing_measured_is_refused_in_production(monkeypatch):
    found, text = believed(Intel("tdx"), monkeypatch)
    assert codes(found) == ["measurement_list_missing"] * 2
    assert [one.path for one in found.reasons] == ["tdx.rtmr1", "tdx.rtmr2"]
    assert "rtmr1 =" not in text


def test_control_where_zeros_count_as_a_kernel_such_a_guest_is_believed(monkeypatch):
    monkeypatch.setattr(policies, "MEASURED", ())
    monkeypatch.setattr(starters, "MEASURED", ())
    found, text = believed(Intel("tdx"), monkeypatch)
    assert found.accepted
    assert f'rtmr1 = ["{IDLE}"]' in text


def test_the_registers_of_azures_guests_are_zeros():
    body = evidence("tdx-azure-no-collateral").raw[48:]
    assert body[PLACES["mrtd"] :][:48].strip(b"\0")
    assert body[PLACES["rtmr0"] :][: 4 * 48] == bytes(4 * 48)


def test_another_kernel_under_the_same_firmware_is_refused():
    for key in ("rtmr1", "rtmr2"):
        assert codes(judged("tdx", whole("tdx") | {key: ["ab" * 48]})) == ["measurement_not_allowed"]


@pytest.mark.parametrize("form", ["snp", "az-snp-vtpm"])
def test_a_policy_that_lets_a_guest_be_moved_is_refused_in_production(form):
    found = judged(form, whole(form) | {"allow_migration": True})
    assert [(one.code.value, one.path) for one in found.reasons] == [
        ("relaxation_in_production", f"{form}.allow_migration")
    ]


def test_a_guest_that_may_be_moved_would_have_passed_production_before(monkeypatch):
    chip = Amd("Genoa")
    moved = chip.evidence(policy=0x70000)
    table = {"measurements": ["22" * 48], "min_tcb": {"snp": 1, "microcode": 1}, "allow_migration": True}
    rules = policy("snp", "production", **table)
    assert "relaxation_in_production" in codes(verify(moved, rules, chip.asked(report_data=bytes(64))))
    said = verify(moved, policy("snp", **table), chip.asked()).claims
    monkeypatch.setattr(verifier, "_before", lambda *given: [])  # the mend taken out
    told = chip.asked(report_data=bytes.fromhex(said["report_data"]))
    rules = policy("snp", "production", **(table | {"measurements": [said["measurement"]]}))
    assert said["migration"]
    assert verify(moved, rules, told).accepted


def test_development_says_what_it_let_go():
    form = "tdx"
    found = verify(
        evidence(GOOD[form]), policy(form, allow_tcb_status=whole(form)["allow_tcb_status"]), asked(GOOD[form])
    )
    assert {"tdx.mrtd", "tdx.rtmr1", "tdx.rtmr2"} <= set(found.unchecked)


def test_a_malformed_policy_stays_wrong_input_and_a_lax_one_a_refusal():
    text = tomli_w.dumps({"version": 1, "formats": ["snp"], "snp": {"allow_migration": True}})
    assert demanded(text, "policy.toml").policy.snp.allow_migration  # its form is good; the verdict says no


def test_the_cases_of_the_other_tests_list_what_production_demands():
    assert listed(GOOD["tdx"], "production").tdx.rtmr2
