"""A new run: a plan is sent, shown with what it costs and who could see what, and started by who has seen that.

Nothing reaches a site before the start. What is started is what was shown: a draft does not change, and the start is
refused if members or their file are others by then, or the draft was started already.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from potluck.api.network.office import Office
from potluck.api.plan.grammar import read_text, read_toml
from potluck.api.plan.plan import Plan
from potluck.console.pictures import pictures
from potluck.console.server import rehearsal, words
from potluck.console.server.drafts import TEXT, UPLOAD, Draft, Drafts
from potluck.console.server.latest import Latest
from potluck.console.shell import Visit
from potluck.core.errors import PotluckError, Refused, UsageError
from potluck.core.views import Never
from potluck.members.home import CoordinatorHome

FIRST = ("server", "broker")
"""Parties of every plan that may collude, beside its own."""


@dataclass(frozen=True, slots=True)
class Needed:
    """A party of a plan. member: of the federation; online: by the broker's word, None: not known."""

    name: str
    part: str
    member: bool
    online: bool | None


class Plans:
    """Of the coordinator's home in `folder`."""

    def __init__(self, folder: Path, office: Office, latest: Latest, drafts: Drafts) -> None:
        self._home, self._office, self._latest, self._drafts = CoordinatorHome.at(folder), office, latest, drafts

    def new(self, visit: Visit) -> Response:
        """Where a plan is sent from; one that was sent before stands there again."""
        again = visit.query.get("again", "")
        return self._box(visit, self._named(again, visit.whose) if again else None)

    def sent(self, visit: Visit) -> Response:
        """A plan came: it is checked, and shown at an address of its own. Where that fails its text is not lost."""
        visit.take("/plans")
        text = visit.fields.get("text", "")
        before = self._named(visit.fields.get("again", ""), visit.whose)
        try:
            draft = self._drafts.add(visit.whose, text, visit.files, before)
        except UsageError as error:
            return self._box(visit, before, error, text)
        try:
            draft.sheet = rehearsal.rehearse(draft.folder)
        except Refused as error:
            return self._box(visit, draft, error)
        return RedirectResponse(f"/plans/{draft.name}", 303)

    def _box(self, visit: Visit, draft: Draft | None, error: PotluckError | None = None, typed: str = "") -> Response:
        """Where a plan is typed or chosen. draft: what was sent before; error: what became of that."""
        return visit.page(
            "server_new.html",
            "New run",
            visit.status(error) if error else 200,
            error=error,
            form=visit.form("/plans"),
            draft=draft,
            typed=typed or (draft.text() if draft else ""),
            files=[name for name in draft.names() if name != rehearsal.PLAN] if draft else [],
            text=TEXT >> 10,
            most=UPLOAD >> 20,
            seconds=rehearsal.SECONDS,
        )

    def shown(self, visit: Visit) -> Response:
        """A plan, whole: what is wrong with it, or what it would do."""
        draft = self._draft(visit)
        sheet, action = draft.sheet, f"/plans/{draft.name}/start"
        needed = self._needed(draft)
        ready = not sheet.errors and not draft.run and all(one.member for one in needed)
        same = next(
            (one for one in self._latest.standing().runs if one.hash == sheet.hash and one.state in words.GOING), None
        )
        parties = self._parties(draft)
        among = [name for place, name in enumerate(parties) if visit.query.get(f"p{place}")]
        together = rehearsal.rehearse(draft.folder, among) if among and not sheet.errors else None
        return visit.page(
            "server_plan.html",
            sheet.name or "This plan cannot run",
            here="/new",
            it=sheet,
            draft=draft,
            needed=needed,
            pictures=pictures(sheet.views, sheet.sites) if sheet.views else None,
            parties=parties,
            among=among,
            together=together,
            same=same,
            say=words.said,
            never=str(Never()),
            form=visit.form(action, self._digest(draft)) if ready else "",
        )

    def start(self, visit: Visit) -> Response:
        """It is handed to the office. Raises Refused: it was started already, or something is another than its page
        said; PlanError, UsageError: the office does not take it."""
        form = visit.take(f"/plans/{visit.name}/start")
        draft = self._draft(visit)
        if not draft.starting.acquire(blocking=False):
            raise Refused("this plan is being started", hint="look at the list of runs")
        try:
            if draft.run:
                raise Refused("this plan was started already", hint="it is in the list of runs")
            if draft.sheet.errors or form.shown != self._digest(draft):
                what = "what the page showed has changed since: nothing was started"
                raise Refused(what, hint="look at the page again, it shows how things are now")
            path = draft.folder / rehearsal.PLAN
            plan = Plan.read(path, rehearsal.settings(read_toml(read_text(path), rehearsal.PLAN)))
            if plan.hash != draft.sheet.hash:
                raise Refused("this is another plan than the page showed", hint="send it again")
            draft.run = self._office.submit(plan, visit.person, fresh=bool(visit.fields.get("fresh")))
        finally:
            draft.starting.release()
        self._latest.forget(draft.run)
        return RedirectResponse(f"/runs/{draft.run}", 303)

    def _draft(self, visit: Visit) -> Draft:
        draft = self._named(visit.name, visit.whose)
        if draft is None:
            raise HTTPException(404)
        return draft

    def _named(self, name: str, person: str) -> Draft | None:
        return self._drafts.of(name, person) if re.fullmatch(r"[0-9a-f]{32}", name) else None

    def _digest(self, draft: Draft) -> str:
        """Of the plan's files, what it comes to, and the file of the federation that it would run in."""
        file = hashlib.sha256(self._home.federation.read_bytes()).hexdigest()
        return hashlib.sha256(f"{draft.digest} {draft.sheet.hash} {file}".encode()).hexdigest()

    def _needed(self, draft: Draft) -> list[Needed]:
        cards, online = self._home.standing().federation, self._office.online()
        known = {(party.role.value, party.name): online.get(party) for party in cards.cards}
        wanted = [("site", name) for name in draft.sheet.sites] + [("compute", name) for name in draft.sheet.computes]
        return [
            Needed(name, "site" if role == "site" else "compute party", (role, name) in known,
                   None if (seconds := known.get((role, name))) is None else seconds < rehearsal.PATIENCE)
            for role, name in wanted
        ]  # fmt: skip

    def _parties(self, draft: Draft) -> Sequence[str]:
        return tuple(dict.fromkeys((*FIRST, *draft.sheet.sites, *draft.sheet.computes)))
