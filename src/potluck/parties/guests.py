"""The sites as the coordinator knows them: whom it asked, what they said, who is there, and their ledgers' heads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import msgspec

from potluck.core.asks import Kind
from potluck.core.errors import Refused
from potluck.core.party import Party
from potluck.core.plan import Plan
from potluck.core.rounds import Parcel
from potluck.core.wire import load
from potluck.parties.session import ANSWER, CLOSED, HELLO, Answer, Closed, Hello, Proposal

AGAIN = 10.0
"""Seconds after which a site that has not answered is asked again: the broker may have lost its store."""
_WHY = {"denied": "refuses this plan", "unable": "cannot carry it out", "pending": "has not approved it yet"}


@dataclass(slots=True)
class Guest:
    """What a site said last. boot: which of its processes said it."""

    verdict: str = "silent"
    codes: tuple[str, ...] = ()
    boot: bytes = b""
    asked: float | None = None
    last: Closed | None = None
    words: str = ""


class Heads(Protocol):
    """The signed ledger heads that the coordinator keeps for its sites."""

    def latest(self, site: Party) -> bytes:
        """The latest signed head of a site's ledger, as bytes; empty where none is known."""
        ...

    def keep(self, site: Party, head: bytes) -> None:
        """Verify and keep a head that a site sent. Raises Abort(SIGNATURE or MALFORMED)."""
        ...


class Notes(Protocol):
    """What the coordinator writes down of what happens."""

    def may_leave(self, number: int) -> None: ...

    def agree(self, kind: Kind, sites: frozenset[Party]) -> None: ...

    def heard(self, name: str, verdict: str, codes: tuple[str, ...]) -> None: ...

    def closed(self, name: str, epsilon: float | None, head: bytes) -> None: ...


class Guests:
    """All sites of one run. say: words for whoever watches."""

    def __init__(
        self, plan: Plan, proposal: Proposal, heads: Heads, notes: Notes, say: Callable[[str, str], None]
    ) -> None:
        """proposal: with this process's own `asker`."""
        self.of: dict[Party, Guest] = {site: Guest() for site in plan.sites}
        self._plan = plan
        self._proposal = proposal
        self._heads = heads
        self._notes = notes
        self._say = say

    def present(self) -> frozenset[Party]:
        """The sites that have agreed and are there."""
        return frozenset(site for site, guest in self.of.items() if guest.verdict == "granted")

    def hopeless(self) -> bool:
        """Somebody said no."""
        return any(guest.verdict in ("denied", "unable") for guest in self.of.values())

    def due(self, now: float) -> Iterator[tuple[Party, Proposal]]:
        """The proposals to send now: to whoever has not answered, and again after a while."""
        for site, guest in self.of.items():
            if guest.verdict == "silent" and (guest.asked is None or now - guest.asked > AGAIN):
                guest.asked = now
                yield site, msgspec.structs.replace(self._proposal, head=self._heads.latest(site))

    def hear(self, sender: Party, said: Parcel) -> bytes | None:
        """Take a word from a site. Gives the name of its process where it tells one.

        Raises Abort: not a word of this version, or a head that is not the site's.
        """
        guest, step = self.of[sender], said.label.step
        if step == HELLO:
            boot = load(said.body, Hello, sender).boot
            # The same process says it again where it did not know whether it was heard; one that was not heard before
            # finds the proposal in its queue.
            if guest.boot not in (b"", boot):
                guest.verdict, guest.asked = "silent", None
            guest.boot = boot
            return boot
        if step == ANSWER:
            answer = load(said.body, Answer, sender)
            self._heads.keep(sender, answer.head)
            if answer.asker != self._proposal.asker:
                return None  # to an earlier process of ours: its owner may have thought better of it
            guest.verdict, guest.codes, guest.boot = answer.verdict, answer.codes, answer.boot
            self._notes.heard(sender.name, answer.verdict, answer.codes)
            words = f"{sender}: {answer.verdict} {' '.join(answer.codes)}".rstrip()
            if words != guest.words:  # a proposal that was sent twice is answered twice
                guest.words = words
                self._say("answer", words)
            return guest.boot
        if step == CLOSED:
            guest.last = load(said.body, Closed, sender)
            self._heads.keep(sender, guest.last.head)
            self._notes.closed(sender.name, guest.last.epsilon, guest.last.head)
        return None

    def judge(self, waited: float) -> None:
        """Raises Refused, naming them: somebody said no or has not said yes, or too few were heard."""
        where = self._plan.name
        said = {site: guest for site, guest in self.of.items() if guest.verdict in _WHY}
        if said:
            unable = any(guest.verdict == "unable" for guest in said.values())
            ask = "the owner sees why: potluck site log" if unable else "ask the owner: potluck site inbox"
            words = "; ".join(_why(site, guest) for site, guest in said.items())
            raise Refused(words, where=where, hint=f"{ask}; then start again, which goes on here")
        if len(self.present()) < self._plan.fewest:
            away = ", ".join(str(site) for site in self.of if site not in self.present())
            hint = "see that `potluck site run` runs there and reaches the broker; or wait longer: --wait SECONDS"
            raise Refused(f"not heard of within {waited:g} s: {away}", where=where, hint=hint)


def _why(site: Party, guest: Guest) -> str:
    codes = f" ({', '.join(guest.codes)})" if guest.codes else ""
    return f"{site} {_WHY[guest.verdict]}{codes}"
