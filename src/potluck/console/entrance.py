"""The way into the pages of a home, whosever it is: who can sign in, and with what."""

import hashlib
import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

from potluck.api.network import access
from potluck.console.attempts import ALL, Attempts
from potluck.console.challenges import Challenges
from potluck.console.devices import Devices
from potluck.console.entry import Entry
from potluck.console.origin import Origin
from potluck.console.passkeys import Passkeys
from potluck.console.sessions import Sessions
from potluck.console.shell import Console, Page
from potluck.console.signin import SignIn
from potluck.core.errors import UsageError
from potluck.members.home import CoordinatorHome, SiteHome
from potluck.members.persons import Persons
from potluck.members.tokens import fresh

Clock = Callable[[], float]
Draw = Callable[[], str]


def entrance(
    home: SiteHome | CoordinatorHome,
    title: str,
    menu: Sequence[tuple[str, str]],
    origin: Origin,
    person: str,
    token: str,
    clock: Clock = time.monotonic,
    draw: Draw = fresh,
) -> tuple[Console, list[Page]]:
    """What all pages of a home share, and those at which one signs in. person: whose name the decisions have of whoever
    comes with the token; token: "" where nobody can.

    Raises UsageError: neither a token nor a person.
    """
    persons = Persons(home.persons)
    verb: Literal["site", "server"] = "site" if isinstance(home, SiteHome) else "server"
    if not token and not persons.all():
        hint = f"potluck {verb} person add {home.folder} NAME --origin {origin.text}"
        raise UsageError("nobody could sign in: behind a proxy each does as themselves", where=title, hint=hint)
    tag = hashlib.sha256(str(home.folder).encode()).hexdigest()[:16]
    note = partial(access.note, home.folder)
    console = Console(title, origin, Sessions(origin, tag, clock, draw), tuple(menu), note, persons, verb)
    passkeys = Passkeys(origin, console.title, Challenges(clock, draw))
    entry = Entry(token, clock) if token else None
    devices, known = Devices(origin, tag, draw), Attempts(clock, every=math.inf)
    signs = SignIn(entry, person, persons, passkeys, Attempts(clock), Attempts(clock, each=ALL), devices, known)
    return console, signs.pages()
