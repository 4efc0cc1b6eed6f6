"""A policy to begin with, from evidence that one believes: its values, in the file that demands them ever after.

It takes what evidence says for what is wanted. Whether the machine ran the right code when it said so is for the owner
to know: from a build that others can repeat, or a prediction of the measurement.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import msgspec

from potluck.core.schema import readable
from potluck.tee.attestation.evidence import Asked, Evidence
from potluck.tee.attestation.policy import MEASURED, AzureSnp, Policy, Sgx, Snp, Status, Tdx, extended
from potluck.tee.attestation.verdict import Claim, Verdict
from potluck.tee.attestation.verify import verify

ALL = ("Milan", "Genoa", "Turin")
DAYS = 30
"""The age of collateral that a new policy allows."""


@dataclass(frozen=True, slots=True)
class Line:
    """A key, the claim it is filled from, and what it means; an optional one is written behind a #."""

    key: str
    claim: str
    means: str
    optional: bool = False


_SNP = (
    Line("measurements", "measurement", "the image: firmware, and what the firmware hashes (kernel, initrd, command)"),
    Line("products", "product", "processors"),
    Line("signing_key", "signing_key", "vcek: the chip's own key; vlek: the cloud's"),
    Line("max_vmpl", "vmpl", "the least privileged level that may ask for a report; 0 is the most privileged"),
    Line("min_tcb", "reported_tcb", "the firmware may not become older than this"),
    Line("min_committed_tcb", "committed_tcb", "the firmware that the machine can no longer go back from", True),
    Line("chip_ids", "chip_id", "this machine and no other", True),
    Line("host_data", "host_data", "what the host said at launch, such as an image's digest", True),
    Line("id_key_digests", "id_key_digest", "who signed the image", True),
)
LINES: dict[str, tuple[Line, ...]] = {
    "snp": _SNP,
    "az-snp-vtpm": _SNP,
    "tdx": (
        Line("mrtd", "mrtd", "the virtual firmware"),
        Line("rtmr0", "rtmr0", "the firmware's settings"),
        Line("rtmr1", "rtmr1", "boot loader and kernel"),
        Line("rtmr2", "rtmr2", "command line and initrd"),
        Line("rtmr3", "rtmr3", "what the system measured later", True),
        Line("mrconfigid", "mrconfigid", "what the host said at launch", True),
        Line("mrowner", "mrowner", "whose domain it is", True),
        Line("mrseam", "mrseam", "Intel's module that keeps domains apart", True),
        Line("xfam", "xfam", "which of the processor's extensions the domain may use", True),
        Line("ppids", "ppid", "this machine and no other", True),
        Line("allow_tcb_status", "tcb_status", "how Intel says the platform must stand"),
    ),
    "sgx": (
        Line("mrenclave", "mrenclave", "the enclave"),
        Line("mrsigner", "mrsigner", "who signed it", True),
        Line("prod_id", "prod_id", "which of the signer's products", True),
        Line("min_svn", "svn", "the signer's security version", True),
        Line("ppids", "ppid", "this machine and no other", True),
        Line("allow_tcb_status", "tcb_status", "how Intel says the platform must stand"),
    ),
    "nitro": (
        Line("pcr0", "pcrs.0", "the image"),
        Line("pcr1", "pcrs.1", "kernel and boot"),
        Line("pcr2", "pcrs.2", "the application"),
        Line("pcr3", "pcrs.3", "the parent instance's role", True),
        Line("pcr4", "pcrs.4", "the parent instance", True),
        Line("pcr8", "pcrs.8", "who signed the image", True),
    ),
    "tpm": (),
    "nvidia-gpu": (Line("measurements", "measurement", "driver, VBIOS and settings, all in one hash"),),
    "simulated": (Line("measurements", "measurement", "the digest of the code that ran"),),
}
"""What a format's table begins with."""
LISTS = {"product", "signing_key", "tcb_status"}
"""Claims of one word that a policy lists."""


def loose(format_: str) -> Policy:
    """A policy that lets all go that may be let go: to read evidence, not to believe a machine."""
    snp: dict[str, object] = {"products": ALL, "max_vmpl": 3, "allow_debug": True, "allow_migration": True}
    tables: dict[str, object] = {"version": 1, "mode": "development", "formats": [format_]}
    policy = msgspec.convert(tables, readable(Policy))
    return msgspec.structs.replace(
        policy,
        snp=msgspec.convert(snp, readable(Snp)),
        az_snp_vtpm=msgspec.convert(snp, readable(AzureSnp)),
        tdx=Tdx(allow_tcb_status=get_args(Status)),
        sgx=Sgx(allow_tcb_status=get_args(Status)),
    )


def look(evidence: Evidence, asked: Asked) -> Verdict:
    """What evidence claims, whatever a policy would say of it. No claims: it cannot be believed."""
    return verify(evidence, loose(evidence.format), asked)


def starter(evidence: Evidence, claims: Mapping[str, Claim]) -> str:
    """The text of a policy that demands what this evidence claims."""
    name = evidence.format
    development = name == "simulated"
    head = [
        f"# What an enclave must show: made from evidence ({name}). Every key: potluck docs attestation",
        "# A list that is empty allows nothing; a line behind a # is not compared.",
        "version = 1",
        'mode = "development"       # a simulated enclave protects nothing' if development else 'mode = "production"',
        f"formats = {_toml([name])}",
    ]
    if name in ("nitro", "simulated"):
        head.append("max_evidence_age_s = 300   # seconds since it was made")
    return "\n".join([*head, "", f"[{name}]", *_table(name, claims), *_registers(name, claims, evidence.raw)]) + "\n"


def _table(name: str, claims: Mapping[str, Claim]) -> Iterator[str]:
    for line in LINES[name]:
        value = _claim(claims, line.claim)
        spared = line.optional or line.key in MEASURED
        if value is None or (spared and isinstance(value, str) and not value.strip("0")):
            continue
        listed = isinstance(value, str) or line.claim in LISTS
        yield f"# {line.means}"
        yield f"{'# ' if line.optional else ''}{line.key} = {_toml([value] if listed else value)}"
    if name in ("tdx", "sgx"):
        yield f"max_collateral_age_days = {DAYS}"


def _registers(name: str, claims: Mapping[str, Claim], raw: bytes) -> Iterator[str]:
    """A TPM's key and registers. Registers of all zeros or all ones were never extended."""
    if name == "tpm":
        yield "# keys that are known to be in a certain TPM: activate this one, or compare it, before you trust it"
        yield f"ak = {_toml([msgspec.json.decode(raw)['ak_public']])}"
    found = _claim(claims, "pcrs" if name == "tpm" else "tpm.pcrs")
    if name not in ("tpm", "az-snp-vtpm") or not isinstance(found, Mapping):
        return
    lines = [f'"{number}" = {_toml([value])}' for number, value in found.items() if _kept(name, number, value)]
    if lines:
        yield ""
        yield f"[{name}.pcrs]"
        yield "# 0 to 7: firmware and settings; 4: boot loader; 8 to 15: the system. Delete those that change"
        yield from lines


def _kept(name: str, number: str, value: Claim) -> bool:
    """Zeros in register 12 say that nothing was added to a unified kernel's command line."""
    return isinstance(value, str) and (extended(value) or (name == "az-snp-vtpm" and number == "12"))


def _claim(claims: Mapping[str, Claim], path: str) -> Claim:
    found: Claim = claims
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _toml(value: object) -> str:
    """Texts of words and hex, numbers, lists of them, and tables of numbers."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + " }"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(_toml(one) for one in value) + "]"
    return msgspec.json.encode(value).decode()
