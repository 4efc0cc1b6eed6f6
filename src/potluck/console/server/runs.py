"""Runs: all of them in a list with filters, one of them as it goes, and its end before its time."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp

from potluck.api.network.office import Office
from potluck.api.network.office.rounds import Tried, rounds
from potluck.api.network.status import Heard, Live
from potluck.console.paging import address, mentions
from potluck.console.server import words
from potluck.console.server.latest import Latest
from potluck.console.server.live import News, Streams
from potluck.console.server.results import left
from potluck.console.shell import Visit, pages
from potluck.core.errors import PotluckError, Refused, UsageError
from potluck.learning.evaluation.validation import Look
from potluck.owner.access import REASON
from potluck.report import charts, curves
from potluck.report import words as said
from potluck.report.comparison import TITLES

LINES = 50
"""Runs on a page of the list."""
LAST, WORDS = 20, 40
"""Rounds, and words of a run, that its page shows; all are in its files."""
COLUMNS = 60
"""Rounds in the picture of bytes; of more the newest."""
KINDS = {
    "": "all",
    "going": "those that go on",
    "finished": "finished",
    "refused": "refused, stopped or cancelled",
}
PARTS = ("now", "state", "sites", "curves", "rounds", "words")
"""Parts of a run's page that change while it goes on."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which runs: of a kind, and with a text in their plan, name, hash or person."""

    kind: str
    about: str

    @classmethod
    def of(cls, visit: Visit) -> "Filter":
        """What the address asks for. Raises UsageError: no such kind."""
        kind, about = visit.query.get("kind", ""), visit.query.get("about", "").strip()
        if kind not in KINDS:
            raise UsageError("there is no such kind of runs", hint="choose one of the list")
        return cls(kind, about)

    def lets(self, run: Live) -> bool:
        """Whether a run is asked for."""
        going, done = run.state in words.GOING, run.state == "finished"
        kind = {"": True, "going": going, "finished": done, "refused": not going and not done}[self.kind]
        return kind and mentions(self.about, (run.plan, run.run, run.hash, run.person, run.why))

    def address(self, page: int) -> str:
        """The same runs, another page of them."""
        return address("/", {"kind": self.kind, "about": self.about}, page)


@dataclass(frozen=True, slots=True)
class Curve:
    """One metric of looks at validation rows, ready to print."""

    title: str
    chart: str


