"""Whether a site knows that it is no member any more: a newer federation file without it came, and is not pinned; or
the broker, which knew its key, does not any more, so that no such file can come."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from potluck.core.errors import PotluckError, Refused
from potluck.members.federation import titled
from potluck.members.home import SiteHome
from potluck.net.session import STRANGER
from potluck.owner.access import AccessLog, Entry, Subject
from potluck.owner.access import read as read_log

NO_MEMBER, NOT_KNOWN = "not a member", "key not known"
"""Why such a file is not taken, and why the site ended, in the access log."""
NEWEST = 1 << 20
"""Bytes of the access log's end in which that is looked for."""
ALIVE = ("request", "round", "end")
"""Events that only a connected site has."""
_VERSION = re.compile(r"version ([0-9]+) ")


def left(home: SiteHome) -> str:
    """In words that this party is no member any more, as far as it knows; empty: nothing says so."""
    try:
        pinned, entries = home.pinned().version, read_log(home.access, last=NEWEST).entries
    except PotluckError:
        return ""  # has words of its own
    found = _versions(entries, NO_MEMBER)
    if found and found[-1] > pinned:
        return f"this party is no member any more in version {found[-1]} of the federation file: nothing is asked of it"
    ends = [place for place, one in enumerate(entries) if one.why == (NOT_KNOWN,)]
    alive = any(one.event in ALIVE for one in entries[ends[-1] :]) if ends else True
    if not alive and _versions(entries[ends[-1] :], NOT_KNOWN) == [pinned]:
        return f"{_unknown(pinned)} since {entries[ends[-1]].when[:10]}"
    return ""


def _versions(entries: Sequence[Entry], why: str) -> list[int]:
    files = [one.file for one in entries if one.event == "members" and one.why == (why,)]
    return [int(said[1]) for said in map(_VERSION.match, files) if said]


def _unknown(pinned: int) -> str:
    what = "this party is no member any more, or is listed with other keys"
    return f"{what}: the broker, which knew them under version {pinned} of the federation file, does not know them"


def dismissed(home: SiteHome, error: Refused, log: AccessLog, connected: bool) -> Refused:
    """The error with which a site ends, in the words of `left` where the broker knew it before. connected: while this
    process lived."""
    if not error.what.startswith(STRANGER):
        return error
    said = left(home)
    if connected and not said:
        it = home.pinned()
        about = Subject(file=titled(it.version, it.digest))
        log.write("members", datetime.now(UTC), outcome="refused", about=about, why=(NOT_KNOWN,))
        said = _unknown(it.version)
    hint = "ask the coordinator; if it is so, disable the service: it is started again only by hand after this (exit 3)"
    return Refused(said, where=error.where, hint=hint) if said else error
