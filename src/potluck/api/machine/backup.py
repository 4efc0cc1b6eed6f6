"""Copies of a site's home, or a coordinator's: made while it works, and put back on another machine.

Rows are left out: they come from the owner's own system. Keys are in it. A copy that is older than what the federation
has seen of the site's ledger is refused by the site itself, at the first request (decision 0012).
"""

import contextlib
import os
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from potluck.api.network.membership.compared import Caught, put_back
from potluck.core import private
from potluck.core.errors import PotluckError, UsageError, unwritable
from potluck.core.prose import utc
from potluck.members.backup import Copied, restore, save
from potluck.members.files import locked
from potluck.members.home import CoordinatorHome, SiteHome
from potluck.owner.reading import read as read_policy

PIPE = Path("-")


@dataclass(frozen=True)
class Backup:
    """file: the copy, "-" for a pipe; folder: the home."""

    file: Path
    folder: Path
    copied: Copied

    @property
    def piped(self) -> bool:
        """Whether it came or went through a pipe."""
        return self.file == PIPE

    @property
    def made(self) -> str:
        """When the copy was made, in UTC."""
        return utc(self.copied.made)

    def document(self) -> dict[str, object]:
        """The JSON of it."""
        return {
            "site" if self.copied.kind == "site" else "federation": self.copied.name,
            "folder": str(self.folder),
            "file": str(self.file),
            "made": self.made,
            "code": self.copied.code,
            "files": list(self.copied.files),
        }


def site_backup(folder: Path, file: Path) -> Backup:
    """Copy the home in `folder`, whatever works there meanwhile, to a new file, 0600, or to stdout. file: of a folder
    one in it, named by the time.

    Raises UsageError: no home, its ledger lies elsewhere, the file is there already, or cannot be written.
    """
    home = SiteHome.at(folder)
    if home.ledger.parent != home.folder:
        hint = f"put it into the home, and take `ledger` out of {home.folder / 'site.toml'}"
        raise UsageError("the ledger lies outside of the home", where=str(home.ledger), hint=hint)
    rows = _rows(home)
    now = time.time()
    file = _named(file, home.folder, now)
    with _written(file) as out:
        copied = save(home.folder, out, "site", home.name, lambda inner: _within(home.folder / inner, rows), now)
    return Backup(file, home.folder, copied)


def site_restore(file: Path, folder: Path) -> Backup:
    """Put a copy back into the new folder `folder`. file: "-" is stdin.

    Raises UsageError: the folder is there, or a file cannot be read or written. Raises Refused: no copy as it was made.
    """
    with _read(file) as source:
        return Backup(file, folder, restore(source, folder, "site"))


def server_backup(folder: Path, file: Path) -> Backup:
    """Copy the coordinator's home in `folder` as `site_backup` does, while its server works: keys, files of the
    federation, the broker's own, runs, heads. The broker's queues are left out, and the mark by which a server that
    starts again takes its own lease: a copy has to wait until the other server is gone.

    Raises UsageError: no home, or the file is there already, or cannot be written. Refused: the federation is just
    being changed.
    """
    home, now = CoordinatorHome.at(folder), time.time()
    file = _named(file, home.folder, now)
    with (
        locked(home.changing, "the federation is being changed by another process"),
        _written(file) as out,
    ):
        name = home.standing().federation.name
        copied = save(home.folder, out, "coordinator", name, _of_broker, now)
    return Backup(file, home.folder, copied)


def server_restore(file: Path, folder: Path, newest: Path | None = None) -> tuple[Backup, Caught]:
    """Put a copy of a coordinator's home back into the new folder `folder`, and bring it up to the newest federation
    file. file: "-" is stdin. newest: the file that members have by now, where the broker cannot say.

    Raises UsageError: the folder is there, or a file cannot be read or written. Raises Refused: no copy as it was made,
    or it holds no such home; or the newest file does not follow the one in it. Then there is no folder.
    """
    with _read(file) as source:
        found = Backup(file, folder, restore(source, folder, "coordinator"))
    with contextlib.ExitStack() as undo:
        undo.callback(shutil.rmtree, folder)
        caught = put_back(folder, newest, time.time())
        undo.pop_all()
    return found, caught


def _named(file: Path, home: Path, now: float) -> Path:
    """Of a folder a new file in it, by home and time."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    return file / f"{home.name}-{stamp}.tar.gz" if file.is_dir() else file


def _of_broker(inner: str) -> bool:
    """What a program of the broker's makes itself: queues and log."""
    place = Path(inner).parts
    return place[0] == "broker" and ("store" in place or place[-1].startswith("nats.log"))


def _rows(home: SiteHome) -> frozenset[Path]:
    """Files and folders of rows that lie in the home. Without a policy that can be read, the file of that name."""
    named = {home.folder / "rows.csv"}
    with contextlib.suppress(PotluckError):
        source = read_policy(home.policy).source
        files = (source.file, source.folder, *(one.file for one in source.tables.values()))
        named |= {home.folder / text for text in files if text}
    return frozenset(path.resolve() for path in named) - {home.folder.resolve()}


def _within(path: Path, rows: frozenset[Path]) -> bool:
    place = path.resolve()
    return not rows.isdisjoint((place, *place.parents))


@contextlib.contextmanager
def _written(file: Path) -> Iterator[BinaryIO]:
    if file == PIPE:
        if sys.stdout.isatty():
            raise UsageError("a backup is no text for a terminal", where="-o", hint="name a file, or pipe it on")
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        out = private.opened(file, os.O_EXCL)
    except FileExistsError:
        raise UsageError("is there already", where=str(file), hint="nothing is overwritten: name another") from None
    except OSError as error:
        raise unwritable(error, file, "name another file") from None
    with contextlib.ExitStack() as undo:
        undo.callback(file.unlink, missing_ok=True)
        with out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        undo.pop_all()


@contextlib.contextmanager
def _read(file: Path) -> Iterator[BinaryIO]:
    if file == PIPE:
        yield sys.stdin.buffer
        return
    try:
        source = private.regular(file)
    except OSError as error:
        what = f"cannot be read ({error.strerror or type(error).__name__})"
        raise UsageError(what, where=str(file), hint="give the path of a backup") from None
    with source:
        yield source
