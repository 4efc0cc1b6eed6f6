"""The owner's program: which page is at which address."""

import hashlib
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from starlette.types import ASGIApp

from potluck.api.network import access
from potluck.console.attempts import ALL, Attempts
from potluck.console.challenges import Challenges
from potluck.console.entry import Entry
from potluck.console.origin import Origin
from potluck.console.passkeys import Passkeys
from potluck.console.sessions import Sessions
from potluck.console.shell import Console, Page, application
from potluck.console.signin import SignIn
from potluck.console.site.record import Record
from potluck.console.site.requests import Owner
from potluck.core.errors import UsageError
from potluck.members.home import SiteHome
from potluck.members.persons import Persons
from potluck.members.tokens import fresh

MENU = (
    ("/", "What waits"),
    ("/past", "What was asked"),
    ("/log", "Access log"),
    ("/budget", "Budget"),
    ("/policy", "Policy"),
    ("/members", "Members"),
)
Clock = Callable[[], float]
Draw = Callable[[], str]


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
    persons = Persons(home.persons)
    if not token and not persons.all():
        hint = f"potluck site person add {folder} NAME --origin {origin.text}"
        raise UsageError("nobody could sign in: behind a proxy each does as themselves", where=home.name, hint=hint)
    tag = hashlib.sha256(str(home.folder).encode()).hexdigest()[:16]
    note = partial(access.note, folder)
    console = Console(f"site {home.name}", origin, Sessions(origin, tag, clock, draw), MENU, note, persons)
    passkeys = Passkeys(origin, console.title, Challenges(clock, draw))
    entry = Entry(token, clock) if token else None
    way_in = SignIn(entry, person, persons, passkeys, Attempts(clock), Attempts(clock, each=ALL))
    owner, record = Owner(folder), Record(folder)
    return application(
        console,
        [
            *way_in.pages(),
            Page("/", owner.waiting),
            Page("/past", owner.past),
            Page("/requests/{name}", owner.asked),
            Page("/requests/{name}/decide", owner.decide, post=True),
            Page("/requests/{name}/preview", owner.preview, post=True),
            Page("/log", record.log),
            Page("/log/export", record.export),
            Page("/budget", record.budget),
            Page("/policy", record.policy),
            Page("/members", record.members),
        ],
    )
