"""What opening costs the server: 50 sites of which 5 vanish after dealing, every site everybody's neighbour.

Ours: the last step of a real round, replayed: shares checked against their commitments, secrets combined and checked
against what was advertised, pair secrets derived, masks regenerated and removed. Peer: Flower's own functions, called
as its server calls them, on as many shares, secrets and masks; it checks nothing on the way. Both sums are verified.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from harness.federation import Federation, before_input, federation, one_round, total
from harness.measure import Row, in_turns, less
from peers.libraries import FLOWER, MOD_RANGE, Arrays, flower
from potluck.core.rounds import Words
from potluck.mpc.mask import server as mask_server
from potluck.mpc.mask import unmask
from potluck.mpc.mask.pairs import mask
from potluck.mpc.mask.protection import Mask
from potluck.secret.container import Secret

SITES, GONE, CORRUPT = 50, 5, 2
GOAL = 50.0


def rows() -> Iterator[Row]:
    """Our last step beside Flower's at d = 1e5."""
    length = 100_000
    fed = federation(SITES, length, 32, CORRUPT, GONE)
    step = _last_step(fed)
    theirs = _flower_state(fed)
    opened: dict[str, Words] = {}

    def ours() -> None:
        opened["ours"] = _open(step)

    def peer() -> None:
        opened["peer"] = _flower(theirs)[0].astype("<u4")

    ours_s, flower_s = in_turns(3, ours, peer, warm=False)
    givers = frozenset(fed.sites[GONE:])
    for words in opened.values():
        assert np.array_equal(words, total(fed, givers)), "the opened sum is not the sum"
    name = f"server unmask n={SITES}, {GONE} dropped, t={fed.shape.least}, d=1e5"
    yield less(name, (ours_s * 1e3, flower_s * 1e3), f"{FLOWER} functions", "ms", goal=GOAL)


@dataclass(slots=True)
class _Step:
    """What the server holds once the last reply is in."""

    closing: unmask.Closing | None = None
    replies: Mapping[int, bytes] = field(default_factory=dict)
    total: Words | None = None


def _last_step(fed: Federation) -> _Step:
    """Run a round in which `GONE` sites vanish, and keep what its server started the last step from."""
    step = _Step()

    def keys(closing: unmask.Closing, replies: Mapping[int, bytes]) -> tuple[list[Secret], list[Secret]]:
        step.closing, step.replies = closing, replies
        return unmask.keys(closing, replies)

    def remove(words: Words, plus: list[Secret], minus: list[Secret]) -> None:
        step.total = words.copy()
        mask(words, plus, minus)

    with patch.object(mask_server, "keys", keys), patch.object(mask_server, "mask", remove):
        one_round(fed, Mask(fed.shape), before_input(frozenset(fed.sites[:GONE])))
    return step


def _open(step: _Step) -> Words:
    assert step.closing is not None
    assert step.total is not None
    unmask._weights.cache_clear()  # a real round computes them once
    for holder, body in step.replies.items():
        unmask.check_reply(step.closing, holder, body)
    total = step.total.copy()
    mask(total, *unmask.keys(step.closing, step.replies))
    return total


@dataclass(frozen=True, slots=True)
class _Flower:
    """What Flower's server holds at the same moment: shares of every secret, public keys, and the masked sum."""

    seeds: list[list[bytes]]
    private: list[list[bytes]]
    public: list[bytes]
    total: Arrays


def _flower_state(fed: Federation) -> _Flower:
    peer = flower()
    pairs = [peer.generate_key_pairs() for _ in fed.sites]
    public = [peer.public_key_to_bytes(key) for _, key in pairs]
    seeds = [os.urandom(32) for _ in range(SITES - GONE)]
    shape: list[tuple[int, ...]] = [(fed.length,)]
    summed = [total(fed, frozenset(fed.sites[GONE:])).astype(np.int64)]
    for seed in seeds:
        summed = peer.parameters_addition(summed, peer.pseudo_rand_gen(seed, MOD_RANGE, shape))
    # Pair masks between those who gave cancel; those with the vanished, who come first, were added by the givers.
    for private, _ in pairs[:GONE]:
        for _, other in pairs[GONE:]:
            mask = peer.pseudo_rand_gen(peer.generate_shared_key(private, other), MOD_RANGE, shape)
            summed = peer.parameters_addition(summed, mask)

    def deal(secret: bytes) -> list[bytes]:
        """One share from everyone who answered: Flower combines all of them, not only as many as it needs."""
        return peer.create_shares(secret, fed.shape.least, SITES)[GONE:]

    private_shares = [deal(peer.private_key_to_bytes(key)) for key, _ in pairs[:GONE]]
    return _Flower([deal(seed) for seed in seeds], private_shares, public, peer.parameters_mod(summed, MOD_RANGE))


def _flower(state: _Flower) -> list[NDArray[np.int64]]:
    peer, total = flower(), state.total
    shape = [array.shape for array in total]
    for shares in state.seeds:
        seed = peer.combine_shares(shares)
        total = peer.parameters_subtraction(total, peer.pseudo_rand_gen(seed, MOD_RANGE, shape))
    for shares in state.private:
        secret = peer.combine_shares(shares)
        for other in state.public[GONE:]:
            key = peer.generate_shared_key(peer.bytes_to_private_key(secret), peer.bytes_to_public_key(other))
            total = peer.parameters_subtraction(total, peer.pseudo_rand_gen(key, MOD_RANGE, shape))
    return peer.parameters_mod(total, MOD_RANGE)
