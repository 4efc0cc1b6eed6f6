"""The owner's program: which page is at which address."""

import time
from pathlib import Path

from starlette.types import ASGIApp

from potluck.console.entrance import Clock, Draw, entrance
from potluck.console.log import AccessPages
from potluck.console.origin import Origin
from potluck.console.shell import Page, application
from potluck.console.site.health import LOOK, Health
from potluck.console.site.papers import Papers
from potluck.console.site.policy import CHANGE, DECIDE, PENDING, SAVE, Rules
from potluck.console.site.record import AGREE, Record
from potluck.console.site.requests import Owner
from potluck.members.home import SiteHome
from potluck.members.tokens import fresh

MENU = (
    ("/", "What waits"),
    ("/past", "What was asked"),
    ("/log", "Access log"),
    ("/budget", "Budget"),
    ("/policy", "Policy"),
    ("/members", "Members"),
    ("/health", "Health"),
)


def program(
    folder: Path,
    origin: Origin,
    person: str,
    token: str,
    clock: Clock = time.monotonic,
    draw: Draw = fresh,
) -> ASGIApp:
    """The pages of the site in `folder`. person: whose name the decisions have of whoever comes with the token; token:
    "" where nobody can.

    Raises UsageError: no home, or neither a token nor a person.
    """
    home = SiteHome.at(folder)
    console, way_in = entrance(home, f"site {home.name}", MENU, origin, person, token, clock, draw)
    owner, record = Owner(folder), Record(folder)
    policy, log, health = Rules(folder), AccessPages(folder), Health(folder)
    papers = Papers(folder)
    return application(
        console,
        [
            *way_in,
            Page("/", owner.waiting),
            Page("/past", owner.past),
            Page("/requests/{name}", owner.asked),
            Page("/requests/{name}/settings", owner.settings),
            Page("/requests/{name}/decide", owner.decide, post=True),
            Page("/requests/{name}/preview", owner.preview, post=True),
            Page("/requests/{name}/papers", papers.shown),
            Page("/requests/{name}/papers/write", papers.write, post=True),
            Page("/papers/{name}", papers.file),
            Page("/log", log.shown),
            Page("/log/export", log.export),
            Page("/budget", record.budget),
            Page("/policy", policy.shown),
            Page(CHANGE, policy.asked),
            Page(CHANGE, policy.looked, post=True),
            Page(SAVE, policy.saved, post=True),
            Page(PENDING, policy.pending),
            Page(DECIDE, policy.decided, post=True),
            Page("/members", record.members),
            Page(AGREE, record.agreed, post=True),
            Page("/health", health.shown),
            Page(LOOK, health.looked, post=True),
        ],
    )
