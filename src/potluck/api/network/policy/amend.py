"""The policy changed by people at the pages: what a change would do, in words, and the file written so.

What is saved is what was shown: the digest of the file that a page was made of comes back with it. Where the policy in
force asks two persons, what may loosen it needs two of them, as an approval does; what tightens it holds at once. The
line of the access log is on disk before the file changes. What may loosen it has a reason, which the log keeps.
Whoever has the terminal edits the file itself, and is not asked: `owner.form.noticed` says so in the log.
"""

import hashlib
import stat
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from potluck.api.network.persons import recount
from potluck.core.errors import PotluckError, Refused, UsageError, reason
from potluck.members import files
from potluck.members.home import SiteHome
from potluck.members.persons import Persons, folded
from potluck.owner.access import REASON, AccessLog, Outcome, Subject
from potluck.owner.form.amendment import Amendment, Waiting
from potluck.owner.form.changes import Change, changes, noted
from potluck.owner.form.controls import Value, differ, named, typed, value_of, values
from potluck.owner.form.noticed import BUSY, mark, noticed
from potluck.owner.form.text import edited
from potluck.owner.policy import LONGEST, Policy
from potluck.owner.policy_words import keep
from potluck.owner.reading import parse

MOST = 32 << 10
"""Bytes of a policy that a form holds, with room for how a browser spells them."""
_BOM = "\ufeff"
STALE = "the policy was changed meanwhile: nothing was saved"
UNSAID = "a change that allows more needs its reason"


@dataclass(frozen=True)
class Form:
    """The policy as it stands, for a form. digest: of the file; fields: of the form; text: the whole file, which may
    hold an address."""

    policy: Policy = field(repr=False)
    digest: str
    fields: Mapping[str, str]
    text: str = field(repr=False)


@dataclass(frozen=True)
class Draft:
    """What was typed, as a policy. changes: what differs from the one in force; two: whether a second person has to
    confirm it; text: the file as it would be."""

    standing: Form
    policy: Policy = field(repr=False)
    changes: tuple[Change, ...]
    two: bool
    text: str = field(repr=False)

    @property
    def looser(self) -> bool:
        """Whether it may allow something that was not allowed before."""
        return any(one.looser for one in self.changes)


@dataclass(frozen=True)
class Proposed:
    """A change that waits. void: why it can never be confirmed, "" where it can; draft: None where it is void."""

    amendment: Amendment
    draft: Draft | None
    void: str = ""


def form(folder: Path) -> Form:
    """The policy of the site in `folder`. Raises UsageError: it cannot be read, or not be changed by a form."""
    home = SiteHome.at(folder)
    try:
        if home.policy.is_symlink():
            raise UsageError("is a link", where=str(home.policy), hint="change the file that it leads to")
        data = home.policy.read_bytes()
        text = data.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot be read ({reason(error)})", where=str(home.policy)) from None
    if len(data) > min(MOST, LONGEST):
        hint = "change it in the file, with an editor"
        raise UsageError("the policy is too long for a form", where=str(home.policy), hint=hint)
    policy = parse(text.removeprefix(_BOM), str(home.policy))
    return Form(policy, hashlib.sha256(data).hexdigest(), typed(policy), text)


def draft(folder: Path, fields: Mapping[str, str]) -> Draft:
    """What would hold. Raises UsageError: what was typed does not fit, as the file's reader says it."""
    found = form(folder)
    wanted, wrong = values(fields, found.fields)
    if wrong:
        raise next(iter(wrong.values()))
    policy, text = _with(folder, found, wanted)
    said = changes(found.policy, policy)
    made = Draft(found, policy, said, found.policy.approve.people > 1, text)
    return made if made.looser else replace(made, two=False)


def mistakes(folder: Path, fields: Mapping[str, str]) -> dict[str, UsageError]:
    """All that keeps what was typed from being a policy, by key; under "" what is of none. What follows from another
    mistake alone is not among it."""
    found = form(folder)
    try:
        wanted, wrong = values(fields, found.fields)
    except UsageError as error:
        return {"": error}
    while True:
        try:
            _with(folder, found, wanted)
        except UsageError as error:
            key = named(error.what)
            if key in wanted:  # beside the others the file's own value is looked at from here on
                wrong[key] = error
                del wanted[key]
                continue
            return wrong or {"": error}
        return wrong


def _with(folder: Path, found: Form, wanted: Mapping[str, Value]) -> tuple[Policy, str]:
    """The file with other values at some keys: what it says, and its text. Raises UsageError: it does not fit."""
    where = str(SiteHome.at(folder).policy)
    changed = {key: value for key, value in wanted.items() if differ(value, value_of(found.policy, key))}
    text = found.text.removeprefix(_BOM)
    made = edited(text, changed, where) if changed else text
    return parse(made, where), found.text.removesuffix(text) + made


