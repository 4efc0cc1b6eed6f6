"""Passwords of people, as argon2id digests (RFC 9106) that say their own salt and cost.

A digest takes 64 MiB and two passes, libsodium's values for sign-in: who steals the file tries slowly. A name that is
not known costs as much as one that is, so that time tells nobody's name. It does NOT bound how often somebody tries.
"""

import unicodedata
from collections.abc import Sequence
from functools import cache
from threading import RLock

from nacl.exceptions import InvalidkeyError
from nacl.pwhash import argon2id

from potluck.core.errors import Refused, UsageError
from potluck.members.guessable import guessable
from potluck.members.tokens import fresh

SHORTEST, LONGEST = 12, 256
"""Letters of a password."""
DIFFERENT = 5
"""Different ones of them, at least."""
_ONE = RLock()
"""One is worked on at a time: many at once would take as many times the memory."""


def digest(password: str, names: Sequence[str] = ()) -> str:
    """What is kept of a password. names: whose it is, and of what. Raises UsageError: too short, too long, of too few
    letters, or one that others try first."""
    if not SHORTEST <= len(password) <= LONGEST:
        hint = "some words in a row are easy to keep in mind"
        raise UsageError(f"a password has {SHORTEST} to {LONGEST} letters", hint=hint)
    if len(set(password.casefold())) < DIFFERENT:
        raise UsageError(f"a password has at least {DIFFERENT} different letters", hint="use words, not one letter")
    if guessable(password, names):
        hint = "take some words in a row, with spaces between them, that nobody expects beside each other"
        raise UsageError("this password is among those that others try first", hint=hint)
    return _digest(password)


def _digest(password: str) -> str:
    with _ONE:
        kept = argon2id.str(_bytes(password), argon2id.OPSLIMIT_INTERACTIVE, argon2id.MEMLIMIT_INTERACTIVE)
    return kept.decode()


def require(kept: str, password: str) -> None:
    """Raises Refused: it is not the password of this digest. An empty digest is nobody's, and takes as long."""
    try:
        with _ONE:
            argon2id.verify((kept or _nobody()).encode(), _bytes(password[: LONGEST + 1]))
    except InvalidkeyError:
        raise Refused("name or password is wrong") from None
    if not kept:
        raise Refused("name or password is wrong")


def _bytes(password: str) -> bytes:
    """One spelling of letters that keyboards write in several ways."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")


@cache
def _nobody() -> str:
    return _digest(fresh())
