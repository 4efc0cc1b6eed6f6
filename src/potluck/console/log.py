"""The access log of a home on a page: newest first, with filters, and as a table to take along."""

import csv
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from starlette.responses import Response

from potluck.api.network import access
from potluck.console.paging import address, mentions, part
from potluck.console.said import EVENTS, more, said, who
from potluck.console.shell import Visit
from potluck.core.errors import UsageError
from potluck.owner.access import Entry, Event

WORDS: tuple[tuple[str, Callable[[Entry], object]], ...] = (("what", said), ("who", who), ("more", more))
HEADS = ("event", "outcome", "person", "plan", "asker", "reason", "why", "hash", "run", "round", "file", "policy")
"""Columns of the table to take along: the page's words, then the file's own."""
_FORMULA = re.compile(r"(^|[;,|\t\r\n])(?=[\s\"']*[=+\-@\u2212\ufb29\ufe62\ufe63\ufe66\ufe6b\uff0b\uff0d\uff1d\uff20])")
"""Where a spreadsheet could see a cell with a formula begin: it takes a sign in another width for one, allows spaces
before it, and takes, in some countries, a semicolon for the end of a cell, inside a text too."""


DECISIONS = "decisions"
_DECIDED: tuple[Event, ...] = ("approve", "deny", "revoke", "policy", "members", "person", "submit", "cancel")
"""What persons decide: a choice of its own in the list of events."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which lines: of an event ("" any, or all decisions), and with a text in whom, what or why they are about."""

    event: str
    about: str

    @classmethod
    def of(cls, visit: Visit) -> "Filter":
        """What the address asks for. Raises UsageError: no such event."""
        event, about = visit.query.get("event", ""), visit.query.get("about", "").strip()
        if event and event not in (DECISIONS, *EVENTS):
            raise UsageError("there is no such event", hint="choose one of the list")
        return cls(event, about)

    def lets(self, one: Entry) -> bool:
        """Whether a line is asked for."""
        texts = (one.person, one.plan, one.asker, one.hash, one.run, one.file, one.outcome, one.reason, *one.why)
        events = _DECIDED if self.event == DECISIONS else (self.event or one.event,)
        return one.event in events and mentions(self.about, (*texts, said(one), *more(one)))

    def address(self, path: str, page: int = 1) -> str:
        """The same lines at an address."""
        return address(path, {"event": self.event, "about": self.about}, page)


class AccessPages:
    """Of the home in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def shown(self, visit: Visit) -> Response:
        """The access log, newest first, a page at a time."""
        asked = Filter.of(visit)
        found, damaged = self._lines(asked)
        lines = part(visit, found)
        return visit.page("log.html", "Access log", asked=asked, lines=lines, damaged=damaged, events=EVENTS,
                          said=said, who=who, more=more)  # fmt: skip

    def export(self, visit: Visit) -> Response:
        """The same lines, all of them, oldest first, as a table for a spreadsheet."""
        found, _ = self._lines(Filter.of(visit))
        text = io.StringIO()
        rows = csv.writer(text)
        rows.writerow(["when", *(name for name, _ in WORDS), *HEADS])
        rows.writerows(
            [
                _cell(one.when),
                *(_cell(words(one)) for _, words in WORDS),
                *(_cell(getattr(one, name)) for name in HEADS),
            ]
            for one in reversed(found)
        )
        name = {"Content-Disposition": 'attachment; filename="access-log.csv"'}
        return Response(text.getvalue(), media_type="text/csv; charset=utf-8", headers=name)

    def _lines(self, asked: Filter) -> tuple[list[Entry], Sequence[int]]:
        every, damaged = access.log(self._folder)
        return [one for one in reversed(every) if asked.lets(one)], damaged


def _cell(value: object) -> str:
    """As a spreadsheet takes it for a text, whoever wrote it."""
    text = "" if value is None else ", ".join(value) if isinstance(value, tuple) else str(value)
    return _harmless(text)


@lru_cache(4096)
def _harmless(text: str) -> str:
    """Most words of a log are there often."""
    return _FORMULA.sub(r"\1'", text)
