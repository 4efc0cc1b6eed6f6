"""No hardware: evidence in the format `simulated`, for development and rehearsal.

It protects NOTHING. Its key is the SHA-256 of a text in this file: whoever reads this can sign anything, and that is on
purpose, so that nobody takes it for protection. Verifiers accept it only under a development policy that lists it.
"""

import hashlib
import struct

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from potluck.tee.attestation.evidence import Evidence

MAGIC = b"potluck simulated tee 1\0"
LAYOUT = struct.Struct(">24s64s32sq")
"""Magic, report data, measurement, Unix seconds; a signature follows."""
SIGNATURE = 64
_SEED = hashlib.sha256(b"potluck simulated tee: this key is public and protects nothing").digest()
ROOT = Ed25519PrivateKey.from_private_bytes(_SEED).public_key().public_bytes_raw()
"""The public half of the test root."""


def simulate(report_data: bytes, measurement: bytes, now: int) -> Evidence:
    """Evidence that looks like an enclave's. report_data: 64 bytes; measurement: 32 bytes; now: Unix seconds.

    Raises ValueError: other lengths.
    """
    if len(report_data) != 64 or len(measurement) != 32:
        raise ValueError("64 bytes of report data and a measurement of 32")
    said = LAYOUT.pack(MAGIC, report_data, measurement, now)
    return Evidence("simulated", said + Ed25519PrivateKey.from_private_bytes(_SEED).sign(said))
