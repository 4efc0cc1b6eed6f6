"""Evidence as it travels: what a machine says of itself, and what its vendor signed about that machine.

Everything in it is hostile until a verifier has looked at it; sizes are bounded before anything is parsed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

Format = Literal["snp", "tdx", "sgx", "nitro", "tpm", "az-snp-vtpm", "nvidia-gpu", "simulated"]
FORMATS: tuple[str, ...] = get_args(Format)
SHIELDED: tuple[Format, ...] = ("snp", "tdx", "sgx", "nitro", "az-snp-vtpm")
"""Formats by which hardware says that it encrypts the memory of what it measured. A TPM says what was booted; a GPU
speaks of itself alone, and an enclave's process is outside it; a simulated enclave is an ordinary process."""
LARGEST = 1 << 20
"""Bytes of one part of evidence."""
MOST = 8
"""Endorsements beside one piece of evidence."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """raw: report, quote or document, as the hardware gives it; endorsements: certificates or collateral beside it."""

    format: Format
    raw: bytes = field(repr=False)
    endorsements: tuple[bytes, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the verifier wants to find in it. now: Unix seconds at which certificates must be valid.

    nonce, report_data: None is not compared. roots: trust anchors (PEM or DER) in place of the pinned ones, or None.
    """

    now: int
    nonce: bytes | None = None
    report_data: bytes | None = None
    roots: Sequence[bytes] | None = None
