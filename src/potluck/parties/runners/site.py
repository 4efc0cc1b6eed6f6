"""A site or compute party across machines: a long-lived process that answers proposals and takes part in rounds, as its
owner allows.

It moves letters over a `core.line.Line` and owns the site's clocks. `admission.consent` decides about a run, and the
protocol's halves are what a round is. Only the server begins a round; in it the plan's compute parties are heard too,
and by them the sites. Before a round's first letter leaves, the round's number and step are durable in the
ledger: a process that was killed in a round refuses that round and waits for the next, and no step is repeated without
end (`tries`).
"""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from potluck.core.desk import Desk, Letter, farewell
from potluck.core.errors import PotluckError
from potluck.core.ledger import Ledger
from potluck.core.line import Line
from potluck.core.party import SERVER, Draw, Party
from potluck.core.plan import CODE
from potluck.core.rounds import Abort, Cause, Parcel, RoundId
from potluck.core.slices import Sliced
from potluck.core.steps import recorded
from potluck.core.wire import load
from potluck.drivers.transcript import Transcript
from potluck.owner.access import Unlogged
from potluck.parties.admission import tries
from potluck.parties.admission.consent import Consent
from potluck.parties.admission.session import (
    CLOSE,
    ENDED,
    GRAPH,
    PROPOSE,
    TOLD,
    Answer,
    Close,
    Closed,
    Ended,
    Proposal,
    parcel,
)
from potluck.parties.admission.told import Told
from potluck.parties.runners.asked import Asked
from potluck.parties.runners.flood import Heard, Pace
from potluck.parties.runners.identities import Identities
from potluck.parties.runners.seated import Seated
from potluck.parties.runners.voice import Voice
from potluck.secret.random import system
from potluck.tasks.announcement import BEGIN
from potluck.tasks.participation import Participation, partners

TICK = 0.5
"""Seconds between looks at the owner's decisions."""
MOST_RUNS = 8
"""Runs whose rows are held at once; of more, those of the quietest are let go until a round of it begins."""
REMEMBERED = 1024
"""Letters of one partner that are known again."""
WORDS, WORDS_A_SECOND = 200.0, 1.0
"""Words outside of rounds (proposals, ends of runs) that are listened to at once, and for ever: each leaves a line in
the access log."""
QUIET = 180.0
"""Seconds after which a part that nobody asks for anything lets go of what it can have again."""


