"""What verifying evidence costs: the verdict on real evidence of each format, from bytes to reasons.

The vectors under vectors/tee, at the time at which they hold, each under a policy that lists its measurement. Quotes of
Intel's are also set beside the library that verifies their collateral (dcap-qvl), which is the floor for them.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import dcap_qvl
import msgspec

from harness.measure import Row, in_turns, less
from potluck.tee.attestation.evidence import Asked, Evidence
from potluck.tee.attestation.policy import Policy
from potluck.tee.attestation.verify import verify

VECTORS = Path(__file__).parents[3] / "vectors" / "tee"
NOW = 1_790_000_000
TURNS = 60
GOALS_MS: Mapping[str, float | None] = {
    "snp-milan-v2": 3.0,
    "tdx-v4": 3.0,
    "sgx-v3-status-allowed": 3.0,
    "nitro-prod-2022": 6.0,
    "tpm-rsassa": 1.0,
    "az-snp-v2": None,
    "nvidia-hopper": None,
}
FLOORS = ("tdx-v4", "sgx-v3-status-allowed")


def rows() -> Iterator[Row]:
    """Milliseconds of one verdict, beside the goal; then beside the library alone."""
    cases = {case["id"]: case for case in json.loads((VECTORS / "manifest.json").read_bytes())["cases"]}
    for name, goal in GOALS_MS.items():
        (seconds,) = in_turns(TURNS, _work(cases[name]))
        ours, most = 1000 * seconds, goal or 3.0
        beside = f"{most:g} ms" + (" (goal)" if goal else "")
        yield less(f"verify {name}", (ours, most), beside, "ms", goal=1.0 if goal else None)
    for name in FLOORS:
        ours, floor = in_turns(TURNS, _work(cases[name]), _library(cases[name]))
        yield less(f"verify {name}: floor", (1000 * ours, 1000 * floor), "dcap-qvl alone (floor)", "ms")


def _parts(case: Mapping[str, Any]) -> list[bytes]:
    return [(VECTORS / file).read_bytes() for file in case["files"]]


def _work(case: Mapping[str, Any]) -> Callable[[], object]:
    first, *rest = _parts(case)
    format_, at, nonce = case["format"], case["at"], case.get("nonce")
    table = case.get("policy", {})
    tree: dict[str, Any] = {"version": 1, "mode": "development", "formats": [format_], format_: table}
    if format_ == "snp":
        tree[format_] = {"products": ["Milan"], "measurements": [case["measurement"]]} | table
    if format_ == "az-snp-vtpm":
        tree[format_] = {"products": ["Milan", "Genoa"]} | table
    evidence = msgspec.convert({"format": format_, "raw": first, "endorsements": rest}, Evidence)
    asked = Asked(at or NOW, nonce=bytes.fromhex(nonce) if nonce else None)
    policy = msgspec.convert(tree, Policy)

    def work() -> object:
        verdict = verify(evidence, policy, asked)
        assert verdict.accepted, verdict.reasons
        return verdict

    return work


def _library(case: Mapping[str, Any]) -> Callable[[], object]:
    quote, collateral = _parts(case)
    at = case["at"]
    given = dcap_qvl.QuoteCollateralV3.from_json(collateral.decode())
    policy = dcap_qvl.QuotePolicy.strict(at).allow_status("ConfigurationAndSWHardeningNeeded")
    policy = policy.allow_dynamic_platform(True).allow_cached_keys(True).allow_smt(True)
    verifier = dcap_qvl.QuoteVerifier()
    return lambda: verifier.verify_with_policy(quote, given, at, policy)
