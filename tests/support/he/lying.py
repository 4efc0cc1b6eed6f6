"""A corrupt site's engine for attack tests: its answers are turned around, so that all it sends is still signed."""

import numpy as np

from potluck.he.sum.bfv import Bfv
from potluck.he.sum.residues import dump as flat
from potluck.secret.container import Secret
from support.he.rogue import sitting


class Lying(Bfv):
    """An engine whose answers are turned around by what a test chose: {operation: answer -> answer}."""

    def __init__(self, engine, turns):
        super().__init__(engine.parameters, engine._worker)
        self.turns = turns

    def turned(self, op, body):
        return self.turns.get(op, lambda body, parameters: body)(body, self.parameters)

    def keygen(self, seed):
        key = super().keygen(seed)
        return type(key)(key.handle, self.turned("keygen", key.public), key.generation)

    def encrypt(self, seed, joint, slots):
        return self.turned("encrypt", super().encrypt(seed, joint, slots))

    def partial(self, key, total, lead):
        return self.turned("partial", super().partial(key, total, lead))

    def export(self, key):
        return Secret(self.turned("export", super().export(key).expose()))


def lie(workers, liar, turns, *, n=5, d=1, leaves=None, **more):
    """One round in which one site's engine lies."""
    return sitting(workers, n, d, leaves=leaves, rigs={liar: lambda engine: Lying(engine, turns)}, **more)


def noise(towers):
    """A turn: residues below their primes, but of nothing."""

    def turn(body, parameters):
        shape = (-1, towers, parameters.ring)
        rng = np.random.default_rng(3)
        found = np.frombuffer(body, "<u8").reshape(shape).copy()
        for tower, q in enumerate(parameters.moduli[:towers]):
            found[:, tower] = rng.integers(0, q, found[:, tower].shape, dtype=np.uint64)
        return flat(found)

    return turn


NONSENSE = {
    "nothing": lambda body, parameters: b"",
    "too short": lambda body, parameters: body[:-1],
    "a residue too short": lambda body, parameters: body[:-8],
    "too long": lambda body, parameters: body + bytes(8),
    "twice": lambda body, parameters: body * 2,
    "a residue that is its prime": lambda body, parameters: parameters.moduli[0].to_bytes(8, "little") + body[8:],
    "a last residue beyond its prime": lambda body, parameters: body[:-8] + b"\xff" * 8,
    "all ones": lambda body, parameters: b"\xff" * len(body),
}
