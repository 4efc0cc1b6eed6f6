"""Sites and compute parties as the coordinator knows them: whom it asked, what they said, who is there, their heads."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from typing import Protocol

import msgspec

from potluck.core.asks import Kind
from potluck.core.errors import Refused
from potluck.core.party import Party, Role
from potluck.core.plan import Plan
from potluck.core.rounds import Cause, Parcel
from potluck.core.wire import load
from potluck.members.federation import titled
from potluck.parties.admission.session import ANSWER, CLOSED, HELLO, Answer, Closed, Hello, Proposal

AGAIN = 10.0
"""Seconds after which a site that has not answered is asked again: the broker may have lost its store."""
_WHY = {"denied": "refuses this plan", "unable": "cannot carry it out", "pending": "has not approved it yet"}


@dataclass(slots=True)
class Guest:
    """What a site or compute party said last. boot: which of its processes said it; file: version and digest of the
    federation file that it goes by, in words, where that is not the server's; else empty."""

    verdict: str = "silent"
    codes: tuple[str, ...] = ()
    boot: bytes = b""
    asked: float | None = None
    last: Closed | None = None
    words: str = ""
    file: str = ""


class Heads(Protocol):
    """The signed ledger heads that the coordinator keeps for the others."""

    def latest(self, party: Party) -> bytes:
        """The latest signed head of a party's ledger, as bytes; empty where none is known."""
        ...

    def keep(self, party: Party, head: bytes) -> None:
        """Verify and keep a head that a party sent. Raises Abort(SIGNATURE or MALFORMED)."""
        ...


class Notes(Protocol):
    """What the coordinator writes down of what happens."""

    def may_leave(self, number: int) -> None: ...

    def agree(self, kind: Kind, sites: frozenset[Party]) -> None: ...

    def heard(self, party: Party, verdict: str, codes: tuple[str, ...], version: int, file: bytes) -> None: ...

    def closed(self, party: Party, epsilon: float | None, head: bytes) -> None: ...


class Participants:
    """All sites and compute parties of one run. say: words for whoever watches."""

    def __init__(
        self, plan: Plan, proposal: Proposal, heads: Heads, notes: Notes, say: Callable[[str, str], None]
    ) -> None:
        """proposal: with this process's own `asker`."""
        self.of: dict[Party, Guest] = {party: Guest() for party in (*plan.sites, *plan.compute)}
        self._plan = plan
        self._proposal = proposal
        self._heads = heads
        self._notes = notes
        self._say = say

    def present(self) -> frozenset[Party]:
        """Those that have agreed and are there."""
        return frozenset(party for party, guest in self.of.items() if guest.verdict == "granted")

    def doubt(self, party: Party) -> None:
        """It has fallen silent: whether it is still there is asked."""
        guest = self.of[party]
        guest.verdict, guest.asked = "silent", None

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
        """Take a word from one of them. Gives the name of its process where it tells one.

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
            self._notes.heard(sender, answer.verdict, answer.codes, answer.membership, answer.file)
            guest.file = self._other(answer)
            words = f"{_name(sender)}: {answer.verdict} {' '.join(answer.codes)}".rstrip() + guest.file
            if words != guest.words:  # a proposal that was sent twice is answered twice
                guest.words = words
                self._say("answer", words)
            return guest.boot
        if step == CLOSED:
            guest.last = load(said.body, Closed, sender)
            self._heads.keep(sender, guest.last.head)
            self._notes.closed(sender, guest.last.epsilon, guest.last.head)
        return None

    def _other(self, answer: Answer) -> str:
        """Words for a federation file that is not the one asked by."""
        ours = self._proposal
        if (answer.membership, answer.file) == (ours.membership, ours.file):
            return ""
        theirs, here = titled(answer.membership, answer.file), titled(ours.membership, ours.file)
        return f"; it goes by {theirs} of the federation file, this server by {here}"

    def why(self, party: Party) -> Cause:
        """Why somebody is not there."""
        return Cause.CHANGED if "rows_changed" in self.of[party].codes else Cause.SILENT

    def refused(self, among: Container[Party], *, pending: bool = True) -> None:
        """Raises Refused, naming them: of these somebody said no or, if that counts, has not said yes."""
        where = self._plan.name
        said = {site: self.of[site] for site in self.of if site in among and self.of[site].verdict in _WHY}
        if not pending:
            said = {site: guest for site, guest in said.items() if guest.verdict != "pending"}
        if said:
            unable = any(guest.verdict == "unable" for guest in said.values())
            ask = (
                "the owner sees why on the screen of `potluck site run`"
                if unable
                else "ask the owner: potluck site inbox"
            )
            words = "; ".join(_why(site, guest) for site, guest in said.items())
            raise Refused(words, where=where, hint=f"{ask}; then start again, which goes on here")

    def judge(self, waited: float) -> None:
        """Raises Refused, naming them: somebody said no or has not said yes, or too few were heard."""
        where = self._plan.name
        self.refused(self.of)
        here = self.present()
        computes = [party for party in self._plan.compute if party not in here]
        if computes or len(here) - len(self._plan.compute) < self._plan.fewest:
            away = ", ".join(_name(party) for party in (computes or [one for one in self.of if one not in here]))
            hint = "see that `potluck site run` runs there and reaches the broker; or wait longer: --wait SECONDS"
            raise Refused(f"not heard of within {waited:g} s: {away}", where=where, hint=hint)


def _why(site: Party, guest: Guest) -> str:
    codes = f" ({', '.join(guest.codes)})" if guest.codes else ""
    return f"{_name(site)} {_WHY[guest.verdict]}{codes}{guest.file}"


def _name(party: Party) -> str:
    """A site by its name; a compute party, which may be called as one is, with what it does."""
    return f"{party} (compute)" if party.role is Role.COMPUTE else str(party)
