"""Hostile parties of the threshold sum: a server that alters what it says, sites whose engine does as they like.

A corrupt site computes with a `Bfv` of its own, so that all it sends is still properly signed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from potluck.core.party import SERVER, Party, site
from potluck.core.rounds import Credentials, RoundId, Terms
from potluck.core.stages import Guarded
from potluck.core.wire import dump, load
from potluck.he.sum import messages as m
from potluck.he.sum import server
from potluck.he.sum import site as site_half
from potluck.he.sum.bfv import Bfv, Setting
from potluck.he.sum.parameters import PARTIAL, WIRE
from potluck.he.sum.protection import He
from potluck.he.sum.residues import dump as flat
from potluck.testing.protection import AnyHalf, RoundContext
from support.hostile.tampering import altering
from support.mpc.mask_rogue import causes

ANSWERS = {m.ROSTER: m.Roster, m.RELAY: m.Relay, m.SURVIVORS: m.Survivors, m.MISSING: m.Missing}
Rig = Callable[[Bfv], Bfv]


@dataclass(frozen=True)
class Rigged:
    """The protection `he`, but some parties compute with an engine of their own."""

    he: He
    rigs: Mapping[Party, Rig] = field(default_factory=dict)

    def helpers(self) -> tuple[Party, ...]:
        return ()

    def setting(self, terms: Terms, party: Party) -> Setting:
        found = self.he._setting(terms, party)
        rig = self.rigs.get(party)
        return found if rig is None else Setting(rig(found.engine), found.layout, found.least, found.recheck)

    def give(self, terms: Terms, me: Credentials, guarded: Guarded) -> AnyHalf:
        return site_half.give(self.setting(terms, me.party), terms, me, guarded)

    def open(self, terms: Terms, me: Credentials) -> AnyHalf:
        return server.open_sum(self.setting(terms, me.party), terms, me)

    def assist(self, terms: Terms, me: Credentials) -> AnyHalf:
        yield from ()


def sitting(workers, n=3, d=0, c=0, *, recheck=True, number=1, once="once", length=4, leaves=None, rigs=None, **more):
    """One round of n sites; leaves: {index: the step at which it vanishes}; rigs: {index: engine -> engine}."""
    sites = tuple(site(f"s{i}") for i in range(n))
    terms = Terms(RoundId("run", number), b"d" * 32, once, sites, n - d, length, 32)
    words = dict(zip(sites, np.random.default_rng(1).integers(0, 2**32, (n, length), dtype="<u4"), strict=True))
    gone = {sites[i]: step for i, step in (leaves or {}).items()}
    he = He(min(n - d, max(c + 1, n // 2 + 1)), recheck, workers)
    protection = Rigged(he, {sites[i] if i >= 0 else SERVER: rig for i, rig in (rigs or {}).items()})
    return RoundContext(protection, terms, words, vanish=lambda party, round, step: gone.get(party) == step, **more)


def rogue(hooks):
    """A server that runs its half, but says something else. hooks: {step: (receiver's index, message) -> message}."""

    def change(seat, to, step, body):
        if step not in hooks:
            return body
        return dump(hooks[step](int(to.name[1:]), load(body, ANSWERS[step])))

    return altering(change)


def attack(workers, hooks, **more):
    """One round under such a server. Returns (desks, sitting)."""
    sat = sitting(workers, **more)
    sat.play = {SERVER: rogue(hooks)}
    return sat.run(), sat


def refused(workers, step, hook, cause, *, gives=m.PARTIAL, n=4, d=1, leaves=None, **more):
    """Claims: every site that is still there stops with the cause, names the server, and sends nothing of `gives`."""
    desks, sat = attack(workers, {step: hook}, n=n, d=d, leaves=leaves, **more)
    staying = set(range(n)) - (leaves or {}).keys()
    found = causes(desks)
    assert {i: found.get(i) for i in staying} == dict.fromkeys(staying, (cause, SERVER))
    assert not left(sat, gives)
    return sat


def other(to):
    return 0 if to else 1


def me(to):
    return to


def shifted(part):
    """Another polynomial, each residue below its prime."""
    return bytes([part[0] ^ 1]) + part[1:]


def left(sat, step):
    """The sites that sent this step, by index."""
    return {int(move.sender.name[1:]) for move in sat.transcript.moves if move.label.step == step}


def said(sat, step, schema):
    """What the server read of each site in this step: {index: message}."""
    return {int(sender.name[1:]): load(body, schema) for at, sender, _, body in sat.transcript.bodies if at == step}


def setting_of(sat, index):
    """What a site computes with; index -1 is the server."""
    return sat.protection.he._setting(sat.terms, sat.terms.sites[index] if index >= 0 else SERVER)


class Spied(Bfv):
    """An engine that does as it should, and tells the test what it held: secret keys, public keys, ciphertexts."""

    def __init__(self, engine: Bfv) -> None:
        super().__init__(engine.parameters, engine._worker)
        self.secrets: list[bytes] = []
        self.keys, self.publics, self.ciphertexts = [], [], []

    def keygen(self, seed):
        key = super().keygen(seed)
        self.secrets.append(super().export(key).expose())
        self.keys.append(key)
        self.publics.append(key.public)
        return key

    def encrypt(self, seed, joint, slots):
        body = super().encrypt(seed, joint, slots)
        self.ciphertexts.append(body)
        return body


class Spies:
    """Spied engines by index, made when their party sets up: `rigs=spies.rigs(3)`."""

    def __init__(self) -> None:
        self.by_index: dict[int, Spied] = {}

    def rigs(self, n):
        return {i: lambda engine, i=i: self.by_index.setdefault(i, Spied(engine)) for i in range(n)}

    def secret(self, index):
        return self.by_index[index].secrets[-1]


def crafted(parameters, factor, shape):
    """Ciphertexts [c, 2, 2, N] with c0 = 0 and c1 = the constant `factor`: what asks for factor * secret key."""
    found = np.zeros(shape, np.uint64)
    for tower, q in enumerate(parameters.moduli[:WIRE]):
        found[:, 1, tower] = factor % q  # a constant has the same value everywhere
    return flat(found)


def rows(body, parameters, towers=PARTIAL):
    """A body of residues [c, towers, N]."""
    return np.frombuffer(body, "<u8").reshape(-1, towers, parameters.ring)