class Site:
    """One site's process. Call `run`; `stop` says when to end. record: a folder for the bodies that it reads.
    patience: seconds that a proposal by a newer federation file waits for that file, which comes by itself."""

    def __init__(
        self,
        me: Identities,
        line: Line,
        ledger: Ledger,
        consent: Consent,
        stop: Callable[[], bool],
        record: Path | None = None,
        draw: Draw = system,
        patience: float = 0.0,
    ) -> None:
        self._me = me
        self._line = line
        self._voice = Voice(me, line, consent.noticed)
        self._draw = draw
        self._ledger = ledger
        self._consent = consent
        self._stop = stop
        self._transcript = Transcript(record)
        self._boot = draw(16)
        self._seats: dict[str, Seated] = {}
        self._asked = Asked(patience)
        self._heard = Heard()
        self._heard_of: dict[Party, Heard] = {}
        self._pace = Pace(WORDS, WORDS_A_SECOND)
        self._repeats = Pace(tries.REPEATS, tries.REPEATS_A_SECOND)
        self._firsts = Pace(tries.FIRSTS, tries.FIRSTS_A_SECOND)

    def run(self) -> None:
        """Until `stop` says so. Raises Unreachable, Refused: the broker does not let this site in; Unlogged."""
        greeted = False
        try:
            while not self._stop():
                greeted = greeted or self._voice.greet(self._boot)
                delivery = self._line.receive(self._pause())
                if delivery is not None:
                    self._open(delivery.data)
                    delivery.done()
                self._tick()
        finally:
            for run in list(self._seats):
                self._leave(run)
            self._transcript.close()

    def _pause(self) -> float:
        ends = [seat.end for seat in self._seats.values() if seat.desk]
        return max(0.0, min([TICK, *(end - time.monotonic() for end in ends)]))

    def _open(self, data: Sliced) -> None:
        """One letter, whatever it is. A forgery proves nothing about anybody: it is noted and forgotten."""
        try:
            sender, said = self._me.disclose(data)
        except Abort as abort:
            self._consent.noticed("discarded", "", abort.cause, detail=abort.detail)
            return
        if sender != SERVER:
            self._safely(said.label.round, lambda: self._partner(sender, said, data))
        elif not self._heard.before(data):  # one that comes again says nothing new
            self._safely(said.label.round, lambda: self._said(said.label.round.run, said))

    def _partner(self, sender: Party, said: Parcel, data: Sliced) -> None:
        """A verified letter of another member's: it counts in a round of a run of which that one is a part."""
        seat, number = self._seats.get(said.label.round.run), said.label.round.number
        if seat is None or sender not in seat.partners or number < max(1, seat.number):
            return
        if self._heard_of.setdefault(sender, Heard(REMEMBERED)).before(data):
            return
        if number > seat.number:
            seat.keep(sender, said)
        elif seat.counts(sender) and seat.desk:
            self._post(seat, seat.desk.accept(sender, said))

    def _safely(self, round_: RoundId, work: Callable[[], None]) -> None:
        """Whatever goes wrong in it ends its run, not the site."""
        try:
            work()
        except Abort as abort:
            self._consent.noticed("discarded", round_.run, abort.cause)
        except PotluckError as error:  # a file of the owner's: this run cannot go on here
            self._drop(round_, Abort(Cause.REFUSED, detail=str(error)))
            if isinstance(error, Unlogged):  # nothing more is done here until something can be logged again
                raise
        except Exception as error:  # a bug of ours: the last edge
            self._drop(round_, Abort(Cause.BUG, detail=type(error).__name__))

    def _said(self, run: str, said: Parcel) -> None:
        """A verified letter of the server's. Raises Abort: it does not fit its schema, or there are too many."""
        if said.label.round.number > 0:
            self._round(run, said)
        elif said.label.round.number < 0:
            raise Abort(Cause.MALFORMED, party=SERVER, detail="a negative round")
        elif not self._pace.allows(time.monotonic()):
            raise Abort(Cause.REPLAY, party=SERVER, detail="more words than a run takes")
        elif said.label.step == PROPOSE:
            self._proposed(run, load(said.body, Proposal, SERVER))
        elif said.label.step == GRAPH:
            self._given(run, said.body)
        elif said.label.step == TOLD:
            self._consent.told(run, load(said.body, Told, SERVER))
        elif said.label.step == CLOSE:
            self._close(run, load(said.body, Close, SERVER))
        elif said.label.step == ENDED:
            self._ended(run, load(said.body, Ended, SERVER))

    def _drop(self, round_: RoundId, abort: Abort) -> None:
        """This run ends here; the server hears the cause, even where the log cannot be written any more."""
        self._leave(round_.run)
        self._voice.say(farewell(round_, abort))
        self._consent.noticed("dropped", round_.run, abort.cause, round_.number, abort.detail)

    def _proposed(self, run: str, proposal: Proposal) -> None:
        if self._asked.put(run, proposal, self._me.version):
            self._answer(run)

    def _given(self, run: str, graph: Sliced) -> None:
        """The graph of a plan that was asked for it. Raises Abort(REPLAY): nobody asked."""
        if not self._asked.given(run):
            raise Abort(Cause.REPLAY, party=SERVER, detail="a graph that nobody asked for")
        self._answer(run, graph)

    def _answer(self, run: str, graph: Sliced | None = None) -> None:
        """Decide about a proposal and say so. A run that goes on keeps its seat and the rows that were read for it,
        also where its owner is asked again or the proposal is wrong in itself: only a no, or its end, takes it away."""
        proposal = self._asked.of(run)
        seat = self._seats.get(run)
        decision = self._consent.decide(run, proposal, seat.part if seat else None, graph)
        if decision.part is not None:
            self._seated(run, decision.part, proposal)
        elif decision.verdict not in ("pending", "lacking") and not decision.form:
            self._leave(run)
        given = (decision.verdict, decision.codes, self._consent.head(run), self._boot, *self._consent.goes_by(run))
        self._voice.say(parcel(run, Answer(*given, proposal.asker, *self._consent.newest(run), CODE)))
        if decision.verdict != "pending":
            self._asked.answered(run, lacking=decision.verdict == "lacking")

    def _seated(self, run: str, part: Participation, proposal: Proposal) -> None:
        self._me.granted(run, proposal.file)
        made = self._consent.tries(run)
        seat = self._seats.get(run)
        if seat is not None:
            seat.proposal, seat.tries, seat.over = proposal, made, False
            return
        known = partners(part.plan, self._me.party)
        self._seats[run] = Seated(part, proposal, made, used=time.monotonic(), partners=known)
        if len(self._seats) > MOST_RUNS:
            others = {name: one for name, one in self._seats.items() if name != run}
            quiet = min(others, key=lambda name: (others[name].number > 0, others[name].used))
            self._asked.let_go(quiet, others[quiet].proposal)
            self._leave(quiet)

    def _tick(self) -> None:
        """Deadlines that passed, and owners who made up their minds."""
        now = time.monotonic()
        for seat in list(self._seats.values()):
            if seat.desk and now >= seat.end:
                self._safely(seat.desk.round, partial(self._expire, seat, seat.desk))
            elif not seat.desk and not seat.rested and now - seat.used > QUIET:
                seat.rested = True
                seat.part.rest()
        for run in [run for run in self._seats if not self._me.stands(run)]:
            self._leave(run)
            self._consent.noticed("dropped", run, Cause.REFUSED, detail="keys of its federation file may be stolen")
        for run in self._asked.due(self._me.version, anew=self._consent.anew()):
            self._safely(RoundId(run, 0), partial(self._answer, run))
        for run in [run for run in self._asked.owners() if self._consent.decided(run)]:
            self._answer(run)

    def _expire(self, seat: Seated, desk: Desk[object]) -> None:
        self._post(seat, desk.expire())

    def _round(self, run: str, said: Parcel) -> None:
        """A letter of a round: of the one in flight, or the first of a new one."""
        if said.label.step == BEGIN and (proposal := self._asked.back(run)) is not None:
            self._proposed(run, proposal)
        seat, number = self._seats.get(run), said.label.round.number
        if seat is None or number < seat.number:
            return
        if number > seat.number:
            if said.label.step != BEGIN:
                return  # whoever has not begun has asked for nothing yet
            try:
                self._begin(run, seat, said)
            except Abort as abort:
                self._consent.noticed("refused", run, abort.cause, number, abort.detail)
                self._voice.say(farewell(said.label.round, abort), seat.patience)
                return
        if seat.desk:
            self._post(seat, seat.desk.accept(SERVER, said))

    def _begin(self, run: str, seat: Seated, said: Parcel) -> None:
        """Raises Abort: REFUSED (taken back, or asked again), REPLAY (begun before), TERMS or MALFORMED (no step)."""
        round_ = said.label.round
        self._cut(seat)
        seat.number, seat.rested = round_.number, False
        seat.letters.clear()
        early = seat.kept()
        if seat.over or not self._consent.stands(run):
            if not self._consent.decided(run):  # of those who approved it somebody was removed
                self._proposed(run, seat.proposal)
            raise Abort(Cause.REFUSED)
        step = tries.step_of(seat.part.plan, said.body)
        if self._consent.begun(round_):  # an old letter that comes again counts for nothing
            raise Abort(Cause.REPLAY, party=SERVER, detail="this round was begun before")
        self._may_try(run, seat, step)
        seat.tries[step] += 1
        me = self._me.of(run)
        self._consent.bind(run, me.file)
        half = seat.part.half(round_, me.seat(self._draw))
        # With the record of a sum's step, which follows at once. Elsewhere an engine may speak before anything is sent.
        half = recorded(tries.marker(round_, step), round_, half, later=seat.part.plan.traits.sums)
        seat.desk = Desk(self._me.party, round_, half, me.close, me.disclose, self._ledger)
        seat.desk.on_read = self._transcript.reader(self._me.party)
        seat.step = ""
        self._post(seat, seat.desk.start())
        for sender, said in early:
            if seat.desk:
                self._post(seat, seat.desk.accept(sender, said))

    def _may_try(self, run: str, seat: Seated, step: str) -> None:
        """Raises Abort(REFUSED): this step was begun too often, so that the owner is asked again, or too fast."""
        if (before := seat.tries[step]) >= tries.most(seat.part.plan):
            self._consent.ask_again(run)
            self._proposed(run, seat.proposal)
            raise Abort(Cause.REFUSED, detail=f"{step} was begun {before} times: the owner is asked again")
        if not (self._repeats if before else self._firsts).allows(time.monotonic()):
            raise Abort(Cause.REFUSED, detail=f"steps are {'repeated' if before else 'begun'} too fast")

    def _post(self, seat: Seated, letters: list[Letter]) -> None:
        """Send what the half says; note how it ended, or when its next wait is over."""
        self._voice.hand([(letter.to, letter.data) for letter in letters], seat.patience)
        desk = seat.desk
        assert desk is not None
        seat.used = time.monotonic()
        if desk.done:
            seat.desk = None
            self._me.forget()
            cause, detail = (desk.abort.cause, desk.abort.detail) if desk.abort else (None, "")
            if desk.abort is None:
                self._consent.counted(desk.round.run, seat.part.done(desk.round.run, desk.result))
            self._consent.noticed("round", desk.round.run, cause, desk.round.number, detail)
        elif desk.step != seat.step:
            seat.step, seat.end = desk.step, time.monotonic() + desk.hops * seat.patience
        elif desk.hopeless:  # others may still say why
            seat.end = min(seat.end, time.monotonic() + seat.patience)

    def _close(self, run: str, said: Close) -> None:
        """The run is over: its rows are let go, and the ledger has the last word."""
        seat = self._cut(self._seats.get(run))
        epsilon = self._consent.close(run, said.model, seat.part if seat else None, said.reason)
        self._leave(run)
        self._asked.drop(run)
        self._voice.say(parcel(run, Closed(epsilon, self._consent.head(run))))

    def _ended(self, run: str, said: Ended) -> None:
        """The run does not go on before it is proposed again, so nobody is asked. The ledger stays as it is, and the
        seat: a server may not have its rows read again as often as it likes."""
        seat = self._seats.get(run)
        proposal = self._asked.newest(run) or (seat.proposal if seat else None)
        if proposal is not None and proposal.asker != said.asker:
            return  # of an earlier process of the server's: it was proposed again since
        if seat is not None:
            self._cut(seat)
            seat.over = True
        self._asked.drop(run)
        self._consent.stopped(run, said.why)

    def _cut(self, seat: Seated | None) -> Seated | None:
        """The round in flight ends in the log, too: whoever asked may not make one that was charged go unnoted."""
        if seat and (cut := seat.cut()):
            self._consent.noticed("round", cut.run, Cause.STOPPED, cut.number)
        return seat

    def _leave(self, run: str) -> None:
        seat = self._seats.pop(run, None)
        self._me.left(run)
        if seat is not None:
            if seat.desk:
                seat.desk.close()
            self._me.forget()
            seat.part.close()
