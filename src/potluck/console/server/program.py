"""The coordinator's program: which page is at which address."""

import time
from functools import partial
from pathlib import Path

from starlette.types import ASGIApp

from potluck.api.network.office import Office
from potluck.console.entrance import Clock, Draw, entrance
from potluck.console.log import AccessPages
from potluck.console.origin import LIVE, REPORT, Origin, Way
from potluck.console.server.drafts import UPLOAD, Drafts
from potluck.console.server.latest import Latest
from potluck.console.server.live import Streams
from potluck.console.server.plans import Plans
from potluck.console.server.results import FILES, Results
from potluck.console.server.runs import Runs
from potluck.console.server.sites import Sites
from potluck.console.shell import Page, application
from potluck.members.home import CoordinatorHome
from potluck.members.tokens import fresh

MENU = (("/", "Runs"), ("/new", "New run"), ("/sites", "Sites"), ("/log", "Access log"))


def program(
    folder: Path,
    office: Office,
    drafts: Drafts,
    origin: Origin,
    person: str,
    token: str,
    clock: Clock = time.monotonic,
    draw: Draw = fresh,
) -> ASGIApp:
    """The pages of the coordinator in `folder`. office: what carries out its runs; drafts: where plans lie that are not
    started; person: whose name the acts have of whoever comes with the token; token: "" where nobody can.

    Raises UsageError: no home, or neither a token nor a person.
    """
    home = CoordinatorHome.at(folder)
    name = home.standing().federation.name
    console, way_in = entrance(home, f"federation {name}", MENU, origin, person, token, clock, draw)
    latest, log = Latest(office), AccessPages(home.folder)
    runs, sites = Runs(home.folder, office, latest, Streams()), Sites(home.folder, office, latest)
    plans, results = Plans(home.folder, office, latest, drafts), Results(latest)
    return application(
        console,
        [
            *way_in,
            Page("/", runs.all),
            Page("/runs/{name}", runs.one, way=Way(LIVE)),
            Page("/runs/{name}/news", runs.news, quiet=True),
            Page("/runs/{name}/cancel", runs.cancel, post=True),
            Page("/runs/{name}/report", results.report, way=Way(REPORT)),
            *(Page(f"/runs/{{name}}/keep/{file}", partial(results.file, file)) for file in FILES),
            Page("/new", plans.new),
            Page("/plans", plans.sent, post=True, way=Way(upload=UPLOAD)),
            Page("/plans/{name}", plans.shown),
            Page("/plans/{name}/start", plans.start, post=True),
            Page("/sites", sites.members),
            Page("/log", log.shown),
            Page("/log/export", log.export),
        ],
    )
