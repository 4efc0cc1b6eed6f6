"""What code an enclave runs: one digest over the files that its process loads of this project, by name and content.

An owner computes it over its own copy and believes no enclave that says another: both run the same version. It does
NOT cover the interpreter, the libraries and the system below; the machine's own measurement does.
"""

import hashlib
from pathlib import Path

FILES = tuple(
    f"{folder}{name}.py"
    for folder, names in {
        "": "__init__",
        "core/": "__init__ errors fixed party rounds schema slices stages visible wire",
        "dp/": "__init__ noise",
        "engines/": "__init__ frames serving",
        "parties/": "__init__",
        "parties/runners/": "__init__ enclave",
        "secret/": "__init__ box container keys random schedule stream",
        "tee/": "__init__ serve",
        "tee/attestation/": "__init__ binding evidence messages verdict workload",
        "tee/attestation/attesters/": "__init__ nsm simulated tpm tsm",
        "tee/attestation/formats/": "__init__ cbor cursor tpm_structures",
        "tee/predict/": "__init__ compute margins messages",
        "tee/sum/": "__init__ compute messages rules",
    }.items()
    for name in names.split()
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
