"""What a site's owner says to a run: verified first, then judged by the policy, then approved; rows are read last.

Nothing is read of the rows before the run is approved. Every answer is written to the access log. Only codes travel:
keys of the policy or fixed words, so that a server learns why, and nothing about the rows.
"""

import math
import time
from collections import Counter, OrderedDict
from dataclasses import replace
from hashlib import sha256
from typing import Literal

import msgspec

from potluck.core.errors import PotluckError, Refused
from potluck.core.party import Role
from potluck.core.plan import CODE, Plan, digest
from potluck.core.rounds import Cause, Record, RoundId
from potluck.core.slices import Sliced
from potluck.core.visible import visible
from potluck.learning.evaluation.evaluate import allowed
from potluck.learning.models.sent import lacks
from potluck.members.federation import titled
from potluck.members.home import Membership
from potluck.owner import ledger_heads as heads
from potluck.owner.access import Event, Outcome, Subject
from potluck.owner.form.noticed import noticed
from potluck.owner.policy import Policy
from potluck.owner.policy_words import keep
from potluck.owner.reading import read as read_policy
from potluck.owner.requests import STRANGERS, UNFIT, UNUSED, State
from potluck.parties.admission import tries
from potluck.parties.admission.decision import FORM, OUTCOMES, Decision, unable
from potluck.parties.admission.graphs import rests, with_graph
from potluck.parties.admission.over import lasts, outlived, over, remember_model
from potluck.parties.admission.owner import Owner, clock, judged, newer
from potluck.parties.admission.proposal import asked_before, first_sum, of_now, own_head, plan_of
from potluck.parties.admission.rows import changed, of_rows
from potluck.parties.admission.session import Proposal
from potluck.parties.admission.strangers import asked
from potluck.parties.admission.told import Told
from potluck.parties.admission.told import keep as keep_told
from potluck.tasks.catalog import task_of
from potluck.tasks.participation import Denied, Participation

QUIET = 60.0
"""Seconds between two lines about discarded letters: whoever floods the site does not fill its disk."""
KNOWN = 16
"""Runs whose plans are remembered, of those that are not over here."""
FILE = "file/"
"""Prefix of the record of the federation file under which a run began."""
CHEAP = 0.01  # epsilon: a run of less counts as one that cost nothing
LONGEST = 2000
"""Letters of one line of words for the owner."""


