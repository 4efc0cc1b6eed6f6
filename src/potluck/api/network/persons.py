"""Who signs in at a home's pages, for whoever has its terminal. Each change is a line of the access log."""

import getpass
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from potluck.api.network.access import note
from potluck.api.network.composed import opened
from potluck.core.errors import PotluckError, Refused
from potluck.core.prose import utc
from potluck.members.home import SiteHome, home_at
from potluck.members.persons import Persons
from potluck.owner.policy import Approve
from potluck.owner.reading import read as read_policy
from potluck.owner.requests import Requests, State
from potluck.parties.admission.tries import newest


@dataclass(frozen=True)
class Invitation:
    """Where the person chooses a passkey or a password: below the address of the pages. until: ISO 8601, UTC."""

    name: str
    address: str
    until: str


def invite(folder: Path, name: str, origin: str) -> Invitation:
    """Invite a person to the pages of the home in `folder`, which are at `origin`. Raises UsageError, Refused."""
    home = home_at(folder)
    persons = Persons(home.persons)
    token = persons.invite(name, time.time())
    note(folder, "person", getpass.getuser(), "done", ("invited", name))
    if isinstance(home, SiteHome):
        recount(home)
    person = persons.named(name)
    assert person is not None
    until = utc(person.until)
    return Invitation(name, f"{origin}/join?token={token}", until)


def remove(folder: Path, name: str) -> None:
    """Nobody of this name signs in any more, and who is signed in is signed out. What they approved at a site counts no
    more, unless a run has begun with it. Raises UsageError, Refused."""
    home = home_at(folder)
    persons = Persons(home.persons)
    if isinstance(home, SiteHome) and persons.named(name):
        with suppress(PotluckError):  # first: a kill in between leaves a person who can say yes again, and no yes
            _taken_back(home, name)
    persons.remove(name)
    note(folder, "person", getpass.getuser(), "done", ("removed", name))
    if isinstance(home, SiteHome):
        try:
            _taken_back(home, name)
        except PotluckError as error:
            what = f"{name!r} is removed, but what they approved still counts: {error.what}"
            raise Refused(what, where=error.where, hint="potluck site revoke takes back what was approved") from None


def _taken_back(home: SiteHome, name: str) -> None:
    try:
        approve = read_policy(home.policy).approve
    except PotluckError:
        approve = Approve(rule="person", people=2)  # nothing begins by a policy that cannot be read

    with closing(Requests(home.requests)) as requests:
        requests.left(name, partial(_begun, home), approve)


def recount(home: SiteHome) -> None:
    """The policy or the persons of a site are others now: what was approved and has not begun waits again where they
    ask more. The site's process asks the same before a run's first round, so what cannot be read now is left to it."""
    with suppress(PotluckError):
        approve = read_policy(home.policy).approve
        with closing(Requests(home.requests)) as requests:
            for one in requests.every() if approve.rule != "policy" else ():
                if one.state is State.APPROVED and not _begun(home, one.run):
                    requests.suffices(one.run, approve)


def _begun(home: SiteHome, run: str) -> bool:
    try:
        with opened(home.ledger) as ledger:
            return ledger is not None and newest(ledger, run)[0] > 0
    except PotluckError:
        return False  # by a ledger that cannot be read nothing goes on either


def persons(folder: Path) -> list[dict[str, object]]:
    """Who there is, and how each signs in: nothing secret. Raises UsageError, Refused."""
    return [
        {"name": one.name, "password": bool(one.password), "passkeys": len(one.passkeys), "invited": bool(one.invited)}
        for one in Persons(home_at(folder).persons).all()
    ]
