"""What a server finds that tells some sites that another one gave, and the rest that it vanished.

Sites help to take off the mask of whoever gave, and the masks that others share with whoever vanished. Of one site both
lay its numbers bare. So a site answers for one set of sites alone, and as many have to agree on it as the plan's
thresholds say: with a server that may lie, so many that two sets never have enough. A record is of a server that told
one set. So the round is played anew, here, by the program's own halves: the server's is honest until it names the
sites. It has what answers to both sets tell, and what the sites of the coalition hold. Boxes are not opened: a site
that answers gives one share of each other site, and whoever has `least` shares of both secrets has the numbers
(`mpc.mask.graph`).
The control is the same lie to a plan that trusts its server to keep to the protocol, with as many accomplices as it
takes: its sites answer anybody.
Reference: Bonawitz and others, Practical Secure Aggregation, CCS 2017, section 6.2.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from potluck.audits.attack import Found, Scene, Sort, Truth, Until, Verdict, named
from potluck.audits.seen import Seen
from potluck.core.party import SERVER, Party
from potluck.core.plan import Plan, digest
from potluck.core.prose import listed
from potluck.core.rounds import Credentials, Exchange, Half, Inbox, Parcel, RoundId, Terms
from potluck.core.stages import Guarded
from potluck.core.wire import Signer, dump, load
from potluck.drivers.memory import Memory, new_run
from potluck.mpc.mask import messages as m
from potluck.mpc.mask.graph import shape_of, thresholds
from potluck.mpc.mask.protection import Mask, check
from potluck.tasks.sums.protections import row

MOST = 24
"""Sites of a plan that is played: each deals with each."""
LENGTH, BITS = 4, 64
"""Of what they give: zeros."""


@dataclass(frozen=True, slots=True)
class Split:
    """What came of the lie. alive, dead: sites that were told one and the other; answered: which of each gave shares;
    with_: sites of the coalition, which give both; least: shares that open a secret; causes: why the others refused."""

    victim: str
    alive: tuple[str, ...]
    dead: tuple[str, ...]
    answered: frozenset[str]
    with_: tuple[str, ...]
    least: int
    causes: tuple[str, ...]
    trusted: bool

    @property
    def of(self) -> frozenset[str]:
        """See `Found`."""
        return frozenset({self.victim})

    @property
    def opens(self) -> bool:
        """Whether shares of both secrets suffice."""
        return all(
            len(self.answered.intersection(some)) + len(self.with_) >= self.least for some in (self.alive, self.dead)
        )

    def judged(self, truth: Truth) -> Verdict:
        """Succeeded where the numbers of the site open. score: the fewer of both kinds of shares; baseline: one less
        than it takes."""
        shares = [len(self.answered.intersection(some)) + len(self.with_) for some in (self.alive, self.dead)]
        first, rest = listed(self.alive), listed(self.dead)
        told = f"a lying server tells {first} that {self.victim} gave, and {rest} that it vanished"
        mine = f", those of {listed(self.with_)} among them" if self.with_ else ""
        got = f"of the two secrets of its masks it has {shares[0]} and {shares[1]} shares{mine}; {self.least} open one"
        how = "played here, over zeros, by the program's own sites"
        if self.opens:
            why = "; the plan trusts its server to keep to the protocol" if self.trusted else ""
            words = f"{told}: {got}, so what {named(self.of)} gave lies open ({how}{why})"
        else:
            refused = f"; sites refused: {listed(self.causes)}" if self.causes else ""
            words = f"{told}: {got}{refused} ({how})"
        return Verdict(self.opens, words, float(min(shares)), float(self.least - 1))


@dataclass(frozen=True, slots=True)
class SurvivorSets:
    """See the module."""

    name: str = "survivors"
    sort: Sort = Sort.AGGREGATION
    reference: str = "Bonawitz et al. 2017, Practical Secure Aggregation, CCS, section 6.2"

    def fits(self, seen: Seen) -> str | None:
        """It needs the server, and sites that help to take masks off."""
        plan = seen.plan
        if not plan.traits.sums or row(plan).check is not check:
            return "no site helps to take off another one's masks"
        if "server" not in seen.names:
            return "the server is not one of these parties, and only it names who gave"
        if not shape_of(plan).complete or len(plan.sites) > MOST:
            return f"it is played with at most {MOST} sites"
        return None if len(_honest(plan, seen.names)) > 1 else "of one site alone the rest of the sum is what it gave"

    def tried(self, seen: Seen, until: Until) -> Sequence[Found]:
        """One round."""
        return [played(seen.plan, seen.names)]

    def control(self, seen: Seen, until: Until) -> Iterator[Scene]:
        """A plan that trusts its server, and accomplices."""
        plan = seen.plan
        many = len(plan.sites)
        trusting = msgspec.structs.replace(plan.federation, server="curious", corrupt=0, dropouts=1)
        least = thresholds(many, 0, 1, "curious")[1]
        enough = next((c for c in range(many - 1) if c + min(map(len, _groups(plan.sites[c:]))) >= least), None)
        if enough is not None and many > 2:
            names = frozenset({"server", *plan.federation.sites[:enough]})
            yield replace(seen, plan=msgspec.structs.replace(plan, federation=trusting), names=names), {}


def played(plan: Plan, names: frozenset[str]) -> Split:
    """A round of the plan's protocol, over zeros, in which the server lies about a site outside these."""
    shape = shape_of(plan)
    protection, memory = Mask(shape), Memory(plan.sites, digest(plan))
    terms = Terms(RoundId(new_run(), 1), digest(plan), "once", plan.sites, plan.fewest, LENGTH, BITS)
    with_ = tuple(one for one in plan.sites if one.name in names)
    alive, dead = _groups(_honest(plan, names))
    sets = {one: one in dead for one in plan.sites}
    seats = {one: memory.seat(one) for one in with_}
    server = _liar(protection.open(terms, memory.seat(SERVER)), terms, shape.lying, shape.least, alive[0], sets, seats)
    words = np.zeros(LENGTH, dtype=np.uint64)
    halves: dict[Party, Half[object]] = {SERVER: server}
    halves |= {one: protection.give(terms, memory.seat(one), Guarded(words)) for one in plan.sites}
    desks = memory.round(terms.round, halves)
    found = desks[SERVER].result
    answered = frozenset(one.name for one in found) if isinstance(found, frozenset) else frozenset()
    causes = sorted({str(desk.abort.cause) for one, desk in desks.items() if one != SERVER and desk.abort})
    return Split(
        alive[0].name, tuple(one.name for one in alive), tuple(one.name for one in dead), answered,
        tuple(one.name for one in with_), shape.least, tuple(causes), not shape.lying,
    )  # fmt: skip


