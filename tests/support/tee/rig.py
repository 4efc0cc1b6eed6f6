"""One round in an enclave for tests: the room in this process, or the real process; and hosts that lie."""

import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import potluck
from potluck.core.ledger import Volatile
from potluck.core.party import SERVER, site
from potluck.core.rounds import RoundId, Rule, Terms
from potluck.dp.noise import gaussian
from potluck.tee.attestation.attesters.simulated import simulate
from potluck.tee.attestation.demand import built_in
from potluck.tee.attestation.judge import Judge
from potluck.tee.attestation.workload import workload
from potluck.tee.host import Enclave
from potluck.tee.sum.compute import SumEnclave, operations
from potluck.tee.sum.protection import Tee
from potluck.testing.draws import seeded
from potluck.testing.protection import RoundContext
from support.hostile.tampering import altering

NOW = 1_790_000_000
CODE = workload()
SUM = Rule()
SERVE = f"""
import os, sys
sys.path.append({str(Path(potluck.__file__).parents[1])!r})
from potluck.tee import serve
plain = serve.operations

def modules(state):
    return [b"", "\\n".join(sorted(sys.modules)).encode()]

def attempt(state, code):
    try:
        exec(code.decode())
    except BaseException as error:
        return [b"", type(error).__name__.encode()]
    return [b"", b"done"]

serve.operations = lambda room: {{**plain(room), "tee.modules": modules, "tee.attempt": attempt}}
from potluck.parties.runners import enclave
enclave.%s()
"""


def program(begin="main"):
    """The real process with two operations more: what it has loaded, and an attempt at anything. begin: as `main`."""
    return [sys.executable, "-I", "-B", "-c", SERVE % begin, "simulated"]


def attest(data, code=CODE, now=NOW):
    return simulate(data, code, now)


def room(*seed, attest=attest, code=CODE):
    """An enclave's inside. One seed: one boot, so a second of it is the first rolled back."""
    return SumEnclave(seeded("room", *seed), attest, code, gaussian)


@dataclass
class Near:
    """Stands where the worker process does. hooks: op -> what is asked and answered instead."""

    room: SumEnclave
    hooks: dict = field(default_factory=dict)
    generation: int = 1
    asked: list = field(default_factory=list)

    def call(self, op, *buffers, deadline=0.0):
        self.asked.append((op, buffers))
        name = op.removeprefix("tee.")
        go = operations(self.room)[op]
        hook = self.hooks.get(name)
        return tuple(hook(lambda *more: go(None, *more), *buffers) if hook else go(None, *buffers))

    def close(self):
        pass


def near(inside=None, **hooks):
    """A host's handle on a room in this process."""
    enclave = Enclave()
    enclave._worker = Near(inside or room(), hooks)
    return enclave


def judge(demand=None, code=CODE, now=NOW):
    one = demand or built_in()
    return Judge(one.policy, one.hash, code, lambda: now)


def arrays(n, length=4, bits=64, seed=0):
    return list(np.random.default_rng(seed).integers(0, 2**bits, (n, length), dtype=f"u{bits // 8}"))


def terms_of(n, d=0, length=4, bits=64, number=1, once="once", run="run", rule=SUM):
    sites = tuple(site(f"s{i}") for i in range(n))
    return Terms(RoundId(run, number), b"d" * 32, once, sites, n - d, length, bits, rule)


def sitting(words, d=0, *, enclave=None, leaves=None, ledgers=None, bits=64, play=None, by=None, **said):
    """One round of as many sites as there are words. leaves: {index: the step at which it vanishes}."""
    terms = terms_of(len(words), d, len(words[0]), bits, **said)
    gone = {terms.sites[i]: step for i, step in (leaves or {}).items()}
    protection = Tee(by or judge(), None, enclave or near())
    return RoundContext(
        protection,
        terms,
        dict(zip(terms.sites, words, strict=True)),
        vanish=lambda party, round, step: gone.get(party) == step,
        ledgers=ledgers,
        play={SERVER: play} if play else {},
    )


def keep(n):
    """A ledger a site, for several rounds."""
    return {site(f"s{i}"): Volatile() for i in range(n)}


def telling(step, change):
    """A host that runs its half, but changes the bodies of one step: change(index of the receiver, body) -> body."""

    def altered(seat, to, now, body):
        return change(int(to.name[1:]), body) if now == step else body

    return altering(altered)


def stopped(desks):
    """By site index: (cause, whom it names, why) of those that stopped by themselves."""
    found = {}
    for party, desk in desks.items():
        if party != SERVER and desk.abort:
            found[int(party.name[1:])] = (desk.abort.cause, desk.abort.party, desk.abort.detail)
    return found


def left(sat, step):
    """Who sent a letter of a step."""
    return {move.sender for move in sat.transcript.moves if move.label.step == step and move.sender != SERVER}
