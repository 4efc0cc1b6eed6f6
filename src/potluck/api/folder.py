"""Folders of runs: made beside their final place, renamed when the run is done, gone when it is not."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from potluck.api.plan import file_name
from potluck.core.errors import UsageError


def _free(wanted: Path, numbered: bool) -> Path:
    """`wanted`, or with -2, -3 ... where it is taken. Raises UsageError where it is taken and may not be numbered."""
    if not wanted.exists():
        return wanted
    if not numbered:
        raise UsageError("is there already", where=str(wanted), hint="runs are never overwritten: name another --out")
    number = 2
    while (path := wanted.with_name(f"{wanted.name}-{number}")).exists():
        number += 1
    return path


@contextmanager
def run_folder(name: str, out: Path | None, now: datetime) -> Iterator[tuple[Path, Path]]:
    """(where to write now, where it will be): renamed at the end; nothing is left where the run failed.

    out: the folder to make; None: `runs/<name>-<utc>` in the working directory. Raises UsageError: taken or unwritable.
    """
    wanted = out if out is not None else Path("runs") / f"{file_name(name)}-{now.strftime('%Y%m%dT%H%M%SZ')}"
    final = _free(wanted.absolute(), numbered=out is None)
    parents = [parent for parent in final.parents if not parent.exists()]
    partial = final.with_name(f".{final.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
    except OSError as error:
        hint = "name another folder with --out"
        raise UsageError(f"cannot be written ({type(error).__name__})", where=str(final.parent), hint=hint) from None
    try:
        yield partial, final
        partial.rename(final)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        for parent in parents:
            if parent.is_dir() and not any(parent.iterdir()):
                parent.rmdir()
        raise
