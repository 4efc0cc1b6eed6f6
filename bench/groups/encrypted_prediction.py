"""What a private prediction costs: 4,096 rows by a logistic model, one row by a network, beside TenSEAL doing the same.

Everything is timed as the parties do it, on one thread: the client from features to bytes for the wire, the owner from
bytes to bytes, the client from bytes to scores. Keys and encoded weights are made once, before.
"""

from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any, Literal

import numpy as np

from harness.measure import Row, in_turns, less
from harness.networks import drawn
from peers.libraries import silent
from potluck.core.predicting import Net
from potluck.core.stages import Floats
from potluck.engines.worker import Worker
from potluck.he.predict.circuit import compile
from potluck.he.predict.ckks import Ckks
from potluck.he.predict.client import margins_of, slots_of

ROWS = 4096
WIDE = (30, 1)
DEEP = (784, 64, 10)
OFTEN, MANY, FEW = 15, 5, 3
GOAL = 0.150
"""Seconds of the owner, for one row of the network."""
CLOSE = 1e-2
LOGISTIC = "TenSEAL 0.3.18 (N=8192, 50/40/50, one feature a ciphertext)"
NETWORK = "TenSEAL 0.3.18 (N=8192, 44/34/34/34/44, vector times matrix)"


def plain(net: Net, features: Floats) -> Floats:
    """Margins in the clear; activations are squares."""
    first, *others = net.layers
    found = features @ first.weights.T + first.bias
    for layer in others:
        found = found**2 @ layer.weights.T + layer.bias
    return found


class Ours:
    """An owner and a client, an engine each."""

    def __init__(self, net: Net, mode: Literal["batch", "single"], rows: int) -> None:
        compiled = compile(net, mode, rows)
        self.layout, self.bound, self.exponent = compiled.layout, compiled.bound, compiled.exponent
        self.features = np.random.default_rng(1).uniform(0, 1, (rows, len(net.low)))
        self.blocks = self.layout.blocks(rows)
        self.workers = [Worker("he"), Worker("he")]
        self.client, self.owner = (Ckks(self.layout.levels, worker) for worker in self.workers)
        self.owner.model(compiled, self.blocks)
        keys = [*self.client.keys(self.layout)]
        self.keys = sum(map(len, keys))
        self.owner.accept(self.layout, keys)
        self.asked = self.encrypted()
        self.answered = self.scored()

    def encrypted(self) -> list[list[bytes]]:
        """Features -> bytes, a block after another."""
        parts = np.split(self.features, np.cumsum(self.blocks)[:-1])
        return [self.client.encrypt(self.layout, slots_of(self.layout, part)) for part in parts]

    def scored(self) -> list[list[bytes]]:
        """What the owner does."""
        return [self.owner.score(rows, block) for rows, block in zip(self.blocks, self.asked, strict=True)]

    def read(self) -> Floats:
        """Bytes -> margins."""
        pairs = zip(self.blocks, self.answered, strict=True)
        found = [margins_of(self.layout, self.client.decrypt(block), rows) for rows, block in pairs]
        return np.vstack(found) * 2.0**self.exponent

    def close(self) -> None:
        """End the engines."""
        for worker in self.workers:
            worker.close()


