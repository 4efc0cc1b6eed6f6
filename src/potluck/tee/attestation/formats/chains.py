"""Certificates beside evidence: read within bounds, followed from a leaf to a trusted root (RFC 5280, section 6).

Of RFC 5280 it takes what vendors of trusted hardware use: names, signatures, dates, CA flags, path lengths and key
usage; a critical extension beyond these is refused. Signatures are ECDSA on P-384 with SHA-384, on P-256 with SHA-256,
or RSA-PSS of 4096 bits with SHA-384, and no other. A root is trusted by the SHA-256 of its DER, never for being there.

It does not fetch anything: a revocation list counts where it is given, and its absence is not noticed.
"""

import base64
import binascii
import datetime
import hashlib
import re
import threading
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtensionOID, NameOID, SignatureAlgorithmOID

from potluck.tee.attestation.evidence import Asked
from potluck.tee.attestation.verdict import Code, Fault, short

T = TypeVar("T")
LONGEST = 16 << 10
"""Bytes of one certificate."""
LONGEST_LIST = 1 << 20
"""Bytes of one revocation list."""
MANY = 24
"""Certificates and revocation lists beside one piece of evidence."""
DEEPEST = 8
"""Certificates of one chain."""
KNOWN = {ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE, ExtensionOID.SUBJECT_ALTERNATIVE_NAME}
"""Critical extensions that are understood (a leaf's other name is not used)."""
_BLOCK = re.compile(rb"-----BEGIN (CERTIFICATE|X509 CRL)-----([A-Za-z0-9+/=\s]*)-----END \1-----")
_ODD = (x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)
_UNREADABLE = (ValueError, TypeError, OverflowError, UnsupportedAlgorithm, *_ODD)
_LOADING = threading.Lock()


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate whose key and extensions could be read. begins, ends: Unix seconds; ca: may issue others."""

    der: bytes = field(repr=False)
    parsed: x509.Certificate = field(repr=False, compare=False)
    key: object = field(repr=False, compare=False)
    name: str
    begins: float
    ends: float
    ca: bool
    below: int | None = None
    """How many CAs may stand between it and a leaf; None: any number."""
    serial: int = 0

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the DER, hex."""
        return hashlib.sha256(self.der).hexdigest()

    @property
    def self_issued(self) -> bool:
        """Whether it names itself as its issuer, as roots do."""
        return self.parsed.issuer == self.parsed.subject

    def extension(self, oid: str) -> bytes | None:
        """The bytes of an extension that is not of the standard, such as a vendor's; None where it is not there."""
        for one in self.parsed.extensions:
            if one.oid.dotted_string == oid and isinstance(one.value, x509.UnrecognizedExtension):
                return one.value.value
        return None


@dataclass(frozen=True, slots=True)
class Revocations:
    """A revocation list that could be read. begins, ends: Unix seconds; ends is None where it does not say."""

    parsed: x509.CertificateRevocationList = field(repr=False, compare=False)
    issuer: x509.Name
    begins: float
    ends: float | None


@dataclass(frozen=True, slots=True)
class Bag:
    """What lies beside evidence, in the order given: nothing in it is believed yet."""

    certificates: tuple[Certificate, ...] = ()
    lists: tuple[Revocations, ...] = ()


@dataclass(frozen=True, slots=True)
class Trust:
    """Which roots count. pins: SHA-256 of their DER, hex; given: certificates that came with them."""

    pins: frozenset[str]
    given: tuple[Certificate, ...] = ()


def trust(pins: Iterable[str], asked: Asked, path: str) -> Trust:
    """The pinned roots, or those that were asked for instead: of these, the self-issued ones are roots."""
    if asked.roots is None:
        return Trust(frozenset(pins))
    given = read(asked.roots, f"{path}.roots").certificates
    return Trust(frozenset(one.fingerprint for one in given if one.self_issued), given)


def read(blobs: Sequence[bytes], path: str) -> Bag:
    """Certificates and revocation lists from files of PEM (any number) or DER (one). Raises Fault: malformed."""
    certificates: list[Certificate] = []
    lists: list[Revocations] = []
    for blob in blobs:
        for kind, der in _blocks(blob, path):
            if len(certificates) + len(lists) == MANY:
                raise Fault(Code.MALFORMED, path, f"hold more than {MANY} certificates")
            if kind == "list":
                lists.append(_list(der, path))
            else:
                certificates.append(certificate(der, path))
    return Bag(tuple(certificates), tuple(lists))


def certificate(der: bytes, path: str) -> Certificate:
    """One certificate. Raises Fault: malformed, too long, a key of a kind that nothing can be verified with."""
    if len(der) > LONGEST:
        raise Fault(Code.MALFORMED, path, f"hold a certificate of more than {LONGEST} bytes")
    found = _loaded(_certificate, der)
    if found is None:
        raise Fault(Code.MALFORMED, path, "hold what is no certificate, or one that cannot be read")
    return found


