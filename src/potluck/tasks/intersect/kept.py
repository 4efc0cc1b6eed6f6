"""What a site learnt of intersections, in its home: a file of common keys a run, and one of what is known of them."""

from __future__ import annotations

from pathlib import Path

import msgspec

from potluck.core.schema import readable
from potluck.members.files import PRIVATE, folder, replace
from potluck.members.names import file_name
from potluck.tasks.intersect.halves import Intersected, text_of

FOLDER = "intersections"


class Learnt(msgspec.Struct, frozen=True):
    """What is known of common keys, beside them."""

    size: int
    reused: bool


def keep(home: Path, run: str, found: Intersected) -> None:
    """Write it, 0600: a round that is done again, for another had not all of it, finds the same. Raises UsageError:
    cannot be written."""
    place = home / FOLDER
    if not place.is_dir():
        folder(place)
    told = Learnt(found.size or 0, bool(found.reused))
    if found.members is not None:
        replace(place / f"{file_name(run)}.csv", text_of(found).encode(), PRIVATE)
    replace(place / f"{file_name(run)}.json", msgspec.json.encode(told), PRIVATE)


def kept(home: Path, run: str) -> tuple[Path | None, Learnt] | None:
    """(file of common keys, what is known of them) of a run; no file where the size alone was learnt; None: nothing."""
    members, known = (home / FOLDER / f"{file_name(run)}.{suffix}" for suffix in ("csv", "json"))
    if not known.is_file():
        return None
    return members if members.is_file() else None, msgspec.json.decode(known.read_bytes(), type=readable(Learnt))
