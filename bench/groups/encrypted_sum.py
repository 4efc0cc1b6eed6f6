"""What a threshold sum costs: a million values of 20 bits, beside TenSEAL with the parameters that NVFLARE uses.

Three sites. Ours is exact and no single key opens it; NVFLARE gives every client the same key. Both are timed on one
thread with everything that a site does: from words to bytes for the wire, and back.
"""

import os
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import numpy as np

from harness.measure import Row, in_turns, less
from peers.libraries import silent
from potluck.core.rounds import Words
from potluck.engines.worker import Worker
from potluck.he.sum import parameters, residues
from potluck.he.sum.bfv import Bfv, Key
from potluck.he.sum.packing import Layout, pack, unpack

LENGTH = 1_000_000
BITS = 20
SITES = 3
TURNS = 5
SEED = bytes(32)
PEER = "TenSEAL 0.3.18 with NVFLARE's parameters (CKKS, symmetric, N=8192, 60/40/40)"
FLOOR_BYTES = 5.4
"""Ring of 32,768, moduli as short as 128-bit security and 40 bits of flooding allow for ten sites, bits packed."""
FLOAT32 = 4.0


class Ours:
    """Three sites with an engine each, their joint key, and the words that they give."""

    def __init__(self) -> None:
        chosen, layout = parameters.choose(BITS, LENGTH, SITES)
        self.layout: Layout = layout
        self.workers = [Worker("he") for _ in range(SITES)]
        self.engines = [Bfv(chosen, worker) for worker in self.workers]
        self.keys: list[Key] = [engine.keygen(SEED) for engine in self.engines]
        joint = np.zeros((parameters.WIRE, chosen.ring), np.uint64)
        for key in self.keys:
            residues.add(joint, residues.read(key.public, joint.shape, chosen, None), chosen)
        self.joint = residues.dump(joint)
        self.words = [np.frombuffer(os.urandom(4 * LENGTH), "<u4") & np.uint32((1 << BITS) - 1) for _ in range(SITES)]
        self.bodies = [self.encrypt(site) for site in range(SITES)]
        self.total = self.added()
        self.parts = [self.partial(site) for site in range(SITES)]

    def encrypt(self, site: int = 0) -> bytes:
        """Words -> bytes for the wire."""
        return self.engines[site].encrypt(SEED, self.joint, pack(self.words[site], self.layout))

    def added(self) -> bytes:
        """What a key holder, or the server, does with what the sites sent: check it, then add it up."""
        chosen = self.engines[0].parameters
        shape = (self.layout.ciphertexts, 2, parameters.WIRE, chosen.ring)
        total = np.zeros(shape, np.uint64)
        for body in self.bodies:
            residues.add(total, residues.read(body, shape, chosen, None), chosen)
        return residues.dump(total)

    def partial(self, site: int = 0) -> bytes:
        """One key holder's part of the decryption."""
        return self.engines[site].partial(self.keys[site], self.total, site == 0)

    def fused(self) -> Words:
        """What the server does with all parts: the sum."""
        return unpack(self.engines[0].fuse(self.parts), self.layout)

    def checked(self) -> None:
        """The opened sum is the plain sum."""
        plain = np.sum(self.words, axis=0, dtype=np.uint32) & np.uint32((1 << BITS) - 1)
        assert np.array_equal(self.fused(), plain)

    def close(self) -> None:
        """End the engines."""
        for worker in self.workers:
            worker.close()


class Peer:
    """TenSEAL as NVFLARE drives it: one symmetric key, one vector per model, serialised."""

    def __init__(self) -> None:
        self.ts = import_module("tenseal")
        kind = self.ts.SCHEME_TYPE.CKKS
        symmetric = self.ts.ENCRYPTION_TYPE.SYMMETRIC
        bits = [60, 40, 40]
        self.context = self.ts.context(kind, 8192, coeff_mod_bit_sizes=bits, encryption_type=symmetric, n_threads=1)
        self.context.global_scale = 2**40
        self.values = np.frombuffer(os.urandom(4 * LENGTH), "<u4") / 2.0**32
        self.bodies = [self.encrypt() for _ in range(SITES)]
        self.total = self.added()

    def encrypt(self) -> bytes:
        """Values -> bytes for the wire."""
        with silent():
            body: bytes = self.ts.ckks_vector(self.context, self.values).serialize()
        return body

    def added(self) -> Any:
        """Bytes -> the encrypted sum, a type of TenSEAL's."""
        with silent():
            first, *others = (self.ts.ckks_vector_from(self.context, body) for body in self.bodies)
        for other in others:
            first += other
        return first

    def opened(self) -> list[float]:
        """The decrypted sum."""
        found: list[float] = self.total.decrypt()
        return found


def rows() -> Iterator[Row]:
    """Bytes a parameter, then seconds to encrypt, add and decrypt."""
    ours, peer = Ours(), Peer()
    ours.checked()
    assert np.allclose(peer.opened(), SITES * peer.values, atol=1e-4)
    what, unit = f"threshold sum d=1e6 {BITS} bits n={SITES}", "B a parameter"
    sent, part, theirs = (len(body) / LENGTH for body in (ours.bodies[0], ours.parts[0], peer.bodies[0]))
    yield less(f"{what}, ciphertext: goal", (sent, 5 * FLOAT32), "5 x float32 (goal)", unit, goal=1.0)
    yield less(f"{what}, ciphertext: peer", (sent, theirs), PEER, unit)
    yield less(f"{what}, ciphertext: floor", (sent, FLOOR_BYTES), "shortest moduli, bits packed (floor)", unit)
    yield less(f"{what}, ciphertext and partial decryption", (sent + part, theirs), PEER, unit)
    first, second = in_turns(TURNS, ours.encrypt, peer.encrypt)
    yield less(f"{what}, encrypt", (first, second), PEER, "s", goal=1 / 0.75)
    first, second = in_turns(TURNS, ours.added, peer.added)
    yield less(f"{what}, check or parse, and add", (first, second), PEER, "s")
    first, second = in_turns(TURNS, lambda: (ours.partial(), ours.fused()), peer.opened)
    yield less(f"{what}, one partial decryption and the join", (first, second), f"decryption by {PEER}", "s")
    ours.close()
