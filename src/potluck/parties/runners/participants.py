"""Sites and compute parties as the coordinator knows them: whom it asked, what they said, who is there, their heads."""

import time
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass

import msgspec

from potluck.core.errors import PotluckError, Refused
from potluck.core.party import Party, Role
from potluck.core.plan import Plan
from potluck.core.rounds import Cause, Parcel
from potluck.core.wire import load
from potluck.members.federation import titled
from potluck.parties.admission.session import ANSWER, CLOSED, HELLO, Answer, Closed, Hello, Proposal
from potluck.parties.runners.advice import advice
from potluck.parties.runners.journal import Journal
from potluck.parties.runners.known_heads import KnownHeads

AGAIN, SELDOM = 10.0, 3600.0
"""Seconds after which a site that has not answered is asked again, since the broker may have lost its store: twice as
many each time, up to SELDOM, for what waits at the broker for days is all read at once."""
MOMENT = 1.0
"""Seconds that others still have to answer once somebody said no, so that all who refuse are named."""
_LOOKED = ("granted", "pending", "lacking")
"""Verdicts after a look at the ledger."""
_WHY = {"denied": "refuses this plan", "unable": "cannot carry it out", "pending": "has not approved it yet"}


@dataclass(slots=True)
class Participant:
    """What a site or compute party said last. boot: which of its processes said it; file: version and digest of the
    federation file that it goes by, in words, where that is not the server's; else empty; sound: it has looked
    at its ledger, which has the head that it was shown."""

    verdict: str = "silent"
    codes: tuple[str, ...] = ()
    boot: bytes = b""
    asked: float | None = None
    given: float | None = None
    last: Closed | None = None
    words: str = ""
    file: str = ""
    pause: float = AGAIN
    sound: bool = False


