"""Every vector through `potluck tee verify --json`, its policy written as a TOML file, as an owner would do it."""

import json

import pytest
import tomli_w

from potluck.cli import potluck
from potluck.cli.door import run
from potluck.tee.attestation.starter import LINES, look
from support.tee.cases import CASES, VECTORS, asked, evidence

MEASURED = {name: lines[:1] for name, lines in LINES.items()}
MEASURED["tdx"] = tuple(line for line in LINES["tdx"] if line.key in ("mrtd", "rtmr1", "rtmr2"))
"""The lists that production demands of a format, and the claims that fill them."""
AMD = ("snp", "az-snp-vtpm")


def table(name):
    """The case's policy; what production would demand beyond it is the evidence's own, if it can be believed."""
    case = CASES[name]
    rules = dict(case.get("policy", {}))
    if case["format"] in AMD:
        rules.setdefault("products", ["Milan", "Genoa", "Turin"])
    for key in MEASURED.get(case["format"], ()):
        if key.key in rules:
            continue
        value = look(evidence(name), asked(name)).claims
        for part in key.claim.split("."):
            value = (value or {}).get(part)
        rules |= {key.key: [value]} if value else {}
    return rules


def command(name, policy):
    case = CASES[name]
    first, *rest = case["files"]
    words = ["tee", "verify", "--format", case["format"], "--evidence", VECTORS / first, "--policy", policy, "--json"]
    for part in rest:
        words += ["--endorsement", VECTORS / part]
    named = (("nonce", "--nonce"), ("expected_report_data", "--report-data"), ("at", "--at"))
    for key, option in named:
        words += [option, case[key]] if case.get(key) is not None else []
    if "trust_anchor" in case:
        words += ["--root", VECTORS / case["trust_anchor"]]
    return [str(word) for word in words]


def written(path, name, mode, rules):
    form = CASES[name]["format"]
    path.write_text(tomli_w.dumps({"version": 1, "mode": mode, "formats": [form], form: rules}), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", CASES)
def test_a_vector_gets_its_verdict_and_its_reason(name, tmp_path, capsys):
    case = CASES[name]
    code = run(potluck, command(name, written(tmp_path / "policy.toml", name, "development", table(name))))
    said = json.loads(capsys.readouterr().out)
    assert set(said) >= {"verdict", "format", "reasons", "claims", "unchecked"}
    assert said["format"] == case["format"]
    if case["expect"] == "accept":
        assert (code, said["verdict"], said["reasons"]) == (0, "accept", [])
        assert said["claims"]
        return
    assert (code, said["verdict"]) == (3, "refuse")
    codes = {reason["code"] for reason in said["reasons"]}
    assert codes <= set(case["reason"].split("|"))
    assert codes
    assert all(reason["path"] and reason["detail"] for reason in said["reasons"])


def test_every_format_of_the_vectors_has_an_accepted_case():
    accepted = {case["format"] for case in CASES.values() if case["expect"] == "accept"}
    assert accepted == {"snp", "az-snp-vtpm", "tdx", "sgx", "nitro", "tpm", "nvidia-gpu"}


PINNED = [name for name, case in CASES.items() if case["expect"] == "accept" and "trust_anchor" not in case]
FRESH = {"snp": "report_data", "tdx": "report_data", "sgx": "report_data"}


@pytest.mark.parametrize("name", PINNED)
def test_production_accepts_what_development_does_once_all_is_listed_and_asked(name, tmp_path, capsys):
    case, words = CASES[name], command(name, tmp_path / "policy.toml")
    if "nonce" not in case:
        words += ["--report-data", look(evidence(name), asked(name)).claims["report_data"]]
    rules = table(name)
    if case["format"] in AMD:
        rules["min_tcb"] = look(evidence(name), asked(name)).claims["reported_tcb"]
    if case["format"] in ("tpm", "az-snp-vtpm"):
        claims = look(evidence(name), asked(name)).claims
        rules["pcrs"] = {number: [value] for number, value in claims.get("tpm", claims)["pcrs"].items()}
    written(tmp_path / "policy.toml", name, "production", rules)
    run(potluck, words)
    said = json.loads(capsys.readouterr().out)
    expected = [] if rules.get("pcrs", True) else ["pcr_not_allowed"]  # the vector of a TPM quotes no register at all
    assert [reason["code"] for reason in said["reasons"]] == expected
    assert said["unchecked"] == []
    assert "stamp" not in said


@pytest.mark.parametrize("name", PINNED)
def test_production_refuses_what_was_not_asked(name, tmp_path, capsys):
    words = command(name, written(tmp_path / "policy.toml", name, "production", {}))
    words = [word for at, word in enumerate(words) if "--nonce" not in words[max(0, at - 1) : at + 1]]
    assert run(potluck, words) == 3
    codes = {reason["code"] for reason in json.loads(capsys.readouterr().out)["reasons"]}
    missing = {"tpm": {"ak_not_trusted"}}.get(CASES[name]["format"], {"measurement_list_missing"})
    assert codes >= missing | {"nonce_missing"}


def test_another_root_is_for_development_alone(tmp_path, capsys):
    name = "snp-syn-ta-control"
    words = command(name, written(tmp_path / "policy.toml", name, "production", table(name)))
    assert run(potluck, words) == 3
    said = json.loads(capsys.readouterr().out)
    assert [reason["code"] for reason in said["reasons"]] == ["relaxation_in_production"]
    assert said["claims"] == {}
