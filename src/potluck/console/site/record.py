"""What holds: what was spent, the members, and a person's word about those that are new."""

import hashlib
import time
from pathlib import Path

from starlette.responses import RedirectResponse, Response

from potluck.api.network.ledger import spending
from potluck.api.network.membership.agreed import Members, site_agree, site_members
from potluck.console.shell import Visit
from potluck.core.errors import Refused, UsageError
from potluck.core.visible import json_text
from potluck.members.card import fingerprint
from potluck.members.federation import Federation
from potluck.members.home import SiteHome
from potluck.members.persons import folded
from potluck.owner.scored import words as scored

AGREE = "/members/agree"


class Record:
    """The pages of the home in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def budget(self, visit: Visit) -> Response:
        """What was spent, from the verified ledger."""
        found = spending(self._folder)
        return visit.page("budget_page.html", "Budget", it=found, runs=found.runs[::-1], scored=scored(found.scored))

    def members(self, visit: Visit) -> Response:
        """Who belongs to the federation, by the file that this site goes by, and who of them is new."""
        known, me = site_members(self._folder, time.time()), SiteHome.at(self._folder).name
        form = visit.form(AGREE, _digest(known)) if known.new else ""
        it = known.federation.federation
        about = {fingerprint(card): card.about for card in (it.coordinator, *it.members)}
        mine = [name for name, who in known.first.items() if folded(who) == folded(visit.person)]
        return visit.page("members.html", "Members", it=known.federation.document(), known=known, form=form, mine=mine,
                          about=about, rows=_rows(it, me), days=_days(it.expires))  # fmt: skip

    def agreed(self, visit: Visit) -> Response:
        """A person compared fingerprints, and says so. Raises Refused: they are others than the page showed."""
        form = visit.take(AGREE)
        known = site_members(self._folder, time.time())
        if form.shown != _digest(known):
            raise Refused("the members have changed since: nothing was noted", hint="look at the page again")
        chosen = {name: mark for name, mark in known.new.items() if f"agree.{mark}" in visit.fields}
        if not chosen:
            raise UsageError("no member was ticked", hint="go back, and tick those whose fingerprints you compared")
        visit.console.note("members", visit.person, "done", tuple(f"{name} {mark}" for name, mark in chosen.items()))
        site_agree(self._folder, tuple(chosen.values()), visit.person, time.time())
        return RedirectResponse("/members", 303)


def _rows(it: Federation, me: str) -> list[tuple[str, str, str]]:
    """(name, what it does, fingerprint) of everybody, the coordinator first."""
    sites = [(one.name, "this site" if one.name == me else "site", one) for one in it.sites]
    found = [*sites, *((one.name, "compute party", one) for one in it.computes)]
    first = (it.name, "coordinator", fingerprint(it.coordinator))
    return [first, *((name, part, fingerprint(it.cards[one])) for name, part, one in found)]


def _digest(known: Members) -> str:
    """Of who is new, by the very file that says so."""
    return hashlib.sha256(json_text(known.document()).encode()).hexdigest()


def _days(expires: float) -> int:
    return int((expires - time.time()) // 86400)
