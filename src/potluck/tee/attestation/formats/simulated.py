"""Simulated evidence: a report like an enclave's, signed by a test root whose key everybody has.

It stands for real evidence in development, so that all the rest of an attested run can be rehearsed. No policy for
production accepts it, whatever it lists, and every verdict on it is stamped "no protection: simulated".
"""

from collections.abc import Iterator
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from potluck.tee.attestation.attesters.simulated import LAYOUT, MAGIC, ROOT, SIGNATURE
from potluck.tee.attestation.evidence import Asked, Evidence
from potluck.tee.attestation.formats import compare
from potluck.tee.attestation.policy import Policy, unsaid
from potluck.tee.attestation.verdict import Claim, Code, Fault, Reason, Unchecked


@dataclass(frozen=True, slots=True)
class Facts:
    """What the test root signed. made: Unix seconds."""

    report_data: bytes
    measurement: bytes
    made: int


def read(evidence: Evidence, asked: Asked) -> Facts:
    """The facts of a simulated report. Raises Fault: malformed, a signature, a root in place of the test root."""
    raw, size = evidence.raw, LAYOUT.size + SIGNATURE
    if len(raw) != size or not raw.startswith(MAGIC):
        raise Fault(Code.MALFORMED, "simulated.report", f"is not {size} bytes that begin as a simulated report does")
    if evidence.endorsements:
        raise Fault(Code.MALFORMED, "simulated.report", "comes with endorsements, which nobody gives for it")
    if asked.roots is not None:
        raise Fault(Code.ROOT, "simulated.roots", "cannot replace the test root")
    said = raw[: LAYOUT.size]
    try:
        Ed25519PublicKey.from_public_bytes(ROOT).verify(raw[LAYOUT.size :], said)
    except InvalidSignature:
        raise Fault(Code.SIGNATURE, "simulated.report", "is not signed by the test root") from None
    return Facts(*LAYOUT.unpack(said)[1:])


def judge(facts: Facts, policy: Policy, asked: Asked) -> Iterator[Reason | Unchecked]:
    """Every reason that a policy has against it; in production that it is simulated comes first."""
    table = policy.simulated
    if policy.production:
        hint = 'mode = "development" accepts it, and protects nothing'
        yield Reason(Code.SIMULATED, "simulated", "is no enclave: anybody can sign this", hint)
    yield from (Unchecked(f"simulated.{key}") for key in unsaid("simulated", table))
    hint = "its measurement is the digest of the code that ran: both sides need the same version"
    yield from compare.among("simulated.measurements", facts.measurement, table.measurements, Code.MEASUREMENT, hint)
    yield from compare.fresh("simulated", facts.report_data, asked)
    yield from compare.aged(facts.made, policy.max_evidence_age_s, asked.now)


def claims(facts: Facts) -> dict[str, Claim]:
    """What it says: hex and seconds."""
    said: dict[str, Claim] = {"measurement": facts.measurement.hex(), "report_data": facts.report_data.hex()}
    return said | {"timestamp": facts.made, "simulated": True}