def _honest(plan: Plan, names: frozenset[str]) -> list[Party]:
    return [one for one in plan.sites if one.name not in names]


def _groups(honest: Sequence[Party]) -> tuple[Sequence[Party], Sequence[Party]]:
    """Who is told that the first of them gave, itself among them, and who that it vanished: about as many."""
    half = 1 + max(0, len(honest) - 2) // 2
    return honest[:half], honest[half:]


def _liar(
    honest: Half[object],
    terms: Terms,
    lying: bool,
    least: int,
    victim: Party,
    dead: Mapping[Party, bool],
    seats: Mapping[Party, Credentials],
) -> Half[frozenset[Party]]:
    """The server's half: who answered. dead: of each site, whether it is told that the victim vanished; seats: of sites
    that sign whatever it takes."""
    exchange, heard = next(honest), dict[str, bytes]()
    while not any(one.label.step == m.SURVIVORS for one in exchange.send.values()):
        heard |= {one.label.step: bytes(one.body[:]) for one in exchange.send.values()}
        exchange = honest.send((yield exchange))
    honest.close()
    place = terms.sites.index(victim)
    told = {}
    for to, parcel in exchange.send.items():
        said = load(bytes(parcel.body[:]), m.Survivors)
        givers = tuple(one for one in said.givers if not (dead[to] and one == place))
        told[to] = m.Survivors(said.dealers, givers)
    step, bodies = m.SURVIVORS, {to: dump(said) for to, said in told.items()}
    if lying:
        signed = yield _asked(terms, step, m.SIGN, bodies)
        step, bodies = m.SIGNED, _signatures(terms, heard, told, signed, seats, least)
    answers = yield _asked(terms, step, m.UNMASK, bodies)
    return frozenset(answers.got)


def _asked(terms: Terms, step: str, answer: str, bodies: Mapping[Party, bytes]) -> Exchange:
    send = {to: Parcel(terms.label(step), body) for to, body in bodies.items()}
    return Exchange(terms.label(answer), send=send, expect=frozenset(send))


def _signatures(
    terms: Terms,
    heard: Mapping[str, bytes],
    told: Mapping[Party, m.Survivors],
    signed: Inbox,
    seats: Mapping[Party, Credentials],
    least: int,
) -> dict[Party, bytes]:
    """To each site what others signed who were told the same, and those who sign anything."""
    roster, dealers = m.roster_hash(terms, heard[m.ROSTER]), load(heard[m.RELAY], m.Relay).dealers
    bodies = {}
    for to in signed.got:
        statement = m.survivors_statement(terms, roster, dealers, told[to].givers)
        same = {
            one: load(body, m.Signed, one).signature
            for one, body in signed.got.items()
            if told[one].givers == told[to].givers
        }
        same |= {one: seat.sign(statement) for one, seat in seats.items()}
        signers = [Signer(terms.sites.index(one), same[one]) for one in terms.sites if one in same]
        bodies[to] = dump(m.Signatures(tuple(signers[:least])))
    return bodies


SURVIVOR_SETS = SurvivorSets()