class Consent:
    """One site's owner, as the site's process asks it."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._plans: OrderedDict[str, Plan] = OrderedDict()
        self._by = newer(owner.home.policy, (0, 0, 0))
        self._quiet_until: dict[Cause, float] = {}
        self._waits: OrderedDict[str, tuple[tuple[Subject, tuple[str, ...]], float]] = OrderedDict()

    def goes_by(self, run: str) -> tuple[int, bytes]:
        """Version and digest of the federation file of a run: the one that it is bound to, else the one in force."""
        member = self._member(run)
        return member.federation.version, member.federation.digest

    def bound(self, run: str) -> bytes | None:
        """Digest of the file to which the run's first round here has bound it."""
        return self._owner.ledger.fact(f"{FILE}{run}")

    def bind(self, run: str, file: bytes) -> None:
        """The run's first round begins: it ends under the file by which it was granted. Raises Abort: the ledger."""
        self._owner.ledger.write(Record(f"{FILE}{run}", file, again=True))

    def _member(self, run: str) -> Membership:
        return self._owner.pinned.under(self.bound(run) or b"") or self._owner.pinned.current

    def decide(
        self, run: str, proposal: Proposal, known: Participation | None = None, graph: Sliced | None = None
    ) -> Decision:
        """Verify, judge, ask, and read the rows where the answer is yes. Never raises for what a server may send.
        graph: what the server sent when it was asked for the plan's."""
        file = titled(proposal.membership, proposal.file)
        other = "" if proposal.code == CODE else proposal.code
        about = Subject(asker=self._owner.federation.name, run=run, file=file, version=other)
        try:
            plan = self._verified(run, proposal, known, graph)
            self._remember(run, plan)
            about = replace(self._about(run), file=file)
            rules = self._rules()
            noticed(self._owner.home, clock())
            about = replace(about, policy=keep(self._owner.home.policies, rules))
            decision = self._asked(run, plan, rules, proposal, known)
        except Denied as denied:
            decision = Decision("denied", (denied.code,), words=(denied.words,), form=denied.code in FORM)
        except PotluckError as error:
            decision = unable(error, self._owner.home.folder)
        if decision.verdict in ("denied", "unable") and not decision.form:
            self._plans.pop(run, None)
        if not self._again(run, about, decision):
            self._write("request", OUTCOMES[decision.verdict], about, decision)
        self.counted(run, decision.told)
        return decision

    def _again(self, run: str, about: Subject, decision: Decision) -> bool:
        """Whether this run was just told the same: a proposal that was sent twice is one event, not two."""
        said, now = (about, decision.codes), time.monotonic()
        before, until = self._waits.pop(run, ((Subject(), ()), 0.0))
        if decision.verdict != "pending":
            return False
        again = said == before and now < until
        self._waits[run] = (said, until if again else now + QUIET)
        while len(self._waits) > KNOWN:
            self._waits.popitem(last=False)
        return again

    def counted(self, run: str, told: tuple[str, ...] | None) -> None:
        """What the owner has to know of the rows that were just read: on its screen and in its log, nowhere else. None:
        no rows were counted."""
        if told is not None:
            about = self._about(run)
            self._owner.log.write("rows", clock(), about=about, why=told)
            for line in told:
                self._say(f"rows of {about.plan}: {line}")

    def _remember(self, run: str, plan: Plan) -> None:
        """A server that asks for ever more runs does not fill the memory."""
        self._plans[run] = plan
        self._plans.move_to_end(run)
        while len(self._plans) > KNOWN:
            self._plans.popitem(last=False)

    def decided(self, run: str) -> bool:
        """Whether a run that was pending is so no more. Raises Refused, UsageError: the file of requests."""
        return self._owner.requests.state(run) is not State.PENDING

    def anew(self) -> bool:
        """Whether the policy's file is another than when this was asked last: what waits is to be judged by it."""
        before, self._by = self._by, newer(self._owner.home.policy, self._by)
        return self._by != before

    def stands(self, run: str) -> bool:
        """Whether the owner still agrees, and the plan's permit holds: asked before every round; before the first one
        whether the approvals are what the policy of now asks, too. Raises Unlogged."""
        self._owner.log.ready()
        if self._owner.requests.state(run) is not State.APPROVED or not self._suffices(run):
            return False
        plan = self._plans.get(run) or asked_before(self._owner.requests, run)
        ended = plan is not None and plan.ended(self._owner.now())
        if ended:
            self._say(f"run {run} of {self._about(run, plan).plan}: its permit is over, so no further round begins")
        return not ended

    def _suffices(self, run: str) -> bool:
        """A run that has begun here goes on by what the policy asked then."""
        try:
            return self.bound(run) is not None or self._owner.requests.suffices(run, self._rules().approve)
        except Denied:
            return False

    def tries(self, run: str) -> Counter[str]:
        """How many rounds of each step of the run the owner's last yes was used for."""
        return tries.made(self._owner.ledger, run)

    def newest(self, run: str) -> tuple[int, str]:
        """Number and step of the newest round of the run that a process of this party began; 0 and "": of none."""
        return tries.newest(self._owner.ledger, run)

    def begun(self, round_: RoundId) -> bool:
        """Whether a process of this party began this round before."""
        return self._owner.ledger.fact(tries.marker(round_, "").key) is not None

    def ask_again(self, run: str) -> None:
        """A step of this run was repeated too often: it waits until the owner agrees again."""
        self._owner.requests.again(run)
        tries.counted_anew(self._owner.ledger, run)
        words = f"one step was begun {tries.TRIES} times or more; if it is to go on: potluck site approve"
        self._say(f"run {run} of {self._about(run).plan or '?'}: {words}")

    def began(self) -> None:
        """The site's process starts."""
        self._owner.log.write("start", clock())
        it = self._owner.federation
        self._owner.say(f"{self._owner.home.name} of {it.name}, version {it.version}, at {it.broker}")

    def ended(self) -> None:
        """The site's process ends."""
        self._owner.log.write("stop", clock())

    def head(self, run: str) -> bytes:
        """The signed head of the ledger, as bytes, under the key that the run's others know."""
        key = self._member(run).keys.signing
        signed = heads.sign(
            self._owner.ledger.head(), self._owner.home.name, bytes.fromhex(self._owner.federation.id), key.sign
        )
        return msgspec.msgpack.encode(signed)

    def close(self, run: str, model: bytes, part: Participation | None = None, reason: str = "") -> float | None:
        """The run is over. Gives the epsilon that this site's ledger says it cost; None without noise. part: of this
        process in it; reason: the asker's words, where it cancelled it, and only then."""
        known = self._plans.pop(run, None) or asked_before(self._owner.requests, run)
        about = self._about(run, known)
        ledger = self._owner.ledger
        told = over(self._owner.home, run, known, part)
        if known is not None:
            remember_model(ledger, run, model)
        ledger.finish(run)
        try:
            if any(one.run == run and one.unit is not None for one in ledger.history()) and not self._charged(run):
                self._owner.requests.mark(run, UNUSED)
            before = self._owner.requests.of(run)
            request = self._owner.requests.finish(run, lasts(self._owner.home))
        except PotluckError:
            return None  # nobody ever asked for it
        if request != before or told:  # of a run that was over it may be said as often as its asker likes
            withdrawn = request.state is State.WITHDRAWN or bool(reason)
            about = replace(about, reason=reason if request != before else "")
            self._write("end", "withdrawn" if withdrawn else "finished", about, Decision("granted", told))
        # From the ledger, which also knows runs that an earlier process of this site took part in.
        return next((one.epsilon for one in ledger.history() if one.run == run and one.unit is not None), None)

    def told(self, run: str, said: Told) -> None:
        """What a run that trained here released of its model, in its asker's words. It is kept for the owner's page, if
        this site took part in a round of the run. Raises Abort: it cannot be."""
        request = self._owner.requests.of(run)
        plan = asked_before(self._owner.requests, run)
        goes_on = request is not None and request.state is State.APPROVED and self.newest(run)[0] > 0
        if goes_on and plan is not None and plan.traits.trains and allowed(plan):
            keep_told(self._owner.home, run, said)

    def stopped(self, run: str, why: Literal["elsewhere", "failed"]) -> None:
        """Its asker says that the run does not go on for now: nobody here need decide about it. Nothing of the ledger
        changes, and no approval. why: another party refused it, or a round of it failed."""
        about = self._about(run, asked_before(self._owner.requests, run))
        if self._owner.requests.ended(run, why, lasts(self._owner.home)):
            self._write("end", "refused" if why == "elsewhere" else "aborted", about, Decision("granted", (why,)))

    def noticed(self, what: str, run: str, cause: Cause | None, number: int | None = None, detail: str = "") -> None:
        """What happened to a letter or a round, for the access log. detail: why, for the owner's screen alone."""
        about = self._about(run)
        self._owner.noted(what, cause.value if cause else "done", run)
        if cause is Cause.CHANGED:
            detail = changed(run, about.plan or "?", self._plans.get(run))
        why = f": {detail}" if detail else ""
        if what == "round":
            codes = (cause.value,) if cause else ()
            self._owner.log.write("round", clock(), outcome="aborted" if cause else "done", about=about, round=number,
                                 why=codes)  # fmt: skip
            self._say(f"round {number}: {cause.value if cause else 'done'}{why}")
            return
        now = time.monotonic()
        if cause is not None and now >= self._quiet_until.get(cause, 0.0):
            self._quiet_until[cause] = now + QUIET
            self._owner.log.write("refusal", clock(), outcome="refused", about=about, round=number, why=(cause.value,))
            self._say(f"{what}: {cause.value}{why}")

    def _verified(self, run: str, proposal: Proposal, known: Participation | None, graph: Sliced | None) -> Plan:
        """Everything that has nothing to do with what the owner wants. Raises Denied. What needs the plan's graph is
        not looked at where that is not here."""
        member = of_now(proposal, self._owner.pinned, self.bound(run))
        own_head(proposal.head, member, self._owner.ledger)
        plan = plan_of(proposal, member.federation, self._owner.home.me)
        before = self._owner.requests.of(run)
        if before is not None and before.hash != digest(plan).hex():
            raise Denied("plan", "a run is asked for again with another plan")
        return known.plan if known is not None else with_graph(self._owner.home, plan, graph)

    def _rules(self) -> Policy:
        """The policy as it is now. Raises Denied: it cannot be read."""
        try:
            return read_policy(self._owner.home.policy)
        except PotluckError as error:
            raise Denied("policy", str(error)) from None

    def _asked(self, run: str, plan: Plan, rules: Policy, proposal: Proposal, known: Participation | None) -> Decision:
        """Policy, approval, rows. Raises Denied; PotluckError: the rows or a file of the owner's."""
        # Runs that go on side by side were each judged before the others were charged: the ledger has the last word.
        yearly = rules.allow.epsilon_per_year
        self._owner.ledger.limit(yearly if math.isfinite(yearly) else None, rules.allow.delta)
        now = time.time()
        computes = self._owner.home.me.role is Role.COMPUTE
        lacking = lacks(plan)
        denials = judged(self._owner, run, plan, rules, now, lacking)
        codes = tuple(denial.code for denial in denials)
        if codes == ("hours",) and any(one.run == run for one in self._owner.ledger.history()):
            codes = ()  # taken on in time: it goes on
        if not codes and lacking:
            return Decision("lacking", ("graph",))
        if not codes and not computes:
            rests(plan)
        if not codes and sha256(first_sum(plan).state).digest() != proposal.initial:
            raise Denied("initial", "the first model is not the one that the plan says")
        approve = rules.approve
        watched = approve.rule != "policy" or computes or not (plan.noisy and plan.traits.sums)
        if not watched and self._owner.requests.idle(run, now, self._charged):
            approve = msgspec.structs.replace(approve, rule="person")
        pinned, under = self._owner.pinned, self._member(run).federation
        request, new = asked(self._owner.requests, pinned, under, run, plan, now, codes, approve)
        by_person = approve.rule == "person" and request.state is State.APPROVED and self.bound(run) is None
        if by_person and outlived(self._owner.home, run, keep(self._owner.home.policies, rules)):
            request = self._owner.requests.again(run, "")
            self._say(f"run {run} of {plan.name}: it had ended, and the policy was changed since it was approved")
        if codes or request.state not in (State.PENDING, State.APPROVED):
            # Also where somebody has approved it since: the policy may say no to what it allowed when they were asked.
            words = tuple(f"{denial.words}; {denial.hint}" for denial in denials)
            return Decision("denied", codes or request.codes or (request.state.value,), words=words)
        if request.state is State.PENDING:
            return Decision("pending", (STRANGERS,) if new else (), words=new)
        privacy = plan.privacy
        noisy = plan.noisy and not computes  # who computes has no budget: nothing of its own leaves
        unit, delta = (privacy.unit, privacy.delta) if noisy else (None, None)
        try:
            self._owner.ledger.rejoin(run, plan.name, digest(plan), unit, delta, now)
        except Refused as error:
            raise Denied("finished", str(error)) from None
        try:
            found = known or task_of(plan).part(plan, rules, self._owner.home)
        except PotluckError:
            self._owner.requests.mark(run, UNFIT)
            raise
        return of_rows(self._owner.home, self._owner.ledger, self._owner.requests, run, found, fresh=known is None)

    def _charged(self, run: str) -> bool:
        return self._owner.ledger.spent_by(run) >= CHEAP

    def _about(self, run: str, plan: Plan | None = None) -> Subject:
        plan = plan or self._plans.get(run)
        if plan is None:
            return Subject(asker=self._owner.federation.name, run=run)
        return Subject(asker=self._owner.federation.name, plan=plan.name, hash=digest(plan).hex(), run=run)

    def _say(self, line: str) -> None:
        """A line for the owner's screen."""
        self._owner.say(visible(line[:LONGEST]))

    def _write(self, event: Event, outcome: Outcome, about: Subject, decision: Decision) -> None:
        self._owner.log.write(event, clock(), outcome=outcome, about=about, why=(*decision.codes, *decision.here))
        self._owner.noted(event, outcome, about.run)
        why = f" ({'; '.join(decision.words or decision.codes)})" if decision.codes else ""
        self._say(f"{event} {about.plan or f'of run {about.run[:12]}'}: {outcome}{why}")
