"""Evidence of a TPM 2.0: a quote over platform registers (PCRs), signed by an attestation key that the owner trusts.

A quote says which values the registers had, and repeats what it was asked for. It is worth what its key is worth:
the policy lists keys (`tpm.ak`) that were proven to live in a certain TPM, by `activation`. A quote does not say that
memory is encrypted: whoever owns the machine reads it.

The evidence is JSON: `ak_public` (base64 of SubjectPublicKeyInfo) and `tpm_quote` of `message` (base64 of TPMS_ATTEST),
`signature` (base64 of TPMT_SIGNATURE) and `pcrs` (hex: one value for each of the registers 0 to 23, or one for each
that was quoted). Other keys are not looked at: what counts is signed.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, TypeVar

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import Hash
from cryptography.hazmat.primitives.serialization import load_der_public_key

from potluck.core.schema import readable
from potluck.tee.attestation.evidence import Asked, Evidence
from potluck.tee.attestation.formats import compare
from potluck.tee.attestation.formats import tpm_structures as s
from potluck.tee.attestation.policy import Policy, Texts, unsaid
from potluck.tee.attestation.verdict import Claim, Code, Fault, Reason, Unchecked

T = TypeVar("T")
LONGEST = 32 << 10
"""Bytes of the JSON."""
REPORT = 64
"""Bytes of report data."""
Base64 = Annotated[str, msgspec.Meta(max_length=4096)]
Value = Annotated[str, msgspec.Meta(max_length=2 * s.DIGEST)]
Registers = Annotated[tuple[Value | None, ...], msgspec.Meta(max_length=s.REGISTERS)]


class QuoteFile(msgspec.Struct, frozen=True):
    """`tpm_quote` of the file; of a register that was not quoted, any value or null."""

    message: Base64
    signature: Base64
    pcrs: Registers


class EvidenceFile(msgspec.Struct, frozen=True):
    """The file."""

    ak_public: Base64
    tpm_quote: QuoteFile


@dataclass(frozen=True, slots=True)
class Quoted:
    """A quote whose signature holds, with the registers' values that it covers. key: the signer's, DER."""

    quote: s.Quote
    pcrs: Mapping[int, bytes]
    key: bytes = field(repr=False)


def read(evidence: Evidence, asked: Asked) -> Quoted:
    """The quote, if the key in the file signed it and the values in the file are those that it covers.

    Raises Fault: malformed, an algorithm, the signature, the registers' digest. Whether the key is trusted is for
    `judge`. asked: not needed, since no certificate is in it.
    """
    file = decoded(evidence.raw, EvidenceFile, "tpm.evidence")
    der = from_base64(file.ak_public, "tpm.ak_public")
    key = public_key(der, "tpm.ak_public")
    message, signature = (
        from_base64(text, f"tpm.{name}")
        for name, text in (("message", file.tpm_quote.message), ("signature", file.tpm_quote.signature))
    )
    return quoted(message, s.signature(signature, "tpm.signature"), key, file.tpm_quote.pcrs, "tpm")


def quoted(message: bytes, signature: s.Signature, key: s.Key, pcrs: Sequence[str | None], name: str) -> Quoted:
    """A quote, if its signature holds and `pcrs` (hex) are the values that it covers. name: begins every path.

    Raises Fault: malformed, an algorithm, the signature, the registers' digest.
    """
    quote = s.quote(message, f"{name}.quote")
    if not signed(key, signature, message):
        raise Fault(Code.SIGNATURE, f"{name}.quote", "is not signed by its attestation key")
    values = _values(quote, pcrs, name)
    state = Hash(s.HASHES[signature.hash])  # Part 3, TPM2_Quote: the hash of the signature's scheme
    for number in quote.selected:
        state.update(values[number])
    if state.finalize() != quote.digest:
        raise Fault(Code.PCR_DIGEST, f"{name}.pcrs", "are not the values that the quote covers")
    return Quoted(quote, values, s.der(key))


def _values(quote: s.Quote, pcrs: Sequence[str | None], name: str) -> dict[int, bytes]:
    """Register -> value, of those quoted alone."""
    if len(pcrs) not in (s.REGISTERS, len(quote.selected)):
        what = f"are {len(pcrs)} values, neither {s.REGISTERS} nor one for each of {len(quote.selected)} quoted"
        raise Fault(Code.MALFORMED, f"{name}.pcrs", what)
    whole = len(pcrs) == s.REGISTERS
    size, found = s.HASHES[quote.bank].digest_size, {}
    for place, number in enumerate(quote.selected):
        text = pcrs[number if whole else place]
        value = from_hex(text, f"{name}.pcrs") if text is not None else b""
        if len(value) != size:
            raise Fault(Code.MALFORMED, f"{name}.pcrs", f"has {len(value)} bytes for register {number}, not {size}")
        found[number] = value
    return found


def signed(key: s.Key, signature: s.Signature, message: bytes) -> bool:
    """Whether a signature by one of the three schemes holds; ECDSA on P-256 or P-384 with either hash."""
    algorithm = s.HASHES[signature.hash]
    try:
        if isinstance(key, rsa.RSAPublicKey) and signature.scheme == s.RSASSA:
            key.verify(signature.parts[0], message, padding.PKCS1v15(), algorithm)
        elif isinstance(key, rsa.RSAPublicKey) and signature.scheme == s.RSAPSS:
            # TPMs differ in the length of their salt (Part 1, B.7: as long as fits, or as the hash).
            pss = padding.PSS(padding.MGF1(algorithm), padding.PSS.AUTO)
            key.verify(signature.parts[0], message, pss, algorithm)
        elif isinstance(key, ec.EllipticCurvePublicKey) and signature.scheme == s.ECDSA:
            r, t = (int.from_bytes(part, "big") for part in signature.parts)
            key.verify(encode_dss_signature(r, t), message, ec.ECDSA(algorithm))
        else:
            return False
    except InvalidSignature:
        return False
    return True


def public_key(der: bytes, path: str) -> s.Key:
    """RSA of 2048 bits or more, or P-256 or P-384. Raises Fault: malformed, another kind of key."""
    try:
        key = load_der_public_key(der)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Fault(Code.MALFORMED, path, "is no SubjectPublicKeyInfo") from None
    strong = (isinstance(key, rsa.RSAPublicKey) and s.FEWEST_BITS <= key.key_size <= 8 * s.LONGEST_KEY) or (
        isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in compare.CURVES
    )
    if not strong or not isinstance(key, s.Key):
        raise Fault(Code.ALGORITHM, path, "is neither RSA of 2048 to 4096 bits nor P-256 nor P-384")
    if s.der(key) != der:
        raise Fault(Code.MALFORMED, path, "is not in the one form that DER has")
    return key


def decoded(raw: bytes, kind: type[T], path: str, most: int = LONGEST) -> T:
    """JSON of that shape. Raises Fault: malformed, too long."""
    if len(raw) > most:
        raise Fault(Code.MALFORMED, path, f"has {len(raw)} bytes, more than {most}")
    try:
        return msgspec.json.decode(raw, type=readable(kind))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Fault(Code.MALFORMED, path, "is not JSON of the shape that is documented") from None


def from_base64(text: str, path: str) -> bytes:
    """Bytes of base64 in its one form. Raises Fault: malformed."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Fault(Code.MALFORMED, path, "is not base64") from None
    if base64.b64encode(data).decode() != text:
        raise Fault(Code.MALFORMED, path, "is not base64 in its one form")
    return data


