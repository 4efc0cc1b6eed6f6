"""What a client keeps of a prediction in its home: the scores, and what is known of them, a file each a run."""

from __future__ import annotations

from pathlib import Path

import msgspec

from potluck.core.schema import readable
from potluck.learning.models.scoring import Predicted, text_of
from potluck.members.files import PRIVATE, create, folder, replace
from potluck.members.names import file_name

KEPT = "predictions"
"""A folder in the client's home."""


class Told(msgspec.Struct, frozen=True):
    """What is known of scores, beside them."""

    max_error_bound: float
    notes: tuple[str, ...]
    rows: int


def keep(home: Path, run: str, found: Predicted) -> None:
    """Write both files. Raises UsageError: they cannot be written, or scores of this run are there already."""
    place = home / KEPT
    if not place.is_dir():
        folder(place)
    told = Told(found.bound, found.notes, found.rows)
    replace(place / f"{file_name(run)}.json", msgspec.json.encode(told), PRIVATE)
    create(place / f"{file_name(run)}.csv", text_of(found).encode(), PRIVATE)


def kept(home: Path, run: str) -> tuple[Path, Told] | None:
    """(file of scores, what is known of them) of a run in a client's home; None where there is none."""
    scores, known = (home / KEPT / f"{file_name(run)}.{suffix}" for suffix in ("csv", "json"))
    if not scores.is_file():
        return None
    return scores, msgspec.json.decode(known.read_bytes(), type=readable(Told))
