"""Folders of a federation: a site's home and the coordinator's, where everything lies in them, and opening them."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec

from potluck.core.errors import PotluckError, Refused, UsageError
from potluck.core.party import SERVER, Party, Role
from potluck.core.visible import visible
from potluck.members import charter, files, tables
from potluck.members import keys as keyring
from potluck.members.card import Card, draft, fingerprint
from potluck.members.earlier import Earlier
from potluck.members.federation import Federation, accept
from potluck.members.keys import Keys
from potluck.members.known import Known
from potluck.members.names import checked_name, file_name


@dataclass(frozen=True)
class Membership:
    """Who I am, my keys, and the verified federation in which the others know me by them."""

    me: Party
    keys: Keys = field(repr=False)
    federation: Federation


class SiteFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """site.toml. ledger: where it lies, if not in the home itself (relative to it); role: what the party does."""

    version: Literal[1]
    name: str
    ledger: str = "ledger.sqlite"
    role: Literal["site", "compute"] = "site"


class _Issued(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: Literal[1]
    id: str
    highest: int
    digest: str


@dataclass(frozen=True)
class _In:
    """A file or folder of a home, by its name there."""

    name: str

    def __get__(self, home: "SiteHome | CoordinatorHome", kind: type) -> Path:
        return home.folder / self.name


@dataclass(frozen=True)
class SiteHome:
    """A site's home, or a compute party's. name: its own; ledger: its file, wherever it lies."""

    folder: Path
    name: str
    ledger: Path
    role: Role = Role.SITE

    keys = _In("keys")
    """Folder of the keys in force."""
    fresh = _In("keys.next")
    """Folder of keys that wait for the federation to list them."""
    policy = _In("policy.toml")
    """What the owner allows."""
    amendment = _In("policy.pending.json")
    """A change of the policy that a second person has to confirm, while there is one."""
    gone_by = _In("policy.known.json")
    """The policy that was gone by last, as a form has it: by which a change of the file itself is noticed."""
    amending = _In("policy.lock")
    """Held while a page changes the policy."""
    federation = _In("federation.toml")
    """The pinned federation file, there after `site join`."""
    before = _In("federation.earlier")
    """Folder of files that were pinned before, as long as a run is open that began under one."""
    offered = _In("federation.offered.toml")
    """A newer file that waits for a person, where the policy says so."""
    without = _In("federation.without.toml")
    """A newer file that does not list this party, where one came."""
    conflict = _In("federation.conflict.toml")
    """The evidence: another file of a pinned file's version, signed by the same coordinator."""
    agreed = _In("members.json")
    """Whose keys a person here has agreed to."""
    joining = _In("federation.lock")
    """Held while another file is pinned."""
    anchor = _In("ledger.head")
    """The ledger's newest head, in the home, wherever the ledger lies."""
    ties = _In("rows.key")
    """The key of digests that tie runs to rows, there once rows were read; it goes nowhere."""
    requests = _In("requests.sqlite")
    """What was asked and what was approved."""
    selections = _In("selections.sqlite")
    """Which rows stood behind exact sums, as keyed sketches, where the policy wants it remembered; it goes nowhere."""
    access = _In("access.jsonl")
    """Every request, granted or not, a line each."""
    persons = _In("persons.json")
    """Who signs in at the home's pages, there after the first invitation."""
    policies = _In("policies")
    """The words of policies by which something was decided here."""
    lock = _In("site.lock")
    """Held while the site runs."""
    pages = _In("pages.origin")
    """Where the home's pages were shown last."""
    status = _In("status.json")
    """How the site's process is, as it last said."""

    @property
    def me(self) -> Party:
        """The site, or compute party, as a party."""
        return Party(self.role, self.name)

    @property
    def card(self) -> Path:
        """The public half, for the coordinator."""
        return self.folder / f"{file_name(self.name)}.card"

    @property
    def fresh_card(self) -> Path:
        """The public half of the keys that wait."""
        return self.folder / f"{file_name(self.name)}.next.card"

    @classmethod
    def at(cls, folder: Path) -> "SiteHome":
        """The home in a folder. Raises UsageError: it is none."""
        marker = folder / "site.toml"
        if not marker.is_file():
            raise UsageError("is no site's home", where=str(folder), hint="make one with `potluck site new FOLDER`")
        found = tables.read(files.text(marker, "site file"), SiteFile, str(marker))
        folder = folder.absolute()
        return cls(folder, checked_name(found.name, str(marker)), folder / found.ledger, Role(found.role))

    @property
    def earlier(self) -> Earlier:
        """What was in force before."""
        return Earlier(self.before, _keys_before(self.folder), self.me)

    @property
    def known(self) -> Known:
        """Whom a person here has agreed to."""
        return Known(self.agreed, self.me)

    def pinned(self) -> Federation:
        """The federation joined, its signature verified. Raises UsageError: none yet, or damaged. Refused: forged."""
        if not self.federation.is_file():
            hint = f"potluck site join {self.folder} federation.toml, as the coordinator sends it"
            raise UsageError("has not joined a federation yet", where=str(self.folder), hint=hint)
        return charter.read(self.federation)

    def open(self, now: float) -> Membership:
        """Keys and pinned federation, current at unix time `now`.

        Raises UsageError: not joined, or damaged. Refused: expired, forged, or keys that others can read.
        """
        federation = self.pinned()
        federation.current(now)
        return Membership(self.me, self.held(federation), federation)

    def listed(self, federation: Federation) -> Card:
        """This site's card in the federation. Raises Refused: not a member, or listed with other keys than ours."""
        card = federation.cards.get(self.me)
        if card is None:
            hint = f"send {self.card.name} to the coordinator: `potluck federation add FOLDER CARD`"
            raise Refused(f"{visible(self.name)} is not a member", where=visible(federation.name), hint=hint)
        _behind(self.keys, self.fresh, card)
        return card

    def held(self, federation: Federation) -> Keys:
        """The keys that the federation lists for this site, in force from now on. Raises Refused as `listed`."""
        keys = _in_force(self.keys, self.fresh, self.listed(federation), self.earlier.retire)
        if self.fresh_card.exists() and not self.fresh.exists():
            self.fresh_card.replace(self.card)
        return keys


