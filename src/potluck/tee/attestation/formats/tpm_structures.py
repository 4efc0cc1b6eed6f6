"""The TPM 2.0 structures that a quote is made of, read strictly: TPMS_ATTEST, TPMT_SIGNATURE, TPMT_PUBLIC.

Reference: TPM 2.0 Library, Part 2 (10.12.8 attestation, 11.3.4 signatures, 12.2.4 public areas). Numbers are
big-endian; every size is bounded before it is used; nothing may follow the last field.
"""

from dataclasses import dataclass, field

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from potluck.tee.attestation.formats.cursor import Cursor
from potluck.tee.attestation.verdict import Code, Fault

GENERATED, QUOTE = 0xFF544347, 0x8018
"""TPM_GENERATED_VALUE, with which a TPM begins what it says itself, and TPM_ST_ATTEST_QUOTE."""
SHA256, SHA384 = 0x000B, 0x000C
RSASSA, RSAPSS, ECDSA = 0x0014, 0x0016, 0x0018
RSA, ECC, NULL = 0x0001, 0x0023, 0x0010
AES, CFB = 0x0006, 0x0043
HASHES: dict[int, hashes.HashAlgorithm] = {SHA256: hashes.SHA256(), SHA384: hashes.SHA384()}
"""Hashes that count; SHA-1, which TPMs have as well, does not."""
REGISTERS, BANKS = 24, 16
"""Registers of a platform, and the most banks that a selection may name."""
NAME, EXTRA, DIGEST = 68, 66, 64
"""The most bytes of TPM2B_NAME, TPM2B_DATA and TPM2B_DIGEST: two, of an algorithm, and those of SHA-512."""
LONGEST_KEY, FEWEST_BITS = 512, 2048
ECC_CURVES: dict[int, ec.EllipticCurve] = {0x0003: ec.SECP256R1(), 0x0004: ec.SECP384R1()}
Key = rsa.RSAPublicKey | ec.EllipticCurvePublicKey


@dataclass(frozen=True, slots=True)
class Quote:
    """A quote as a TPM words it. extra: what it was asked to put in; clock: milliseconds; selected: registers, rising.

    bank: the hash of the one bank whose registers it covers; digest: over their values.
    """

    signer: bytes
    extra: bytes
    clock: int
    resets: int
    restarts: int
    safe: bool
    firmware: int
    bank: int
    selected: tuple[int, ...]
    digest: bytes


@dataclass(frozen=True, slots=True)
class Signature:
    """scheme, hash: of the three and the two that count. parts: the one of RSA; r and s."""

    scheme: int
    hash: int
    parts: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Public:
    """A key's public area. named: hash of its name; attributes: TPMA_OBJECT; symmetric: (algorithm, bits, mode) of a
    storage key or None; scheme, hash: how it signs, or NULL and 0."""

    kind: int
    named: int
    attributes: int
    symmetric: tuple[int, int, int] | None
    scheme: int
    hash: int
    key: Key = field(repr=False)
    area: bytes = field(repr=False)

    @property
    def name(self) -> bytes:
        """TPM2B_NAME without its size: the hash's number, then the hash of the area (Part 1, 16)."""
        state = hashes.Hash(HASHES[self.named])
        state.update(self.area)
        return self.named.to_bytes(2, "big") + state.finalize()


def quote(message: bytes, path: str) -> Quote:
    """A quote's TPMS_ATTEST. Raises Fault: malformed, not a quote, registers of SHA-1 or of several banks."""
    cursor = Cursor(message, path)
    if cursor.number(4) != GENERATED:
        raise cursor.fault("does not begin as what a TPM itself has made")
    kind = cursor.number(2)
    if kind != QUOTE:
        raise cursor.fault(f"is of the type {kind:#06x}, not a quote ({QUOTE:#06x})")
    signer, extra = cursor.sized(NAME), cursor.sized(EXTRA)
    clock, resets, restarts, safe = cursor.number(8), cursor.number(4), cursor.number(4), cursor.number(1)
    if safe > 1:
        raise cursor.fault("says neither yes nor no of its clock")
    firmware = cursor.number(8)
    bank, selected = _selection(cursor)
    digest = cursor.sized(DIGEST)
    cursor.end()
    return Quote(signer, extra, clock, resets, restarts, bool(safe), firmware, bank, selected, digest)