def chain(leaf: Certificate, bag: Bag, roots: Trust, now: int, path: str) -> tuple[Certificate, ...]:
    """Leaf to trusted root, all of it verified at `now` (Unix seconds), whatever the order in the bag.

    Raises Fault: chain_invalid, root_not_trusted, certificate_expired, certificate_revoked, and, where a revocation
    list is given, that it is forged, out of date, or nobody's in the chain.
    """
    found = [leaf]
    pool = {one.der: one for one in (*bag.certificates, *roots.given)}
    while not found[-1].self_issued:
        if len(found) == DEEPEST:
            raise Fault(Code.CHAIN, path, f"chain has more than {DEEPEST} certificates")
        found.append(_issuer(found[-1], pool.values(), roots, now, path))
    _rooted(found, roots, path)
    for depth, one in enumerate(found[1:]):
        _may_issue(one, depth, path)
    for one in found:
        _in_date(one, now, path)
    for given in bag.lists:
        _unrevoked(found, given, now, path)
    return tuple(found)


def issued(child: Certificate, issuer: Certificate) -> bool:
    """Whether the issuer's name is in the child and its signature holds, by one of the three algorithms."""
    if not _allowed(child.parsed, issuer.key):
        return False
    try:
        child.parsed.verify_directly_issued_by(issuer.parsed)
    except (InvalidSignature, *_UNREADABLE):
        return False
    return True


def _issuer(child: Certificate, pool: Iterable[Certificate], roots: Trust, now: int, path: str) -> Certificate:
    """Of those with the right name whose signature holds, a pinned one or else one in date; never more than one."""
    named = [one for one in pool if one.parsed.subject == child.parsed.issuer and one.der != child.der]
    if not named:
        what = f"has no certificate of {_name(child.parsed.issuer)}, who issued {child.name}"
        raise Fault(Code.CHAIN, path, what, "give the vendor's chain as an endorsement")
    named.sort(key=lambda one: (one.fingerprint not in roots.pins, not one.begins <= now <= one.ends, one.der))
    for one in named:
        if issued(child, one):
            return one
    raise Fault(Code.CHAIN, path, f"{child.name} is not signed by {named[0].name}")


def _rooted(found: Sequence[Certificate], roots: Trust, path: str) -> None:
    root = found[-1]
    if root.fingerprint in roots.pins and len(found) > 1:  # its hash says more than its own signature
        return
    if not issued(root, root):
        raise Fault(Code.CHAIN, path, f"{root.name} names itself as issuer and did not sign itself")
    if len(found) == 1:
        raise Fault(Code.CHAIN, path, f"{root.name} signed itself: nobody vouches for it")
    what = f"root {root.name} {short(root.fingerprint)} is not among {len(roots.pins)} trusted roots"
    raise Fault(Code.ROOT, path, what)


def _may_issue(one: Certificate, depth: int, path: str) -> None:
    """depth: how many CAs stand between it and the leaf."""
    if not one.ca:
        raise Fault(Code.CHAIN, path, f"{one.name} is no authority and may not issue certificates")
    if one.below is not None and depth > one.below:
        raise Fault(Code.CHAIN, path, f"{one.name} may have {one.below} authorities below it, and has {depth}")


def _in_date(one: Certificate, now: int, path: str) -> None:
    if not one.begins <= now <= one.ends:
        first, last = one.parsed.not_valid_before_utc, one.parsed.not_valid_after_utc
        what = f"{one.name} is valid from {first:%Y-%m-%d %H:%M:%S} to {last:%Y-%m-%d %H:%M:%S} UTC, not at {now}"
        raise Fault(Code.EXPIRED, path, what)


def _unrevoked(found: Sequence[Certificate], given: Revocations, now: int, path: str) -> None:
    """The list of one of the chain's authorities is good, and has none of the chain's certificates on it."""
    name = _name(given.issuer)
    issuer = next((one for one in found[1:] if one.parsed.subject == given.issuer), None)
    if issuer is None:
        raise Fault(Code.COLLATERAL_OTHER, path, f"revocation list of {name} is nobody's in this chain")
    if not _list_signed(given.parsed, issuer):
        raise Fault(Code.COLLATERAL_SIGNATURE, path, f"revocation list is not signed by {name}")
    if given.ends is None or not given.begins <= now <= given.ends:
        span = f"{day(given.begins)} to {day(given.ends)}" if given.ends else "an open time, which is refused"
        hint = "fetch a new one"
        raise Fault(Code.COLLATERAL_EXPIRED, path, f"revocation list of {name} is for {span}, not for {now}", hint)
    for child in found:
        if child.parsed.issuer != given.issuer:
            continue
        if given.parsed.get_revoked_certificate_by_serial_number(child.serial) is not None:
            raise Fault(Code.REVOKED, path, f"{child.name} was revoked by {name}")


def _list_signed(given: x509.CertificateRevocationList, issuer: Certificate) -> bool:
    key = issuer.key
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey) or not _allowed(given, key):
        return False
    try:
        return given.is_signature_valid(key)
    except _UNREADABLE:
        return False


