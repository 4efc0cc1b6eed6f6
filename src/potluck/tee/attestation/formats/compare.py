"""What evidence says against what was asked and what a policy lists: the checks that several formats share."""

import hmac
from collections.abc import Iterator, Sequence

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from potluck.tee.attestation.evidence import Asked
from potluck.tee.attestation.verdict import Code, Reason, Unchecked, short

SKEW = 60
"""Seconds by which a machine's clock may be ahead of the verifier's."""
CURVES: dict[str, tuple[int, hashes.HashAlgorithm]] = {
    "secp256r1": (32, hashes.SHA256()),
    "secp384r1": (48, hashes.SHA384()),
}
"""Bytes of r and of s, and the hash that goes with a curve."""


def among(path: str, value: bytes, allowed: Sequence[str] | None, code: Code, hint: str = "") -> Iterator[Reason]:
    """A reason if `value` is not in the list of hex; an absent list (None) allows anything, an empty one nothing."""
    if allowed is None or value.hex() in {one.lower() for one in allowed}:
        return
    yield Reason(code, path, f"{short(value.hex())} is not among {len(allowed)} allowed values", hint)


def equal(path: str, value: bytes | None, wanted: bytes | None, code: Code) -> Iterator[Reason]:
    """A reason if `wanted` is given and the evidence has something else, or nothing; an empty one equals nothing."""
    if wanted is None or (wanted and value is not None and hmac.compare_digest(value, wanted)):
        return
    found = "is absent" if value is None else f"is {short(value.hex()) or 'empty'}"
    yield Reason(code, path, f"{found}, not {short(wanted.hex()) or 'what an empty one could say'}")


def signed(key: object, signature: bytes, message: bytes) -> bool:
    """Whether r || s is the key's ECDSA signature: on P-256 with SHA-256, or on P-384 with SHA-384."""
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in CURVES:
        return False
    size, algorithm = CURVES[key.curve.name]
    if len(signature) != 2 * size:
        return False
    r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
    try:
        key.verify(encode_dss_signature(r, s), message, ec.ECDSA(algorithm))
    except InvalidSignature:
        return False
    return True


def fresh(name: str, data: bytes, asked: Asked) -> Iterator[Reason | Unchecked]:
    """64 bytes of report data against what was asked for: all of them, or a nonce filled up with zeros.

    Unchecked where nothing was asked for.
    """
    if asked.nonce is None and asked.report_data is None:
        yield Unchecked(f"{name}.nonce or report_data")
    yield from equal(f"{name}.report_data", data, asked.report_data, Code.REPORT_DATA)
    wanted = asked.nonce.ljust(len(data), b"\0") if asked.nonce else asked.nonce  # an empty nonce equals nothing
    yield from equal(f"{name}.nonce", data, wanted, Code.NONCE)


def aged(made: float, limit: int | None, now: int) -> Iterator[Reason]:
    """A reason if evidence was made (Unix seconds) longer before `now` than the limit, or well after it."""
    age = now - made
    if limit is not None and not -SKEW <= age <= limit:
        what = f"is {limit}, and the evidence was made {abs(age):.0f} s {'before' if age > 0 else 'after'} that time"
        yield Reason(Code.AGE, "max_evidence_age_s", what)
