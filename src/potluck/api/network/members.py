"""Enrolment: the verbs `federation` and `site` as functions. now: unix seconds."""

import shutil
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from potluck.api.network.membership.shown import Shown
from potluck.core.errors import PotluckError, Refused, UsageError
from potluck.core.party import SERVER, Party, Role
from potluck.core.visible import visible
from potluck.members import card as cards
from potluck.members import charter, coordinator, files, offer, site
from potluck.members.about import NOTHING, About
from potluck.members.card import Card, fingerprint
from potluck.members.change import called
from potluck.members.federation import DAYS, Federation, broker_addresses
from potluck.members.home import CoordinatorHome, Membership, SiteHome
from potluck.members.names import checked_name
from potluck.members.persons import Persons
from potluck.net import broker

BUSY = "the federation is being changed by another process"
Said = tuple[str | None, str | None, str | None]
"""Organisation, country and contact as somebody gave them; None: as it was."""
POST = 4.0
"""Seconds to put the federation file up: a broker takes a moment to read its users."""


@dataclass(frozen=True)
class Home:
    """A site's home, or a compute party's, as it is shown. fingerprint, about: of the card that was just made."""

    name: str
    role: str
    folder: Path
    card: Path
    fingerprint: str
    about: About

    def document(self) -> dict[str, object]:
        """The JSON."""
        it = {"name": self.name, "role": self.role, "folder": str(self.folder), "card": str(self.card)}
        return {**it, "fingerprint": self.fingerprint, **self.about.document()}


@dataclass(frozen=True)
class Membered:
    """What a site has joined. first: compare the fingerprints now; new_coordinator: its key was handed over; settled:
    where the evidence lies of two files of one version, which is settled by this one."""

    name: str
    fingerprint: str
    first: bool
    new_coordinator: bool
    federation: Shown
    settled: Path | None = None

    def document(self) -> dict[str, object]:
        """The JSON."""
        return {
            "name": self.name,
            "fingerprint": self.fingerprint,
            "first": self.first,
            "new_coordinator": self.new_coordinator,
            "settled": None if self.settled is None else str(self.settled),
            "federation": self.federation.document(),
        }


def federation_new(folder: Path, broker: str, now: float, days: int | None = None, about: About = NOTHING) -> Shown:
    """Make a coordinator's home: keys, broker, version 1 of the federation. Its name is the folder's.

    broker: its address, or those of its three nodes with commas between; about: what the coordinator says of itself.
    Raises UsageError: the folder is there already, or the address, the name, a text or the disk will not do.
    """
    about.verify()
    broker_addresses(broker)
    days = DAYS if days is None else days
    name = checked_name(folder.resolve().name, str(folder))
    home, keys, made = coordinator.found(folder)
    try:
        draft = coordinator.first(name, made, keys, (broker, ""), now, days)
        ca = _prepare(home, draft, now)
        federation = coordinator.first(name, made, keys, (broker, ca), now, days, about)
        home.issue(federation, keys, now)
    except BaseException:
        shutil.rmtree(home.folder)
        raise
    return _shown(home, federation, now)


def federation_add(folder: Path, paths: Sequence[Path], now: float) -> Shown:
    """Make sites members, by their cards. Raises UsageError, Refused (a false card, a key that another has)."""
    found = [cards.read(path) for path in paths]
    return _changed(folder, now, _names(found), lambda before: coordinator.with_members(before, found, now))


def federation_remove(folder: Path, name: str, now: float, *, compute: bool = False, revoke: bool = False) -> Shown:
    """Take a member out. compute: a compute party of that name; revoke: its keys may be stolen, so that no run goes on
    in which they count. Raises UsageError: no such member."""
    gone = Party(Role.COMPUTE if compute else Role.SITE, name)
    titled = (called(gone),)
    return _changed(folder, now, titled, lambda before: _cut(coordinator.without(before, gone, now), revoke))


def _cut(after: Federation, revoke: bool) -> Federation:
    return coordinator.cut(after) if revoke else after


def _changed(folder: Path, now: float, names: Sequence[str], change: Callable[[Federation], Federation]) -> Shown:
    home = CoordinatorHome.at(folder)
    with files.locked(home.changing, BUSY):
        before = home.open(now)
        return _issue(home, Membership(before.me, before.keys, change(before.federation)), now, names)


