"""What an owner demands of an enclave: which formats, which code, which machines, how fresh.

A list that is given and empty allows nothing; one that is absent is not compared, except as production demands.
`policy_file` reads it from TOML.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

import msgspec

from potluck.core.bounds import Bounds
from potluck.tee.attestation.evidence import Format

Texts = tuple[str, ...]
Component = Annotated[int | None, Bounds(ge=0, le=255)]
Number = Annotated[int | None, Bounds(ge=0, le=65535)]
Days = Annotated[int | None, Bounds(ge=0, le=100_000)]
Status = Literal[
    "UpToDate",
    "SWHardeningNeeded",
    "ConfigurationNeeded",
    "ConfigurationAndSWHardeningNeeded",
    "OutOfDate",
    "OutOfDateConfigurationNeeded",
    "TDRelaunchAdvised",
    "TDRelaunchAdvisedConfigurationNeeded",
]
"""Intel's words for a platform's TCB that a policy may allow. Revoked is none of them."""
Product = Literal["Milan", "Genoa", "Turin"]
LATEST: tuple[Product, ...] = ("Genoa", "Turin")
"""Milan must be listed: its endorsement root was extracted in software (arXiv 2605.12990)."""
KERNEL = "pcrs.9"
"""Stands for the registers of `_settled`, of which most have the ninth."""
REGISTERS = "8 and 9 (GRUB), 9 and 12 (a kernel that the firmware starts), or 11 and 12 (a unified kernel)"
_AMD = ("measurements", "min_tcb.snp", "min_tcb.microcode")
DEMANDED: dict[str, tuple[str, ...]] = {
    "snp": _AMD,
    "az-snp-vtpm": (*_AMD, "pcrs.4", KERNEL),
    "tdx": ("mrtd", "rtmr1", "rtmr2"),
    "tpm": ("pcrs",),
    "nitro": ("pcr0",),
    "nvidia-gpu": ("measurements",),
    "simulated": ("measurements",),
}
"""Keys of a format's table without which production accepts nothing; `formats.sgx` has its own.

A measurement of firmware alone lets the host choose the kernel: TDX has it in RTMR1 and RTMR2, a TPM has what the
firmware starts in register 4 (TCG PC Client Platform Firmware Profile, 3.3.4.5): a boot loader as a rule, which starts
any kernel, and measures it into further registers. Old firmware of AMD's secure processor and old microcode have known
holes by which a host forges reports or reads a guest; a least version of 0 keeps none of them out.
"""
MEASURED = ("rtmr1", "rtmr2")
"""Registers of TDX that say nothing where they were never extended: whatever kernel ran, they are all zeros. So they
are in Azure's guests, which measure what they boot into a virtual TPM, and under firmware that measures nothing.
"""


class Tcb(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The least security versions of an AMD platform; what is absent is not compared. fmc: Turin alone."""

    bootloader: Component = None
    tee: Component = None
    snp: Component = None
    microcode: Component = None
    fmc: Component = None