def from_hex(text: str, path: str) -> bytes:
    """Bytes of hex. Raises Fault: malformed."""
    try:
        return binascii.unhexlify(text)
    except (binascii.Error, ValueError):
        raise Fault(Code.MALFORMED, path, "is not hex") from None


def judge(facts: Quoted, policy: Policy, asked: Asked) -> Iterator[Reason | Unchecked]:
    """Every reason that a policy has against a quote."""
    yield from _trusted(facts.key, policy)
    yield from (Unchecked(f"tpm.{key}") for key in unsaid("tpm", policy.tpm))
    yield from registers("tpm", facts, policy.tpm.pcrs)
    yield from fresh("tpm", facts.quote.extra, asked)


def _trusted(key: bytes, policy: Policy) -> Iterator[Reason | Unchecked]:
    listed = policy.tpm.ak
    hint = "list the key once it has been activated (potluck docs confidential-vm)"
    if listed is None and policy.production:
        yield Reason(Code.AK, "tpm.ak", "is not in the policy, so that any key would do", hint)
    elif listed is None:
        yield Unchecked("tpm.ak")
    elif base64.b64encode(key).decode() not in listed:
        print_ = hashlib.sha256(key).hexdigest()
        yield Reason(Code.AK, "tpm.ak", f"does not list the key whose SHA-256 is {print_}", hint)


