"""A federation file that came by itself: what it is beside the pinned one, and whether a person is asked.

Whoever carries it is not trusted: it counts by the coordinator's signature, under the key pinned here or one that this
has handed over to. A carrier can withhold a newer file; the pinned one's expiry bounds how long that helps.
"""

from dataclasses import dataclass
from typing import Literal

from potluck.members import charter, files
from potluck.members.change import Change
from potluck.members.federation import Federation, accept
from potluck.members.home import SiteHome

Follow = Literal["all", "renewals", "nothing"]
"""What is pinned without a person: whatever the coordinator signs; files in which no member is new, has new keys or
says that it is somebody else; nothing."""
Standing = Literal["same", "older", "left", "waits", "follows"]
LARGEST = 2_000_000
"""Bytes of a federation file: what the broker shows of one. A member takes some 1,950 and what its card says of it."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A verified file. standing: it is the pinned one; an older one; one in which we are no member any more; one that
    waits for a person; one that may be pinned now."""

    federation: Federation
    standing: Standing
    change: Change


def judged(home: SiteHome, text: str, now: float, follow: Follow) -> Offer:
    """What an offered file is. Nothing is pinned here; one that waits is kept in the home, and so are one without us
    and the evidence where the coordinator signed two files of one version. Until a person has settled that, every later
    file waits: it may rest on the wrong one of the two.

    Raises UsageError: malformed. Refused: forged, of another federation, expired, other keys of ours than we have, or
    the pinned version with other content.
    """
    pinned, offered = home.pinned(), charter.parse(text, "the federation file at the broker")
    change = Change(pinned, offered)
    if offered.digest == pinned.digest:
        return Offer(offered, "same", change)
    by_ours = (offered.id, offered.coordinator.signing) == (pinned.id, pinned.coordinator.signing)
    witness(home, offered, pinned, text)
    if by_ours and offered.version < pinned.version:
        return Offer(offered, "older", change)
    accept(offered, pinned, now)
    if home.me not in offered.cards:
        files.replace(home.without, charter.spelled(text, str(home.without)).encode())
        return Offer(offered, "left", change)
    home.listed(offered)
    others = [card for card in (*change.joined, *change.rekeyed, *change.renamed) if card.party != home.me]
    if follow == "nothing" or (follow == "renewals" and others) or home.conflict.is_file():
        files.replace(home.offered, charter.spelled(text, str(home.offered)).encode())
        return Offer(offered, "waits", change)
    return Offer(offered, "follows", change)


def waiting(home: SiteHome) -> str | None:
    """The text of the file that waits for a person, where it is newer than the pinned one. Raises as `charter.read`."""
    if not home.offered.is_file():
        return None
    text = files.text(home.offered, "federation file")
    return text if charter.parse(text, str(home.offered)).version > home.pinned().version else None


def witness(home: SiteHome, offered: Federation, pinned: Federation, text: str) -> None:
    """A verified file that came, however it came: it is kept as evidence where the coordinator signed another history
    than the pinned one. The first one stays."""
    if _another_history(offered, pinned) and not home.conflict.exists():
        files.replace(home.conflict, charter.spelled(text, str(home.conflict)).encode())


def _another_history(offered: Federation, pinned: Federation) -> bool:
    """The pinned file's key signed another file of its version, or handed over by then to a key of which that one knows
    nothing: so would a thief, to shut its owner out. Or a key signed the offered file that by the pinned one had handed
    over before."""
    if offered.id != pinned.id or offered.digest == pinned.digest:
        return False
    key, by = pinned.coordinator.signing, offered.coordinator.signing
    same = by == key and offered.version == pinned.version
    away = any(link.old == key and link.version <= pinned.version for link in offered.handovers)
    still = any(link.old == by and link.version <= offered.version for link in pinned.handovers)
    return same or away or still


def two_files(home: SiteHome) -> Federation | None:
    """The other file of a version that was pinned here, once one was seen, until a person joins a later version."""
    return charter.read(home.conflict) if home.conflict.is_file() else None
