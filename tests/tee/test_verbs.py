"""`potluck tee verify` and `potluck tee policy`: options, words, exit codes, and a policy made from evidence."""

import hashlib
import json
import subprocess
import sys
import tomllib

import pytest

from potluck.cli import potluck
from potluck.cli.door import run
from potluck.tee.attestation.attesters.simulated import simulate
from potluck.tee.attestation.evidence import LARGEST
from support.tee.cases import CASES, VECTORS
from support.tee.fuzz import good
from support.tee.pki import NOW

SNP = CASES["snp-milan-v2"]
WORDS = ["--format", "snp", "--evidence", VECTORS / SNP["files"][0], "--at", SNP["at"]]
CHAIN = [word for part in SNP["files"][1:] for word in ("--endorsement", VECTORS / part)]
DEVELOPMENT = 'version = 1\nmode = "development"\nformats = ["snp", "simulated"]\nsnp.products = ["Milan"]\n'


@pytest.fixture
def tee(capsys):
    """Call `potluck tee ...`; gives exit code, stdout, stderr."""

    def call(*words):
        capsys.readouterr()
        code = run(potluck, ["tee", *map(str, words)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.fixture
def policy(tmp_path):
    path = tmp_path / "policy.toml"
    path.write_text(DEVELOPMENT, encoding="utf-8")
    return path


def test_words_say_the_verdict_the_stamp_and_what_was_not_compared(tee, policy):
    code, out, err = tee("verify", *WORDS, *CHAIN, "--policy", policy)
    assert (code, err) == (0, "")
    assert out.startswith("accept: snp\n")
    for line in ("development policy", "not compared: snp.measurements", "product = Milan", "debug = false"):
        assert line in out


def test_words_say_every_reason_with_its_hint(tee, policy):
    policy.write_text(DEVELOPMENT.replace("Milan", "Turin") + "snp.measurements = []\n", encoding="utf-8")
    code, out, err = tee("verify", *WORDS, *CHAIN, "--policy", policy, "--nonce", "00ff")
    assert (code, err) == (3, "")
    assert out.startswith("refuse: snp\n")
    for code in ("product_not_allowed", "measurement_not_allowed", "nonce_mismatch"):
        assert f"  {code}: snp." in out
    assert "hint: Milan must be listed" in out


def test_json_is_one_document_and_nothing_else(tee, policy):
    code, out, err = tee("verify", *WORDS, "--policy", policy, "--json")
    assert (code, err) == (3, "")
    said = json.loads(out)
    assert set(said) == {"verdict", "format", "reasons", "claims", "unchecked"}
    assert set(said["reasons"][0]) == {"code", "path", "detail", "hint"}
    assert said["reasons"][0]["code"] == "endorsement_missing"


def test_without_at_the_clock_counts(tee, policy, tmp_path):
    path = tmp_path / "report.bin"
    path.write_bytes(simulate(bytes(64), bytes(32), NOW).raw)
    policy.write_text("max_evidence_age_s = 60\n" + DEVELOPMENT, encoding="utf-8")
    words = ["verify", "--format", "simulated", "--evidence", path, "--policy", policy, "--json"]
    assert tee(*words, "--at", NOW)[0] == 0
    code, out, _ = tee(*words)
    assert (code, [one["code"] for one in json.loads(out)["reasons"]]) == (3, ["evidence_too_old"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([*WORDS], "--policy"),
        ([*WORDS, "--policy", "absent.toml"], "absent.toml"),
        (["--format", "snp", "--policy", "POLICY"], "--evidence is missing"),
        (["--evidence", "x", "--policy", "POLICY"], "--format is missing"),
        (["--format", "snpp", "--evidence", "x", "--policy", "POLICY"], "snpp"),
        (["--format", "snp", "--evidence", "absent.bin", "--policy", "POLICY"], "absent.bin"),
        ([*WORDS, "--policy", "POLICY", "--endorsement", "absent.der"], "absent.der"),
        ([*WORDS, "--policy", "POLICY", "--root", "absent.pem"], "absent.pem"),
        ([*WORDS, "--policy", "POLICY", "--nonce", "0"], "--nonce is not hex"),
        ([*WORDS, "--policy", "POLICY", "--nonce", ""], "--nonce has 0 bytes"),
        ([*WORDS, "--policy", "POLICY", "--report-data", "zz"], "--report-data is not hex"),
        ([*WORDS, "--policy", "POLICY", "--at", "-1"], "--at"),
        ([*WORDS, "--policy", "POLICY", "--at", str(1 << 70)], "--at"),
    ],
)
def test_what_is_wrong_with_the_call_is_exit_2(tee, policy, words, said):
    code, out, err = tee("verify", *(policy if word == "POLICY" else word for word in words), "--json")
    assert (code, out) == (2, "")
    assert said in err
    assert "hint" in err
    assert "bug" not in err


def test_a_malformed_policy_is_exit_2_and_named(tee, policy):
    policy.write_text(DEVELOPMENT + "snp.measurments = []\n", encoding="utf-8")
    code, out, err = tee("verify", *WORDS, *CHAIN, "--policy", policy, "--json")
    assert (code, out) == (2, "")
    assert "policy.toml" in err
    assert 'did you mean "measurements"' in err


@pytest.mark.parametrize("blob", [b"", b"\0" * (LARGEST + 1), b"{", b"-----BEGIN CERTIFICATE-----"])
def test_malformed_evidence_is_a_refusal(tee, policy, tmp_path, blob):
    path = tmp_path / "blob"
    path.write_bytes(blob)
    code, out, _ = tee("verify", "--format", "snp", "--evidence", path, "--policy", policy, "--json")
    assert (code, json.loads(out)["reasons"][0]["code"]) == (3, "malformed")
    code, out, _ = tee("verify", *WORDS, "--endorsement", path, "--policy", policy, "--json")
    assert code == 3
    assert json.loads(out)["reasons"][0]["code"] in ("malformed", "endorsement_missing")


def test_a_root_that_is_none_is_a_refusal(tee, policy, tmp_path):
    path = tmp_path / "root.pem"
    path.write_bytes(b"none")
    code, out, _ = tee("verify", *WORDS, *CHAIN, "--root", path, "--policy", policy, "--json")
    assert (code, json.loads(out)["reasons"][0]["code"]) == (3, "malformed")


def test_the_command_itself_is_clean_under_all_warnings(policy):
    """AMD's certificates have the serial number 0, of which their reader warns."""
    words = [sys.executable, "-W", "error", "-m", "potluck", "tee", "verify", *WORDS, *CHAIN, "--policy", policy]
    found = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=60)
    assert (found.returncode, found.stderr) == (0, "")


FORMS = ("snp", "tdx", "sgx", "nitro", "nvidia-gpu", "az-snp-vtpm", "simulated")


@pytest.fixture
def files(tmp_path):
    """The options that name a format's good evidence, and those that say what it was asked."""

    def written(form):
        given, wanted = good(form)
        words = ["--format", form, "--at", wanted.now, "--evidence", tmp_path / "evidence"]
        (tmp_path / "evidence").write_bytes(given.raw)
        for number, one in enumerate(given.endorsements):
            (tmp_path / f"beside{number}").write_bytes(one)
            words += ["--endorsement", tmp_path / f"beside{number}"]
        name, value = ("--nonce", wanted.nonce) if wanted.nonce else ("--report-data", wanted.report_data)
        return words, [name, value.hex()]

    return written


@pytest.mark.parametrize("form", FORMS)
def test_a_policy_made_from_evidence_accepts_it_and_no_other_code(tee, files, tmp_path, form):
    words, asking = files(form)
    path = tmp_path / "made.toml"
    code, out, err = tee("policy", *words, "-o", path, "--json")
    assert code == 0, err
    made = json.loads(out)
    text = path.read_text(encoding="utf-8")
    assert made["text"] == text
    assert made["file"] == str(path)
    assert made["hash"] == f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    assert tomllib.loads(text)["mode"] == ("development" if form == "simulated" else "production")
    code, out, _ = tee("verify", *words, *asking, "--policy", path, "--json")
    assert json.loads(out)["reasons"] == []
    key = {"tdx": "mrtd", "sgx": "mrenclave", "nitro": "pcr0"}.get(form, "measurements")
    value = tomllib.loads(text)[form][key][0]
    path.write_text(text.replace(value, "ab" * (len(value) // 2)), encoding="utf-8")
    code, out, _ = tee("verify", *words, *asking, "--policy", path, "--json")
    assert (code, [one["code"] for one in json.loads(out)["reasons"]]) == (3, ["measurement_not_allowed"])


def test_a_policy_for_a_tpm_lists_its_key_and_says_what_is_missing(tee, files):
    words, _ = files("tpm")
    code, out, err = tee("policy", *words)
    assert code == 0
    assert len(tomllib.loads(out)["tpm"]["ak"]) == 1
    assert "warning: it refuses this evidence all the same: measurement_list_missing: tpm.pcrs" in err


def test_a_debugged_enclaves_policy_warns(tee):
    case = CASES["nitro-debug-2023-real"]
    words = ["--format", "nitro", "--evidence", VECTORS / case["files"][0], "--at", case["at"]]
    code, out, err = tee("policy", *words)
    assert code == 0
    assert tomllib.loads(out)["formats"] == ["nitro"]
    assert "debug_enabled" in err


def test_no_policy_is_made_from_evidence_that_cannot_be_believed(tee, tmp_path):
    code, out, err = tee("policy", *WORDS, "-o", tmp_path / "made.toml")
    assert (code, out) == (3, "")
    assert "endorsement_missing" in err
    assert err.count("hint:") == 1
    assert not (tmp_path / "made.toml").exists()


def test_a_policy_is_never_overwritten(tee, policy):
    code, _, err = tee("policy", *WORDS, *CHAIN, "-o", policy)
    assert code == 2
    assert "is there already" in err
    assert policy.read_text(encoding="utf-8") == DEVELOPMENT


def test_a_policy_is_explained_with_every_default_and_its_hash(tee, policy):
    code, out, err = tee("policy", policy, "--json")
    assert code == 0
    said = json.loads(out)
    assert set(said) == {"file", "hash", "values", "warnings"}
    assert set(said["values"]) == {"version", "mode", "formats", "max_evidence_age_s", "snp", "simulated"}
    assert said["values"]["snp"]["max_vmpl"] == 0
    assert said["hash"] == f"sha256:{hashlib.sha256(policy.read_bytes()).hexdigest()}"
    assert said["warnings"] == [line.removeprefix("warning: ") for line in err.splitlines()]
    code, out, _ = tee("policy", policy)
    assert "snp.products = Milan" in out
    assert said["hash"] in out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("version = 1\nformats = []", "formats is empty: nothing is accepted"),
        ('version = 1\nformats = ["snp"]\nsnp.measurements = []', "snp.measurements is empty: nothing is accepted"),
        ('version = 1\nformats = ["snp"]\nsnp.allow_debug = true', "snp.allow_debug is refused in production"),
        ('version = 1\nformats = ["simulated"]', "simulated is no enclave"),
        ('version = 1\nformats = ["snp"]\nsnp.allow_migration = true', "snp.allow_migration is refused in production"),
        (
            'version = 1\nformats = ["snp"]',
            "snp.min_tcb is not listed: production accepts nothing without it",
        ),
        ('version = 1\nformats = ["tdx"]\ntdx.rtmr1 = []', "tdx.rtmr2 is not listed: production accepts nothing"),
        ('version = 1\nmode = "development"\nformats = ["tdx"]', "tdx.rtmr1 is not listed: any code would do"),
        ('version = 1\nformats = ["tpm"]', "tpm says what was booted and encrypts no memory"),
        ('version = 1\nformats = ["nvidia-gpu"]', "nvidia-gpu speaks of a GPU alone"),
    ],
)
def test_a_policy_that_cannot_mean_what_it_says_is_warned_of(tee, policy, text, said):
    policy.write_text(text, encoding="utf-8")
    code, _, err = tee("policy", policy)
    assert code == 0
    assert f"warning: {said}" in err


@pytest.mark.parametrize("words", [[], ["POLICY", *WORDS], ["--format", "snp"], ["--evidence", "x"], ["absent.toml"]])
def test_a_policy_or_evidence_must_be_given(tee, policy, words):
    code, out, err = tee("policy", *(policy if word == "POLICY" else word for word in words))
    assert (code, out) == (2, "")
    assert "hint" in err