class Participants:
    """All sites and compute parties of one run. say: words for whoever watches."""

    def __init__(
        self, plan: Plan, proposal: Proposal, heads: KnownHeads, journal: Journal, say: Callable[[str, str], None]
    ) -> None:
        """proposal: with this process's own `asker`."""
        self.of: dict[Party, Participant] = {party: Participant() for party in (*plan.sites, *plan.compute)}
        self._plan = plan
        self._proposal = proposal
        self._heads = heads
        self._journal = journal
        self._say = say
        self._no: float | None = None
        self._away = False

    def present(self) -> frozenset[Party]:
        """Those that have agreed and are there."""
        return frozenset(party for party, one in self.of.items() if one.verdict == "granted")

    def doubt(self, party: Party) -> None:
        """It has fallen silent: whether it is still there is asked."""
        one = self.of[party]
        one.verdict, one.asked, one.pause = "silent", None, AGAIN

    def fell(self, party: Party, number: int) -> None:
        """The same of a site of which a round heard no more: it is said, and so is that it is back."""
        self.doubt(party)
        self.of[party].words = ""
        self._journal.note(silent_of(party), repr(time.time()))
        self._say("silent", f"{_name(party)} has fallen silent in round {number}, and is asked whether it is there")

    def reached(self, trouble: PotluckError | None) -> None:
        """Whether the broker can be reached: said as it changes."""
        away = trouble is not None
        if away != self._away:
            self._say("broker", f"the connection is lost: {trouble.what}" if trouble else "connected again")
        self._away = away

    def said_no(self) -> bool:
        """Whether somebody refuses, or cannot take part."""
        return any(one.verdict in ("denied", "unable") for one in self.of.values())

    def hopeless(self) -> bool:
        """Somebody said no, and all others have answered, or had a moment to."""
        if not self.said_no():
            self._no = None
            return False
        self._no = time.monotonic() if self._no is None else self._no
        return all(one.verdict != "silent" for one in self.of.values()) or time.monotonic() - self._no > MOMENT

    def due(self, now: float) -> Iterator[tuple[Party, Proposal]]:
        """The proposals to send now: to whoever has not answered, and again after a while."""
        for site, one in self.of.items():
            if one.verdict in ("silent", "lacking") and (one.asked is None or now - one.asked > one.pause):
                one.pause = AGAIN if one.asked is None else min(SELDOM, 2 * one.pause)
                one.asked = now
                yield site, msgspec.structs.replace(self._proposal, head=self._heads.latest(site))

    def may_have(self, party: Party, now: float) -> bool:
        """Whether it is sent the plan's graph now: it says that it lacks it, and was not sent it a moment ago."""
        one = self.of[party]
        if one.verdict != "lacking" or (one.given is not None and now - one.given <= AGAIN):
            return False
        one.given = now
        return True

    def hear(self, sender: Party, said: Parcel) -> bytes | None:
        """Take a word from one of them. Gives the name of its process where it tells one.

        Raises Abort: not a word of this version, or a head that is not the site's.
        """
        one, step = self.of[sender], said.label.step
        if step == HELLO:
            boot = load(said.body, Hello, sender).boot
            # The same process says it again where it did not know whether it was heard; one that was not heard before
            # finds the proposal in its queue.
            if one.boot not in (b"", boot):
                self.doubt(sender)
                one.sound = False
            one.boot = boot
            return boot
        if step == ANSWER:
            answer = load(said.body, Answer, sender)
            sound = answer.verdict in _LOOKED
            self._head(sender, answer.head, sound)
            if answer.asker != self._proposal.asker:
                return None  # to an earlier process of ours: its owner may have thought better of it
            if lost := self._journal.caught_up(sender, answer.begun, answer.step):
                words = (
                    f"{_name(sender)} has begun {lost} rounds of this run that are not in this journal: it is a copy"
                )
                self._say("behind", f"{words}, and they count as lost")
            one.verdict, one.codes, one.boot, one.sound = answer.verdict, answer.codes, answer.boot, sound
            self._journal.heard(sender, answer.verdict, answer.codes, answer.membership, answer.file)
            self._journal.note(program_of(sender), answer.code)
            one.file = self._other(answer)
            words = f"{_name(sender)}: {answer.verdict} {' '.join(answer.codes)}".rstrip() + one.file
            if words != one.words:  # a proposal that was sent twice is answered twice
                one.words = words
                self._say("answer", words)
            return one.boot
        if step == CLOSED:
            one.last = load(said.body, Closed, sender)
            self._head(sender, one.last.head, one.sound)
            self._journal.closed(sender, one.last.epsilon, one.last.head)
        return None

    def _head(self, sender: Party, head: bytes, sound: bool) -> None:
        """Raises Abort: it is not the party's. That of a ledger that was put back must not take the place of the one
        that tells so."""
        if sound:
            self._heads.keep(sender, head)
        else:
            self._heads.verify(sender, head)

    def _other(self, answer: Answer) -> str:
        """Words for a federation file, and a version of the program, that are not those asked by."""
        ours, words = self._proposal, ""
        if answer.code not in ("", ours.code):
            words = f"; it runs potluck {answer.code}, this server {ours.code}"
        if (answer.membership, answer.file) == (ours.membership, ours.file):
            return words
        theirs, here = titled(answer.membership, answer.file), titled(ours.membership, ours.file)
        words = f"{words}; it goes by {theirs} of the federation file, this server by {here}"
        if answer.membership > ours.membership:
            words += "; where this home was put back from an older copy: potluck server restore --newest"
        return words

    def why(self, party: Party) -> Cause:
        """Why somebody is not there."""
        return Cause.CHANGED if "rows_changed" in self.of[party].codes else Cause.SILENT

    def refused(self, among: Container[Party], *, pending: bool = True, silent: bool = False) -> None:
        """Raises Refused: of these somebody said no or, if that counts, has not said yes. All who said so are named,
        also those who are not among these; silent: and who has not answered."""
        where = self._plan.name
        said = {site: one for site, one in self.of.items() if one.verdict in _WHY}
        if not pending:
            said = {site: one for site, one in said.items() if one.verdict != "pending"}
        if any(site in among for site in said):
            if silent:
                said |= {site: one for site, one in self.of.items() if one.verdict == "silent"}
            words = "; ".join(_why(site, one) for site, one in said.items())
            hint = advice((_name(site), one.verdict, one.codes) for site, one in said.items())
            raise Refused(words, where=where, hint=f"{hint}; then start again, which goes on here")

    def judge(self, waited: float) -> None:
        """Raises Refused, naming them: somebody said no or has not said yes, or too few were heard."""
        where = self._plan.name
        self.refused(self.of, silent=True)
        here = self.present()
        computes = [party for party in self._plan.compute if party not in here]
        if computes or len(here) - len(self._plan.compute) < self._plan.fewest:
            away = ", ".join(_name(party) for party in (computes or [one for one in self.of if one not in here]))
            hint = "see that `potluck site run` runs there and reaches the broker; or wait longer: --wait SECONDS"
            raise Refused(f"not heard of within {waited:g} s: {away}", where=where, hint=hint)


def _why(site: Party, one: Participant) -> str:
    if one.verdict == "silent":
        return f"{_name(site)} has not answered"
    codes = f" ({', '.join(one.codes)})" if one.codes else ""
    return f"{_name(site)} {_WHY[one.verdict]}{codes}{one.file}"


def program_of(party: Party) -> str:
    """The fact of a journal that has the version of a party's program, empty where it did not say it."""
    return f"program {party.role.value} {party.name}"


def silent_of(party: Party) -> str:
    """The fact of a journal that has when a site fell silent in a round, in unix seconds."""
    return f"silent {party.role.value} {party.name}"


def _name(party: Party) -> str:
    """A site by its name; a compute party, which may be called as one is, with what it does."""
    return f"{party} (compute)" if party.role is Role.COMPUTE else str(party)
