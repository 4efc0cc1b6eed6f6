"""The coordinator across machines: gathers the others, moves the letters of each round, owns the server's clocks.

It is a `drivers.attempt.RoundRunner` over a `core.line.Line`; the protocol halves are those of the in-memory runner.
Every letter is verified before anything of it counts; one that is not is counted and forgotten. A site that dies is
known by its silence, or by the hello of its next process: then the round goes on without it at once. Compute parties
are asked and waited for as sites are, and no round can do without one; they are of no cohort, and nothing is theirs.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from potluck.core.asks import Ask, Kind, Task
from potluck.core.desk import Desk, Letter
from potluck.core.errors import Unreachable, UsageError
from potluck.core.ledger import Volatile
from potluck.core.line import Line
from potluck.core.party import SERVER, Draw, Party
from potluck.core.plan import Plan
from potluck.core.rounds import Abort, Cause, Credentials, Half, Parcel, RoundId, Sum
from potluck.drivers.attempt import Attempt
from potluck.drivers.transcript import Transcript
from potluck.learning.data.table import Table as Rows
from potluck.parties.admission.session import HELLO, Close, Ended, Proposal, Word, parcel
from potluck.parties.admission.told import Told
from potluck.parties.runners.flood import Heard, Pace
from potluck.parties.runners.identity import Identity
from potluck.parties.runners.in_flight import RoundInFlight
from potluck.parties.runners.journal import Journal
from potluck.parties.runners.known_heads import KnownHeads
from potluck.parties.runners.participants import Participants
from potluck.parties.runners.turns import ALWAYS, Turn
from potluck.secret.keys import STRANGER
from potluck.secret.random import system
from potluck.tasks.sums.halves import RoundContext, lead

LAST_WORDS = 5.0
"""Seconds to wait for the sites' last words."""
TICK = 0.25
LETTERS = 64
"""Letters of one site in one round that are looked at: many times what a protocol takes."""
WORDS, WORDS_A_SECOND = 60.0, 1.0
"""Words of one site outside of rounds that are listened to at once, and for ever."""
QUIET = 60.0
"""Seconds between two words about letters discarded for one cause."""
BACKLOG = 60.0
"""Seconds to read what came before a round, at most."""
MOMENT = 1.0
"""Seconds that a site which fell silent in a round has to say that it is there, before the next begins without it."""
REST = 60.0
"""Seconds to wait for somebody who is away before other runs go first."""
Say = Callable[[str, str], None]
"""(event, text): words for whoever watches; nothing private."""


@dataclass(frozen=True, slots=True)
class Run:
    """What is run: the plan, its name, and what every site is asked (but for its own head).

    task, protection: of sums; None of a prediction, whose halves `once` is given. wait: seconds to wait for sites that
    are needed and away; transcript: where every letter gets a line; graph: the plan's, for those who lack it, or empty.
    """

    plan: Plan
    task: Task[Rows, object] | None
    protection: Sum | None
    name: str
    proposal: Proposal
    wait: float
    transcript: Transcript
    graph: bytes = b""
    turn: Turn = ALWAYS


