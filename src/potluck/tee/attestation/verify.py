"""One verifier for all formats: a pure function of evidence, policy, what was asked, and the time.

A format is a module with two functions: `read(evidence, asked)` believes nothing and ends in facts whose signatures
hold, or raises `Fault`; `judge(facts, policy, asked)` yields every reason of policy, and `Unchecked` for what a
development policy lets go. No network, no clock, no environment.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from potluck.tee.attestation.evidence import LARGEST, MOST, Asked, Evidence
from potluck.tee.attestation.policy import KERNEL, MEASURED, REGISTERS, Policy
from potluck.tee.attestation.verdict import Claim, Code, Fault, Reason, Unchecked, Verdict


@dataclass(frozen=True, slots=True)
class Verifier:
    """One format. read: evidence -> facts of its own type; judge: facts -> reasons; claims: facts -> words."""

    read: Callable[[Evidence, Asked], Any]
    judge: Callable[[Any, Policy, Asked], Iterable[Reason | Unchecked]]
    claims: Callable[[Any], Mapping[str, Claim]]


def verify(evidence: Evidence, policy: Policy, asked: Asked) -> Verdict:
    """The verdict on evidence under an owner's policy. Never raises for what evidence may hold."""
    refused = _before(evidence, policy, asked)
    if refused:
        return Verdict(evidence.format, tuple(refused))
    form = verifier(evidence.format)
    try:
        facts = form.read(evidence, asked)
    except Fault as fault:
        return Verdict(evidence.format, (fault.reason,))
    found = list(form.judge(facts, policy, asked))
    reasons = tuple(one for one in found if isinstance(one, Reason))
    unchecked = tuple(one.path for one in found if isinstance(one, Unchecked))
    if policy.production:
        reasons += tuple(_demanded(path) for path in unchecked)
        unchecked = ()
    return Verdict(evidence.format, reasons, form.claims(facts), unchecked, _stamp(evidence, policy))


def _before(evidence: Evidence, policy: Policy, asked: Asked) -> list[Reason]:
    """What can be refused without a look inside."""
    found = []
    parts = (evidence.raw, *evidence.endorsements)
    if len(evidence.endorsements) > MOST or any(len(part) > LARGEST for part in parts):
        found.append(
            Reason(Code.MALFORMED, evidence.format, f"has more than {MOST} parts, or one over {LARGEST} bytes")
        )
    if evidence.format not in policy.formats:
        what = f"is not among {len(policy.formats)} allowed formats"
        found.append(Reason(Code.FORMAT, f"formats: {evidence.format}", what, f'formats = ["{evidence.format}"]'))
    if policy.production:
        relaxed = {"roots that replace the pinned ones": asked.roots is not None}
        for name, table in (("snp", policy.snp), ("az-snp-vtpm", policy.az_snp_vtpm)):
            relaxed |= {f"{name}.allow_debug": table.allow_debug, f"{name}.allow_migration": table.allow_migration}
        hint = 'mode = "development" allows it, and stamps the verdict'
        for path, is_so in relaxed.items():
            if is_so:
                found.append(Reason(Code.RELAXED, path, "is refused in production", hint))
    return found


def _demanded(path: str) -> Reason:
    if path.endswith(("nonce", "report_data")):
        hint = "give a fresh nonce or the report data that must be in it"
        return Reason(Code.NONCE_MISSING, path, "was not given, so that nothing says the evidence is fresh", hint)
    if ".min_tcb" in path:
        what = "is not in the policy, or is 0, so that firmware with known holes would do"
        return Reason(Code.TCB_MISSING, path, what, "take it from evidence of a machine that is up to date")
    if path == f"az-snp-vtpm.{KERNEL}":
        what = "is not in the policy with what belongs to it, so that any kernel or command line would do"
        return Reason(Code.MEASUREMENT_MISSING, path, what, f"beside 4 list {REGISTERS}; no value all zeros or ones")
    if path in [f"tdx.{one}" for one in MEASURED]:
        what = "is not in the policy, or all zeros, so that any kernel or command line would do"
        return Reason(Code.MEASUREMENT_MISSING, path, what, f"list {path} of a machine that measures what it boots")
    return Reason(Code.MEASUREMENT_MISSING, path, "is not in the policy, so that any code would do", f"list {path}")


def _stamp(evidence: Evidence, policy: Policy) -> str:
    if evidence.format == "simulated":
        return "no protection: simulated"
    return "" if policy.production else "development policy: not everything was checked"


MODULES: Mapping[str, str] = {
    "snp": "snp",
    "tdx": "tdx",
    "sgx": "sgx",
    "nitro": "nitro",
    "simulated": "simulated",
    "tpm": "tpm",
    "az-snp-vtpm": "azure",
    "nvidia-gpu": "nvidia",
}
"""One line a format: its file in `formats`, which is loaded with the first evidence of that format."""


def verifier(word: str) -> Verifier:
    """The format of that name, with its module loaded."""
    module = import_module(f"potluck.tee.attestation.formats.{MODULES[word]}")
    return Verifier(module.read, module.judge, module.claims)
