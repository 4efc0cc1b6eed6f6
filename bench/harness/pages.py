"""Homes with so many requests, runs and lines of the access log, and a browser's requests to their pages, in memory."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

from starlette.testclient import TestClient
from starlette.types import ASGIApp

from potluck import Plan
from potluck.api.network import members
from potluck.api.network.office.office import Office
from potluck.api.network.sessions import CANCELLED
from potluck.console.origin import Origin
from potluck.console.server import program as coordinators
from potluck.console.server.drafts import drafts
from potluck.console.site import program as owners
from potluck.core.plan import canonical, digest
from potluck.members.home import CoordinatorHome, SiteHome
from potluck.owner.access import AccessLog, Subject
from potluck.owner.reading import read
from potluck.owner.requests import Requests
from potluck.parties.runners.journal import Journal

ORIGIN, TOKEN = Origin.here(8711), "f" * 64
SITES = ("cleveland", "hungarian", "switzerland", "va")
GOING = 10
"""Runs of a coordinator that have not ended."""

Get = Callable[[str], None]


@contextmanager
def owner(requests: int, lines: int) -> Iterator[Get]:
    """A site with so many requests that wait, each of a plan of its own."""
    with _federation() as folder:
        home = SiteHome.at(folder / SITES[0])
        with Requests(home.requests) as book:
            for number in range(requests):
                spec = _plan(number).spec
                approve = read(home.policy).approve
                book.ask(f"{number:032x}", digest(spec), canonical(spec), "bench", time.time(), (), approve)
        _fill(home.access, lines)
        yield _visitor(owners.program(home.folder, ORIGIN, "bench", TOKEN))


@contextmanager
def coordinator(runs: int, lines: int) -> Iterator[Get]:
    """A coordinator with so many runs: ten wait for their sites, the others were cancelled. Its office has no broker,
    and does nothing."""
    with _federation() as folder, drafts(folder / "fed") as kept:
        home = CoordinatorHome.at(folder / "fed")
        office = Office(home, 2, lambda event, text: None)
        for number in range(runs):
            run = office.submit(_plan(number), "bench")
            if number >= GOING:
                with closing(Journal.look(home.runs / run / "journal.sqlite", "rw")) as journal:
                    journal.note_all({"state": CANCELLED, "ended": repr(time.time())})
        _fill(home.access, lines)
        yield _visitor(coordinators.program(home.folder, office, kept, ORIGIN, "bench", TOKEN))


@contextmanager
def _federation() -> Iterator[Path]:
    with TemporaryDirectory(prefix="potluck-pages-") as temp:
        folder = Path(temp)
        members.federation_new(folder / "fed", "tls://localhost:4222", time.time(), 30)
        for name in SITES:
            members.site_new(folder / name, None)
        members.federation_add(folder / "fed", [folder / name / f"{name}.card" for name in SITES], time.time())
        members.site_join(folder / SITES[0], folder / "fed" / "federation.toml", time.time(), "")
        yield folder


def _plan(number: int) -> Plan:
    source = files("potluck") / "demo" / "heart.toml"
    return Plan.read(Path(str(source)), [f'name="plan-{number}"', "data.files={}"])


def _fill(path: Path, lines: int) -> None:
    """The access log has so many lines more, all alike: each is written durably, which takes milliseconds."""
    AccessLog(path).write("approve", datetime.now(UTC), about=Subject(person="bench", plan="p", run="a" * 32))
    line = path.read_bytes().splitlines(keepends=True)[-1]
    path.write_bytes(path.read_bytes() + line * lines)


def _visitor(app: ASGIApp) -> Get:
    client = TestClient(app, base_url=ORIGIN.text, follow_redirects=False)
    said = {"Origin": ORIGIN.text, "Sec-Fetch-Site": "same-origin"}
    if client.post("/enter/now", data={"token": TOKEN}, headers=said).status_code != 303:
        raise AssertionError("nobody was signed in")

    def get(page: str) -> None:
        if client.get(page).status_code != 200:
            raise AssertionError(page)

    return get
