"""Intel's quotes, SGX (version 3) and TDX (4 and 5): how they are laid out, and the signatures inside them.

A quote is signed by an attestation key, which a quoting enclave's report vouches for, which the platform's PCK
certificate signs, which leads to Intel's root (Intel SGX DCAP Quote Generation, appendix A.3 and A.4; TDX DCAP, A.3).
All of that is verified here without collateral, so that what a quote says of itself can be named; whether the
platform is revoked or out of date is `collateral`'s.

Not authenticated, and therefore neither looked at nor of any effect: what follows the quote (clouds fill it up with
zeros), and in the certificates' text everything behind the first two.
"""

import base64
import functools
import hashlib
import struct
from dataclasses import dataclass, field
from typing import Literal

from cryptography.hazmat.primitives.asymmetric import ec

from potluck.tee.attestation.evidence import Asked
from potluck.tee.attestation.formats import chains, compare
from potluck.tee.attestation.formats.cursor import Cursor
from potluck.tee.attestation.verdict import Code, Fault

Kind = Literal["sgx", "tdx"]
ROOT_PIN = "44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3"
"""SHA-256 of the DER of the Intel SGX Root CA."""
LONGEST = 16 << 10
"""Bytes of a quote with all that may follow it."""
VENDOR = bytes.fromhex("939a7233f79c4ca9940a0db3957f0607")
HEADER, ENCLAVE, TD10, TD15, TD15EX = 48, 384, 584, 648, 885
KINDS: dict[int, Kind] = {0x00: "sgx", 0x81: "tdx"}
P256_KEY, PCK_CHAIN, QE_CERTIFICATION = 2, 5, 6
SIGNATURE = KEY = 64
QE_DATA = 32
BEGINS, ENDS = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"


@dataclass(frozen=True, slots=True)
class Quote:
    """A quote in its parts, none believed yet; keys are x || y, signatures r || s.

    whole: without what follows it; signed: header and body; enclave: the quoting enclave's report.
    """

    kind: Kind
    version: int
    whole: bytes = field(repr=False)
    signed: bytes = field(repr=False)
    body: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    key: bytes = field(repr=False)
    enclave: bytes = field(repr=False)
    enclave_signature: bytes = field(repr=False)
    enclave_data: bytes = field(repr=False)
    certificates: bytes = field(repr=False)


def layout(raw: bytes, kind: Kind) -> Quote:
    """A quote of that kind in its parts. Raises Fault: malformed, another kind, version, key type or vendor."""
    path = f"{kind}.quote"
    if len(raw) > LONGEST:
        raise Fault(Code.MALFORMED, path, f"has {len(raw)} bytes, more than {LONGEST}")
    cursor = Cursor(raw, path, "little")
    version, key_type, tee = struct.unpack_from("<HHI", cursor.take(HEADER))
    if KINDS.get(tee) != kind:
        raise Fault(Code.MALFORMED, path, f"is for the TEE type {tee:#x}, not of {kind}")
    if version not in ((3,) if kind == "sgx" else (4, 5)):
        raise Fault(Code.MALFORMED, path, f"has version {version}, which {kind} does not have")
    if key_type != P256_KEY or raw[12:28] != VENDOR:
        raise Fault(Code.MALFORMED, path, "is not signed with P-256 by Intel's quoting enclave")
    size = _body(cursor, kind, version)
    body = cursor.take(size)
    signed = raw[: cursor.at]
    inner = Cursor(cursor.take(cursor.number(4)), path, "little")
    signature, key = inner.take(SIGNATURE), inner.take(KEY)
    if kind == "tdx":
        inner = _part(inner, QE_CERTIFICATION)
    report, report_signature = inner.take(ENCLAVE), inner.take(SIGNATURE)
    data = inner.take(inner.number(2))
    text = _part(inner, PCK_CHAIN)
    if len(data) != QE_DATA:
        raise Fault(Code.MALFORMED, path, f"has {len(data)} bytes of the quoting enclave's data, not {QE_DATA}")
    whole = raw[: cursor.at]
    return Quote(kind, version, whole, signed, body, signature, key, report, report_signature, data, text.data)


def _body(cursor: Cursor, kind: Kind, version: int) -> int:
    """How long the body is: from version 5 on, the quote says it."""
    if version < 5:
        return ENCLAVE if kind == "sgx" else TD10
    said, size = cursor.number(2), cursor.number(4)
    if {2: TD10, 3: TD15, 4: TD15EX}.get(said) != size:
        raise Fault(Code.MALFORMED, cursor.path, f"has a body of type {said} and {size} bytes, which is not known")
    return size


def _part(cursor: Cursor, kind: int) -> Cursor:
    """Certification data of that kind, which fills all that is left."""
    said, size = cursor.number(2), cursor.number(4)
    if said != kind or size != cursor.rest():
        what = f"has certification data of type {said} and {size} bytes, not of type {kind} and {cursor.rest()} bytes"
        raise Fault(Code.MALFORMED, cursor.path, what)
    return Cursor(cursor.take(size), cursor.path, "little")


