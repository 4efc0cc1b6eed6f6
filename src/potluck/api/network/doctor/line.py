"""The federation file and the broker: membership, expiry, and the way there step by step."""

from collections.abc import Iterator
from dataclasses import replace

from potluck.api.network.doctor.finding import Finding, expiring, failed
from potluck.api.network.membership.agreed import site_members
from potluck.api.network.membership.left import left
from potluck.core.errors import PotluckError
from potluck.core.visible import visible
from potluck.members.federation import Federation, titled
from potluck.members.home import Membership, SiteHome
from potluck.net.probe import Probe, probe
from potluck.net.session import Account

SOON = 30
"""Days before an end from which on somebody should see to it."""


def membership(home: SiteHome, now: float, keys: bool) -> Iterator[Finding]:
    """The pinned file: there, signed, ours, and for how long. keys: they can be read, and held against it."""
    try:
        pinned = home.pinned()
        if keys or home.me not in pinned.cards:
            home.listed(pinned)
    except PotluckError as error:
        yield failed("federation", error)
        return
    gone = left(home)
    if gone:
        yield Finding("federation", "bad", gone, "ask the coordinator; end potluck site run if it is so")
    else:
        yield Finding("federation", "good", f"{pinned.name}, {titled(pinned.version, pinned.digest)}")
    yield from expiry(pinned, now)
    try:
        known = site_members(home.folder, now)
    except PotluckError as error:
        yield failed("members", error)
        return
    if known.two_files:
        what = f"the coordinator signed two files of one version, this and {known.two_files}"
        hint = "call the coordinator and the other sites: somebody is shown another list; "
        hint += "potluck site join with a later version settles it: potluck docs enrolment"
        yield Finding("members", "bad", what, hint)
    if known.waits is not None:
        what = f"a newer federation file waits for a person's word: {'; '.join(known.changes[:3])}"
        yield Finding(
            "members", "look", what, f"see the members at the owner's page, or potluck site join '{home.folder}' FILE"
        )
    if known.new and not gone:
        who = "two persons have not" if known.people > 1 else "nobody here has"
        what = f"{who} compared the fingerprints of {', '.join(map(visible, list(known.new)[:5]))}"
        yield Finding(
            "members", "look", what, "compare them by voice, and agree at the owner's page or with potluck site join"
        )


def expiry(it: Federation, now: float) -> Iterator[Finding]:
    """For how long a file is good."""
    hint = "coordinator: potluck federation rotate FOLDER; sites: join the new file"
    yield expiring("expiry", "the federation file", it.expires - now, SOON, hint)


def broker(member: Membership, now: float) -> Iterator[Finding]:
    """Every step to each of its nodes, the first that fails; and their certificates."""
    it = member.federation
    try:
        nodes = it.broker.split(",")
        found = {url: probe(Account(it.id, member.me, url, it.ca, member.keys.user.seed)) for url in nodes}
    except PotluckError as error:
        yield failed("broker", error)
        return
    spared = any(one.error is None for one in found.values())
    for number, (url, one) in enumerate(found.items(), 1 if len(found) > 1 else 0):
        yield reached(one, number, url, spared)
        if one.ends is not None:
            what = f"{_node(number)}the broker's certificate"
            yield expiring("certificate", what, one.ends.timestamp() - now, SOON, _renewal(number))


def _node(number: int) -> str:
    """number: of one of three nodes; 0 of a broker of one."""
    return f"node {number}, " if number else ""


def _renewal(number: int) -> str:
    if not number:
        return "the coordinator renews it: potluck broker FOLDER --renew"
    verb = f"potluck broker FOLDER --node {number} --renew"
    return f"the coordinator renews it: {verb}; of a node elsewhere with --export NEW, which is taken there"


def reached(found: Probe, number: int, where: str, spared: bool) -> Finding:
    """spared: another is well, so that letters come and go."""
    if found.error is None:
        return Finding("broker", "good", f"{_node(number)}{where} knows this party and has its queue")
    said = failed("broker", found.error, "look" if spared or found.failed == "queues" else "bad")
    hint = _renewal(number) if "--renew" in said.hint else said.hint
    return replace(said, what=f"{_node(number)}{said.what}", hint=hint)
