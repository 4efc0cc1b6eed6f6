"""The policy: in words, as a form, what a change would do before it is saved, and a change that waits for another.

What is saved is what was shown: the page that asks has a form of its own, which remembers the file and all that was
typed. What it means is `api.network.policy.amend`'s matter. Keys that name files, programs or addresses are in no form.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

from starlette.responses import RedirectResponse, Response

from potluck.api.network.policy import amend
from potluck.api.network.policy.effects import Effects, effects
from potluck.api.network.policy.rules import rules
from potluck.console.shell import Visit
from potluck.console.site.requests import moment
from potluck.core.errors import Refused, UsageError
from potluck.core.prose import sentence
from potluck.core.visible import json_text
from potluck.members.home import SiteHome
from potluck.owner.access import REASON
from potluck.owner.access import read as read_log
from potluck.owner.form.controls import TABLES, Control, controls
from potluck.owner.form.labels import LABELS, Label, meaning
from potluck.owner.form.turns import turns
from potluck.owner.policy import Policy
from potluck.owner.policy_words import ALLOWS, HOLDS, said

CHANGE, SAVE, PENDING, DECIDE = "/policy/change", "/policy/save", "/policy/pending", "/policy/decide"
_OURS = tuple(f"{table}." for table in TABLES)
RECENT = 4 << 20
"""Bytes of the access log, its newest, in which the last change is looked for."""
LISTED = 100
"""Requests that a page of changes names; the rest are counted. Of words none is left out: whoever confirms a change has
to see all of it."""


NOTHING: Mapping[str, UsageError] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Field:
    """A control as a page shows it. words: (word, what it means); now: the key's sentence, as the file has it."""

    control: Control
    label: Label
    words: tuple[tuple[str, str], ...]
    now: str


@dataclass(frozen=True, slots=True)
class Stale:
    """The file changed since the form was opened. draft: what was typed, beside the file as it is now; None: it does
    not fit."""

    draft: amend.Draft | None


