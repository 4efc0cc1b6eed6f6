"""What was asked of a site and what became of it; and how a plan differs from one that was let in before."""

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import msgspec

from potluck.api.network.membership.agreed import in_force, missing
from potluck.core.errors import Refused
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
    """One request, in short. plan: None where this version cannot read it; missing: approvals that it still needs (0:
    it does not wait)."""

    request: Request
    plan: Spec | None
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
        found, pinned = [(one, read_of(one)) for one in requests.every()], in_force(home)
        every = [Past(one, plan, missing(home, pinned, requests, one, rule) if plan else 0) for one, plan in found]
    return every[::-1]


def read_of(request: Request) -> Spec | None:
    """The plan of a request; None: another version took it, and this one cannot read it."""
    try:
        return asked_of(request)
    except Refused:
        return None


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
    same = [
        (plan, one)
        for one in every
        if one.asker == request.asker and one.hash != request.hash and one.state in LET_IN and (plan := read_of(one))
    ]
    if not same:
        return None
    plan, newest = max(same, key=lambda one: (one[0].name == name, one[1].first_seen))
    before, now = (dict(_flat(msgspec.json.decode(one.plan))) for one in (newest, request))
    keys = sorted(before.keys() | now.keys())
    changes = [Change(key, before.get(key, ABSENT), now.get(key, ABSENT)) for key in keys]
    return Earlier(newest, plan, tuple(one for one in changes if one.before != one.now))


def _flat(value: object, key: str = "") -> Iterator[tuple[str, str]]:
    """Every leaf of a document, by its dotted key, in which a name with dots of its own is quoted: two keys stay two. A
    list is a leaf."""
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            said = json.dumps(name, ensure_ascii=False) if set(name) & set('."') else str(name)
            yield from _flat(inner, f"{key}.{said}" if key else said)
    else:
        yield key, msgspec.json.encode(value).decode()