def federation_rotate(
    folder: Path,
    paths: Sequence[Path],
    now: float,
    *,
    keys: bool,
    days: int | None,
    revoke: bool = False,
    moved: str = "",
    about: Said = (None, None, None),
) -> Shown:
    """Members' new cards; the coordinator's new keys; a new expiry and broker certificate (days, or no cards).

    revoke: the old keys may be stolen, so that no run goes on in which they count; moved: where the broker is from now
    on, as in `federation_new`: what runs at the old address goes on there, and sites hear of it there; about: what the
    coordinator says of itself from now on, in place of what it said. Works on an expired federation where it sets a new
    expiry. Raises UsageError, Refused.
    """
    if moved and keys:
        hint = "first --broker; then, once the broker is there and its members, --keys"
        raise UsageError("new keys of the coordinator, which the old broker would not know, at a new one", hint=hint)
    found = [cards.read(path) for path in paths]
    home = CoordinatorHome.at(folder)
    renew = days is not None or not found
    with files.locked(home.changing, BUSY):
        before = home.standing() if renew else home.open(now)
        after = coordinator.with_new_keys(before.federation, found, now)
        if renew:
            after = coordinator.prolonged(after, DAYS if days is None else days)
        says = after.coordinator.about.but(*about)
        if says != after.coordinator.about:
            after = coordinator.described(after, before.keys, says)
        after = _cut(coordinator.moved(after, moved) if moved else after, revoke)
        membership = Membership(before.me, before.keys, after)
        if keys:
            membership = coordinator.rekeyed(home, before, after)
        return _issue(home, membership, now, _names(found), renew=renew)


def federation_catch_up(folder: Path, newest: Path, now: float) -> Shown:
    """A newer federation file, as a member has it, comes into force in a coordinator's home that was put back from an
    older copy; the one of the copy stays beside, for runs that began with it. The same file again changes nothing.

    Raises UsageError, Refused: forged, older, expired, or signed by keys that the copy does not have.
    """
    home = CoordinatorHome.at(folder)
    offered = charter.read(newest)
    with files.locked(home.changing, BUSY):
        before = home.standing()
        if offered.coordinator.keys != before.federation.coordinator.keys:
            what = "the coordinator has other keys in it than the copy: no way leads back from this copy"
            raise Refused(what, where=str(newest), hint="take a copy that was made after `federation rotate --keys`")
        return _issue(home, Membership(before.me, before.keys, offered), now, ())


def federation_post(folder: Path, patience: float = POST, before: str = "") -> str:
    """Put the federation file up at the broker, where every member that runs finds it. Gives why not, empty where it
    is up: the next start of the server puts it up, too. before: the address where members still are."""
    from potluck.net.notice import post
    from potluck.net.session import Account

    home = CoordinatorHome.at(folder)
    member = home.standing()
    it = member.federation
    where = Account(it.id, member.me, before or it.broker, it.ca, member.keys.user.seed)
    try:
        post(where, tuple(it.cards), home.federation.read_bytes(), patience)
    except PotluckError as error:
        return error.what
    return ""


def federation_show(path: Path, now: float) -> Shown:
    """A coordinator's or site's home, or a federation file: verified under the key that it names itself.

    Raises UsageError: none. Refused: forged, or at the coordinator an older version put back.
    """
    if not path.is_dir():
        federation, file = charter.read(path), path.absolute()
    elif (path / "site.toml").is_file():
        site_home = SiteHome.at(path)
        federation, file = site_home.pinned(), site_home.federation
    else:
        home = CoordinatorHome.at(path)
        federation, file = home.standing().federation, home.federation
    return Shown(federation, file, now >= federation.expires)


def site_new(folder: Path, name: str | None = None, *, compute: bool = False, about: About = NOTHING) -> Home:
    """Make a site's home: keys, card, a policy that denies all. name: the site's, by default the folder's; compute: of
    a party that computes for the sites instead, with no rows; about: what the card says of the party.

    Raises UsageError: the folder is there already, or the name or a text will not do.
    """
    from potluck.owner import policy

    name = folder.resolve().name if name is None else name
    role: Literal["site", "compute"] = "compute" if compute else "site"
    about.verify()
    home = site.found(folder, name, policy.template(visible(name), compute), role=role, about=about)
    return _home(home, home.card, cards.read(home.card))


def site_rotate(folder: Path, about: Said = (None, None, None)) -> Home:
    """Make a site's new keys beside the old. about: what their card says in the place of what the last one said.

    Raises UsageError: no home, new keys wait already, or a text will not do.
    """
    home = SiteHome.at(folder)
    return _home(home, home.fresh_card, site.renew(home, site.said(home).but(*about)))


