"""Evidence of AWS Nitro Enclaves: an attestation document, COSE_Sign1 in CBOR (RFC 9052, 4.2; AWS, "Verifying the
root of trust").

The document carries its own chain to AWS's root. Its nonce is compared with what was asked for, its user data with
the report data that was asked for. PCR0 is the image; PCR0 of zeros is a debugged enclave's, whatever a policy lists.

A leaf lives three hours: old documents are refused by the date of their certificate. Revocation is not looked at
(AWS's lists must be fetched).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from potluck.tee.attestation.evidence import Asked, Evidence
from potluck.tee.attestation.formats import cbor, chains, compare
from potluck.tee.attestation.policy import Policy, unsaid
from potluck.tee.attestation.verdict import Claim, Code, Fault, Reason, Unchecked

ROOT_PIN = "641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b"
"""SHA-256 of the DER of AWS's root, aws.nitro-enclaves."""
LONGEST = 16 << 10
"""Bytes of a document."""
TAG = b"\xd2"
"""What some tools put before it: CBOR's tag 18, COSE_Sign1. It says nothing, and is let be."""
ES384, ALGORITHM = -35, 1
REGISTERS, REGISTER = 32, 48
CERTIFICATE = 1024
FREE, MOST = ("public_key", "user_data", "nonce"), 1024
"""Fields that an enclave may fill, and the most bytes of each."""


@dataclass(frozen=True, slots=True)
class Document:
    """What the signed payload says, shapes checked. made: milliseconds since 1970; pcrs: register -> 48 bytes."""

    module: str
    made: int
    pcrs: Mapping[int, bytes]
    certificate: bytes = field(repr=False)
    authorities: tuple[bytes, ...] = field(repr=False)
    public_key: bytes | None
    user_data: bytes | None
    nonce: bytes | None


def read(evidence: Evidence, asked: Asked) -> Document:
    """The document, if its signature and chain hold. Raises Fault: malformed, an algorithm, a signature, a chain."""
    if len(evidence.raw) > LONGEST:
        raise Fault(Code.MALFORMED, "nitro.document", f"has {len(evidence.raw)} bytes, more than {LONGEST}")
    protected, payload, signature = _envelope(evidence.raw)
    document = _document(cbor.read(payload, "nitro.payload"))
    path = "nitro.certificates"
    leaf, *rest = (chains.certificate(der, path) for der in (document.certificate, *document.authorities))
    message = b"\x84\x6aSignature1" + cbor.text(protected) + cbor.text(b"") + cbor.text(payload)
    if not compare.signed(leaf.key, signature, message):
        raise Fault(Code.SIGNATURE, "nitro.document", "is not signed by its certificate")
    chains.chain(leaf, chains.Bag(tuple(rest)), chains.trust({ROOT_PIN}, asked, "nitro"), asked.now, path)
    if leaf.ca:
        raise Fault(Code.CHAIN, path, f"{leaf.name} is an authority's, not an enclave's")
    return document


def _envelope(raw: bytes) -> tuple[bytes, bytes, bytes]:
    """Protected header, payload and signature of a COSE_Sign1 whose one header is the algorithm."""
    match cbor.read(raw.removeprefix(TAG), "nitro.document"):
        case [bytes(protected), dict(unprotected), bytes(payload), bytes(signature)] if not unprotected:
            header = cbor.read(protected, "nitro.document")
        case _:
            raise Fault(Code.MALFORMED, "nitro.document", "is no COSE_Sign1 without unprotected headers")
    if not isinstance(header, dict):
        raise Fault(Code.MALFORMED, "nitro.document", "has a header that is no map")
    if header != {ALGORITHM: ES384}:
        raise Fault(Code.ALGORITHM, "nitro.document", f"is not signed with ES384 ({ES384}) alone")
    return protected, payload, signature