def _allowed(signed: x509.Certificate | x509.CertificateRevocationList, key: object) -> bool:
    """Whether a signature's algorithm is one of the three, and fits the key that is to verify it."""
    try:
        oid, said = signed.signature_algorithm_oid, signed.signature_algorithm_parameters
        hashed = signed.signature_hash_algorithm
    except _UNREADABLE:
        return False
    if isinstance(key, ec.EllipticCurvePublicKey):
        curves = {
            "secp384r1": SignatureAlgorithmOID.ECDSA_WITH_SHA384,
            "secp256r1": SignatureAlgorithmOID.ECDSA_WITH_SHA256,
        }
        return oid == curves.get(key.curve.name)
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size != 4096 or oid != SignatureAlgorithmOID.RSASSA_PSS:
        return False
    return (
        isinstance(said, padding.PSS)
        and said._salt_length == hashes.SHA384.digest_size
        and isinstance(said.mgf._algorithm, hashes.SHA384)
        and isinstance(hashed, hashes.SHA384)
    )


def _authority(extensions: x509.Extensions) -> tuple[bool, int | None]:
    """Whether it may issue others, and how deep. Raises ValueError: a critical extension that is not understood."""
    ca, below, signs = False, None, True
    for one in extensions:
        if one.critical and one.oid not in KNOWN:
            raise ValueError("a critical extension that is not understood")
        if isinstance(one.value, x509.BasicConstraints):
            ca, below = one.value.ca, one.value.path_length
        if isinstance(one.value, x509.KeyUsage):
            signs = one.value.key_cert_sign
    return ca and signs, below


def _blocks(blob: bytes, path: str) -> list[tuple[str, bytes]]:
    """(kind, DER): of every block of PEM, or of the one DER, whose kind is what it can be read as."""
    if len(blob) > 1 and blob[0] == 0x30 and blob[1] & 0x80:  # a long SEQUENCE: no text begins so
        is_list = _loaded(x509.load_der_x509_certificate, blob[: LONGEST + 1]) is None and _is_list(blob)
        return [("list" if is_list else "certificate", blob)]
    found = []
    for kind, text in _BLOCK.findall(blob):
        try:
            found.append(("list" if kind == b"X509 CRL" else "certificate", base64.b64decode(text)))
        except binascii.Error:
            raise Fault(Code.MALFORMED, path, "hold a certificate that is not in base64") from None
    if not found:
        raise Fault(Code.MALFORMED, path, "hold what is neither PEM nor DER of certificates")
    return found


def _is_list(der: bytes) -> bool:
    return len(der) <= LONGEST_LIST and _loaded(x509.load_der_x509_crl, der) is not None


def _list(der: bytes, path: str) -> Revocations:
    found = _loaded(_revocations, der) if len(der) <= LONGEST_LIST else None
    if found is None:
        raise Fault(Code.MALFORMED, path, "hold a revocation list that cannot be read")
    return found


def _certificate(der: bytes) -> Certificate:
    """All of it that is ever looked at, since parts are read when first asked for only, and may fail or warn then."""
    parsed = x509.load_der_x509_certificate(der)
    _whole(der, parsed.signature)
    name, _ = _name(parsed.subject), parsed.issuer
    begins, ends = parsed.not_valid_before_utc.timestamp(), parsed.not_valid_after_utc.timestamp()
    ca, below = _authority(parsed.extensions)
    return Certificate(der, parsed, parsed.public_key(), name, begins, ends, ca, below, parsed.serial_number)


def _whole(der: bytes, signature: bytes) -> None:
    """A signature is whole bytes: one that says that bits of its last byte are unused says the same in other bytes."""
    if der[-len(signature) - 1] != 0:
        raise ValueError("a signature with unused bits")


def _revocations(der: bytes) -> Revocations:
    parsed = x509.load_der_x509_crl(der)
    _whole(der, parsed.signature)
    if any(one.critical for one in parsed.extensions):
        raise ValueError("an indirect or a partial list")
    last = parsed.next_update_utc
    return Revocations(parsed, parsed.issuer, parsed.last_update_utc.timestamp(), last.timestamp() if last else None)


def _loaded(load: Callable[[bytes], T], der: bytes) -> T | None:
    """What a loader makes of bytes, or None. Loaders warn of serial numbers of 0, which AMD has, and of odd names."""
    with _LOADING, warnings.catch_warnings():  # filters belong to the process: one thread at a time
        warnings.simplefilter("ignore", UserWarning)
        try:
            return load(der)
        except _UNREADABLE:
            return None


def day(seconds: float) -> str:
    """A moment's day, in UTC."""
    return f"{datetime.datetime.fromtimestamp(seconds, datetime.UTC):%Y-%m-%d}"


def _name(name: x509.Name) -> str:
    """A name's common name as a message may show it."""
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    text = str(found[0].value) if found else "a certificate without a name"
    return ascii(text[:40])[1:-1]
