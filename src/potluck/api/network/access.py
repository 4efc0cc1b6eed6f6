"""The access log, for its owner. It loads nothing of what runs rounds."""

from collections.abc import Sequence
from pathlib import Path

from potluck.members.home import SiteHome
from potluck.owner.access import Entry
from potluck.owner.access import read as read_log


def log(folder: Path) -> tuple[Sequence[Entry], Sequence[int]]:
    """(entries, numbers of lines that cannot be read) of the access log."""
    found = read_log(SiteHome.at(folder).access)
    return found.entries, found.damaged
