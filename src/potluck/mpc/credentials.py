"""Certificates for one job of joint computation: each compute party makes its own, and trusts exactly the others'.

There is no authority that could make one more: a party signs its certificate with its own key, the certificates travel
in letters that the parties' long-term keys sign, and the file of trusted certificates is that list. ECDSA P-256, X.509
v3 (RFC 5280), valid for days. A certificate names its job and its party, so none can be taken for another job's.
It does not protect from a quantum computer: TLS here agrees on keys by elliptic curves.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Annotated
from urllib.parse import quote

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from potluck.core.party import Party
from potluck.core.rounds import Abort, Cause
from potluck.secret.container import Secret

BACKDATED = timedelta(days=1)
"""Clocks a few hours off must not matter."""
LIFETIME = timedelta(days=3)
LARGEST = 4096
"""Bytes of a certificate, PEM."""
JobName = Annotated[str, msgspec.Meta(max_length=400)]
Address = Annotated[str, msgspec.Meta(min_length=3, max_length=300)]
Certificate = Annotated[bytes, msgspec.Meta(max_length=LARGEST)]
"""As a compute party says them of its engine."""


@dataclass(frozen=True, slots=True)
class EngineCredentials:
    """What a party of a job has. certificate: PEM, to be shown to the others; key: PEM, PKCS #8."""

    certificate: bytes
    key: Secret


def issue(party: Party, job: str, now: float) -> EngineCredentials:
    """A fresh key and a certificate for `party` in `job`, valid from a day before `now` for four. now: since 1970, s.

    The key's randomness is OpenSSL's.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    uri = _uri(party, job)
    # OpenSSL looks trusted certificates up by subject, so each party has its own.
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, sha256(uri.encode()).hexdigest()[:32])])
    start = datetime.fromtimestamp(now, UTC) - BACKDATED
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + BACKDATED + LIFETIME)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)]), critical=False)
    )
    certificate = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    form, unlocked = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return EngineCredentials(certificate, Secret(key.private_bytes(serialization.Encoding.PEM, form, unlocked)))


def trusted(certificates: Mapping[Party, bytes], job: str, now: float) -> bytes:
    """The file of certificates that a link of `job` trusts, from one certificate a party, PEM, the parties by rank.

    The certificates must have come in letters signed by their parties. Raises Abort(KEYS), naming the party: not a
    certificate of this party for this job, not signed by its own key, another curve, out of date, or a key twice.
    """
    files, keys = [], set()
    for party, pem in certificates.items():
        one = _read(party, pem)
        public = one.public_key()
        fits = _names(one) == [_uri(party, job)]
        moment = datetime.fromtimestamp(now, UTC)
        dated = one.not_valid_before_utc <= moment <= one.not_valid_after_utc <= moment + BACKDATED + LIFETIME
        if not isinstance(public, ec.EllipticCurvePublicKey) or not isinstance(public.curve, ec.SECP256R1):
            raise _refused(party, "a certificate with another kind of key than P-256")
        if not fits or not dated:
            raise _refused(party, "a certificate for another party or job, or out of date")
        point = public.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)
        if point in keys:
            raise _refused(party, "two parties have the same key")
        keys.add(point)
        files.append(one.public_bytes(serialization.Encoding.PEM))
    return b"".join(files)


def _read(party: Party, pem: bytes) -> x509.Certificate:
    """A certificate signed by its own key and for no other. Raises Abort(KEYS)."""
    try:
        if len(pem) > LARGEST:
            raise ValueError("too long")
        one = x509.load_pem_x509_certificate(pem)
        one.verify_directly_issued_by(one)
        authority = one.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound, x509.DuplicateExtension) as error:
        raise _refused(party, f"no certificate ({type(error).__name__})") from None
    if authority:
        raise _refused(party, "a certificate that could sign others")
    return one


def _names(one: x509.Certificate) -> list[str]:
    try:
        found = one.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [str(name.value) for name in found]


def _uri(party: Party, job: str) -> str:
    return f"potluck:{quote(job, safe='')}/{party.role.value}/{quote(party.name, safe='')}"


def _refused(party: Party, detail: str) -> Abort:
    return Abort(Cause.KEYS, party=party, detail=detail)
