"""Folders of runs: the name is taken before anything runs, and given back where the run fails."""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import count
from pathlib import Path

from potluck.core import private
from potluck.core.errors import UsageError, unwritable
from potluck.members.names import file_name


@contextmanager
def run_folder(name: str, out: Path | None, now: datetime, kept: Callable[[], bool] = lambda: False) -> Iterator[Path]:
    """A new folder, this run's alone; nothing is left of it where the run failed, unless then `kept` says so.

    out: the folder to make; None: `runs/<name>-<utc>` in the working directory, with -2, -3 ... where that is taken.
    A killed process leaves the folder without its run.json, which is written last: no run. Raises UsageError: taken
    or unwritable.
    """
    wanted = out if out is not None else Path("runs") / f"{file_name(name)}-{now.strftime('%Y%m%dT%H%M%SZ')}"
    wanted = wanted.absolute()
    made = [parent for parent in wanted.parents if not parent.exists()]
    try:
        wanted.parent.mkdir(parents=True, exist_ok=True)
        folder = _taken(wanted, numbered=out is None)
    except OSError as error:
        raise unwritable(error, wanted.parent, "name another folder with --out") from None
    try:
        yield folder
    except BaseException:
        if kept():
            raise
        shutil.rmtree(folder, ignore_errors=True)
        for parent in made:
            with contextlib.suppress(OSError):  # another run may be in there by now
                parent.rmdir()
        raise


def _taken(wanted: Path, numbered: bool) -> Path:
    """`wanted` or its next free number, made by this process and no other. Raises UsageError: there already."""
    for number in count(1):
        path = wanted if number == 1 else wanted.with_name(f"{wanted.name}-{number}")
        with contextlib.suppress(FileExistsError):
            private.folder(path)
            return path
        if not numbered:
            break
    raise UsageError("is there already", where=str(wanted), hint="runs are never overwritten: name another --out")


def free(out: Path | None) -> None:
    """Whether a run may be written to `out`, known before it begins. Raises UsageError: there is one already."""
    if out is not None and (out / "run.json").exists():
        hint = "runs are never overwritten: name another --out"
        raise UsageError("is there already", where=str(out), hint=hint)


def taken(name: str, out: Path | None, began: datetime) -> Path:
    """The folder of a run that can be gone on with: one without a run.json is no run, and is taken again.

    Raises UsageError: a run is there already, or it cannot be written.
    """
    free(out)
    if out is None:
        with run_folder(name, None, began) as folder:
            return folder
    try:
        private.folder(out, taken=True)
    except OSError as error:
        raise unwritable(error, out, "name another folder with --out") from None
    return out.absolute()
