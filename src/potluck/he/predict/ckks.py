"""The engine of private prediction, typed: keys, encryption and evaluation, done in a process of its own.

The client's secret key and the owner's model stay in the engines' processes. Whatever came from a peer was
authenticated and measured before it is given to this stub. The engine draws its own randomness.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from potluck.core.rounds import Abort, Cause
from potluck.core.stages import Floats
from potluck.he.predict.circuit import Compiled, Layout
from potluck.he.predict.levels import FRAME, Levels

if TYPE_CHECKING:
    from potluck.engines.worker import Worker

PATIENCE = 600.0
"""Seconds for one call: a row through the deepest set takes some."""


class Ckks:
    """One party's engine for one set of parameters. All methods raise Abort(ENGINE) where the engine fails.

    Its state is one run's: once the engine's process is another one, keys and models are gone and calls abort.
    """

    def __init__(self, levels: Levels, worker: "Worker") -> None:
        row = {"depth": levels.depth, "ring": levels.ring, "scale": levels.scale, "first": levels.first}
        switching = {"digits": levels.digits, "digit": levels.digit}
        self._levels = levels
        self._worker = worker
        worker.call("ckks.open", json.dumps(row | switching, sort_keys=True).encode(), deadline=PATIENCE)
        self._generation = worker.generation

    def keys(self, layout: Layout) -> Iterator[bytes]:
        """The client's fresh keys as they travel: public, for products if any are made, and groups of rotations.

        The secret key stays in the engine, in the place of the one before. Each is made when it is asked for.
        """
        sizes = key_sizes(layout)
        bodies = self._call("keygen", bytes([layout.multiply]))
        self._measure(bodies, sizes[: len(bodies)])
        yield from bodies
        for group, size in zip(rotation_groups(layout), sizes[len(bodies) :], strict=True):
            bodies = self._call("turnkeys", json.dumps(group).encode())
            self._measure(bodies, [size])
            yield from bodies

    def encrypt(self, layout: Layout, slots: Floats) -> list[bytes]:
        """slots [c, N / 2], each within [-1, 1] -> c ciphertexts at the layout's first level, under the secret key."""
        bodies = self._call("encrypt", bytes([layout.start]), np.ascontiguousarray(slots, "<f8").tobytes())
        self._measure(bodies, [self._levels.ciphertext(layout.start)] * len(slots))
        return list(bodies)

    def decrypt(self, ciphertexts: Sequence[bytes]) -> Floats:
        """c ciphertexts -> slots [c, N / 2]. Reveals, to whom its result is shown, part of the key: to nobody else."""
        (body,) = self._call("decrypt", *ciphertexts)
        if len(body) != len(ciphertexts) * self._levels.slots * 8:
            raise Abort(Cause.ENGINE, detail="another number of slots")
        return np.frombuffer(body, "<f8").reshape(len(ciphertexts), self._levels.slots)

    def accept(self, layout: Layout, keys: Iterable[bytes], before: int = 0) -> None:
        """Take the client's public keys, as `keys` gave them. before: how many of them were taken in earlier calls."""
        for place, body in enumerate(keys, before):
            self._call(
                "accept" if place == 0 else "accept_products" if place <= layout.multiply else "accept_turns", body
            )

    def model(self, compiled: Compiled, counts: Sequence[int]) -> None:
        """Encode a model ahead. counts: how many rows blocks have."""
        self._call("model", compiled.text(counts), *compiled.buffers)

    def score(self, rows: int, ciphertexts: Sequence[bytes]) -> list[bytes]:
        """A block of so many rows -> its encrypted scores, re-randomised under the client's key."""
        return list(self._call("score", rows.to_bytes(4, "little"), *ciphertexts))

    def _call(self, op: str, *buffers: bytes) -> tuple[bytes, ...]:
        if self._worker.generation != self._generation or self._worker.pid is None:
            raise Abort(Cause.ENGINE, detail="the engine was started again, its keys are gone")
        return self._worker.call(f"ckks.{op}", *buffers, deadline=PATIENCE)

    def _measure(self, bodies: Sequence[bytes], sizes: Sequence[int]) -> None:
        if not fits(bodies, sizes):
            raise Abort(Cause.ENGINE, detail="buffers of another size than planned")


def fits(bodies: Sequence[bytes], sizes: Sequence[int]) -> bool:
    """Whether each body has its size, but for the engine's framing."""
    pairs = zip(bodies, sizes, strict=False)
    return len(bodies) == len(sizes) and all(size <= len(body) <= size + FRAME for body, size in pairs)


def rotation_groups(layout: Layout) -> list[tuple[int, ...]]:
    """Rotations whose keys travel together."""
    size, turns = layout.keys_together, layout.rotations
    return [turns[at : at + size] for at in range(0, len(turns), size)]


def key_sizes(layout: Layout) -> list[int]:
    """Bytes of each of the client's keys, as `Ckks.keys` lists them, the framing left out."""
    levels = layout.levels
    turns = [len(group) * levels.switch for group in rotation_groups(layout)]
    return [levels.ciphertext(0), *([levels.switch] if layout.multiply else []), *turns]
