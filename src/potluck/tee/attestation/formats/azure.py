"""Evidence of Azure's SEV-SNP machines: a report that vouches for a virtual TPM, and that TPM's quote.

Azure's paravisor (HCL) runs below the guest and keeps the TPM. It asked the hardware for one report at boot, whose
report data is the SHA-256 of a JSON with the TPM's attestation key (`HCLAkPub`); a quote by that key carries the nonce
and the registers. So the SNP measurement is the paravisor's, the same for all who rent such a machine; what the owner
cares for, boot loader, kernel and what they measured, is in the registers: production demands them, register 4 (the
boot loader) among them.

The evidence is JSON in one of two forms. `version` 1 or 2: `hcl_report` (base64url), `vcek` (base64url of DER) and
`tpm_quote` (hex). Without a version: `report`, `quote` (lists of bytes) and `vcek` (PEM). AMD's chain lies beside it.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Literal

import msgspec
from cryptography.hazmat.primitives.asymmetric import rsa

from potluck.tee.attestation.evidence import Asked, Evidence
from potluck.tee.attestation.formats import snp, tpm
from potluck.tee.attestation.formats import tpm_structures as s
from potluck.tee.attestation.policy import Policy
from potluck.tee.attestation.verdict import Claim, Code, Fault, Reason, Unchecked

NAME = "az-snp-vtpm"
LONGEST = 256 << 10
"""Bytes of the JSON: lists of bytes are long."""
REPORT = 16 << 10
"""Bytes of a paravisor's report."""
MAGIC, HEAD = b"HCLA", 32
SNP, SHA256 = 2, 1
ATTESTATION_KEY = "HCLAkPub"
Encoded = Annotated[str, msgspec.Meta(max_length=2 * REPORT)]
Byte = Annotated[int, msgspec.Meta(ge=0, le=255)]
Bytes = Annotated[tuple[Byte, ...], msgspec.Meta(max_length=REPORT)]
Registers = Annotated[tuple[Bytes, ...], msgspec.Meta(max_length=s.REGISTERS)]


class Hexed(msgspec.Struct, frozen=True):
    """`tpm_quote`; signature: bare RSA."""

    message: Encoded
    signature: Encoded
    pcrs: tpm.Registers


class Listed(msgspec.Struct, frozen=True):
    """`quote` of the older form."""

    message: Bytes
    signature: Bytes
    pcrs: Registers


class Numbered(msgspec.Struct, frozen=True):
    """Evidence that says its version."""

    version: Literal[1, 2]
    hcl_report: Encoded
    vcek: Encoded
    tpm_quote: Hexed


class Older(msgspec.Struct, frozen=True):
    """Evidence that says none."""

    report: Bytes
    vcek: Encoded
    quote: Listed


class Jwk(msgspec.Struct, frozen=True):
    """A key in the runtime JSON (RFC 7517)."""

    kid: str
    kty: str
    n: Annotated[str, msgspec.Meta(max_length=1024)] = ""
    e: Annotated[str, msgspec.Meta(max_length=16)] = ""


class Machine(msgspec.Struct, frozen=True, rename="kebab"):
    """What the paravisor says of the machine."""

    console_enabled: bool | None = None
    secure_boot: bool | None = None
    tpm_enabled: bool | None = None


class Runtime(msgspec.Struct, frozen=True, rename="kebab"):
    """The runtime JSON, as far as it is looked at."""

    keys: Annotated[tuple[Jwk, ...], msgspec.Meta(max_length=16)]
    vm_configuration: Machine = Machine()


@dataclass(frozen=True, slots=True)
class Facts:
    """A guest of whose report and quote the signatures hold, and whose report vouches for the quote's key."""

    guest: snp.Facts
    quoted: tpm.Quoted
    machine: Machine


@dataclass(frozen=True, slots=True)
class Parts:
    """Evidence of either form, nothing believed. pcrs: hex."""

    report: bytes = field(repr=False)
    vcek: bytes = field(repr=False)
    message: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    pcrs: tuple[str | None, ...] = field(repr=False)


def read(evidence: Evidence, asked: Asked) -> Facts:
    """The facts. Raises Fault: malformed, what `snp.believed` and `tpm.quoted` raise, a JSON that the report does not
    vouch for."""
    parts = _parts(evidence.raw)
    report, runtime = _split(parts.report)
    if report[0x50:0x90] != hashlib.sha256(runtime).digest().ljust(64, b"\0"):
        raise Fault(Code.REPORT_DATA, f"{NAME}.runtime", "is not the JSON whose SHA-256 the report carries")
    guest = snp.believed(report, (parts.vcek, *evidence.endorsements), asked, NAME)
    said = tpm.decoded(runtime, Runtime, f"{NAME}.runtime", REPORT)
    signature = s.Signature(s.RSASSA, s.SHA256, (parts.signature,))
    return Facts(guest, tpm.quoted(parts.message, signature, _key(said), parts.pcrs, NAME), said.vm_configuration)


