"""The home as files: whose they are, who else can reach them, what a crash left; and the room on their disk."""

import os
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from potluck.api.network.doctor.finding import Finding, failed
from potluck.core.errors import PotluckError, reason
from potluck.members import files
from potluck.members.home import CoordinatorHome, SiteHome
from potluck.report.words import size

LOW, FEW = 1 << 30, 100 << 20
"""Bytes of free disk: with fewer it is worth a look, or something will soon fail."""
LEFT = 3600.0
"""Seconds after which a draft of a file is none that is just being written."""
LINE = "the newest line of the access log"
Home = SiteHome | CoordinatorHome


def rights(home: Home) -> Iterator[Finding]:
    """Owners and modes."""
    keys = home.fresh if home.fresh.is_dir() and not home.keys.exists() else home.keys
    found = [one for one in (_keys(keys), *_files(home)) if one is not None]
    yield from found
    if not found:
        yield Finding("home", "good", f"{home.folder} and its keys are this user's alone")


def _keys(folder: Path) -> Finding | None:
    try:
        files.owned(folder, folder.stat(), 700)
        for path in sorted(folder.iterdir()):
            files.owned(path, path.stat(), 600)
    except PotluckError as error:
        return failed("home", error)
    except OSError as error:
        hint = "put the whole home back from a backup: without its keys nobody knows this party any more"
        return Finding("home", "bad", f"{folder}: the keys cannot be read ({reason(error)})", hint)
    return None


def _files(home: Home) -> Iterator[Finding]:
    folder, me = home.folder, os.geteuid()
    mode = folder.stat().st_mode
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        what = f"{folder}: other users of this machine can put files in their own's place here"
        yield Finding("home", "bad", what, f"chmod 700 '{folder}'")
    elif mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield Finding("home", "look", f"{folder}: other users of this machine can enter it", f"chmod 700 '{folder}'")
    for path in sorted(folder.iterdir()):
        try:
            status = path.lstat()
        except FileNotFoundError:
            continue  # a journal of a file that is just being written comes and goes
        if path.suffix in (".card", ".html") or stat.S_ISLNK(status.st_mode):
            continue
        if status.st_uid != me:
            what = f"{path} belongs to another user than the one who asks (number {status.st_uid})"
            hint = f"run Potluck as the home's one user; chown -R {me} '{folder}' gives all of it back"
            yield Finding("home", "bad", what, hint)
            return
        if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            yield Finding("home", "bad", f"{path}: other users of this machine can change it", f"chmod go-w '{path}'")


def left(home: Home, now: float) -> Iterator[Finding]:
    """What crashes and half-done changes left."""
    if home.fresh.is_dir():
        hint = "send the .next.card to the coordinator, and join the file that lists it; until then the old keys serve"
        yield Finding("leftovers", "look", "new keys wait for a federation file that lists them", hint)
    drafts = [one for one in home.folder.glob(".*") if now - _changed(one, now) > LEFT]
    if drafts:
        names = ", ".join(sorted(one.name for one in drafts)[:5])
        yield Finding("leftovers", "look", f"files that a crash left: {names}", "they serve nothing: remove them")
    old = home.keys.with_name(f"{home.keys.name}.old")
    if old.is_dir():
        yield Finding("leftovers", "look", "replaced keys that a crash kept from being destroyed", f"rm -r '{old}'")


def _changed(path: Path, now: float) -> float:
    """When a file was written; `now` where it is none, or none any more."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return now
    return status.st_mtime if stat.S_ISREG(status.st_mode) else now


def disk(folder: Path) -> Iterator[Finding]:
    """Room where the home lies."""
    free = shutil.disk_usage(folder).free
    said = f"{size(free)} are free where {folder} lies"
    hint = "free some: without room no letter, no charge and no line of the access log can be written, and rounds end"
    if free < FEW:
        yield Finding("disk", "bad", said, hint)
    else:
        yield Finding("disk", "look", said, hint) if free < LOW else Finding("disk", "good", said)


def clock(now: float, marks: dict[str, float], ahead: float = 300.0) -> Iterator[Finding]:
    """This machine's clock against what it has seen. marks: by what they are of, unix seconds that have passed; ahead:
    by how many seconds one may be ahead of the clock."""
    wrong = {name: at for name, at in marks.items() if at > now + ahead}
    said = ", ".join(f"{name} ({_day(at)})" for name, at in (wrong or marks).items())
    if set(wrong) == {LINE}:  # by a clock that was ahead, or this one is behind: nothing here says which
        hint = (
            "set it right (timedatectl) if it is behind; if it is right now, it was ahead when that line was written: "
        )
        hint += "the log's next line, as each start of potluck site run writes one, settles this"
        yield Finding("clock", "look", f"it says {_day(now)}, which is before {said}", hint)
    elif wrong:
        hint = "set it right (timedatectl): expiry, hours and the yearly cap go by it"
        yield Finding("clock", "bad", f"it says {_day(now)}, which is before {said}", hint)
    elif marks:
        yield Finding(
            "clock", "good", f"it says {_day(now)}, which is after {said}; whether it is ahead cannot be told here"
        )
    else:
        yield Finding("clock", "unknown", f"it says {_day(now)}; there is nothing here to compare it with")


def _day(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(at))
