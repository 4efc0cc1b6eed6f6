"""Whether a site knows that it is no member any more: a newer federation file without it came, and is not pinned."""

import re

from potluck.core.errors import PotluckError
from potluck.members.home import SiteHome
from potluck.owner.access import read as read_log

NO_MEMBER = "not a member"
"""Why such a file is not taken, in the access log."""
NEWEST = 1 << 20
"""Bytes of the access log's end in which that is looked for."""
_VERSION = re.compile(r"version ([0-9]+) ")


def left(home: SiteHome) -> str:
    """In words that a later file than the pinned one came and does not list this party; empty: none did."""
    try:
        pinned, entries = home.pinned().version, read_log(home.access, last=NEWEST).entries
    except PotluckError:
        return ""  # has words of its own
    files = [one.file for one in entries if one.event == "members" and one.why == (NO_MEMBER,)]
    found = [int(said[1]) for said in map(_VERSION.match, files) if said]
    if not found or found[-1] <= pinned:
        return ""
    return f"this party is no member any more in version {found[-1]} of the federation file: nothing is asked of it"
