"""`potluck federation`: the coordinator's part of enrolment."""

import time
from pathlib import Path

import click

from potluck.api.network import members as api
from potluck.api.network.membership.compared import compare
from potluck.api.network.membership.shown import Shown
from potluck.cli.door import PATH, spoken, voice
from potluck.cli.terminal import Terminal
from potluck.cli.verbs import Group
from potluck.cli.words.telling import given, telling
from potluck.members.about import NOTHING
from potluck.members.card import fingerprint
from potluck.members.change import called

DAYS = click.option("--days", type=int, help="How long the federation file is valid (default 365).")
ANYWAY = click.option("--anyway", is_flag=True, help="Sign though nobody can say that no newer file is out.")
REVOKE = click.option("--revoke", is_flag=True, help="Old keys may be stolen: runs that began before end at once.")

FIRST = 2
"""Up to this version a broker need not have run."""


@click.group("federation", cls=Group)
def command() -> None:
    """The coordinator's part: who belongs to the federation, and where its broker is."""


@command.command("new")
@click.argument("folder", type=PATH)
@click.option(
    "--broker",
    "brokers",
    required=True,
    multiple=True,
    metavar="tls://HOST:PORT",
    help="Where the sites will reach the broker; three times, for each of three nodes.",
)
@DAYS
@telling
@spoken
def new(folder: Path, brokers: tuple[str, ...], days: int | None) -> None:
    """Make FOLDER: keys, federation file, the broker's certificates and configuration. Its name is the folder's."""
    tell(api.federation_new(folder, ",".join(brokers), time.time(), days, NOTHING.but(*given())))


@command.command("add")
@click.argument("folder", type=PATH)
@click.argument("cards", type=PATH, nargs=-1, required=True)
@ANYWAY
@spoken
def add(folder: Path, cards: tuple[Path, ...], anyway: bool) -> None:
    """Make sites (and compute parties) members, by the CARDS that they sent. Compare fingerprints with their owners."""
    why = compare(folder, anyway=anyway)
    tell(api.federation_add(folder, cards, time.time()), folder, why)


@command.command("remove")
@click.argument("folder", type=PATH)
@click.argument("name")
@click.option("--compute", is_flag=True, help="NAME is a compute party's.")
@REVOKE
@ANYWAY
@spoken
def remove(folder: Path, name: str, compute: bool, revoke: bool, anyway: bool) -> None:
    """Take the site NAME out."""
    why = compare(folder, anyway=anyway)
    tell(api.federation_remove(folder, name, time.time(), compute=compute, revoke=revoke), folder, why)


@command.command("rotate")
@click.argument("folder", type=PATH)
@click.argument("cards", type=PATH, nargs=-1)
@click.option("--keys", is_flag=True, help="New keys for the coordinator, handed over to by the old.")
@DAYS
@click.option("--broker", "brokers", multiple=True, metavar="tls://HOST:PORT", help="Where the broker is from now on.")
@telling
@REVOKE
@ANYWAY
@spoken
def rotate(
    folder: Path,
    cards: tuple[Path, ...],
    keys: bool,
    days: int | None,
    brokers: tuple[str, ...],
    revoke: bool,
    anyway: bool,
) -> None:
    """Put members' new CARDS in the place of the old; without cards renew expiry and the broker's certificate. What the
    coordinator's own card says is given here, too."""
    why, old = compare(folder, anyway=anyway), api.federation_show(folder, time.time()).federation.broker
    moved = ",".join(brokers)
    found = api.federation_rotate(
        folder, cards, time.time(), keys=keys, days=days, revoke=revoke, moved=moved, about=given()
    )
    if moved and (away := api.federation_post(folder, before=old)):
        voice().say(f"at {old}: {away}: members that are there join the new file by hand")
    tell(found, folder, why)


@command.command("show")
@click.argument("path", type=PATH)
@spoken
def show(path: Path) -> None:
    """Members, fingerprints, version, expiry, broker of a home's FOLDER or a federation file."""
    tell(api.federation_show(path, time.time()))


def tell(found: Shown, changed: Path | None = None, unseen: str = "") -> None:
    """Print a federation, and a warning where it has expired. changed: the home in which it is a new version, which is
    put up for its members; unseen: why it could not be held against the broker's file before."""
    speaker = voice()
    why = api.federation_post(changed) if changed else ""
    if unseen and found.federation.version > FIRST:
        speaker.say(f"signed without a look at the broker's file, of which there may be a newer one ({unseen})")
    if why:
        speaker.say(f"{why}: this verb, or the next start of the broker here or of the server, puts the file up")
    if found.expired:
        speaker.warn(["this federation file has expired: nobody accepts it"])
    speaker.data(found.document(), lambda out: lines(out, found))


def lines(out: Terminal, found: Shown) -> None:
    """A federation as text: a line a party, with its fingerprint."""
    it, federation = found.document(), found.federation
    rows = [("coordinator", federation.coordinator)]
    rows += [(called(party), federation.cards[party]) for party in (*federation.sites, *federation.computes)]
    width = max(len(name) for name, _ in rows)
    out.say(f"federation {it['name']}, version {it['version']}, expires {it['expires']}, broker {it['broker']}")
    for name, card in rows:
        star = "  *" if name in found.changed else ""
        out.say(f"  {name:{width}}  {fingerprint(card)}{star}")
        if said := card.about.words():
            out.say(f"  {'':{width}}  says: {said}")
    out.say(f"file: {it['file']}")
