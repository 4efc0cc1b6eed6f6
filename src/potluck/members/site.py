"""A site's part of enrolment: make a home, make new keys, join a federation."""

import shutil
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from potluck.core.errors import PotluckError, Refused, UsageError
from potluck.core.party import Draw, Role
from potluck.members import card as cards
from potluck.members import charter, files, keys, tables
from potluck.members.about import NOTHING, About
from potluck.members.card import Card, draft, fingerprint
from potluck.members.federation import Federation, accept
from potluck.members.home import SiteFile, SiteHome
from potluck.members.names import checked_name
from potluck.members.offer import two_files, witness
from potluck.secret.random import system


@dataclass(frozen=True)
class Joined:
    """first: nothing was pinned before, so that people must compare; new_coordinator: its key was handed over; settled:
    where the evidence lies now of two files of one version, which this later one follows; None: there was none."""

    federation: Federation
    first: bool
    new_coordinator: bool
    settled: Path | None = None


def found(
    folder: Path,
    name: str,
    policy: str,
    ledger: str = "ledger.sqlite",
    draw: Draw = system,
    *,
    role: Literal["site", "compute"] = "site",
    about: About = NOTHING,
) -> SiteHome:
    """A new home with keys, card and policy. ledger: where its ledger lies, relative to the home; role: whose it is;
    about: what the card says of its party.

    Raises UsageError: a folder is there already, the name will not do, or the disk. Then nothing is left.
    """
    home = SiteHome(folder.absolute(), checked_name(name, str(folder)), folder.absolute() / ledger, Role(role))
    files.folder(home.folder)
    try:
        made = keys.make(home.keys, draw)
        files.create(home.card, draft(home.me, made, about).text().encode(), files.PUBLIC)
        files.create(home.policy, policy.encode(), files.PRIVATE)
        title = "a compute party's home" if home.role is Role.COMPUTE else "a site's home"
        marker = tables.write(SiteFile(1, name, ledger, role), title)
        files.create(home.folder / "site.toml", marker.encode(), files.PRIVATE)
    except BaseException:
        shutil.rmtree(home.folder)
        raise
    return home


def said(home: SiteHome) -> About:
    """What the home's newest card says of its party. Raises as `card.read`."""
    path = home.fresh_card if home.fresh_card.exists() else home.card
    return cards.read(path).about if path.exists() else NOTHING


def renew(home: SiteHome, about: About, draw: Draw = system) -> Card:
    """New keys beside the old, and their card; in force once a federation file that lists them is joined.

    Raises UsageError: new keys wait already.
    """
    if home.fresh_card.exists():
        hint = f"send {home.fresh_card.name} to the coordinator; to begin again remove it and {home.fresh}"
        raise UsageError("new keys wait already", where=str(home.folder), hint=hint)
    made = keys.load(home.fresh) if home.fresh.exists() else keys.make(home.fresh, draw)  # after a crash in between
    card = draft(home.me, made, about)
    files.replace(home.fresh_card, card.text().encode())
    return card


def describe(home: SiteHome, about: About) -> tuple[Path, Card]:
    """The same keys say something else of their party: the card for the coordinator, and where it lies. Keys that wait
    say so in its place. Raises UsageError: no keys, or the disk."""
    card = draft(home.me, keys.load(home.keys), about)
    files.replace(home.card, card.text().encode())
    if not home.fresh_card.exists():
        return home.card, card
    waiting = draft(home.me, keys.load(home.fresh), about)
    files.replace(home.fresh_card, waiting.text().encode())
    return home.fresh_card, waiting


def join(
    home: SiteHome,
    text: str,
    where: str,
    now: float,
    coordinator: str = "",
    *,
    person: str = "",
    wanted: Container[bytes] = (),
    alone: bool = True,
) -> Joined:
    """Verify a federation file and pin it; a person says so, who agrees to its members. coordinator: the fingerprint
    that its key must have, "" for any at first. wanted: as in `pin`. alone: False where one person's word does not do:
    then only the first file's members are agreed to.

    Raises UsageError: malformed. Refused: forged, expired, rolled back, not ours, or we are not in it.
    """
    offered = charter.parse(text, where)
    given = coordinator.upper().replace("-", "").replace(" ", "")
    if given and given != fingerprint(offered.coordinator).replace("-", ""):
        what = f"the coordinator's fingerprint is {fingerprint(offered.coordinator)}, not the one given"
        raise Refused(what, where=where, hint="do not use this file: ask the coordinator")
    pinned = home.pinned() if home.federation.exists() else None
    if pinned is None:
        offered.current(now)
    else:
        witness(home, offered, pinned, text)
        accept(offered, pinned, now)
    pin(home, offered, text, now, wanted)
    home.known.agree(offered.members if alone or pinned is None else (), pinned, now, person)
    changed = pinned is not None and pinned.coordinator.signing != offered.coordinator.signing
    return Joined(offered, pinned is None, changed, _settled(home, offered, pinned))


def _settled(home: SiteHome, joined: Federation, pinned: Federation | None) -> Path | None:
    """A person has joined a version after the one of which two files were signed: the evidence is put aside. A thief's
    may say any version: then one after the pinned one does."""
    other = two_files(home)
    later = pinned is not None and joined.version > pinned.version
    if other is None or other.version == joined.version or (other.version > joined.version and not later):
        return None
    kept = home.conflict.with_suffix(f".{other.version}.toml")
    home.conflict.rename(kept)
    return kept


def pin(home: SiteHome, offered: Federation, text: str, now: float, wanted: Container[bytes] = ()) -> None:
    """A file that was verified is in force when this returns, and so are the keys that it lists for us. Can be cut off
    anywhere and done again. wanted: digests of earlier files under which runs are open here: they stay, with the keys
    of then.

    Raises Refused: we are not in it, or with other keys than ours. UsageError: the disk.
    """
    home.listed(offered)
    if home.federation.exists():
        pinned = home.pinned()
        if pinned.digest != offered.digest:
            home.known.agree((), pinned, now)  # who was a member here before files came by themselves
            home.earlier.keep(home.federation)
            if offered.oldest > pinned.oldest:  # whoever lists these keys again needs a person's word again
                home.known.forget_others(offered.members, pinned)
    files.replace(home.federation, charter.spelled(text, str(home.federation)).encode())
    home.held(offered)
    home.earlier.tidy(wanted, offered.oldest, now)
    for path in (home.offered, home.without):
        if path.exists() and _outdated(path, offered):
            path.unlink(missing_ok=True)


def _outdated(path: Path, pinned: Federation) -> bool:
    try:
        return charter.read(path).version <= pinned.version
    except PotluckError:
        return True