def registers(name: str, facts: Quoted, wanted: Mapping[str, Texts] | None) -> Iterator[Reason]:
    """The registers that a policy lists: each was quoted, and has one of its values."""
    if wanted is None:
        return
    if not wanted:
        yield Reason(Code.PCR, f"{name}.pcrs", "lists no register, and so allows none", "list those of your image")
    by_name = {str(number): value for number, value in facts.pcrs.items()}
    for number, allowed in wanted.items():
        path = f"{name}.pcrs.{number}"
        if number not in by_name:
            yield Reason(Code.PCR_SELECTION, path, "is in the policy and was not quoted", "quote it as well")
        else:
            hint = "if you rebuilt the image, list its new value"
            yield from compare.among(path, by_name[number], allowed, Code.PCR, hint)


def fresh(name: str, extra: bytes, asked: Asked) -> Iterator[Reason | Unchecked]:
    """What the quote repeats against what was asked for: 64 bytes of report data, or a nonce, as it is or filled up.

    In place of 64 bytes it may be their SHA-256, as of a TPM whose longest hash leaves no room for 64.
    """
    if asked.nonce is None and asked.report_data is None:
        yield Unchecked(f"{name}.nonce or report_data")
    if asked.report_data is not None and extra not in _forms(asked.report_data):
        yield from _other(f"{name}.report_data", extra, asked.report_data, Code.REPORT_DATA)
    if asked.nonce is not None and not (asked.nonce and extra in (asked.nonce, *_forms(asked.nonce))):
        yield from _other(f"{name}.nonce", extra, asked.nonce, Code.NONCE)


def _forms(data: bytes) -> tuple[bytes, bytes]:
    whole = data.ljust(REPORT, b"\0")
    return whole, hashlib.sha256(whole).digest()


def _other(path: str, extra: bytes, wanted: bytes, code: Code) -> Iterator[Reason]:
    found = compare.equal(path, extra, wanted, code)
    yield next(found, Reason(code, path, "is empty, which equals nothing"))


def claims(facts: Quoted) -> dict[str, Claim]:
    """What a TPM says of itself: hex, words and numbers. clock_ms: since its clock was last set back."""
    quote = facts.quote
    pcrs: dict[str, Claim] = {str(number): value.hex() for number, value in facts.pcrs.items()}
    head: dict[str, Claim] = {"ak_sha256": hashlib.sha256(facts.key).hexdigest(), "signer": quote.signer.hex()}
    head |= {"qualifying_data": quote.extra.hex(), "pcr_bank": s.HASHES[quote.bank].name, "pcrs": pcrs}
    clock: dict[str, Claim] = {"clock_ms": quote.clock, "clock_safe": quote.safe, "resets": quote.resets}
    return head | clock | {"restarts": quote.restarts, "firmware": f"{quote.firmware:016x}"}