@dataclass(frozen=True)
class CoordinatorHome:
    """The coordinator's home."""

    folder: Path

    keys = _In("keys")
    """Folder of the keys in force."""
    fresh = _In("keys.next")
    """Folder of keys that the federation file does not name yet."""
    federation = _In("federation.toml")
    """The newest federation file, for all members."""
    issued = _In("issued.toml")
    """The highest version ever issued, so that an older file put back is noticed."""
    before = _In("federation.earlier")
    """Folder of files that were in force before: a run ends under the file that it began with."""
    broker = _In("broker")
    """The broker's CA, certificate, configuration and store."""
    runs = _In("runs")
    """A folder a run."""
    access = _In("access.jsonl")
    """Who signed in at its pages, and who started and cancelled what, a line each."""
    persons = _In("persons.json")
    """Who signs in at its pages, there after the first invitation."""
    lock = _In("server.lock")
    """Held while the server runs."""
    office = _In("office.lock")
    """Held, beside `lock`, while that server carries out whatever is submitted."""
    submitting = _In("submit.lock")
    """Held while a plan is submitted."""
    bell = _In("bell")
    """An empty file a run about which the office has something to do."""
    results = _In("results")
    """A folder a finished run for which nobody named another."""
    changing = _In("federation.lock")
    """Held while the federation is changed."""
    restored = _In("restored")
    """There while this is the home of a copy, and nobody has said since that no newer federation file is out."""

    @classmethod
    def at(cls, folder: Path) -> "CoordinatorHome":
        """The home in a folder. Raises UsageError: it is none."""
        if not (folder / "federation.toml").is_file() or not (folder / "issued.toml").is_file():
            hint = "make one with `potluck federation new FOLDER --broker tls://host:port`"
            raise UsageError("is no coordinator's home", where=str(folder), hint=hint)
        return cls(folder.absolute())

    @property
    def earlier(self) -> Earlier:
        """What was in force before."""
        return Earlier(self.before, _keys_before(self.folder), SERVER)

    def under(self, digest: bytes, now: float, version: int | None = None) -> Membership:
        """Keys and federation of the file that a run began with: the one in force, or one before it. version: its own,
        where that is known.

        Raises Refused: as `open`; the file is gone, or a later one says that the keys of then may be stolen.
        """
        current = self.open(now)
        if digest == current.federation.digest:
            return current
        it, oldest = self.earlier.under(digest), current.federation.oldest
        version = it.version if it is not None else version
        hint = "start a new run: --fresh; where the plan names a member who was removed, a plan without that one"
        if version is not None and version < oldest:
            what = f"the run began under version {version}, and runs of before version {oldest} have ended: keys of "
            what = f"{what}then were revoked (federation remove or rotate with --revoke), since they may be stolen"
            raise Refused(what, where=f"federation {visible(current.federation.name)}", hint=hint)
        if it is None:
            what = "the federation file that the run began with is not kept here any more"
            raise Refused(what, where=str(self.before), hint=hint)
        return Membership(SERVER, self.earlier.held(it, current.keys), it)

    def open(self, now: float) -> Membership:
        """Keys and federation, current at unix time `now`. Raises UsageError, Refused as `standing`, or expired."""
        membership = self.standing()
        membership.federation.current(now)
        return membership

    def standing(self) -> Membership:
        """Keys and federation, expired or not. Raises UsageError: damaged. Refused: forged, rolled back, open keys."""
        try:
            return self._standing()
        except Refused:  # another process may have issued the next version while this one read
            return self._standing()

    def _standing(self) -> Membership:
        federation = charter.read(self.federation)
        last = tables.read(files.text(self.issued, "record of versions"), _Issued, str(self.issued))
        known = (last.id, last.highest, last.digest)
        if known[:2] == (federation.id, federation.version) and last.digest != federation.digest.hex():
            raise Refused("this version was issued with other content", where=str(self.federation))
        if last.id != federation.id or last.highest > federation.version:
            what = f"version {federation.version} was put back: version {last.highest} has been issued"
            raise Refused(what, where=str(self.federation), hint="put the newest file back; any site has a copy")
        keys = _in_force(self.keys, self.fresh, federation.coordinator, self.earlier.retire)
        if last.highest < federation.version:  # a crash came between the two files
            self.remember(federation)
        return Membership(SERVER, keys, federation)

    def remember(self, federation: Federation) -> None:
        """This version is out: no lower one will do from now on."""
        table = _Issued(1, federation.id, federation.version, federation.digest.hex())
        files.replace(self.issued, tables.write(table, "the highest version issued").encode())

    def issue(self, federation: Federation, keys: Keys, now: float) -> None:
        """The next version, signed, in force when this returns. Raises Refused: it does not follow the one in force."""
        if self.federation.is_file():
            accept(federation, charter.read(self.federation), now)
            self.earlier.keep(self.federation)
        files.replace(self.federation, charter.write(federation, keys.signing).encode())
        self.remember(federation)


