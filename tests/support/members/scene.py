"""A coordinator and sites that lie in memory, for the tests of enrolment."""

import tempfile
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from potluck.core.party import SERVER, Party, site
from potluck.members import keys as keyring
from potluck.members.card import Card, draft
from potluck.members.federation import Federation, hand_over
from potluck.members.keys import Keys
from potluck.net.certificates import authority
from potluck.testing.draws import seeded

NOW = 1_800_000_000
DAY = 86400
ID = "0123456789abcdef" * 2


@cache
def keys(*seed: str | int) -> Keys:
    """Somebody's keys; the same for the same seed."""
    with tempfile.TemporaryDirectory() as folder:
        return keyring.make(Path(folder) / "keys", seeded(*seed))


def card(name: str, *seed: str | int) -> Card:
    """The card of the site `name`, with keys of its own."""
    return draft(site(name), keys(*(seed or (name,))))


@cache
def ca() -> str:
    """A certificate."""
    return authority(ID, NOW).certificate


@cache
def federation(*names: str) -> Federation:
    """Version 1, issued a day ago under the keys ("coordinator",)."""
    members = tuple(card(name) for name in sorted(names))
    times = (1, NOW - DAY, NOW + 364 * DAY)
    return Federation("hospitals", ID, *times, "tls://broker.example:4222", ca(), draft(SERVER, CHIEF), members)


def after(before: Federation, **changes: object) -> Federation:
    """The next version, with changes."""
    return replace(before, version=before.version + 1, **changes)


def rekeyed(before: Federation, old: Keys, new: Keys) -> Federation:
    """The next version, handed over from the old keys to the new."""
    link = hand_over(before.id, before.version + 1, old.signing, new.signing.public)
    return after(before, coordinator=draft(SERVER, new), handovers=(*before.handovers, link))


CHIEF = keys("coordinator")


@dataclass(frozen=True)
class Told:
    """One call of the stand-in for the broker's room."""

    users: dict[Party, str]
    renew: bool