class Runs:
    """Of the coordinator's home in `folder`."""

    def __init__(self, folder: Path, office: Office, latest: Latest, streams: Streams) -> None:
        self._folder, self._office, self._latest, self._streams = folder, office, latest, streams

    def all(self, visit: Visit) -> Response:
        """The list, newest first, a page at a time."""
        asked = Filter.of(visit)
        standing = self._latest.standing()
        found = sorted((one for one in standing.runs if asked.lets(one)), key=lambda one: one.began, reverse=True)
        many = max(1, -(-len(found) // LINES))
        number = visit.query.get("page", "1")
        if not number.isascii() or not number.isdecimal() or not 1 <= int(number[:9]) <= many:
            raise UsageError(f"there are {many} pages of these runs", hint="follow the links below the list")
        page = int(number)
        return visit.page(
            "server_runs.html",
            "Runs",
            asked=asked,
            kinds=KINDS,
            found=found[(page - 1) * LINES : page * LINES],
            count=len(found),
            every=len(standing.runs),
            page=page,
            pages=many,
            trouble=_trouble(self._office),
            words=words,
        )

    def one(self, visit: Visit) -> Response:
        """One run."""
        run = self._run(visit)
        going = run.state in words.GOING
        return visit.page(
            "server_run.html",
            run.plan,
            here="/",
            run=run,
            going=going,
            parts=self._parts(run),
            left=left(run),
            stops=_stops(run),
            form=visit.form(f"/runs/{run.run}/cancel", run.run) if _stops(run) else "",
            most=REASON,
        )

    def news(self, visit: Visit) -> ASGIApp:
        """The same run as a stream of what changes on its page."""
        name = self._run(visit).run
        assert visit.session is not None

        def look() -> News:
            run = self._latest.run(name)
            if run is None:
                return News({}, over=True)
            return News(self._parts(run), over=run.state not in words.GOING)

        return self._streams.follow(visit.console, visit.session, look)

    def cancel(self, visit: Visit) -> Response:
        """It ends after the round in flight. Raises Refused: it has ended, or the form is of another."""
        reason = visit.fields.get("reason", "").strip()
        if not reason or len(reason) > REASON:
            raise UsageError(f"a reason has 1 to {REASON} letters", hint="go back and say why the run ends")
        form = visit.take(f"/runs/{visit.name}/cancel")
        run = self._run(visit)
        if form.shown != run.run or not _stops(run):
            raise Refused("this run has ended, or is about to", hint="look at the page again")
        self._office.cancel(run.run, visit.person, reason)
        self._latest.forget(run.run)
        return RedirectResponse(f"/runs/{run.run}", 303)

    def _run(self, visit: Visit) -> Live:
        """The run that the address names: one of this federation's, or there is no such page."""
        run = self._latest.run(visit.name)
        if run is None:
            raise HTTPException(404)
        return run

    def _parts(self, run: Live) -> dict[str, str]:
        tried = _of(self._folder, run.run)
        facts = {
            "run": run,
            "state": words.state(run),
            "words": words,
            "times": words.times(run, time.time()),
            "going": run.state in words.GOING,
            "parties": _parties(run),
            "curves": drawn(self._history(run)),
            "bytes": moved(tried),
            "tried": tried[::-1][:LAST],
            "more": max(0, len(tried) - LAST),
            "events": [*self._office.events(run.run)][-WORDS:][::-1],
        }
        return {name: pages().get_template(f"server_run_{name}.html").render(facts) for name in PARTS}

    def _history(self, run: Live) -> Sequence[Look]:
        try:
            return self._office.history(run.run)
        except PotluckError:  # no journal can be read yet
            return ()


def _stops(run: Live) -> bool:
    """Whether it can be cancelled: nobody did yet, and it goes on, or may."""
    return run.state in (*words.GOING, "failed") and not run.ending


def drawn(looks: Sequence[Look]) -> list[Curve]:
    """A curve a metric, of two looks or more."""
    found = []
    for name in curves.NAMES if len(looks) > 1 else ():
        points = [(one.round, float(value)) for one in looks if (value := getattr(one, name)) is not None]
        if len(points) > 1:
            title = TITLES.get(name, "Loss")
            found.append(Curve(title, curves.curve(f"live-{name}", f"{title} on validation rows", points)))
    return found


def moved(tried: Sequence[Tried]) -> str:
    """Bytes up and down by round, those marked in which somebody dropped out; empty before the second."""
    shown = [one for one in tried if one.ended is not None][-COLUMNS:]
    if len(shown) < 2:
        return ""
    bars = [
        charts.Bar(float(one.up), float(one.down), hatched=not one.opened, flag=", ".join(name for name, _ in one.lost))
        for one in shown
    ]
    total = f"{said.size(sum(one.up for one in shown))} up, {said.size(sum(one.down for one in shown))} down"
    every = range(0, len(shown), -(-len(shown) // 8))
    labels = [((place + 0.5) / len(shown), f"{shown[place].number}") for place in every]
    return charts.columns("live-bytes", "Bytes by round", f"{total}, in {len(shown)} rounds.", bars, labels, sizes=True)


def _of(folder: Path, run: str) -> tuple[Tried, ...]:
    try:
        return rounds(folder, run)
    except PotluckError:
        return ()


def _parties(run: Live) -> list[tuple[str, Heard]]:
    return [*(("site", one) for one in run.sites), *(("compute party", one) for one in run.computes)]


def _trouble(office: Office) -> str:
    found = office.trouble
    return "" if found is None else f"{found.what}{f'. {found.hint}' if found.hint else ''}"
