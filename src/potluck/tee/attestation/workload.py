"""What code an enclave runs: one digest over the files that its process loads of this project, by name and content.

An owner computes it over its own copy and believes no enclave that says another: both run the same version. It does
NOT cover the interpreter, the libraries and the system below; the machine's own measurement does.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

FILES = (
    "__init__.py",
    "core/__init__.py",
    "core/errors.py",
    "core/fixed.py",
    "core/party.py",
    "core/rounds.py",
    "core/schema.py",
    "core/stages.py",
    "core/visible.py",
    "core/wire.py",
    "dp/__init__.py",
    "dp/noise.py",
    "engines/__init__.py",
    "engines/frames.py",
    "engines/serving.py",
    "parties/__init__.py",
    "parties/runners/__init__.py",
    "parties/runners/enclave.py",
    "secret/__init__.py",
    "secret/box.py",
    "secret/container.py",
    "secret/keys.py",
    "secret/random.py",
    "secret/stream.py",
    "tee/__init__.py",
    "tee/serve.py",
    "tee/attestation/__init__.py",
    "tee/attestation/binding.py",
    "tee/attestation/evidence.py",
    "tee/attestation/messages.py",
    "tee/attestation/verdict.py",
    "tee/attestation/workload.py",
    "tee/attestation/attesters/__init__.py",
    "tee/attestation/attesters/nsm.py",
    "tee/attestation/attesters/simulated.py",
    "tee/attestation/attesters/tpm.py",
    "tee/attestation/attesters/tsm.py",
    "tee/attestation/formats/__init__.py",
    "tee/attestation/formats/cbor.py",
    "tee/attestation/formats/tpm_structures.py",
    "tee/predict/__init__.py",
    "tee/predict/compute.py",
    "tee/predict/margins.py",
    "tee/predict/messages.py",
    "tee/sum/__init__.py",
    "tee/sum/compute.py",
    "tee/sum/messages.py",
    "tee/sum/rules.py",
)
"""All that the enclave's process may load of this project: a test compares it with what it loads."""
ROOT = Path(__file__).parents[2]


def workload() -> bytes:
    """32 bytes over these files."""
    state = hashlib.sha256(b"potluck workload 1\0")
    for name in FILES:
        content = (ROOT / name).read_bytes()
        for part in (name.encode(), content):
            state.update(len(part).to_bytes(8, "big"))
            state.update(part)
    return state.digest()