def verified(quote: Quote, asked: Asked) -> tuple[chains.Certificate, ...]:
    """The platform's certificates, leaf to trusted root, if every signature in the quote holds at `asked.now`.

    Raises Fault: signature_invalid, qe_report_mismatch, and what `chains.chain` raises. Revocation is not looked at.
    """
    path = f"{quote.kind}.quote"
    if not compare.signed(_point(quote.key), quote.signature, quote.signed):
        raise Fault(Code.SIGNATURE, path, "is not signed by the attestation key in it")
    platform = _platform(quote.certificates, f"{quote.kind}.certificates")
    if not compare.signed(platform[0].key, quote.enclave_signature, quote.enclave):
        raise Fault(Code.SIGNATURE, path, "has a quoting enclave's report that its platform did not sign")
    vouched = hashlib.sha256(quote.key + quote.enclave_data).digest()
    if quote.enclave[320:] != vouched.ljust(64, b"\0"):
        raise Fault(Code.QE_REPORT, path, "has an attestation key that its quoting enclave does not vouch for")
    path = f"{quote.kind}.certificates"
    try:
        return chains.chain(platform[0], chains.Bag(platform[1:]), trust(quote.kind, asked), asked.now, path)
    except Fault as fault:
        if fault.reason.code is Code.CHAIN:
            _whose(quote, platform, asked, path)
        raise


def _whose(quote: Quote, platform: tuple[chains.Certificate, ...], asked: Asked, path: str) -> None:
    """Raises Fault: root_not_trusted, where a quote brings a root of its own that its chain does lead to."""
    try:
        rest = chains.read([quote.certificates.split(ENDS, 2)[2]], path).certificates
    except Fault:
        return
    chains.chain(platform[0], chains.Bag((*platform[1:], *rest)), trust(quote.kind, asked), asked.now, path)


def trust(kind: Kind, asked: Asked) -> chains.Trust:
    """Intel's root, or the roots asked for in its place."""
    return _pinned() if asked.roots is None else chains.trust((), asked, kind)


def _point(key: bytes) -> ec.EllipticCurvePublicKey | None:
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\4" + key)
    except ValueError:  # not on the curve
        return None


def _platform(text: bytes, path: str) -> tuple[chains.Certificate, ...]:
    """The leaf and its issuer: Intel's root comes third, and is pinned instead of read."""
    parts = text.split(ENDS, 2)
    if len(parts) < 3:
        raise Fault(Code.CHAIN, path, "are fewer than the two of a platform and its authority")
    blocks = [part.lstrip() + ENDS for part in parts[:2]]
    found = chains.read(blocks, path).certificates
    if len(found) != len(blocks) or not all(one.startswith(BEGINS) and one.count(BEGINS) == 1 for one in blocks):
        raise Fault(Code.CHAIN, path, "are not those of a platform and its authority")
    return found


@functools.cache
def _pinned() -> chains.Trust:
    return chains.Trust(frozenset({ROOT_PIN}), (chains.certificate(base64.b64decode(_ROOT), "pinned root"),))


_ROOT = """
MIICjzCCAjSgAwIBAgIUImUM1lqdNInzg7SVUr9QGzknBqwwCgYIKoZIzj0EAwIwaDEaMBgGA1UEAwwRSW50ZWwgU0dYIFJvb3Qg
Q0ExGjAYBgNVBAoMEUludGVsIENvcnBvcmF0aW9uMRQwEgYDVQQHDAtTYW50YSBDbGFyYTELMAkGA1UECAwCQ0ExCzAJBgNVBAYT
AlVTMB4XDTE4MDUyMTEwNDUxMFoXDTQ5MTIzMTIzNTk1OVowaDEaMBgGA1UEAwwRSW50ZWwgU0dYIFJvb3QgQ0ExGjAYBgNVBAoM
EUludGVsIENvcnBvcmF0aW9uMRQwEgYDVQQHDAtTYW50YSBDbGFyYTELMAkGA1UECAwCQ0ExCzAJBgNVBAYTAlVTMFkwEwYHKoZI
zj0CAQYIKoZIzj0DAQcDQgAEC6nEwMDIYZOj/iPWsCzaEKi71OiOSLRFhWGjbnBVJfVnkY4u3IjkDYYL0MxO4mqsyYjlBalTVYxF
P2sJBK5zlKOBuzCBuDAfBgNVHSMEGDAWgBQiZQzWWp00ifODtJVSv1AbOScGrDBSBgNVHR8ESzBJMEegRaBDhkFodHRwczovL2Nl
cnRpZmljYXRlcy50cnVzdGVkc2VydmljZXMuaW50ZWwuY29tL0ludGVsU0dYUm9vdENBLmRlcjAdBgNVHQ4EFgQUImUM1lqdNInz
g7SVUr9QGzknBqwwDgYDVR0PAQH/BAQDAgEGMBIGA1UdEwEB/wQIMAYBAf8CAQEwCgYIKoZIzj0EAwIDSQAwRgIhAOW/5QkR+S9C
iSDcNoowLuPRLsWGf/Yi7GSX94BgwTwgAiEA4J0lrHoMs+Xo5o/sX6O9QWxHRAvZUGOdRQ7cvqRXaqI=
"""
