"""Who speaks for a machine: 64 bytes of report data in, evidence out. One module a kind of hardware.

None of it decides anything: what comes out is believed only by a verifier, elsewhere.
"""

from importlib import import_module
from typing import Protocol

from potluck.core.errors import UsageError
from potluck.tee.attestation.evidence import Evidence

REPORT = 64
"""Bytes of report data."""
REAL = {"tsm": "TsmAttester", "nsm": "NsmAttester", "tpm": "TpmAttester"}
"""Words for hardware that this machine may have, and the class in the module of that name."""


class Attester(Protocol):
    """A source of evidence about the machine it runs on."""

    def attest(self, report_data: bytes) -> Evidence:
        """Evidence that carries these 64 bytes. Raises Unreachable: the hardware is not there, or did not answer."""


def exactly(report_data: bytes) -> bytes:
    """The bytes, if they are 64. Raises UsageError."""
    if len(report_data) != REPORT:
        what = f"report data has {len(report_data)} bytes, not {REPORT}"
        raise UsageError(what, where="attest", hint="fill it up with zeros, or take a SHA-512")
    return report_data


def named(word: str) -> Attester:
    """The attester of this machine that has that word, with its module loaded. Raises UsageError: no such word."""
    if word not in REAL:
        raise UsageError(f"there is no attester {word[:20]!r}", where="attester", hint=f"one of {', '.join(REAL)}")
    made: Attester = getattr(import_module(f"{__name__}.{word}"), REAL[word])()
    return made
