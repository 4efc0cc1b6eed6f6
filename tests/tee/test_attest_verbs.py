"""`potluck tee measure` and `attest`, as they are typed."""

import json

import pytest

from potluck.cli import potluck
from potluck.cli.door import run
from potluck.tee.attestation.workload import FILES, workload


def document(capsys):
    return json.loads(capsys.readouterr().out)


def test_measure_prints_the_digest_of_the_enclaves_code(capsys):
    assert run(potluck, ["tee", "measure"]) == 0
    assert capsys.readouterr().out.strip() == workload().hex()
    assert run(potluck, ["tee", "measure", "--json"]) == 0
    said = document(capsys)
    assert (said["workload"], said["files"]) == (workload().hex(), list(FILES))


def test_simulated_evidence_goes_from_attest_through_policy_to_verify(tmp_path, capsys):
    folder = tmp_path / "made"
    words = ["--attester", "simulated", "--nonce", "00ff", "-o", str(folder), "--json"]
    assert run(potluck, ["tee", "attest", *words]) == 0
    said = document(capsys)
    assert said["report_data"] == "00ff" + "00" * 62
    assert said["endorsements"] == []
    evidence = ["--format", said["format"], "--evidence", said["evidence"]]
    policy = str(tmp_path / "policy.toml")
    assert run(potluck, ["tee", "policy", *evidence, "-o", policy]) == 0
    assert run(potluck, ["tee", "verify", *evidence, "--policy", policy, "--nonce", "00ff", "--json"]) == 0
    capsys.readouterr()
    assert run(potluck, ["tee", "verify", *evidence, "--policy", policy, "--nonce", "00fe", "--json"]) == 3
    assert [one["code"] for one in document(capsys)["reasons"]] == ["nonce_mismatch"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "give --nonce or --report-data"),
        (["--nonce", "00", "--report-data", "00" * 64], "give --nonce or --report-data"),
        (["--nonce", "0"], "--nonce: is not hex"),
        (["--nonce", ""], "has 0 bytes"),
        (["--nonce", "00" * 65], "has 65 bytes"),
        (["--report-data", "00" * 63], "has 63 bytes, not 64"),
        (["--nonce", "00", "--device", "x"], "simulated has no device"),
    ],
)
def test_a_wrong_call_is_an_error_of_usage(tmp_path, capsys, words, said):
    assert run(potluck, ["tee", "attest", "--attester", "simulated", "-o", str(tmp_path / "made"), *words]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "made").exists()


def test_evidence_is_never_overwritten(tmp_path, capsys):
    words = ["tee", "attest", "--attester", "simulated", "--nonce", "00", "-o", str(tmp_path / "made")]
    assert run(potluck, words) == 0
    before = (tmp_path / "made" / "evidence.bin").read_bytes()
    assert run(potluck, words) == 2
    assert "has evidence in it already" in capsys.readouterr().err
    assert (tmp_path / "made" / "evidence.bin").read_bytes() == before


@pytest.mark.parametrize("word", ["tsm", "nsm", "tpm"])
def test_a_machine_without_the_hardware_is_exit_4(tmp_path, capsys, word):
    missing = str(tmp_path / "nothing")
    words = ["tee", "attest", "--attester", word, "--nonce", "00", "--device", missing, "-o", str(tmp_path / "made")]
    assert run(potluck, words) == 4
    assert "No such file" in capsys.readouterr().err
    assert not (tmp_path / "made").exists()