class Snp(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """AMD SEV-SNP. measurements, chip_ids, host_data, id_key_digests, author_key_digests: hex."""

    measurements: Texts | None = None
    products: tuple[Product, ...] = LATEST
    signing_key: tuple[Literal["vcek", "vlek"], ...] = ("vcek", "vlek")
    min_tcb: Tcb | None = None
    min_committed_tcb: Tcb | None = None
    min_launch_tcb: Tcb | None = None
    max_vmpl: Annotated[int, Bounds(ge=0, le=3)] = 0
    chip_ids: Texts | None = None
    host_data: Texts | None = None
    id_key_digests: Texts | None = None
    author_key_digests: Texts | None = None
    min_guest_svn: Annotated[int, Bounds(ge=0, le=(1 << 32) - 1)] = 0
    allow_debug: bool = False
    allow_migration: bool = False


class AzureSnp(Snp, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Azure's SNP machines with a vTPM: the report's keys, and the vTPM's registers. pcrs: register -> hex values."""

    pcrs: dict[str, Texts] | None = None


class Tdx(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Intel TDX. All measurements: hex of 48 bytes; xfam: of 8, as a quote has it; ppids: platforms, of 16."""

    mrtd: Texts | None = None
    rtmr0: Texts | None = None
    rtmr1: Texts | None = None
    rtmr2: Texts | None = None
    rtmr3: Texts | None = None
    mrconfigid: Texts | None = None
    mrowner: Texts | None = None
    mrseam: Texts | None = None
    xfam: Texts | None = None
    ppids: Texts | None = None
    allow_tcb_status: tuple[Status, ...] = ("UpToDate",)
    deny_advisories: Texts = ()
    max_collateral_age_days: Days = None


class Sgx(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Intel SGX. mrenclave, mrsigner: hex of 32 bytes; a signer alone needs prod_id and min_svn. ppids: as of TDX."""

    mrenclave: Texts | None = None
    mrsigner: Texts | None = None
    prod_id: Number = None
    min_svn: Number = None
    ppids: Texts | None = None
    allow_tcb_status: tuple[Status, ...] = ("UpToDate",)
    deny_advisories: Texts = ()
    max_collateral_age_days: Days = None


class Nitro(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """AWS Nitro Enclaves. pcr0 (image) to pcr15: hex of 48 bytes."""

    pcr0: Texts | None = None
    pcr1: Texts | None = None
    pcr2: Texts | None = None
    pcr3: Texts | None = None
    pcr4: Texts | None = None
    pcr5: Texts | None = None
    pcr6: Texts | None = None
    pcr7: Texts | None = None
    pcr8: Texts | None = None
    pcr9: Texts | None = None
    pcr10: Texts | None = None
    pcr11: Texts | None = None
    pcr12: Texts | None = None
    pcr13: Texts | None = None
    pcr14: Texts | None = None
    pcr15: Texts | None = None


class Tpm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A TPM 2.0. ak: attestation keys (base64 of SubjectPublicKeyInfo); pcrs: register -> hex values."""

    ak: Texts | None = None
    pcrs: dict[str, Texts] | None = None


class NvidiaGpu(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An NVIDIA GPU in confidential mode. measurements: hex of the report's measurement hash."""

    measurements: Texts | None = None


class Simulated(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """No hardware at all: development alone."""

    measurements: Texts | None = None


def unsaid(name: str, table: msgspec.Struct) -> Iterator[str]:
    """What production demands of a format's table and the table does not say: the first dotted key that is absent.

    A least version of 0 bounds nothing, and is as absent; so is a register that nothing extended.
    """
    found: dict[str, None] = {}
    for path in DEMANDED.get(name, ()):
        value: object = table
        parts = path.split(".")
        if path == KERNEL and isinstance(table, AzureSnp) and table.pcrs is not None:
            if not _settled(table.pcrs):
                found[path] = None
            continue
        for depth, key in enumerate(parts, 1):
            value = value.get(key) if isinstance(value, Mapping) else getattr(value, key)
            if value is None or value == 0 or _idle(path, value):
                found[".".join(parts[:depth])] = None
                break
    yield from found


def _settled(pcrs: Mapping[str, Texts]) -> bool:
    """Whether registers settle the kernel and its command line, whoever started it, beside register 4.

    GRUB measures its commands into 8 and the files that it reads into 9. A kernel that the firmware starts is in 4
    itself, its initrd in 9, its command line in 12. A unified kernel is in 11, and in 12 what is added to its command
    line (systemd-stub): nothing, if that is all zeros.
    """
    held = {number for number, values in pcrs.items() if all(extended(value) for value in values)}
    return {"8", "9"} <= held or {"9", "12"} <= held or ("11" in held and "12" in pcrs)


def _idle(path: str, value: object) -> bool:
    """Whether a list allows a register that nothing extended, and so whatever was not measured."""
    return path in MEASURED and isinstance(value, tuple) and not all(map(extended, value))


def extended(value: str) -> bool:
    """Whether a register of that value (hex) may ever have been extended: at first it is all zeros, or all ones."""
    return bool(value.strip("0")) and bool(value.strip("f"))


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole policy. max_evidence_age_s: seconds since the evidence was made, where it says when."""

    version: Literal[1]
    formats: tuple[Format, ...]
    mode: Literal["production", "development"] = "production"
    max_evidence_age_s: Annotated[int | None, Bounds(ge=0, le=1 << 40)] = None
    snp: Snp = Snp()
    tdx: Tdx = Tdx()
    sgx: Sgx = Sgx()
    nitro: Nitro = Nitro()
    tpm: Tpm = Tpm()
    az_snp_vtpm: AzureSnp = msgspec.field(default=AzureSnp(), name="az-snp-vtpm")
    nvidia_gpu: NvidiaGpu = msgspec.field(default=NvidiaGpu(), name="nvidia-gpu")
    simulated: Simulated = Simulated()

    @property
    def production(self) -> bool:
        """Whether nothing may be let go."""
        return self.mode == "production"
