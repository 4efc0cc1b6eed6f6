"""Where a letter goes: parties as tokens, and the broker's names for queues, readers and inboxes.

Names of parties hold any characters; subjects do not. A token is 16 hex digits of SHA-256 over role and name. It is a
name, not a credential: what the broker says about a sender proves nothing, only the letter's own signature does.
"""

import hashlib
import re
from functools import lru_cache

from potluck.core.errors import UsageError
from potluck.core.party import Party

FEDERATION = re.compile(r"[A-Za-z0-9_-]{1,64}")
NOTICE = 2_000_000
"""Bytes of a federation file that the broker shows at most: some 1,000 members."""


@lru_cache(maxsize=4096)
def token(party: Party) -> str:
    """16 hex digits that stand for `party` in subjects."""
    return hashlib.sha256(f"{party.role.value}\0{party.name}".encode()).hexdigest()[:16]


def federation(identity: str) -> str:
    """`identity` itself, where it can be part of a subject. Raises UsageError: it cannot."""
    if not FEDERATION.fullmatch(identity):
        hint = "1 to 64 letters, digits, - and _"
        raise UsageError("not a federation's id", where=repr(identity), hint=hint)
    return identity


def subject(identity: str, to: Party, sender: Party) -> str:
    """The queue of letters from `sender` to `to`."""
    return f"potluck.{identity}.{token(to)}.{token(sender)}"


def stream(identity: str) -> str:
    """The stream that holds all queues of a federation."""
    return f"potluck_{identity}"


def lease_subject(identity: str) -> str:
    """Where the server says that it is alive; three tokens, so that it is no queue."""
    return f"potluck.{identity}.lease"


def lease_stream(identity: str) -> str:
    """The stream that holds the lease's last word."""
    return f"potluck_{identity}_lease"


def notice_subject(identity: str) -> str:
    """Where the newest federation file is put up; three tokens, so that it is no queue."""
    return f"potluck.{identity}.members"


def notice_stream(identity: str) -> str:
    """The stream that holds the newest federation file."""
    return f"potluck_{identity}_members"


def inbox(party: Party) -> str:
    """The prefix of the subjects on which the broker answers `party`, and nobody else may listen."""
    return f"_INBOX_{token(party)}"