def _parts(raw: bytes) -> Parts:
    path = f"{NAME}.evidence"
    if b'"hcl_report"' not in raw[:LONGEST]:
        older = tpm.decoded(raw, Older, path, LONGEST)
        quote, pcrs = older.quote, tuple(bytes(one).hex() for one in older.quote.pcrs)
        vcek = _ascii(older.vcek, f"{NAME}.vcek")
        return Parts(bytes(older.report), vcek, bytes(quote.message), bytes(quote.signature), pcrs)
    file = tpm.decoded(raw, Numbered, path, LONGEST)
    report, vcek = _url(file.hcl_report, f"{NAME}.hcl_report"), _url(file.vcek, f"{NAME}.vcek")
    message, signature = (
        tpm.from_hex(text, f"{NAME}.{name}")
        for name, text in (("message", file.tpm_quote.message), ("signature", file.tpm_quote.signature))
    )
    return Parts(report, vcek, message, signature, file.tpm_quote.pcrs)


def _split(report: bytes) -> tuple[bytes, bytes]:
    """The hardware's report and the runtime JSON of a paravisor's report. Raises Fault: malformed.

    Its header and the fields before the JSON are signed by nobody: they say where things are, and no more.
    """
    path = f"{NAME}.hcl_report"
    at = HEAD + snp.LENGTH
    if len(report) > REPORT or len(report) < at + 20 or report[:4] != MAGIC:
        raise Fault(Code.MALFORMED, path, "is no report of Azure's paravisor")
    kind, hashed, size = (int.from_bytes(report[at + 4 * one : at + 4 * one + 4], "little") for one in (2, 3, 4))
    if kind != SNP or hashed != SHA256:
        raise Fault(Code.MALFORMED, path, f"is of the type {kind} with the hash {hashed}, not SEV-SNP with SHA-256")
    if size > len(report) - at - 20:
        raise Fault(Code.MALFORMED, path, f"says {size} bytes of JSON, and ends before")
    return report[HEAD:at], report[at + 20 : at + 20 + size]


def _key(said: Runtime) -> rsa.RSAPublicKey:
    path = f"{NAME}.runtime"
    found = [one for one in said.keys if one.kid == ATTESTATION_KEY and one.kty == "RSA"]
    if len(found) != 1:
        raise Fault(Code.MALFORMED, path, f"has {len(found)} attestation keys ({ATTESTATION_KEY}), not one")
    n, e = (int.from_bytes(_url(text, path), "big") for text in (found[0].n, found[0].e))
    try:
        key = rsa.RSAPublicNumbers(e, n).public_key()
    except ValueError:
        raise Fault(Code.MALFORMED, path, "has an attestation key that is none") from None
    if not s.FEWEST_BITS <= key.key_size <= 8 * s.LONGEST_KEY:
        raise Fault(Code.ALGORITHM, path, f"has an attestation key of {key.key_size} bits")
    return key


def _url(text: str, path: str) -> bytes:
    """Bytes of base64url, filled up or not, in its one form."""
    bare = text.rstrip("=")
    try:
        data = base64.b64decode(bare + "=" * (-len(bare) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise Fault(Code.MALFORMED, path, "is not base64url") from None
    if base64.urlsafe_b64encode(data).rstrip(b"=") != bare.encode():
        raise Fault(Code.MALFORMED, path, "is not base64url in its one form")
    return data


def _ascii(text: str, path: str) -> bytes:
    try:
        return text.encode("ascii")
    except UnicodeEncodeError:
        raise Fault(Code.MALFORMED, path, "is no PEM") from None


def judge(facts: Facts, policy: Policy, asked: Asked) -> Iterator[Reason | Unchecked]:
    """Every reason that a policy has against a guest and its registers."""
    yield from snp.standing(NAME, facts.guest, policy.az_snp_vtpm)
    yield from tpm.registers(NAME, facts.quoted, policy.az_snp_vtpm.pcrs)
    yield from tpm.fresh(NAME, facts.quoted.quote.extra, asked)


def claims(facts: Facts) -> dict[str, Claim]:
    """What the guest, its paravisor and its TPM say: those of `snp`, `tpm` with those of a TPM, and the machine's."""
    machine = facts.machine
    said: dict[str, Claim] = {"console_enabled": machine.console_enabled, "secure_boot": machine.secure_boot}
    said["tpm_enabled"] = machine.tpm_enabled
    return snp.claims(facts.guest) | {"tpm": tpm.claims(facts.quoted), "machine": said}