def proposed(folder: Path) -> Proposed | None:
    """What waits for a second person; None: nothing."""
    home = SiteHome.at(folder)
    found = Waiting(home.amendment).read()
    if found is None:
        return None
    try:
        made = draft(folder, found.fields)
    except PotluckError as error:
        return Proposed(found, None, error.what)
    if made.standing.digest != found.policy:
        return Proposed(found, None, "the policy was changed since")
    known = [one.handle for one in Persons(home.persons).all()]
    if found.handle not in (known or [""]):
        return Proposed(found, None, "whoever proposed it is none of the persons here any more")
    if not found.reason:
        return Proposed(found, None, "it says no reason")
    return Proposed(found, made)


def same(amendment: Amendment, person: str, handle: str) -> bool:
    """Whether somebody is who proposed it."""
    return folded(person) == folded(amendment.person) or (bool(handle) and handle == amendment.handle)


def save(folder: Path, fields: Mapping[str, str], digest: str, person: str, reason: str, handle: str = "") -> bool:
    """Change the policy as was typed, about the file of this digest. reason: in the person's words; only what allows no
    more goes without. Gives whether it holds: else it waits for another person. Raises UsageError: it does not fit,
    changes nothing, or says no reason; Refused: the file is another by now, or it cannot be logged."""
    home, reason = SiteHome.at(folder), reason.strip()
    if len(reason) > REASON:
        raise UsageError(f"a reason has at most {REASON} letters, this one has {len(reason)}", hint="shorten it")
    noticed(home, datetime.now(UTC))
    with files.locked(home.amending, BUSY):
        made = draft(folder, fields)
        if made.standing.digest != digest:
            raise Refused(STALE, hint="look at the page again, it shows how things are now")
        if not made.changes:
            raise UsageError("nothing was changed", hint="go back, and change what is to be another")
        if made.looser and not reason:
            raise UsageError(UNSAID, hint="go back and say why: it stays here, in the access log and your papers")
        if made.two:
            _note(home, Subject(person=person, reason=reason), "pending", made.changes)
            kept = typed(made.policy)
            waits = Amendment(policy=digest, fields=kept, person=person, handle=handle, when=time.time(), reason=reason)
            Waiting(home.amendment).write(waits)
            return False
        _put(home, made, Subject(person=person, reason=reason), "done")
        return True


def confirm(folder: Path, digest: str, person: str, handle: str = "") -> None:
    """The change that waits, whose digest was shown, holds: said by another person than proposed it. Raises Refused:
    by the same, or it is another, or void by now."""
    home = SiteHome.at(folder)
    with files.locked(home.amending, BUSY):
        found = _shown(folder, digest)
        if found.draft is None:
            raise Refused(f"this change can hold no more: {found.void}", hint="propose it again")
        if same(found.amendment, person, handle):
            raise Refused("a change that loosens the policy needs another person", hint="the other one signs in")
        known = [one.handle for one in Persons(home.persons).all()]
        if handle not in (known or [""]):
            raise Refused("you are none of the persons here any more", hint="sign in again")
        _put(home, found.draft, Subject(person=person, reason=found.amendment.reason), "approved")


def drop(folder: Path, digest: str, person: str) -> None:
    """The change that waits, whose digest was shown, does not hold: whoever proposed it, or another, says so. Raises
    Refused: it is another by now."""
    home = SiteHome.at(folder)
    with files.locked(home.amending, BUSY):
        found = _shown(folder, digest)
        own = folded(person) == folded(found.amendment.person)
        about = Subject(person=person)
        _note(home, about, "withdrawn" if own else "denied", found.draft.changes if found.draft else ())
        Waiting(home.amendment).remove()


def _shown(folder: Path, digest: str) -> Proposed:
    found = proposed(folder)
    if found is None or found.amendment.digest != digest:
        raise Refused("the change that the page showed does not wait any more", hint="look at the page again")
    return found


def _put(home: SiteHome, made: Draft, about: Subject, outcome: Outcome) -> None:
    """The file holds the new text, and nothing waits any more. The log's line comes first, then what is gone by from
    here on: where the process dies before the file is another, the next look says that it is not."""
    data, old = made.text.encode(), made.standing
    _note(home, replace(about, policy=keep(home.policies, made.policy)), outcome, made.changes)
    try:
        mark(home, data, made.policy)
        files.replace(home.policy, data, stat.S_IMODE(home.policy.stat().st_mode))
    except (OSError, PotluckError):
        _note(home, Subject(person=about.person), "aborted", made.changes)
        mark(home, old.text.encode(), old.policy)
        raise
    Waiting(home.amendment).remove()
    recount(home)


def _note(home: SiteHome, about: Subject, outcome: Outcome, said: Sequence[Change]) -> None:
    """Lines of the access log. about: with the digest of the policy's words, where it holds from here on. Raises
    Refused: it cannot be written."""
    for why in noted(said):
        AccessLog(home.access).write("policy", datetime.now(UTC), outcome=outcome, about=about, why=why)
