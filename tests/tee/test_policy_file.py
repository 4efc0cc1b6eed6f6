"""A policy's TOML: what it means, and what is wrong with one, by file and key."""

from typing import Annotated, get_origin

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from potluck.core.errors import UsageError
from potluck.tee.attestation.evidence import FORMATS
from potluck.tee.attestation.policy import Policy, Snp, Tcb
from potluck.tee.attestation.policy_file import LENGTHS, TABLES, parse

HEAD = 'version = 1\nformats = ["snp", "tpm"]\n'
KEY = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpZP"
    "40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q=="
)


def wrong(text):
    with pytest.raises(UsageError) as error:
        parse(text, "mine.toml")
    assert error.value.exit_code == 2
    assert error.value.where == "mine.toml"
    assert error.value.hint
    return f"{error.value.what}. {error.value.hint}"


def test_the_least_policy_has_the_defaults_that_refuse():
    found = parse('version = 1\nformats = ["snp"]', "mine.toml")
    assert found == Policy(version=1, formats=("snp",))
    assert (found.production, found.snp.products, found.snp.max_vmpl) == (True, ("Genoa", "Turin"), 0)
    assert (found.snp.measurements, found.tdx.allow_tcb_status) == (None, ("UpToDate",))


def test_a_whole_policy_is_read():
    text = f"""{HEAD}mode = "development"
max_evidence_age_s = 60
[snp]
measurements = ["{"Ab" * 48}", " {"cd" * 48} "]
products = ["Milan"]
signing_key = ["vlek"]
min_tcb = {{ snp = 8, microcode = 255 }}
max_vmpl = 1
chip_ids = ["{"00" * 8}", "{"11" * 64}"]
[tpm]
ak = ["{KEY}"]
pcrs = {{ "4" = ["{"EF" * 32}"], "23" = [] }}
[az-snp-vtpm]
pcrs."7" = ["{"0a" * 48}"]
"""
    found = parse(text, "mine.toml")
    assert (found.mode, found.max_evidence_age_s) == ("development", 60)
    assert found.snp == Snp(
        measurements=("ab" * 48, "cd" * 48), products=("Milan",), signing_key=("vlek",),
        min_tcb=Tcb(snp=8, microcode=255), max_vmpl=1, chip_ids=("00" * 8, "11" * 64),
    )  # fmt: skip
    assert found.tpm.ak == (KEY,)
    assert found.tpm.pcrs == {"4": ("ef" * 32,), "23": ()}
    assert found.az_snp_vtpm.pcrs == {"7": ("0a" * 48,)}


def test_every_table_and_every_list_of_hex_is_checked():
    assert set(TABLES.values()) == set(FORMATS)
    for attribute, name in TABLES.items():
        for key in LENGTHS[attribute]:
            value = '{ "0" = ["0g"] }' if key == "pcrs" else '["0g"]'
            assert "not hex" in wrong(f"{HEAD}[{name}]\n{key} = {value}"), key
            value = '{ "0" = ["00"] }' if key == "pcrs" else '["00"]'
            assert "2 digits" in wrong(f"{HEAD}[{name}]\n{key} = {value}"), key


def test_every_list_of_texts_in_a_policy_has_its_lengths_or_words():
    words = {"ak", "allow_tcb_status", "deny_advisories", "products", "signing_key"}
    for attribute in TABLES:
        for one in msgspec.structs.fields(type(getattr(Policy(version=1, formats=()), attribute))):
            if "str" in str(one.type) or "Literal" in str(one.type):
                assert one.name in words or one.name in LENGTHS[attribute], one.name


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", 'version is missing. add it: one of 1'),
        ("version = 2\nformats = []", "version does not know 2"),
        ("version = 1", "formats is missing"),
        ('version = 1\nformats = ["spn"]', 'did you mean "snp"'),
        (f"{HEAD}mode = 'prod'", "known: production, development"),
        (f"{HEAD}mod = 'production'", 'unknown key mod. did you mean "mode"?'),
        (f"{HEAD}[snp]\nmeasurments = []", 'unknown key snp.measurments. did you mean "measurements"?'),
        (f"{HEAD}[snp]\nmin_tcb = {{ ucode = 3 }}", "unknown key snp.min_tcb.ucode"),
        (f"{HEAD}[snp]\nmeasurements = '{'ab' * 48}'", "snp.measurements must be a list"),
        (f"{HEAD}[snp]\nmeasurements = ['0x{'ab' * 48}']", "without 0x"),
        (f"{HEAD}[snp]\nproducts = ['Genua']", 'did you mean "Genoa"'),
        (f"{HEAD}[snp]\nmax_vmpl = 4", "snp.max_vmpl: 4 does not fit. 0 to 3"),
        (f"{HEAD}[snp]\nmax_vmpl = true", "snp.max_vmpl does not fit"),
        (f"{HEAD}[snp]\nallow_debug = 1", "snp.allow_debug does not fit"),
        (f"{HEAD}[snp]\nmin_launch_tcb = {{ fmc = 256 }}", "snp.min_launch_tcb.fmc: 256 does not fit"),
        (f"{HEAD}[tdx]\nallow_tcb_status = ['uptodate']", "UpToDate"),
        (f"{HEAD}[sgx]\nallow_tcb_status = ['Revoked']", "does not know 'Revoked'"),
        (f"{HEAD}[tdx]\nmax_collateral_age_days = -1", "max_collateral_age_days: -1 does not fit"),
        (f"{HEAD}[tpm]\nak = ['abc']", "no public key"),
        (f"{HEAD}[tpm]\npcrs = {{ x = [] }}", "no register 'x'"),
        (f"{HEAD}[tpm]\npcrs = {{ 24 = [] }}", "no register '24'"),
        (f"{HEAD}[tpm]\npcrs = []", "it takes a table"),
        (f"{HEAD}max_evidence_age_s = -1", "max_evidence_age_s: -1 does not fit"),
        (f"snp = 3\n{HEAD}", "snp must be a table"),
        ("formats = [", "not TOML"),
        ("a = " + "[" * 100_000, "not TOML"),
        ("a = " + "9" * 10_000, "not TOML"),
        ("version = 1\nversion = 1", "not TOML"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(text, said):
    assert said in wrong(text)


def test_a_long_value_is_not_repeated_whole():
    value = "ab" * 400
    assert value not in wrong(f'{HEAD}[snp]\nmeasurements = ["{value}"]')


def test_every_number_has_a_range():
    tables = [Policy, Tcb, *(type(getattr(Policy(version=1, formats=()), name)) for name in TABLES)]
    kinds = [one.type for table in tables for one in msgspec.structs.fields(table)]
    assert not [kind for kind in kinds if kind in (int, int | None)]
    assert sum(get_origin(kind) is Annotated for kind in kinds) > 9


@given(st.text(max_size=200) | st.text(alphabet='[]{}="\n0123456789abcsnpversionformats .', max_size=200))
def test_any_text_is_a_policy_or_an_error(text):
    try:
        parse(text, "mine.toml")
    except UsageError as error:
        assert error.where == "mine.toml"