def home_at(folder: Path) -> "SiteHome | CoordinatorHome":
    """A home of either kind. Raises UsageError: it is none."""
    return CoordinatorHome.at(folder) if (folder / "issued.toml").is_file() else SiteHome.at(folder)


def _behind(folder: Path, fresh: Path, card: Card) -> tuple[Path, Keys]:
    """The folder with the keys behind `card`, and them. Raises Refused: neither has them."""
    if fresh.is_dir() and _of(waiting := keyring.load(fresh), card):
        return fresh, waiting
    keys = keyring.load(folder)
    if not _of(keys, card):
        ours = draft(card.party, keys, card.about)
        what = f"the federation lists {fingerprint(card)} as our fingerprint, ours is {fingerprint(ours)}"
        raise Refused(what, where=str(folder), hint="send the card of these keys to the coordinator")
    return folder, keys


def _in_force(folder: Path, fresh: Path, card: Card, retire: Callable[[Path], None]) -> Keys:
    """The keys behind `card`; waiting ones take the place of the old, which retire. Can be cut off anywhere, and done
    by several processes at once."""
    old = folder.with_name(f"{folder.name}.old")
    if not fresh.is_dir() and not old.is_dir():
        with contextlib.suppress(PotluckError):  # another process moves them right now
            return _behind(folder, fresh, card)[1]
    with files.alone(folder.with_name(f"{folder.name}.lock")):
        where, keys = _behind(folder, fresh, card)
        retire(old)  # what was cut off
        if where == fresh:
            if folder.is_dir():
                folder.rename(old)
            fresh.rename(folder)
            files.settle(folder.parent)
            retire(old)
        return keys


def _keys_before(folder: Path) -> Path:
    return folder / "keys.earlier"


def _of(keys: Keys, card: Card) -> bool:
    return (keys.signing.public, keys.box.public, keys.user.public) == (card.signing, card.box, card.nkey)
