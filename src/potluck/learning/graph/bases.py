"""Frozen weights that a party holds: safetensors files in a folder of its own, found by their hash and never sent."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from potluck.core.slices import PIECE
from potluck.learning.graph.file import MOST_BYTES, base_of, contents
from potluck.learning.graph.tensors import Array, unpacked

FOLDER = "models"
"""Its name beside a plan, or beside a model that is scored."""
MOST = 256
"""Files of a folder that are looked at."""


def base_in(folder: Path, wanted: str) -> dict[str, Array] | None:
    """The tensors of the base of this hash (`sha256:...`) in a folder; None where no file of it has that.

    A file that is called by its hash (64 digits, then .safetensors) is looked at first. Raises GraphError: it is no
    safetensors file.
    """
    for path in _files(folder, wanted):
        if _hash(path) == wanted:
            held = contents(path)
            if base_of(held) == wanted:  # nobody has changed it meanwhile
                return unpacked(held, str(path), notes=True)
    return None


def _files(folder: Path, wanted: str) -> Iterator[Path]:
    first = folder / f"{wanted.removeprefix('sha256:')}.safetensors"
    others = sorted(path for path in folder.glob("*.safetensors") if path != first)
    for path in [first, *others][:MOST]:
        if path.is_file() and path.stat().st_size <= MOST_BYTES:
            yield path


def _hash(path: Path) -> str:
    state = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while part := file.read(PIECE):
                state.update(part)
    except OSError:
        return ""
    return f"sha256:{state.hexdigest()}"
