"""The coordinator's home: as a site's, and the files of its broker beside."""

from collections.abc import Iterator

from potluck.api.network.doctor import home as homes
from potluck.api.network.doctor import line, work
from potluck.api.network.doctor.finding import Finding, failed
from potluck.api.network.membership.compared import SAID, UNKNOWN, ahead, held_against, shown
from potluck.core.errors import PotluckError, Refused
from potluck.core.prose import agree
from potluck.members.federation import Federation
from potluck.members.files import held
from potluck.members.home import CoordinatorHome


def coordinator(home: CoordinatorHome, now: float) -> Iterator[Finding]:
    """Topic by topic. now: unix seconds."""
    yield from work.program()
    yield from homes.rights(home)
    yield from homes.left(home, now)
    yield from homes.disk(home.folder)
    try:
        member = home.standing()
    except PotluckError as error:
        yield failed("federation", error)
        return
    it = member.federation
    yield from homes.clock(now, {"the federation file was issued": float(it.issued)})
    sites, computes = len(it.sites), len(it.computes)
    who = f"{sites} {agree(sites, 'site', 'sites')} and {computes} compute {agree(computes, 'party', 'parties')}"
    said = f"{it.name}, version {it.version}, of {who}"
    yield newest(home, it, said)
    yield from line.expiry(it, now)
    yield from line.broker(member, now)
    running = held(home.lock)
    yield Finding("process", "good", "a server is at work" if running else "no server runs: none need, between runs")


def newest(home: CoordinatorHome, it: Federation, said: str) -> Finding:
    """Whether a newer file is known than the one in force here."""
    try:
        known = held_against(home, shown(home))
    except Refused as error:
        return failed("federation", error)
    except PotluckError:  # what is in the way to the broker has findings of its own
        known = False
    if names := ahead(home, it):
        what = f"{said}; {', '.join(names)} said to go by a newer one: was this home put back from an older copy?"
        return Finding("federation", "look", what, SAID)
    if not known and home.restored.exists():
        what = f"{said}; put back from a copy, and the broker cannot say whether a newer one is out"
        return Finding("federation", "look", what, UNKNOWN)
    return Finding("federation", "good", said)
