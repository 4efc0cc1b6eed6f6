"""The policy changed in its file, by whoever has the terminal: noticed as the policy is next gone by, and logged.

An editor asks for no reason and for no second person. So the line says no name, and what differs from the policy that
was gone by before: of what a form shows; a change of other keys, or of comments, is a line without words. It does NOT
see a change that was taken back before anybody went by it.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import msgspec

from potluck.core import private
from potluck.core.errors import Refused, UsageError, reason
from potluck.core.schema import readable
from potluck.members import files
from potluck.members.home import SiteHome
from potluck.owner.access import AccessLog, Subject
from potluck.owner.form.changes import Change, changes, noted
from potluck.owner.form.controls import differ, typed, value_of, values
from potluck.owner.form.text import edited
from potluck.owner.policy import LONGEST, Policy
from potluck.owner.policy_words import keep
from potluck.owner.reading import parse

BUSY = "the policy is being changed by somebody else"


class GoneBy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """file: hex digest of the policy's bytes; fields: what a form of it would show."""

    version: Literal[1] = 1
    file: str
    fields: dict[str, str]


def noticed(home: SiteHome, now: datetime) -> None:
    """A line of the log, if the policy is another than the one gone by before. Raises UsageError: it does not fit;
    Refused: no line can be written."""
    if _known(home, _bytes(home)):
        return
    try:
        with files.locked(home.amending, BUSY):
            _look(home, now)
    except Refused as error:
        if error.what != BUSY:  # a page is just changing it, and says so itself
            raise


def mark(home: SiteHome, data: bytes, policy: Policy) -> None:
    """From here on this policy is the one gone by. Raises UsageError: a full disk."""
    found = GoneBy(file=hashlib.sha256(data).hexdigest(), fields=typed(policy))
    files.replace(home.gone_by, msgspec.json.encode(found), files.PRIVATE)


def _look(home: SiteHome, now: datetime) -> None:
    data = _bytes(home)
    if _known(home, data):
        return
    text = data.decode("utf-8-sig")
    policy = parse(text, str(home.policy))
    known = _read(home)
    if known is not None:
        about = Subject(policy=keep(home.policies, policy))
        for why in noted(_differs(text, policy, known.fields, str(home.policy))):
            AccessLog(home.access).write("policy", now, outcome="done", about=about, why=why)
    mark(home, data, policy)


def _differs(text: str, policy: Policy, fields: Mapping[str, str], where: str) -> tuple[Change, ...]:
    """What differs from the policy whose form had these fields; empty where that cannot be told."""
    try:
        wanted, _ = values(fields, fields)
        old = {key: value for key, value in wanted.items() if differ(value, value_of(policy, key))}
        return changes(parse(edited(text, old, where), where), policy)
    except UsageError:
        return ()


def _known(home: SiteHome, data: bytes) -> bool:
    found = _read(home)
    return found is not None and found.file == hashlib.sha256(data).hexdigest()


def _read(home: SiteHome) -> GoneBy | None:
    """None: there is none yet, or it is damaged, which costs no more than one line."""
    try:
        return msgspec.json.decode(private.read(home.gone_by), type=readable(GoneBy))
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def _bytes(home: SiteHome) -> bytes:
    """Raises UsageError: it cannot be read."""
    try:
        with private.regular(home.policy) as file:
            return file.read(LONGEST)
    except OSError as error:
        raise UsageError(f"cannot be read ({reason(error)})", where=str(home.policy)) from None