class Peer:
    """TenSEAL, on one thread. One row as a vector, or many as a batch: one feature a ciphertext, no rotations."""

    def __init__(self, net: Net, features: Floats, bits: Sequence[int], scale: int, batch: bool) -> None:
        self.ts = import_module("tenseal")
        kind = self.ts.SCHEME_TYPE.CKKS
        symmetric = self.ts.ENCRYPTION_TYPE.SYMMETRIC
        self.context = self.ts.context(
            kind, 8192, coeff_mod_bit_sizes=list(bits), encryption_type=symmetric, n_threads=1
        )
        self.context.global_scale = 2**scale
        if not batch:
            self.context.generate_galois_keys()
        self.batch = batch
        self.layers = [(layer.weights.T.tolist(), layer.bias.tolist()) for layer in net.layers]
        self.features: list[list[float]] = features.tolist()
        self.keys = len(self.context.serialize(save_secret_key=False))
        self.asked = self.encrypted()
        self.answered = self.scored()

    def encrypted(self) -> bytes:
        """Features -> bytes."""
        if self.batch:
            tensor = self.ts.plain_tensor([[row] for row in self.features])
            body: bytes = self.ts.ckks_tensor(self.context, tensor, batch=True).serialize()
        else:
            body = self.ts.ckks_vector(self.context, self.features[0]).serialize()
        return body

    def scored(self) -> bytes:
        """What the owner does."""
        with silent():
            read = self.ts.ckks_tensor_from if self.batch else self.ts.ckks_vector_from
            found = read(self.context, self.asked)
            for place, (weights, bias) in enumerate(self.layers):
                found = found * found if place else found
                found = found.mm(weights) + bias
            body: bytes = found.serialize()
        return body

    def read(self) -> Any:
        """Bytes -> margins."""
        read = self.ts.ckks_tensor_from if self.batch else self.ts.ckks_vector_from
        found = read(self.context, self.answered).decrypt()
        return np.reshape(found.tolist() if self.batch else found, (len(self.features), -1))


def beside(ours: Ours, net: Net, bits: Sequence[int], scale: int, batch: bool) -> Peer:
    """The peer with the same model and rows; both give the plain scores."""
    peer = Peer(net, ours.features, bits, scale, batch)
    right = plain(net, ours.features)
    assert np.abs(ours.read() - right).max() <= ours.bound
    assert np.abs(peer.read() - right).max() < CLOSE
    return peer


def logistic() -> Iterator[Row]:
    """4,096 rows at once."""
    net = drawn(WIDE, "")
    ours = Ours(net, "batch", ROWS)
    peer = beside(ours, net, (50, 40, 50), 40, batch=True)
    what = f"private prediction, logistic {WIDE[0]} features x{ROWS}"
    works = (ours.encrypted, peer.encrypted, ours.scored, peer.scored, ours.read, peer.read)
    taken = in_turns(MANY, *works)
    for place, step in enumerate(("client encrypts", "owner scores", "client decrypts")):
        yield less(f"{what}, {step}", (taken[2 * place], taken[2 * place + 1]), LOGISTIC, "s")
    sent = sum(map(len, ours.asked[0])) * len(ours.asked) / ROWS
    yield less(f"{what}, query", (sent, len(peer.asked) / ROWS), LOGISTIC, "B a row")
    ours.close()


def network() -> Iterator[Row]:
    """One row by 784-64-10 with squares."""
    net = drawn(DEEP, "square")
    ours = Ours(net, "single", 1)
    peer = beside(ours, net, (44, 34, 34, 34, 44), 34, batch=False)
    what = f"private prediction, network {'-'.join(map(str, DEEP))} square x1"
    (alone,) = in_turns(OFTEN, ours.scored)
    first, second = in_turns(FEW, ours.scored, peer.scored)
    third = in_turns(MANY, ours.encrypted, peer.encrypted)
    fourth = in_turns(MANY, ours.read, peer.read)
    yield less(f"{what}, owner scores: goal", (alone, GOAL), "goal", "s", goal=1.0)
    yield less(f"{what}, owner scores: peer", (first, second), NETWORK, "s")
    yield less(f"{what}, client encrypts", (third[0], third[1]), NETWORK, "s")
    yield less(f"{what}, client decrypts", (fourth[0], fourth[1]), NETWORK, "s")
    yield less(f"{what}, keys, once", (ours.keys / 1e6, peer.keys / 1e6), NETWORK, "MB")
    ours.close()


def rows() -> Iterator[Row]:
    """Seconds of client and owner, bytes of queries and keys."""
    yield from logistic()
    yield from network()
