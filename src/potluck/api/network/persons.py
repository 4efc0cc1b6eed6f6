"""Who signs in at a home's pages, for whoever has its terminal. Each change is a line of the access log."""

import getpass
import time
from dataclasses import dataclass
from pathlib import Path

from potluck.api.network.access import note
from potluck.core.prose import utc
from potluck.members.home import home_at
from potluck.members.persons import Persons


@dataclass(frozen=True)
class Invitation:
    """Where the person chooses a passkey or a password: below the address of the pages. until: ISO 8601, UTC."""

    name: str
    address: str
    until: str


def invite(folder: Path, name: str, origin: str) -> Invitation:
    """Invite a person to the pages of the home in `folder`, which are at `origin`. Raises UsageError, Refused."""
    persons = Persons(home_at(folder).persons)
    token = persons.invite(name, time.time())
    note(folder, "person", getpass.getuser(), "done", ("invited", name))
    person = persons.named(name)
    assert person is not None
    until = utc(person.until)
    return Invitation(name, f"{origin}/join?token={token}", until)


def remove(folder: Path, name: str) -> None:
    """Nobody of this name signs in any more, and who is signed in is signed out. Raises UsageError, Refused."""
    Persons(home_at(folder).persons).remove(name)
    note(folder, "person", getpass.getuser(), "done", ("removed", name))


def persons(folder: Path) -> list[dict[str, object]]:
    """Who there is, and how each signs in: nothing secret. Raises UsageError, Refused."""
    return [
        {"name": one.name, "password": bool(one.password), "passkeys": len(one.passkeys), "invited": bool(one.invited)}
        for one in Persons(home_at(folder).persons).all()
    ]
