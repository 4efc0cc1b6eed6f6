"""The engine of the threshold sum, typed: keys, encryption and partial decryption, done in a process of its own.

Secret keys stay in the engine's process: a `Key` is a number there. Whatever may have come from a peer is checked by
`residues.read` before the engine sees it. The engine draws its own randomness.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from potluck.core.rounds import Abort, Cause
from potluck.he.sum.packing import Layout
from potluck.he.sum.parameters import LIFTED, PARTIAL, WIRE, WORD, Parameters
from potluck.he.sum.residues import Residues, add, common, dump, read
from potluck.secret.container import Secret

if TYPE_CHECKING:
    from potluck.engines.worker import Worker

BATCH = 32
"""Ciphertexts a call: some 16 MB, so that one call is short and its memory bounded."""


@dataclass(frozen=True, slots=True, eq=False)
class Key:
    """A key pair in the engine. public: b [2, N] as it travels; handle and generation: where its secret lies."""

    handle: int
    public: bytes = field(repr=False)
    generation: int


class Bfv:
    """One party's engine for one set of parameters. All methods raise Abort(ENGINE) where the engine fails."""

    def __init__(self, parameters: Parameters, worker: "Worker") -> None:
        self.parameters = parameters
        self._worker = worker
        towers = {"wire": WIRE, "lifted": LIFTED, "partial": PARTIAL}
        rest = {"ring": parameters.ring, "plain": parameters.plain, "moduli": parameters.moduli}
        self._wanted = json.dumps(rest | towers).encode()
        self._seed = b""
        self._common: Residues | None = None

    def keygen(self, seed: bytes) -> Key:
        """A fresh key pair under the common polynomial of `seed`: b = e - a s."""
        handle, public = self._call("keygen", dump(self._a(seed)))
        self._expect("keygen", public, self.parameters.key_bytes)
        return Key(int.from_bytes(handle, "little"), public, self._worker.generation)

    def encrypt(self, seed: bytes, joint: bytes, slots: NDArray[np.uint64]) -> bytes:
        """slots [c, N], each below t -> c ciphertexts [2, 2, N] under the joint key b [2, N].

        Raises Abort(MALFORMED): the joint key is no reduced polynomial.
        """
        read(joint, (WIRE, self.parameters.ring), self.parameters, None)
        a = dump(self._a(seed)[:WIRE])
        bodies = []
        for start in range(0, len(slots), BATCH):
            part = slots[start : start + BATCH]
            (body,) = self._call("encrypt", a, joint, dump(part))
            bodies.append(self._expect("encrypt", body, len(part) * self.parameters.ciphertext_bytes))
        return b"".join(bodies)

    def partial(self, key: Key, total: bytes | memoryview, lead: bool) -> bytes:
        """The partial decryption [c, N] of a sum of ciphertexts [c, 2, 2, N]. lead: exactly one party adds c0.

        Reveals: with all others' partials, the sum; alone nothing. Of one sum it is asked for ONCE: two floods of the
        same sum average out. Raises Abort(MALFORMED): not whole ciphertexts, or a residue is not reduced.
        """
        each = self.parameters.ciphertext_bytes
        read(total, (len(total) // each, 2, WIRE, self.parameters.ring), self.parameters, None)
        size = BATCH * each
        bodies = []
        for start in range(0, len(total), size):
            part = total[start : start + size]
            (body,) = self._call("partial", _number(key.handle), bytes([lead]), part, key=key)
            bodies.append(self._expect("partial", body, len(part) // (2 * WIRE)))
        return b"".join(bodies)

    def fuse(self, partials: Sequence[bytes | memoryview]) -> NDArray[np.uint64]:
        """All parties' partials, each [c, N] -> the slots [c, N] of the sum, each below t. They add up right here.

        Raises Abort(MALFORMED): lengths differ or a residue is not reduced.
        """
        ring = self.parameters.ring
        count = len(partials[0]) // self.parameters.partial_bytes
        total = np.zeros((count, PARTIAL, ring), np.uint64)
        for body in partials:
            add(total, read(body, (count, PARTIAL, ring), self.parameters, None), self.parameters)
        slots = np.empty((count, ring), np.uint64)
        for start in range(0, count, BATCH):
            part = total[start : start + BATCH]
            (body,) = self._call("fuse", dump(part))
            self._expect("fuse", body, len(part) * ring * WORD)
            slots[start : start + BATCH] = np.frombuffer(body, "<u8").reshape(-1, ring)
        return slots

    def export(self, key: Key) -> Secret:
        """The secret key [2, N] itself, as `rebuild` takes it.

        Reveals: everything that this key protects. With the keys of all others, every ciphertext under the joint key.
        """
        (body,) = self._call("export", _number(key.handle), key=key)
        return Secret(body)

    def rebuild(self, secret: Secret, seed: bytes, public: bytes) -> Key:
        """The key of a party that left, from its exported secret.

        Raises Abort(MALFORMED): `public` is no reduced polynomial. Raises Abort(KEYS): the key does not decrypt what is
        encrypted under `public`.
        """
        shape = (WIRE, self.parameters.ring)
        read(public, shape, self.parameters, None)
        wrong = Abort(Cause.KEYS, detail="the rebuilt key does not belong to its public key")
        try:
            read(secret.expose(), shape, self.parameters, None)
        except Abort:
            raise wrong from None
        (handle,) = self._call("rebuild", secret.expose(), dump(self._a(seed)[:WIRE]), public)
        if not handle:
            raise wrong
        return Key(int.from_bytes(handle, "little"), public, self._worker.generation)

    def forget(self, key: Key) -> None:
        """Drop the secret key; nothing happens if its engine is gone already."""
        if key.generation == self._worker.generation:
            self._worker.tell("bfv.forget", _number(key.handle))

    def _call(self, op: str, *buffers: bytes | memoryview, key: Key | None = None) -> tuple[bytes, ...]:
        """One call under these parameters. key: must have been made in the very process that is called."""
        self._worker.start()
        if key is not None and key.generation != self._worker.generation:
            raise Abort(Cause.ENGINE, step=f"bfv.{op}", detail="the engine was started again, its keys are gone")
        return self._worker.call(f"bfv.{op}", self._wanted, *(bytes(buffer) for buffer in buffers))

    def _a(self, seed: bytes) -> Residues:
        if self._common is None or self._seed != seed:
            self._seed, self._common = seed, common(seed, self.parameters)
        return self._common

    def _expect(self, op: str, body: bytes, size: int) -> bytes:
        if len(body) != size:
            raise Abort(Cause.ENGINE, step=f"bfv.{op}", detail=f"{len(body)} bytes where {size} were expected")
        return body


def _number(value: int) -> bytes:
    return value.to_bytes(WORD, "little")


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """What a party computes with: its engine with the round's parameters, how words lie in slots, the plan's numbers.

    least: shares that open a vault; recheck: whether each site adds up the ciphertexts itself.
    """

    engine: Bfv
    layout: Layout
    least: int
    recheck: bool

    @property
    def ciphertexts(self) -> tuple[int, int, int, int]:
        """The shape [c, 2, 2, N] of one site's ciphertexts, and of their sum."""
        return self.layout.ciphertexts, 2, WIRE, self.engine.parameters.ring