class Rules:
    """The pages of the policy of the home in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def shown(self, visit: Visit) -> Response:
        """What others may ask, in words."""
        found, warning = rules(self._folder)
        waits = amend.proposed(self._folder) is not None
        log = read_log(SiteHome.at(self._folder).access, last=RECENT).entries
        last = next(reversed(turns(log)), None)
        return visit.page("policy.html", "Policy", topics=found, warning=warning, waits=waits, last=last, holds=HOLDS,
                          tables=TABLES, clock=_clock())  # fmt: skip

    def asked(self, visit: Visit) -> Response:
        """The form, as the file stands."""
        found = amend.form(self._folder)
        return self._form(visit, found, found.fields)

    def looked(self, visit: Visit) -> Response:
        """What was typed, held against the file: the form again with what does not fit, or what would change."""
        found = amend.form(self._folder)
        if visit.fields.get("base") != found.digest:
            return self._form(visit, found, visit.fields, stale=Stale(self._draft(visit)))
        if "again" in visit.fields:
            return self._form(visit, found, visit.fields)
        if wrong := amend.mistakes(self._folder, visit.fields):
            return self._form(visit, found, visit.fields, wrong=wrong)
        made = amend.draft(self._folder, visit.fields)
        if not made.changes:
            return self._form(visit, found, visit.fields, same=True)
        return self._look(visit, made)

    def saved(self, visit: Visit) -> Response:
        """It holds, or waits for another person. Raises Refused: it is another than its page showed."""
        form = visit.take(SAVE)
        kept = _kept(visit.fields)
        base = visit.fields.get("base", "")
        if form.shown != _digest(base, kept):
            raise Refused("what came is not what the page showed: nothing was saved", hint="open the form again")
        found = amend.form(self._folder)
        if found.digest != base:
            return self._form(visit, found, kept, stale=Stale(self._draft(visit)))
        reason = visit.fields.get("reason", "")
        try:
            holds = amend.save(self._folder, kept, base, visit.person, reason, _handle(visit))
        except UsageError as error:  # the reason is missing, or too long: nothing typed is lost
            return self._look(visit, amend.draft(self._folder, kept), error)
        return RedirectResponse("/policy" if holds else PENDING, 303)

    def pending(self, visit: Visit) -> Response:
        """The change that waits for a second person."""
        found = amend.proposed(self._folder)
        if found is None:
            return RedirectResponse("/policy", 303)
        made = found.draft
        then = self._effects(made.standing.policy, made.policy) if made else None
        own = amend.same(found.amendment, visit.person, _handle(visit))
        return visit.page("policy_pending.html", "A change that waits", it=found, effects=then, own=own, most=LISTED,
                          form=visit.form(DECIDE, found.amendment.digest), moment=moment, holds=HOLDS)  # fmt: skip

    def decided(self, visit: Visit) -> Response:
        """Yes or no to it. Raises Refused: it is another than the page showed, or by the same person."""
        form, say = visit.take(DECIDE), visit.fields.get("say", "")
        if say == "confirm":
            amend.confirm(self._folder, form.shown, visit.person, _handle(visit))
        elif say == "drop":
            amend.drop(self._folder, form.shown, visit.person)
        else:
            raise UsageError("this is no form of these pages")
        return RedirectResponse("/policy", 303)

    def _look(self, visit: Visit, made: amend.Draft, error: UsageError | None = None) -> Response:
        """What a change would do, and the button. error: why it could not be saved so."""
        kept, base = _kept(visit.fields), made.standing.digest
        found = self._effects(made.standing.policy, made.policy)
        reason = visit.fields.get("reason", "") if error else ""
        return visit.page("policy_look.html", "What would change", 400 if error else 200, it=made, effects=found,
                          kept=kept, form=visit.form(SAVE, _digest(base, kept)), base=base, most=LISTED, holds=HOLDS,
                          error=error, reason=reason, longest=REASON)  # fmt: skip

    def _form(
        self,
        visit: Visit,
        found: amend.Form,
        fields: Mapping[str, str],
        wrong: Mapping[str, UsageError] = NOTHING,
        stale: "Stale | None" = None,
        same: bool = False,
    ) -> Response:
        status = 400 if wrong else 409 if stale else 200
        shown = groups(found.policy)
        order = {one.control.key: one.label.title for _, group in shown for one in group}
        mistakes = {key: _mistake(key, wrong[key], fields.get(key, "")) for key in (*order, "") if key in wrong}
        opened = {title for title, group in shown for one in group if one.control.key in wrong}
        opened |= {title for title, group in shown if _part(group, fields) != _part(group, found.fields)}
        return visit.page("policy_form.html", "Change the policy", status, groups=shown, fields=fields,
                          base=found.digest, wrong=mistakes, first=next(iter(mistakes), ""),
                          titles=order, clock=_clock(), opened=opened, stale=stale, same=same, most=LISTED)  # fmt: skip

    def _draft(self, visit: Visit) -> amend.Draft | None:
        try:
            return amend.draft(self._folder, visit.fields)
        except UsageError:
            return None

    def _effects(self, before: Policy, now: Policy) -> Effects:
        return effects(self._folder, before, now)


def groups(policy: Policy) -> list[tuple[str, list[Field]]]:
    """Every control, by topic."""
    sentences, left = said(policy), {one.key: one for one in controls()}
    order = [("Who says yes", ["approve.rule", "approve.people"])]
    order += [(title, [f"allow.{key}" for key, _ in keys]) for title, keys in ALLOWS]
    order.append(("Your own part", [key for key in left if not key.startswith(("allow.", "approve."))]))
    return [(title, [_field(left[key], sentences) for key in keys]) for title, keys in order]


def _field(control: Control, sentences: Mapping[str, str]) -> Field:
    label = LABELS.get(control.key, Label(control.key))
    return Field(
        control, label, tuple((one, meaning(control.key, one)) for one in control.words), sentences.get(control.key, "")
    )


def _kept(fields: Mapping[str, str]) -> dict[str, str]:
    """What was typed into the form's own controls. A browser may end lines another way the second time."""
    found = {name: "\n".join(text.splitlines()) for name, text in fields.items()}
    return {name: text for name, text in found.items() if name.startswith(_OURS)}


def _part(group: Sequence[Field], fields: Mapping[str, str]) -> dict[str, str]:
    """What was typed into the controls of a part."""
    keys = tuple(one.control.key for one in group)
    return {name: text for name, text in _kept(fields).items() if any(_of(name, key) for key in keys)}


def _of(name: str, key: str) -> bool:
    return name == key or name.startswith(f"{key}.")


def _mistake(key: str, error: UsageError, text: str) -> str:
    """What is wrong, as it is said at the key's own field. text: what was typed there."""
    what, hint = error.what.removeprefix(key).lstrip(": "), error.hint
    control = next((one for one in controls() if one.key == key), None)
    if control is not None and control.kind == "amount" and what.endswith("does not fit"):
        what = f"{text.strip()!r} does not fit" if text.strip() else "nothing is typed here"
        hint = f"a {'whole ' if control.whole else ''}number, {control.bounds}"
    elif control is not None and what == "has others beside any":
        label = LABELS.get(key, Label(key))
        free = label.any if control.kind == "words" else label.free
        what, hint = f"'{free}' is ticked, and there is more", f"untick '{free}', or take the rest out"
        hint += "; hours are one a line: mon-fri 08:00-18:00, or sat" if key == "allow.hours" else ""
    elif key == "allow.hours":
        hint = "one a line: mon-fri 08:00-18:00, or sat"
    return " ".join(sentence(one) for one in (what, hint) if one)


def _digest(base: str, fields: Mapping[str, str]) -> str:
    return hashlib.sha256(json_text([base, sorted(fields.items())]).encode()).hexdigest()


def _clock() -> str:
    """What this machine's clock says, by which hours are judged."""
    return f"{datetime.now(UTC).astimezone():%H:%M %Z}"


def _handle(visit: Visit) -> str:
    return visit.session.handle if visit.session else ""