def _document(value: cbor.Value) -> Document:
    """Fields and their lengths as AWS documents them. Raises Fault: malformed."""
    if not isinstance(value, dict):
        raise _unfit("is no map")
    module, made, digest = value.get("module_id"), value.get("timestamp"), value.get("digest")
    if not isinstance(module, str) or not module:
        raise _unfit("has no module_id")
    if digest != "SHA384":
        raise _unfit("has a digest that is not SHA384")
    if not isinstance(made, int) or isinstance(made, bool) or made <= 0:
        raise _unfit("has no timestamp")
    bundle = value.get("cabundle")
    if not isinstance(bundle, list) or not 0 < len(bundle) <= chains.DEEPEST:
        raise _unfit(f"has not 1 to {chains.DEEPEST} certificates in its cabundle")
    ders = [_certificate(one) for one in (value.get("certificate"), *bundle)]
    pcrs = _registers(value.get("pcrs"))
    free = [_optional(value, name) for name in FREE]
    return Document(module, made, pcrs, ders[0], tuple(ders[1:]), *free)


def _registers(value: cbor.Value) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    for number, content in value.items() if isinstance(value, dict) else ():
        if not isinstance(number, int) or not 0 <= number < REGISTERS:
            raise _unfit(f"has a register that is not one of 0 to {REGISTERS - 1}")
        if not isinstance(content, bytes) or len(content) != REGISTER:
            raise _unfit(f"has a register of other than {REGISTER} bytes")
        found[number] = content
    if 0 not in found:
        raise _unfit("has no PCR0")
    return found


def _certificate(value: cbor.Value) -> bytes:
    if not isinstance(value, bytes) or not 0 < len(value) <= CERTIFICATE:
        raise _unfit(f"has a certificate of other than 1 to {CERTIFICATE} bytes")
    return value


def _optional(fields: Mapping[int | str, cbor.Value], name: str) -> bytes | None:
    value = fields.get(name)
    if value is not None and (not isinstance(value, bytes) or len(value) > MOST):
        raise _unfit(f"has a {name} of other than 0 to {MOST} bytes")
    return value


def _unfit(what: str) -> Fault:
    return Fault(Code.MALFORMED, "nitro.payload", what)


def judge(document: Document, policy: Policy, asked: Asked) -> Iterator[Reason | Unchecked]:
    """Every reason that a policy has against an enclave."""
    if not any(document.pcrs[0]):
        yield Reason(Code.DEBUG, "nitro.pcr0", "is all zeros: the enclave runs with its console open")
    yield from (Unchecked(f"nitro.{key}") for key in unsaid("nitro", policy.nitro))
    for number in range(16):
        path, allowed = f"nitro.pcr{number}", getattr(policy.nitro, f"pcr{number}")
        value = document.pcrs.get(number, b"")
        hint = "if you rebuilt the image, list its new value" if number < 3 else ""
        yield from compare.among(path, value, allowed, Code.MEASUREMENT, hint)
    if asked.nonce is None and asked.report_data is None:
        yield Unchecked("nitro.nonce or report_data")
    yield from compare.equal("nitro.nonce", document.nonce, asked.nonce, Code.NONCE)
    yield from compare.equal("nitro.user_data", document.user_data, asked.report_data, Code.REPORT_DATA)
    yield from compare.aged(document.made / 1000, policy.max_evidence_age_s, asked.now)


def claims(document: Document) -> dict[str, Claim]:
    """What an enclave says of itself: hex and words. Registers of zeros are left out, save PCR0."""
    pcrs = {str(number): value.hex() for number, value in sorted(document.pcrs.items()) if any(value) or number == 0}
    head: dict[str, Claim] = {"module_id": document.module, "timestamp_ms": document.made, "pcrs": pcrs}
    head |= {"debug": not any(document.pcrs[0])}
    free = {"nonce": document.nonce, "user_data": document.user_data, "public_key": document.public_key}
    return head | {name: None if value is None else value.hex() for name, value in free.items()}