def site_describe(folder: Path, about: Said) -> Home:
    """A new card of a site's keys, which says this in the place of what it said. It counts once the coordinator has
    taken it up. Raises UsageError: no home, or a text will not do."""
    home = SiteHome.at(folder)
    return _home(home, *site.describe(home, site.said(home).but(*about)))


def _home(home: SiteHome, path: Path, card: Card) -> Home:
    return Home(home.name, home.role.value, home.folder, path, fingerprint(card), card.about)


def site_join(folder: Path, file: Path | None, now: float, coordinator: str = "", person: str = "") -> Membered:
    """Verify a federation file and pin it in the site's home: a person says so, who agrees to all of its members.
    Where the policy asks two persons, this is one's word on members that are new since the first file; where persons
    were invited to the pages, it is nobody's, and they agree there.

    file: None takes the one that came through the broker: where it waits, else the pinned one. coordinator: the
    fingerprint it must have, if given. A site that runs takes the file up. Raises UsageError: no home, malformed
    (the policy, too).
    Refused: forged, expired, rolled back, or this site is not in it.
    """
    from potluck.api.network.ledger import hand_over
    from potluck.api.network.membership.follow import wanted
    from potluck.owner.budget import Budget
    from potluck.owner.reading import read as read_policy

    home = SiteHome.at(folder)
    with files.locked(home.joining, "another federation file is being joined here"):
        if file is None:
            text, where = offer.waiting(home) or files.text(home.federation, "federation file"), str(home.federation)
        else:
            text, where = files.text(file, "federation file"), str(file)
        hand_over(home, charter.parse(text, where), now)
        keep: frozenset[bytes] = frozenset()
        if home.federation.exists() and home.ledger.exists():
            with Budget(home.ledger) as ledger:
                keep = wanted(home, ledger)
        alone = not home.federation.exists() or read_policy(home.policy).approve.people == 1
        joined = site.join(home, text, where, now, coordinator, person=person, wanted=keep, alone=alone)
        if not alone and not Persons(home.persons).all():
            home.known.agree_half(joined.federation.members, joined.federation, now, person, {})
    own = fingerprint(home.listed(joined.federation))
    pinned = Shown(joined.federation, home.federation, expired=False)
    return Membered(home.name, own, joined.first, joined.new_coordinator, pinned, joined.settled)


def _prepare(home: CoordinatorHome, federation: Federation, now: float, renew: bool = False) -> str:
    """The one place that makes the broker's files."""
    return broker.prepare(home.folder, federation.id, federation.addresses, federation.users(), now, renew=renew)


def _issue(home: CoordinatorHome, after: Membership, now: float, names: Sequence[str], renew: bool = False) -> Shown:
    """The broker learns its users first: who is removed is out before anybody reads so."""
    text = charter.write(after.federation, after.keys.signing)  # what no reader would accept stops here
    many = len(after.federation.members)
    if len(text) > offer.LARGEST and many > len(home.standing().federation.members):
        what = f"with {many} members the federation file has {len(text):,} bytes, and sites follow {offer.LARGEST:,}"
        raise UsageError(what, where=str(home.folder), hint="remove members who take no part, or make two federations")
    ca = _prepare(home, after.federation, now, renew)
    if ca != after.federation.ca:
        raise Refused(
            "the broker's CA is another than the federation names",
            where=str(home.broker),
            hint="put broker/ca.pem and broker/ca.key back from a backup",
        )
    home.issue(after.federation, after.keys, now)
    home.standing()  # new keys come into force
    home.earlier.tidy(_open_under(home), after.federation.oldest, now)
    broker.reload(home.folder)
    return _shown(home, after.federation, now, names)


def _open_under(home: CoordinatorHome) -> frozenset[bytes]:
    """Digests of the files under which runs of the coordinator's are not over."""
    paths = tuple(home.runs.glob("*/journal.sqlite"))
    if not paths:
        return frozenset()
    from potluck.api.network.sessions import UNFINISHED
    from potluck.parties.runners.journal import Journal

    found = set()
    for path in paths:
        with suppress(PotluckError), closing(Journal.look(path)) as journal:
            file = journal.file(SERVER)
            if file is not None and journal.fact("state") in UNFINISHED:
                found.add(file[1])
    return frozenset(found)


def _shown(home: CoordinatorHome, federation: Federation, now: float, names: Sequence[str] = ()) -> Shown:
    return Shown(federation, home.federation, now >= federation.expires, tuple(names))


def _names(found: Sequence[Card]) -> tuple[str, ...]:
    names = tuple(called(card.party) for card in found)
    if len(set(names)) < len(names):
        raise UsageError("two cards of one name", hint="give each member's card once")
    return names
