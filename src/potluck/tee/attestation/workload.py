"""What code an enclave runs: one digest over the files that its process loads of this project, by name and content.

An owner computes it over its own copy and believes no enclave that says another: both run the same version. It does
NOT cover Python, the libraries (NumPy, torch) and the system below; the machine's own measurement does.
"""

import hashlib
from pathlib import Path

FILES = tuple(
    f"{folder}{name}.py"
    for folder, names in {
        "": "__init__",
        "core/": "__init__ errors fixed party predicting private registry rounds schema slices stages strict visible "
        "wire",
        "dp/": "__init__ noise",
        "engines/": "__init__ frames serving",
        "learning/": "__init__",
        "learning/graph/": "__init__ batches bound check file interpreter op origins schema steps strict_json tensors "
        "value",
        "learning/graph/ops/": "__init__ attention convolution elementwise linear normalisation pooling shape",
        "parties/": "__init__",
        "parties/runners/": "__init__ enclave enclave_graphs",
        "secret/": "__init__ box container keys random schedule stream",
        "tee/": "__init__ serve",
        "tee/attestation/": "__init__ binding evidence messages verdict workload",
        "tee/attestation/attesters/": "__init__ nsm simulated tpm tsm",
        "tee/attestation/formats/": "__init__ cbor cursor tpm_structures",
        "tee/predict/": "__init__ compute graphs margins messages opened",
        "tee/sum/": "__init__ compute messages rules",
    }.items()
    for name in names.split()
)
"""All that the enclave's process may load of this project, of which one that scores by no graphs loads less: tests
compare it with what they load."""
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
