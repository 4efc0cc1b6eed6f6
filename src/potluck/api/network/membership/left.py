"""Whether a site knows that it is no member any more: a newer federation file without it came, and is not pinned; or
the broker, which knew its key, does not any more, so that no such file can come."""

from datetime import UTC, datetime

from potluck.core.errors import PotluckError, Refused
from potluck.members import charter
from potluck.members.federation import Federation, titled
from potluck.members.home import SiteHome
from potluck.net.session import STRANGER
from potluck.owner.access import AccessLog, Subject
from potluck.owner.access import read as read_log

NO_MEMBER, NOT_KNOWN = "not a member", "key not known"
"""Why such a file is not taken, and why the site ended, in the access log."""
NEWEST = 1 << 20
"""Bytes of the access log's end in which that is looked for."""
ALIVE = ("request", "round", "end")
"""Events that only a connected site has."""


def left(home: SiteHome) -> str:
    """In words that this party is no member any more, as far as it knows; empty: nothing says so."""
    try:
        pinned, entries = home.pinned(), read_log(home.access, last=NEWEST).entries
        gone = charter.read(home.without).version if home.without.is_file() else 0
    except PotluckError:
        return ""  # has words of its own
    if gone > pinned.version:
        return f"this party is no member any more in version {gone} of the federation file: nothing is asked of it"
    ends = [place for place, one in enumerate(entries) if one.why == (NOT_KNOWN,)]
    if not ends or any(one.event in ALIVE for one in entries[ends[-1] :]):
        return ""
    said = entries[ends[-1]]
    return f"{_unknown(pinned.version)} since {said.when[:10]}" if said.file == _name(pinned) else ""


def _name(it: Federation) -> str:
    return titled(it.version, it.digest)


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
        about = Subject(file=_name(it))
        log.write("members", datetime.now(UTC), outcome="refused", about=about, why=(NOT_KNOWN,))
        said = _unknown(it.version)
    hint = "ask the coordinator; if it is so, disable the service: it is started again only by hand after this (exit 3)"
    return Refused(said, where=error.where, hint=hint) if said else error
