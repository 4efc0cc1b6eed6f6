"""Frozen weights that a party holds: safetensors files in a folder of its own, found by their hash.

No run that trains sends them. Whoever lends its model to a prediction seals its own base to the enclave with it.
"""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from potluck.core import private
from potluck.core.slices import PIECE, digest_of
from potluck.learning.graph.file import MOST_BYTES, contents
from potluck.learning.graph.tensors import Array, unpacked

FOLDER = "models"
"""Its name beside a plan, or beside a model that is scored."""
MOST = 256
"""Files of a folder that are looked at."""
LOOKED = f"of more than {MOST} files there, one is found that is called by those digits: <64 digits>.safetensors"
"""What to know where a base is not found."""
_HASHED: dict[tuple[int, ...], str] = {}
"""Of files as they lay on a disk: asked for a base that is not here, a party would read all of its folder each time.
It says where to look, and nothing more: a base is hashed again when it is taken."""
_KEPT = 4 * MOST


def base_in(folder: Path, wanted: str) -> dict[str, Array] | None:
    """The tensors of the base of this hash (`sha256:...`) in a folder; None where no file of it has that.

    A file that is called by its hash (64 digits, then .safetensors) is looked at first. Raises GraphError: it is no
    safetensors file.
    """
    for path in _files(folder, wanted):
        if _hash(path) == wanted:
            held = contents(path)
            if digest_of(held) == wanted:  # nobody has changed it meanwhile
                return unpacked(held, str(path), notes=True)
    return None


def _files(folder: Path, wanted: str) -> Iterator[Path]:
    first = folder / f"{wanted.removeprefix('sha256:')}.safetensors"
    others = sorted(path for path in folder.glob("*.safetensors") if path != first)
    yield from [first, *others][:MOST]


def _hash(path: Path) -> str:
    """Of a file's bytes; empty where it is none, is larger than any base, or cannot be read."""
    state = hashlib.sha256()
    try:
        with private.regular(path) as file:
            status = os.fstat(file.fileno())
            if status.st_size > MOST_BYTES:
                return ""
            found = _HASHED.get(_identity(status))
            if found is not None:
                return found
            while part := file.read(PIECE):
                state.update(part)
            same = _identity(os.fstat(file.fileno())) == _identity(status)
    except OSError:
        return ""
    found = f"sha256:{state.hexdigest()}"
    if same:  # nobody wrote to it meanwhile
        if len(_HASHED) >= _KEPT:
            _HASHED.clear()
        _HASHED[_identity(status)] = found
    return found


def _identity(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
