"""Who belongs to the federation, and whether they are there: by the broker's word, and by what runs heard from them."""

import time
from dataclasses import dataclass
from pathlib import Path

from starlette.responses import Response

from potluck.api.network.members import federation_show
from potluck.api.network.office import Office
from potluck.api.network.status import File, Heard, Standing
from potluck.console.server import words
from potluck.console.server.latest import Latest
from potluck.console.shell import Visit
from potluck.core.party import Party, Role
from potluck.core.plan import CODE
from potluck.members.card import Card, fingerprint

HERE = 20.0
"""Seconds for which a party that the broker saw counts as connected."""


@dataclass(frozen=True, slots=True)
class Member:
    """One. online: in words, by the broker; heard: when a run heard it last, in words; file: by which it went, if
    not by the one in force; program: its version then, and whether it is another than this one; says: of itself, by its
    card."""

    name: str
    part: str
    fingerprint: str
    online: str
    here: bool
    heard: str
    file: str
    program: str
    other: bool
    says: str


class Sites:
    """Of the coordinator's home in `folder`."""

    def __init__(self, folder: Path, office: Office, latest: Latest) -> None:
        self._folder, self._office, self._latest = folder, office, latest

    def members(self, visit: Visit) -> Response:
        """All of them."""
        now = time.time()
        shown, online, standing = federation_show(self._folder, now), self._office.online(), self._latest.standing()
        it = shown.federation
        found = [_member(it.cards[party], online.get(party), standing) for party in (*it.sites, *it.computes)]
        days = int((it.expires - now) // 86400)
        return visit.page("server_sites.html", "Sites", it=shown.document(), found=found, days=days)


def _member(card: Card, seconds: float | None, standing: Standing) -> Member:
    party = card.party
    heard = _heard(party, standing)
    here = seconds is not None and seconds < HERE
    online = (
        "connected" if here else f"gone: it was connected {words.ago(seconds)}" if seconds is not None else "not seen"
    )
    return Member(
        party.name,
        "site" if party.role is Role.SITE else "compute party",
        fingerprint(card),
        online,
        here,
        words.ago(heard.seen) if heard else "",
        _other(heard, standing.file) if heard else "",
        heard.program if heard else "",
        bool(heard and heard.program and heard.program != CODE),
        card.about.words(),
    )


def _heard(party: Party, standing: Standing) -> Heard | None:
    """The newest word of a party in any run."""
    said = [
        one
        for run in standing.runs
        for one in (run.sites if party.role is Role.SITE else run.computes)
        if one.name == party.name and one.seen is not None
    ]
    return min(said, key=lambda one: one.seen or 0.0, default=None)


def _other(heard: Heard, file: File) -> str:
    return str(heard.file) if heard.file and heard.file != file else ""
