"""`potluck site doctor`: what hospital IT looks at first when a site does not do what it should, and at any time.

Every fault has a finding of its own that says what to do. Nothing is changed but the access log, which has a line where
rows were counted; nothing is sent but a connection's greeting, and no letter is fetched. What it finds of rows, as how
many there are, is for the owner's own screen.
It says how things are now: a machine that is well may fail in a minute.
"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from potluck.api.network.doctor import home as homes
from potluck.api.network.doctor import line, work
from potluck.api.network.doctor import rows as data
from potluck.api.network.doctor.coordinator import coordinator
from potluck.api.network.doctor.finding import Finding, State, failed
from potluck.core.errors import PotluckError
from potluck.core.party import Role
from potluck.members.federation import Federation
from potluck.members.home import CoordinatorHome, SiteHome
from potluck.owner.access import AccessLog, Subject
from potluck.owner.policy import Policy
from potluck.owner.reading import read as read_policy

__all__ = ["Finding", "State", "bad", "examine"]


def examine(folder: Path, *, quick: bool = False, now: float | None = None, person: str = "") -> tuple[Finding, ...]:
    """How the home in `folder` is, topic by topic.

    Args:
        folder: the home of a site or compute party, or the coordinator's.
        quick: of a site: without what takes long or asks others: the broker, databases, counts of rows, engines, the
            ledger.
        now: unix seconds; the time of this machine's clock.
        person: who looks, for the access log: that rows were counted is a line of it.

    Returns:
        Findings, in the order in which one would look. Each topic has one at least, where it is looked at.

    Raises:
        UsageError: the folder is no home.
    """
    now = time.time() if now is None else now
    if (folder / "issued.toml").is_file():
        return tuple(coordinator(CoordinatorHome.at(folder), now))
    return tuple(_examined(SiteHome.at(folder), quick, now, person))


def bad(findings: tuple[Finding, ...]) -> bool:
    """Whether anything is."""
    return any(one.state == "bad" for one in findings)


def _examined(home: SiteHome, quick: bool, now: float, person: str) -> Iterator[Finding]:
    yield from work.program()
    rights = tuple(homes.rights(home))
    yield from rights
    yield from homes.left(home, now)
    yield from homes.disk(home.folder)
    yield from work.log(home)
    pinned = _pinned(home)
    yield from homes.clock(now, work.marks(home, pinned))
    yield from line.membership(home, now, keys=not bad(rights))
    if not quick:
        yield from _broker(home, pinned, now)
    rules = None
    try:
        rules = read_policy(home.policy)
    except PotluckError as error:
        yield failed("policy", error)
    if rules is not None:
        yield from _by_policy(home, rules, quick, now, person)
    if not quick:
        yield from work.ledger(home, pinned)
        yield from work.process(home, now)


def _by_policy(home: SiteHome, rules: Policy, quick: bool, now: float, person: str) -> Iterator[Finding]:
    yield from data.policy(home, rules)
    if home.me.role is Role.SITE:
        counts = not quick and _noted(home, person)
        read = yield from data.rows(home, rules, count=counts)
        yield from data.tables(home, rules, ask=not quick)
        if read and counts:
            from potluck.api.network.doctor import fits  # with it comes all that reads rows for plans

            yield from fits.of_plans(home, rules)
    yield from work.waiting(home, now)
    yield from work.turned(home, now)
    yield from work.told(home, rules)
    yield from work.named(home, rules)
    if not quick:
        yield from work.engines(home, rules)


def _noted(home: SiteHome, person: str) -> bool:
    """Rows are counted only where that is a line of the access log."""
    try:
        AccessLog(home.access).write("doctor", datetime.now(UTC), outcome="done", about=Subject(person=person))
    except PotluckError:
        return False
    return True


def _pinned(home: SiteHome) -> Federation | None:
    try:
        return home.pinned()
    except PotluckError:
        return None  # what is wrong with it is a finding of its own


def _broker(home: SiteHome, pinned: Federation | None, now: float) -> Iterator[Finding]:
    if pinned is None:
        yield Finding("broker", "unknown", "its address is in the federation file", "join it first")
        return
    try:
        member = home.open(pinned.issued)  # also of a file that has expired: the way there is worth knowing
    except PotluckError as error:
        yield Finding("broker", "unknown", f"it cannot be asked without this party's keys: {error.what}", error.hint)
        return
    yield from line.broker(member, now)