def _selection(cursor: Cursor) -> tuple[int, tuple[int, ...]]:
    """TPML_PCR_SELECTION: bank and registers. Banks with none selected add nothing to the digest."""
    found: list[tuple[int, tuple[int, ...]]] = []
    banks = cursor.number(4)
    if banks > BANKS:
        raise cursor.fault(f"selects from {banks} banks, more than {BANKS}")
    for _ in range(banks):
        bank, size = cursor.number(2), cursor.number(1)
        if size > 4:
            raise cursor.fault(f"has a selection of {size} bytes")
        bits = int.from_bytes(cursor.take(size), "little")
        if bits >> REGISTERS:
            raise cursor.fault(f"selects registers beyond {REGISTERS - 1}")
        if bits:
            found.append((bank, tuple(one for one in range(REGISTERS) if bits >> one & 1)))
    if len(found) != 1:
        raise Fault(Code.PCR_SELECTION, cursor.path, f"covers registers of {len(found)} banks, not of one")
    if found[0][0] not in HASHES:
        raise Fault(Code.ALGORITHM, cursor.path, f"covers the bank {found[0][0]:#06x}, not that of SHA-256 or SHA-384")
    return found[0]


def signature(data: bytes, path: str) -> Signature:
    """A TPMT_SIGNATURE. Raises Fault: malformed, a scheme or hash that does not count."""
    cursor = Cursor(data, path)
    scheme, digest = cursor.number(2), cursor.number(2)
    if scheme not in (RSASSA, RSAPSS, ECDSA):
        raise Fault(Code.ALGORITHM, path, f"has a signature of the scheme {scheme:#06x}")
    if digest not in HASHES:
        raise Fault(Code.ALGORITHM, path, f"has a signature over the hash {digest:#06x}, not SHA-256 or SHA-384")
    parts = tuple(cursor.sized(LONGEST_KEY) for _ in range(2 if scheme == ECDSA else 1))
    cursor.end()
    return Signature(scheme, digest, parts)


def public(area: bytes, path: str) -> Public:
    """A TPMT_PUBLIC of an RSA or ECC key. Raises Fault: malformed, a kind, curve or hash that does not count."""
    cursor = Cursor(area, path)
    kind, named, attributes = cursor.number(2), cursor.number(2), cursor.number(4)
    if kind not in (RSA, ECC) or named not in HASHES:
        raise Fault(Code.ALGORITHM, path, f"is a key of the type {kind:#06x}, named by the hash {named:#06x}")
    cursor.sized(DIGEST)  # the policy under which it may be used
    symmetric = _symmetric(cursor)
    scheme = cursor.number(2)
    digest = cursor.number(2) if scheme != NULL else 0
    key = _rsa(cursor) if kind == RSA else _ecc(cursor)
    cursor.end()
    return Public(kind, named, attributes, symmetric, scheme, digest, key, area)


def _symmetric(cursor: Cursor) -> tuple[int, int, int] | None:
    algorithm = cursor.number(2)
    return None if algorithm == NULL else (algorithm, cursor.number(2), cursor.number(2))


def _rsa(cursor: Cursor) -> rsa.RSAPublicKey:
    bits, exponent = cursor.number(2), cursor.number(4) or 65537  # zero stands for that
    modulus = cursor.sized(LONGEST_KEY)
    try:
        key = rsa.RSAPublicNumbers(exponent, int.from_bytes(modulus, "big")).public_key()
    except ValueError:
        raise cursor.fault("has an RSA key that is none") from None
    if key.key_size != bits or bits < FEWEST_BITS or len(modulus) * 8 != bits:
        raise cursor.fault(f"has an RSA key of {key.key_size} bits and says {bits}; {FEWEST_BITS} is the least")
    return key


def _ecc(cursor: Cursor) -> ec.EllipticCurvePublicKey:
    curve = ECC_CURVES.get(number := cursor.number(2))
    if curve is None:
        raise Fault(Code.ALGORITHM, cursor.path, f"has a key on the curve {number:#06x}, not P-256 or P-384")
    if cursor.number(2) != NULL:
        raise cursor.fault("has a key derivation of its own")
    size = (curve.key_size + 7) // 8
    x, y = (int.from_bytes(cursor.sized(size), "big") for _ in range(2))
    try:
        return ec.EllipticCurvePublicNumbers(x, y, curve).public_key()
    except ValueError:
        raise cursor.fault("has a point that is not on its curve") from None


def der(key: Key) -> bytes:
    """A key as SubjectPublicKeyInfo, DER."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def sized(data: bytes) -> bytes:
    """A TPM2B of these bytes."""
    return len(data).to_bytes(2, "big") + data