class Coordinator:
    """The server's part in one run."""

    def __init__(
        self, run: Run, me: Identity, line: Line, journal: Journal, heads: KnownHeads, say: Say, draw: Draw = system
    ) -> None:
        self.transcript = run.transcript
        proposal = msgspec.structs.replace(run.proposal, asker=draw(16))
        self.participants = Participants(run.plan, proposal, heads, journal, say)
        self._run, self._asker = run, proposal.asker
        self._me = me
        self._line = line
        self._draw = draw
        self._journal = journal
        self._wait = run.wait
        self._say = say
        self._round: RoundInFlight | None = None
        self._doubted: set[Party] = set()
        self._hope = 0.0
        self._heard = Heard()
        self._sites, self._computes = frozenset(run.plan.sites), frozenset(run.plan.compute)
        self._pace = {one: Pace(WORDS, WORDS_A_SECOND) for one in self.participants.of}
        self._quiet_until: dict[Cause, float] = {}

    @property
    def patience(self) -> float:
        """Seconds that a step may take."""
        return self._run.plan.federation.patience

    def gather(self) -> None:
        """Wait until all sites have agreed, or `wait` seconds; then enough of them is enough.

        Raises Refused: a site said no, has not been asked by its owner yet, or too few were heard; it is named.
        """
        end = time.monotonic() + self._wait
        while time.monotonic() < end and len(self.participants.present()) < len(self.participants.of):
            self._run.turn.go_on()
            self._propose()
            if self.participants.hopeless():
                break
            self._listen(min(TICK, max(0.0, end - time.monotonic())))
        self.participants.judge(self._wait)

    def attempt(self, ask: Ask, number: int, absent: Mapping[Party, Cause], must: frozenset[Party]) -> Attempt:
        """One round. Raises Abort(SILENT): somebody without whom it cannot be done has not come back in time."""
        round_ = RoundId(self._run.name, number)
        assert self._run.task is not None
        assert self._run.protection is not None
        half = lead(
            RoundContext(self._run.plan, self._run.task, self._run.protection, round_), ask, self._me.seat(self._draw)
        )
        return self._meet(round_, ask.kind, half, absent, must)

    def once(
        self, number: int, half: Callable[[RoundId, Credentials], Half[object]], kind: Kind = Kind.PREDICT
    ) -> Attempt:
        """One round that is no sum, with all sites and compute parties.

        No answer comes of it: it ended well where there is no abort.
        """
        round_ = RoundId(self._run.name, number)
        return self._meet(round_, kind, half(round_, self._me.seat(self._draw)), {}, self._sites)

    def _meet(
        self,
        round_: RoundId,
        kind: Kind,
        half: Half[object],
        absent: Mapping[Party, Cause],
        must: frozenset[Party],
    ) -> Attempt:
        self._await(frozenset(self.participants.of) - absent.keys(), must)
        desk: Desk[object] = Desk(SERVER, round_, half, self._me.close, self._me.disclose, Volatile())
        desk.on_read = self.transcript.reader(SERVER)
        here = self.participants.present() - absent.keys()
        away = {
            site: absent.get(site, self.participants.why(site)) for site in self.participants.of if site not in here
        }
        for site, cause in away.items():
            desk.leave(site, cause)
        self._round = RoundInFlight(
            desk, kind, {site: self.participants.of[site].boot for site in here}, self._sites, self._computes
        )
        try:
            self._drive(self._round)
            traffic = self.transcript.traffic(desk.round.number)
            told = self._round.attempt(traffic, away, frozenset(self.participants.of))
            self._doubt(told, self._round)
            return told
        finally:
            desk.close()
            self._me.forget()
            self._round = None

    def _doubt(self, told: Attempt, round_: RoundInFlight) -> None:
        """Whoever fell silent is asked again. The next round waits for the answer of a compute party for whose silence
        this one ended, and goes without a site that does not answer in a moment: else one that is gone would cost each
        round all of its patience. Whose sum it is stays the plan's rule (`_missing`)."""
        who = told.abort.party if told.abort and told.abort.cause is Cause.SILENT else None
        if who in self._computes and who not in round_.restarted:
            self.participants.doubt(who)
        silent = [one for one, cause in round_.desk.lost.items() if cause is Cause.SILENT and one in round_.sites]
        self._doubted = {one for one in silent if self.participants.of[one].boot == round_.seen.get(one)}
        self._hope = time.monotonic() + MOMENT
        for one in self._doubted:
            self.participants.fell(one, round_.desk.round.number)
        if told.abort is not None:
            self._say("round", f"number {round_.desk.round.number} came to nothing: {told.abort}")

    def close(self, model: bytes, reason: str = "", told: Told | None = None) -> None:
        """Tell the sites that the run is finished, and hear their last words. reason: why it was cancelled; told: what
        it released of its model."""
        waiting = self.participants.present()
        if told is not None:
            self._tell({one: told for one in self.participants.of if one in self._sites})
        word = Close(model, reason)
        self._tell(dict.fromkeys(self.participants.of, word))  # who is away reads it when it is back
        end = time.monotonic() + min(LAST_WORDS, self.patience)
        while time.monotonic() < end and any(self.participants.of[site].last is None for site in waiting):
            self._listen(TICK)

    def ended(self) -> None:
        """Tell the sites that the run does not go on for now: nobody need decide about it. Who only has not decided, or
        is awaited, ends none: a run that nobody refused, and of which no round failed, still waits there."""
        word = Ended("elsewhere" if self.participants.said_no() else "failed", self._asker)
        self._tell(dict.fromkeys(self.participants.of, word))  # who is away reads it when it is back

    def _propose(self) -> None:
        self._tell(dict(self.participants.due(time.monotonic())))

    def _tell(self, words: Mapping[Party, Word]) -> None:
        said = {site: parcel(self._run.name, word) for site, word in words.items()}
        self._send([Letter(SERVER, site, it.label, self._me.close(site, it)) for site, it in said.items()])

    def _send(self, letters: Sequence[Letter]) -> None:
        """Hand them over at once: who cannot be reached keeps nobody else waiting."""
        for letter in letters:
            self.transcript.moved(letter.label, letter.sender, letter.to, len(letter.data))
        if not letters:
            return
        try:
            failed = self._line.send_all([(letter.to, letter.data) for letter in letters], self.patience)
        except Unreachable as error:
            failed = {letter.to: error for letter in letters}
        for to, why in failed.items():
            self._say("unreachable", f"{to}: {why.what}")

    def _await(self, possible: frozenset[Party], must: frozenset[Party]) -> None:
        """Before a round: hear who is back; wait for those without whom it could only fail. Raises Refused: one of them
        said no, or not yes again; Abort(SILENT): has not come back."""
        end = time.monotonic() + min(self._wait, BACKLOG)
        while self._listen(0.0) and time.monotonic() < end:
            pass
        end, rest = time.monotonic() + self._wait, time.monotonic() + REST
        while True:
            self._run.turn.go_on()
            missing = self._missing(possible, must)
            hoped = self._doubted - self.participants.present() and time.monotonic() < self._hope
            if not missing and not hoped and self._line.trouble is None:  # else a round would only begin to fail
                if self._run.turn.mine():
                    return
                end, rest = time.monotonic() + self._wait, time.monotonic() + REST
            self.participants.refused(missing, pending=False)
            if time.monotonic() > end:
                self.participants.refused(missing)
                if not missing and self._line.trouble is not None:
                    raise self._line.trouble
                names = ", ".join(sorted(map(str, missing)))
                detail = f"{names} has not come back within {self._wait:g} s. hint: start it, then start again here"
                raise Abort(Cause.SILENT, party=min(missing), detail=detail)
            if missing and time.monotonic() > rest:
                self._run.turn.rest()
            self._propose()
            self._listen(TICK)

    def _missing(self, possible: frozenset[Party], must: frozenset[Party]) -> frozenset[Party]:
        """Without whom a round could only fail now."""
        here = self.participants.present() & possible
        if must:
            missing = must - here
        elif len(here & self._sites) >= self._run.plan.fewest:
            missing = frozenset()
        else:
            missing = possible - here
        return missing | (self._computes - here)

    def _drive(self, round_: RoundInFlight) -> None:
        """Move letters until the server's half is done."""
        desk = round_.desk
        self._post(round_, desk.start())
        step, end = desk.step, self._deadline(desk)
        while not desk.done:
            self._listen(min(TICK, max(0.0, end - time.monotonic())))
            if desk.step != step:
                step, end = desk.step, self._deadline(desk)
            elif (soon := time.monotonic() + round_.more(self.patience)) < end:
                end = soon
            elif time.monotonic() >= end:  # whatever else comes: forgeries must not keep a round open
                self._post(round_, desk.expire())

    def _deadline(self, desk: Desk[object]) -> float:
        return time.monotonic() + desk.hops * self.patience

    def _post(self, round_: RoundInFlight, letters: list[Letter]) -> None:
        if round_.left and not round_.noted:
            round_.noted = True
            self._journal.may_leave(round_.desk.round.number)
        if round_.desk.fixed != round_.agreed:
            round_.agreed = round_.desk.fixed
            self._journal.agree(round_.kind, round_.agreed)
        self._send([letter for letter in letters if letter.to in round_.seen])

    def _listen(self, wait: float) -> bool:
        """Take one letter. False: none came."""
        delivery = self._line.receive(wait)
        self.participants.reached(self._line.trouble)
        if delivery is None:
            if isinstance(self._line.trouble, UsageError):  # else whoever sent it would be called silent
                raise self._line.trouble
            return False
        try:
            sender, body = self._me.disclose(delivery.data)
            if sender in self.participants.of and not self._heard.before(delivery.data):
                self._take(sender, body, len(delivery.data))
        except Abort as abort:
            self._discarded(abort)
        delivery.done()
        return True

    def _discarded(self, abort: Abort) -> None:
        """Said, but not each time: whoever floods the server does not fill its log."""
        now, cause = time.monotonic(), abort.cause
        if now >= self._quiet_until.get(cause, 0.0):
            self._quiet_until[cause] = now + QUIET
            said = f"{cause.value}: {abort.detail}" if abort.detail else cause.value
            if abort.detail == STRANGER:  # mostly a member that was added since: no forgery
                said = f"a letter in the name of {abort.party}, which this federation file does not list: added since?"
            self._say("discarded", said)

    def _take(self, sender: Party, body: Parcel, size: int) -> None:
        """Raises Abort: a word that does not fit its schema, a head that is not the site's, or too many letters."""
        label, round_ = body.label, self._round
        if label.step == HELLO or (label.round.run == self._run.name and label.round.number == 0):
            if not self._pace[sender].allows(time.monotonic()):
                raise Abort(Cause.REPLAY, party=sender, detail="more words than a run takes")
            self._word(sender, body, size)
        elif round_ and label.round == round_.desk.round:
            round_.letters[sender] += 1
            if round_.letters[sender] > LETTERS:
                raise Abort(Cause.REPLAY, party=sender, detail="more letters than a round takes")
            self.transcript.moved(label, sender, SERVER, size)
            if label in round_.desk.contributing and sender in self._sites:
                round_.paid.add(sender)
            self._post(round_, round_.desk.accept(sender, body))

    def _word(self, sender: Party, body: Parcel, size: int) -> None:
        """Raises Abort: it does not fit its schema, or a head that is not the site's."""
        self.transcript.moved(body.label, sender, SERVER, size)
        boot, round_ = self.participants.hear(sender, body), self._round
        if round_ and boot is not None and round_.seen.get(sender, boot) != boot:
            self._say("restarted", str(sender))
            if sender in self._computes:
                round_.restarted.append(sender)
            self._post(round_, round_.desk.leave(sender, Cause.SILENT))
        if self._run.graph and self.participants.may_have(sender, time.monotonic()):
            self._tell({sender: self._run.graph})
        self._propose()
