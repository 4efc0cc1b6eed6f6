"""`potluck init` and `Plan.from_frames`: a first plan of files or frames."""

import re
from collections.abc import Mapping, Sequence
from os.path import relpath
from pathlib import Path

from potluck.api.dictionary.columns import columns_from
from potluck.api.draft.draft import Draft, draft
from potluck.api.draft.page import page
from potluck.api.draft.suited import suited
from potluck.core.errors import UsageError


def from_files(
    paths: Sequence[Path], target: str | None, person: str | None, dictionary: Path | None, folder: Path
) -> Draft:
    """A draft of files, one a site, which is called as its file. folder: where the plan will lie. Raises UsageError,
    DataError."""
    names = sites(paths)
    files = {name: Path(relpath(path, folder)).as_posix() for name, path in names.items()}
    return suited(draft(names, target, person, columns_from(dictionary) if dictionary else None, files))


def sites(paths: Sequence[Path]) -> dict[str, Path]:
    """A name for each file. Raises UsageError: a file twice."""
    found: dict[str, Path] = {}
    for path in paths:
        plain = re.sub(r"[^\w-]+", "-", path.stem).strip("-") or "site"
        name = f"{plain}-site" if plain in ("server", "broker") else plain
        again = next((other for other in found.values() if other.resolve() == path.resolve()), None)
        if again is not None:
            raise UsageError(f"{path} is there twice", hint="a file is a site")
        number = 2
        while name in found:
            name, number = f"{plain}-{number}", number + 1
        found[name] = path
    return found


def from_frames(
    frames: Mapping[str, object], target: str | None, person: str | None, dictionary: str | Path | None
) -> str:
    """The text of a plan of frames, one a site. Raises UsageError, DataError."""
    if not isinstance(frames, Mapping):
        raise UsageError("frames have to be given by site", hint='Plan.from_frames({"north": frame, ...})')
    if not frames:
        raise UsageError("there is no frame", hint='Plan.from_frames({"north": frame, ...})')
    return page(suited(draft(frames, target, person, columns_from(dictionary) if dictionary else None)))
