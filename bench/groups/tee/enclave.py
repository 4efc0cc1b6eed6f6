"""What the enclave costs: sealing and opening 64 MiB, and a whole round of `tee` beside the same round of `clear`.

All in memory on one machine, with the enclave's real process (simulated evidence). A round holds challenge, evidence,
its verification by every owner, sealing, opening, two signatures a site, and the pipes between host and enclave.
"""

import os
from collections.abc import Iterator

import numpy as np

from harness.measure import Row, in_turns, less
from potluck.core.party import SERVER, site
from potluck.core.rounds import RoundId, Sum, Terms
from potluck.core.stages import Guarded, Opened
from potluck.drivers.memory import Memory, new_run
from potluck.mpc.clear.protection import Clear
from potluck.secret.box import SEED, BoxKey, PublicBoxKey
from potluck.secret.container import Secret
from potluck.tee.attestation.demand import built_in
from potluck.tee.attestation.judge import Judge
from potluck.tee.attestation.workload import workload
from potluck.tee.host import program
from potluck.tee.sum.protection import Tee

MIB = 1 << 20
SEALED = 64 * MIB
GOAL_S = 0.150
NOW = 1_790_000_000
SITES = 4
LENGTHS = {"d=1e4": (10_000, 15), "d=1e6": (1_000_000, 5)}
"""Words of 64 bits, and turns."""


class Federation:
    """Sites with their words, and one protection that may open them again and again."""

    def __init__(self, protection: Sum, length: int) -> None:
        self.protection = protection
        self.sites = tuple(site(f"s{index}") for index in range(SITES))
        self.length = length
        self.words = [np.frombuffer(os.urandom(8 * length), "<u8") for _ in self.sites]
        self.total = np.sum(self.words, axis=0, dtype=np.uint64)
        self.run = new_run()
        self.number = 0
        self.memory = Memory(self.sites, bytes(32))

    def round(self) -> None:
        """One sum, checked. Ledgers and keys are those of the whole run, as between the rounds of a training."""
        self.number += 1
        round_ = RoundId(self.run, self.number)
        terms = Terms(round_, bytes(32), str(self.number), self.sites, SITES, self.length, 64)
        seat, guarded = self.memory.seat, dict(zip(self.sites, map(Guarded, self.words), strict=True))
        halves = {one: self.protection.give(terms, seat(one), guarded[one]) for one in self.sites}
        desks = self.memory.round(round_, {SERVER: self.protection.open(terms, seat(SERVER)), **halves})
        opened = desks[SERVER].result
        assert isinstance(opened, Opened)
        assert np.array_equal(opened.words, self.total)


def tee() -> Tee:
    """The protection with the enclave's own process, under the built-in policy."""
    demand = built_in()
    return Tee(Judge(demand.policy, demand.hash, workload(), _clock), program("simulated"))


def _clock() -> int:
    return NOW


def rows() -> Iterator[Row]:
    """Seconds to seal and to open; then seconds a round."""
    key = BoxKey(Secret(os.urandom(SEED)))
    public, plain = PublicBoxKey(key.public), os.urandom(SEALED)
    box = public.seal(plain, b"info")
    assert key.unseal(box, b"info") == plain
    seal, unseal = in_turns(7, lambda: public.seal(plain, b"info"), lambda: key.unseal(box, b"info"))
    yield less("seal 64 MiB to an enclave", (seal, GOAL_S), f"{GOAL_S * 1000:g} ms (goal)", "s", goal=1.0)
    yield less("open 64 MiB in an enclave", (unseal, GOAL_S), f"{GOAL_S * 1000:g} ms", "s")
    for name, (length, turns) in LENGTHS.items():
        enclosed, plainly = Federation(tee(), length), Federation(Clear(), length)
        ours, floor = in_turns(turns, enclosed.round, plainly.round)
        yield less(f"round of tee, {SITES} sites in memory, {name}", (ours, floor), "clear (floor)", "s")
