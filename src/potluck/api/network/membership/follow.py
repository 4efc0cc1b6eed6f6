"""The federation file of a running site: newer ones come from the broker, or from a person's `site join`.

What may be pinned without a person says the policy (`federation.follow`). Nothing is pinned that is not logged. A run
that a person agreed to goes on under the file that it began with (`parties/runners/identities.py`).
"""

import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from potluck.api.network.ledger import anchor, hand_over
from potluck.api.network.membership.left import NO_MEMBER
from potluck.core.errors import PotluckError, Refused, UsageError
from potluck.core.visible import visible
from potluck.members import keys as keyring
from potluck.members import offer as offers
from potluck.members.change import Change, called
from potluck.members.federation import titled
from potluck.members.files import locked
from potluck.members.home import Membership, SiteHome
from potluck.members.offer import Offer
from potluck.members.pinned import Pinned
from potluck.members.site import pin
from potluck.net.session import Account
from potluck.owner.access import AccessLog, Event, Outcome, Subject, Unlogged
from potluck.owner.budget import Budget
from potluck.owner.reading import read as read_policy
from potluck.owner.requests import Requests, State
from potluck.parties.admission.consent import FILE
from potluck.parties.runners.flood import Pace

BUSY = "another federation file is being joined here"
REMEMBERED = 64
"""Offered files that are known again: each is looked at once."""
FILES, FILES_A_SECOND = 64.0, 1 / 60
"""Offered files that are looked at one after the other, and for ever: each can be a line of the access log."""
LATER = 10.0
"""Seconds until a file is looked at again that could not be pinned for a reason of this machine's."""


def wanted(home: SiteHome, ledger: Budget) -> frozenset[bytes]:
    """Digests of the files under which runs are open here, that of the file in force among them where any is."""
    if not home.requests.is_file():
        return frozenset()
    with closing(Requests(home.requests)) as requests:
        runs = [one.run for one in requests.every() if one.state in (State.APPROVED, State.PENDING)]
    bound = {ledger.fact(f"{FILE}{run}") for run in runs}
    return frozenset(one for one in bound if one) | ({home.pinned().digest} if runs else set())


