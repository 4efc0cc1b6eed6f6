"""The coordinator's home: as a site's, and the files of its broker beside."""

from collections.abc import Iterator

from potluck.api.network.doctor import home as homes
from potluck.api.network.doctor import line, work
from potluck.api.network.doctor.finding import Finding, failed
from potluck.api.network.status import status
from potluck.core.errors import PotluckError
from potluck.core.prose import agree
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
    heard = [one for run in status(home.folder).runs for one in (*run.sites, *run.computes)]
    ahead = sorted({one.name for one in heard if one.file and one.file.version > it.version})
    if ahead:
        what = f"{said}; {', '.join(ahead)} went by a newer one: this home was put back from an older copy"
        hint = "put the copy back once more, with a member's file: potluck server restore --newest federation.toml"
        yield Finding("federation", "bad", what, hint)
    else:
        yield Finding("federation", "good", said)
    yield from line.expiry(it, now)
    yield from line.broker(member, now)
    running = held(home.lock)
    yield Finding("process", "good", "a server is at work" if running else "no server runs: none need, between runs")
