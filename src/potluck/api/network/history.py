"""What was asked of a site and what became of it; and how a plan differs from one that was let in before."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import msgspec

from potluck.core.plan import Plan as Spec
from potluck.members.home import SiteHome
from potluck.owner.access import Entry
from potluck.owner.access import read as read_log
from potluck.owner.reading import read as read_policy
from potluck.owner.requests import Request, Requests, State
from potluck.parties.admission.proposal import asked_of

LET_IN = (State.APPROVED, State.FINISHED)
ABSENT = "–"
VERDICTS = ("approve", "deny", "revoke")


@dataclass(frozen=True)
class Past:
    """One request, in short. missing: approvals that it still needs (0: it does not wait)."""

    request: Request
    plan: Spec
    missing: int


@dataclass(frozen=True)
class Change:
    """One key of a plan. before, now: as JSON has them, ABSENT where the plan does not have the key."""

    key: str
    before: str
    now: str


@dataclass(frozen=True)
class Earlier:
    """The newest plan of the same asker that was let in, of the same name where there is one, and what differs."""

    request: Request
    plan: Spec
    changes: tuple[Change, ...]


def history(folder: Path) -> list[Past]:
    """All requests that the site in `folder` remembers, newest first. Raises UsageError, Refused: no home, damaged."""
    home = SiteHome.at(folder)
    rule = read_policy(home.policy).approve
    with closing(Requests(home.requests)) as requests:
        every = [
            Past(one, asked_of(one), requests.missing(one.run, rule) if one.state is State.PENDING else 0)
            for one in requests.every()
        ]
    return every[::-1]


def decided(folder: Path, request: Request) -> list[Entry]:
    """What people decided about a request's plan, by the access log, oldest first. Raises UsageError: it cannot be
    read."""
    found = read_log(SiteHome.at(folder).access).entries
    return [one for one in found if one.hash == request.hash and one.event in VERDICTS]


def earlier(folder: Path, request: Request) -> Earlier | None:
    """What differs from what was let in before; None: of this asker nothing else was. Raises as `history`."""
    name = asked_of(request).name
    with closing(Requests(SiteHome.at(folder).requests)) as requests:
        every = requests.every()
    same = [one for one in every if one.asker == request.asker and one.hash != request.hash and one.state in LET_IN]
    if not same:
        return None
    newest = max(same, key=lambda one: (asked_of(one).name == name, one.first_seen))
    before, now = (dict(_flat(msgspec.json.decode(one.plan))) for one in (newest, request))
    keys = sorted(before.keys() | now.keys())
    changes = [Change(key, before.get(key, ABSENT), now.get(key, ABSENT)) for key in keys]
    return Earlier(newest, asked_of(newest), tuple(one for one in changes if one.before != one.now))


def _flat(value: object, key: str = "") -> Iterator[tuple[str, str]]:
    """Every leaf of a document, by its dotted key. A list is a leaf."""
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _flat(inner, f"{key}.{name}" if key else str(name))
    else:
        yield key, msgspec.json.encode(value).decode()