class Follower:
    """What keeps a site's process at the newest file. `take` and `accounts` are for the link's thread, `look` for the
    site's, between two letters."""

    def __init__(self, pinned: Pinned, ledger: Budget, log: AccessLog, say: Callable[[str], None]) -> None:
        self._pinned, self._home = pinned, pinned.home
        self._ledger, self._log, self._say = ledger, log, say
        self._text = b""
        self._seen: dict[bytes, float] = {}
        self._pace = Pace(FILES, FILES_A_SECOND)
        self._mark = _mark(self._home.federation)
        self._moved = False

    def take(self, text: bytes) -> None:
        """A file that the broker shows: whatever it is."""
        self._text = text

    def accounts(self) -> Sequence[Account]:
        """With which keys, and where, the site may reach the broker: as the pinned file says, and with keys that wait,
        which the broker knows first."""
        found = [account(self._pinned.current)]
        if self._home.fresh.is_dir():
            with suppress(PotluckError):
                found.append(account(self._pinned.current, keyring.load(self._home.fresh)))
        return found

    def look(self) -> bool:
        """Pin what came, if it may be, and take up what is pinned now, whoever did. Gives whether the broker is
        elsewhere now."""
        text = self._text
        if text:
            name = sha256(text).digest()
            if time.monotonic() >= self._seen.get(name, 0.0):
                self._seen[name] = float("inf")
                self._seen = dict(list(self._seen.items())[-REMEMBERED:])
                if self._pace.allows(time.monotonic()):
                    self._shown(text, name)
                else:
                    self._seen[name] = time.monotonic() + LATER
        if _mark(self._home.federation) != self._mark:
            self._reload()
        moved, self._moved = self._moved, False
        return moved

    def _shown(self, text: bytes, name: bytes) -> None:
        now = time.time()
        try:
            if len(text) > offers.LARGEST:
                raise UsageError(f"a federation file of more than {offers.LARGEST} bytes", hint="join by hand")
            follow = read_policy(self._home.policy).federation.follow
            with locked(self._home.joining, BUSY):  # else a person could join a newer one between look and pin
                offer = offers.judged(self._home, text.decode(), now, follow)
                self._take_up(offer, text.decode(), now)
        except (PotluckError, UnicodeDecodeError) as error:
            what = error if isinstance(error, PotluckError) else "it is no text"
            if isinstance(error, Refused) and error.what == BUSY:
                self._seen[name] = time.monotonic() + LATER
                return
            if isinstance(error, Unlogged):
                self._seen[name] = time.monotonic() + LATER
                raise
            self._note("refusal", "refused", None, ("federation",))
            self._tell(f"a federation file at the broker is not taken: {what}")

    def _take_up(self, offer: Offer, text: str, now: float) -> None:
        it, lines = offer.federation, offer.change.lines()
        name = titled(it.version, it.digest)
        if offer.standing == "older":
            self._tell(f"the broker shows {name}, and {self._version()} is in force here: an old one, or held back")
        elif offer.standing == "left":
            self._note("members", "refused", offer.change, (NO_MEMBER,))
            self._tell(f"this site is no member any more in {name}: {self._version()} stays in force here")
        elif offer.standing == "waits":
            self._note("members", "pending", offer.change, lines)
            why = ", as two files of one version were seen here" if self._home.conflict.is_file() else ""
            what = f"{name} of the federation file waits for a person (site join --offered){why}"
            self._tell(f"{what}: {'; '.join(lines)}")
        elif offer.standing == "follows":
            self._note("members", "done", offer.change, lines)
            hand_over(self._home, it, now)
            pin(self._home, it, text, now, wanted(self._home, self._ledger))
            self._reload(noted=True)

    def _reload(self, *, noted: bool = False) -> None:
        """The pinned file is another. Raises nothing: what cannot be used leaves all as it was, and is said."""
        mark = _mark(self._home.federation)
        old = self._pinned.current
        try:
            change = self._pinned.reload()
            if self._pinned.current.keys.signing.public != old.keys.signing.public:
                self._ledger.anchored(anchor(self._home, self._pinned.current))
        except PotluckError as error:
            self._tell(f"the pinned federation file cannot be used: {error}")
            return
        finally:
            self._mark = mark
        if change is None:
            return
        self._moved = change.moved
        if not noted:
            self._note("members", "done", change, change.lines())
        self._tell(f"{self._version()} of the federation file is in force: {'; '.join(change.lines()) or 'as before'}")
        new = self._home.known.strangers(change.after, change.after.cards.keys() - {old.me}, change.after)
        names = ", ".join(called(card.party) for card in new if card != change.after.coordinator)
        if names:
            self._tell(f"nobody here agreed to {names} yet: a run with one of them waits for a person")

    def _version(self) -> str:
        return titled(self._pinned.federation.version, self._pinned.digest)

    def _note(self, event: Event, outcome: Outcome, change: Change | None, why: Sequence[str]) -> None:
        file = "" if change is None else titled(change.after.version, change.after.digest)
        about = Subject(asker=self._pinned.federation.name, file=file)
        self._log.write(event, datetime.now(UTC), outcome=outcome, about=about, why=tuple(why))

    def _tell(self, line: str) -> None:
        self._say(visible(line))


def account(member: Membership, keys: keyring.Keys | None = None) -> Account:
    """How a member reaches the broker. keys: others than those in force."""
    it = member.federation
    return Account(it.id, member.me, it.broker, it.ca, (keys or member.keys).user.seed)


def _mark(path: Path) -> tuple[int, int, int]:
    """Another after each replacement of a file."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0, 0
    return found.st_mtime_ns, found.st_ino, found.st_size
