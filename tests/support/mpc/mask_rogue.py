"""A lying server for attack tests: it runs the protocol but tells each site what a hook says, and keeps all it learns.

Corrupt sites are its accomplices: it knows their secrets, signs in their name, and adds the shares they hold.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from potluck.core.party import SERVER, site
from potluck.core.rounds import Credentials, Exchange, Parcel, RoundId, Terms
from potluck.core.wire import dump, load, unpack
from potluck.mpc.mask import messages as m
from potluck.mpc.mask.graph import Shape, thresholds
from potluck.mpc.mask.notes import ROOT, SEED, open_half, open_shares
from potluck.mpc.mask.pairs import Root, pair_mask, self_mask, session
from potluck.mpc.mask.protection import Mask
from potluck.mpc.mask.roster import fresh, table
from potluck.secret.box import SEED as BOX_SEED
from potluck.secret.box import BoxKey
from potluck.secret.container import Secret
from potluck.secret.context import Receivers
from potluck.secret.keys import Roster, SigningKey
from potluck.secret.shamir import SIZE, join
from potluck.secret.statement import indices
from potluck.secret.stream import digest
from potluck.testing.draws import seeded
from potluck.testing.protection import RoundContext
from support.mpc.masked import masked

Hook = Callable[[int, Any], Any]


def by_site(notes):
    """Notes by their other end."""
    return {addressed.site: addressed.note for addressed in notes}


def honest(to, message):
    return message


@dataclass
class Rogue:
    """hooks: (receiver's index, honest message) -> what is sent instead, None for nothing."""

    shape: Shape
    terms: Terms
    corrupt: frozenset[int] = frozenset()
    roster: Hook = honest
    relay: Hook = honest
    survivors: Hook = honest
    signatures: Hook = honest
    shares: dict[tuple[int, str], dict[int, Secret]] = field(default_factory=lambda: defaultdict(dict))
    replied: dict[int, list[tuple[int, str]]] = field(default_factory=dict)
    inputs: dict[int, Any] = field(default_factory=dict)

    def play(self, seat, half):
        half.close()
        return self._run(seat)

    def _ask(self, step, bodies, answer):
        send = {
            self.terms.sites[to]: Parcel(self.terms.label(step), body)
            for to, body in bodies.items()
            if body is not None
        }
        expect = frozenset(send) if bodies else frozenset(self.terms.sites)
        inbox = yield Exchange(self.terms.label(answer), send=send, expect=expect)
        return {self.terms.sites.index(party): body for party, body in inbox.got.items()}

    def _each(self, hook, bodies):
        changed = {to: hook(to, message) for to, message in bodies.items()}
        return {to: None if message is None else dump(message) for to, message in changed.items()}

    def _run(self, seat):
        self.key = BoxKey(Secret(seat.draw(BOX_SEED)))
        adverts = yield from self._ask("", {}, m.ADVERTISE)
        listed = tuple(m.Listed(i, load(adverts[i], m.Advert)) for i in sorted(adverts))
        rosters = self._each(self.roster, dict.fromkeys(adverts, m.Roster(self.key.public, listed)))
        self.table = table(self.shape, self.terms, dump(m.Roster(self.key.public, listed)))

        shared = yield from self._ask(m.ROSTER, rosters, m.SHARE)
        self.dealt = {i: load(body, m.Dealt) for i, body in shared.items()}
        dealers = tuple(sorted(self.dealt))
        notes = {
            to: tuple(m.Addressed(i, n.note) for i in dealers for n in self.dealt[i].notes if n.site == to)
            for to in dealers
        }
        relays = self._each(self.relay, {to: m.Relay(dealers, notes[to]) for to in dealers})
        sealed = yield from self._ask(m.RELAY, relays, m.INPUT)
        for i, body in sealed.items():
            self.inputs[i] = unpack(self._opened(i, body, m.INPUT), self.terms.length, self.terms.bits)
        for i in self.corrupt & self.dealt.keys():
            self._betray(i)

        givers = tuple(sorted(sealed))
        told = {to: m.Survivors(digest(indices(dealers)), givers) for to in givers}
        told = {to: self.survivors(to, message) for to, message in told.items()}
        bodies = {to: None if message is None else dump(message) for to, message in told.items()}
        step, answers = m.SURVIVORS, bodies
        if self.shape.lying:
            signed = yield from self._ask(m.SURVIVORS, bodies, m.SIGN)
            step, answers = m.SIGNED, self._signatures(dealers, told, signed)
        replies = yield from self._ask(step, answers, m.UNMASK)
        for i, body in replies.items():
            self._learn(i, body)

    def _signatures(self, dealers, told, signed):
        """To each site the signatures of all who saw the same survivors, and those of its accomplices on anything."""
        valid = {i: load(body, m.Signed).signature for i, body in signed.items() if i not in self.corrupt}
        bodies = {}
        for to, message in told.items():
            if to not in signed:
                continue
            statement = m.survivors_statement(self.terms, self.table.hash, dealers, message.givers)
            same = {i: s for i, s in valid.items() if told[i].givers == message.givers}
            same |= {i: seat_of(self.terms, self.terms.sites[i]).sign(statement) for i in self.corrupt}
            among = self.table.graph.holders[to]
            signers = tuple(m.Signer(i, same[i]) for i in sorted(same) if i in among)
            bodies[to] = m.Signatures(signers)
        return self._each(self.signatures, bodies)

    def _learn(self, holder, body):
        """Sort a reply by what its commitments say it is. An honest site's reply has one share a dealer."""
        opened = self._opened(holder, body, m.UNMASK)
        self.replied[holder] = []
        for start in range(0, len(opened), SIZE):
            share = Secret(opened[start : start + SIZE])
            dealer, kind = self._whose(holder, share)
            self.replied[holder].append((dealer, kind))
            self.shares[dealer, kind][holder + 1] = share

    def _opened(self, sender, body, step):
        party = self.terms.sites[sender]
        return Receivers(self.key).opened(party, body, 0, m.server_info(self.table.hash, party), step.encode())

    def _whose(self, holder, share):
        for dealer in self.dealt:
            kept = self._kept(dealer, holder)
            ends = (self.terms.sites[dealer], self.terms.sites[holder])
            for kind, promised in ((ROOT, kept and kept.root), (SEED, kept and kept.seed)):
                if m.commitment(self.table.hash, *ends, kind, share) == promised:
                    return dealer, kind
        raise AssertionError("a share that nobody dealt")

    def _kept(self, dealer, holder):
        if dealer == holder:
            return self.dealt[dealer].own
        note = by_site(self.dealt[dealer].notes).get(holder)
        return note.shares.kept if note and note.shares else None

    def _betray(self, index):
        """An accomplice hands over both shares of everybody."""
        party = self.terms.sites[index]
        own = fresh(self.shape, self.terms, seat_of(self.terms, party))
        for dealer, dealt in self.dealt.items():
            note = by_site(dealt.notes).get(index)
            if note and note.shares:
                held = open_shares(self.table, self.terms.sites[dealer], party, own.channel, note.shares)
                self.shares[dealer, ROOT][index + 1] = held.root
                self.shares[dealer, SEED][index + 1] = held.seed

    def opens(self, victim):
        """The victim's words, if shares of both its secrets suffice; else None. The whole attack, carried out."""
        least = self.shape.least
        roots, seeds = self.shares[victim, ROOT], self.shares[victim, SEED]
        if victim not in self.inputs or min(len(roots), len(seeds)) < least:
            return None
        root = Root(join(dict(list(roots.items())[:least]), least), session(self.terms))
        seed = join(dict(list(seeds.items())[:least]), least)
        mine = self.table.adverts[victim].public
        plus, minus = [], [self_mask(seed, session(self.terms), mine)]
        for j in self.table.graph.pairs[victim]:
            theirs = self.table.adverts[j].public
            agreed = root.agreement.agree(theirs[0])
            if victim < j:
                half, ends = root.toward(self.terms.sites[j]), (mine, theirs)
            else:
                note = by_site(self.dealt[j].notes)[victim].half
                half = open_half(self.table, self.terms.sites[j], self.terms.sites[victim], root, note)
                ends = (theirs, mine)
            key = pair_mask(agreed, half, session(self.terms), *ends)
            (minus if victim < j else plus).append(key)
        return masked(self.inputs[victim], plus, minus)


def signing_keys(sites):
    """The long-term keys that `RoundContext` makes, in its order."""
    draw = seeded("keys")
    return {party: SigningKey(Secret(draw(32))) for party in (SERVER, *sites)}


def seat_of(terms, party, keys=None):
    """A corrupt site's seat: `RoundContext` seeds its randomness by party and round, so an accomplice can repeat it."""
    keys = keys or signing_keys(terms.sites)
    roster = Roster({other: key.public for other, key in keys.items()})
    draw = seeded(str(party), terms.round.run, terms.round.number)
    return Credentials(party, draw, keys[party].sign, roster.verify, roster.public)


def attack(n, c, d, server="lying", *, least=None, corrupt=(), number=1, once="once", ledgers=None, **hooks):
    """One round under a lying server; `least` overrides the threshold. Returns (rogue, desks, sitting)."""
    sites = tuple(site(f"s{i}") for i in range(n))
    picks, t = thresholds(n, c, d, server)
    shape = Shape(n, picks, least or t, server == "lying")
    terms = Terms(RoundId("run", number), b"d" * 32, once, sites, n - d, 4, 32)
    words = dict(zip(sites, np.random.default_rng(1).integers(0, 2**32, (n, 4), dtype="<u4"), strict=True))
    rogue = Rogue(shape, terms, frozenset(corrupt), **hooks)
    sat = RoundContext(Mask(shape), terms, words, play={SERVER: rogue.play}, ledgers=ledgers)
    return rogue, sat.run(), sat


def assert_no_site_gave_both(rogue):
    """Of each peer an honest site gave one share or none."""
    for holder, shares in rogue.replied.items():
        if holder not in rogue.corrupt:
            dealers = [dealer for dealer, _ in shares]
            assert len(dealers) == len(set(dealers))


def causes(desks, indices=None):
    """Why each site stopped: (cause, whom it names) by index; absent where it did not."""
    found = {}
    for party, desk in desks.items():
        if party != SERVER and desk.abort is not None:
            found[int(party.name[1:])] = (desk.abort.cause, desk.abort.party)
    return found if indices is None else {i: found.get(i) for i in indices}
