"""How much is held at a time: a site's values become words, and a server's sum takes one body after another.

Allocations are counted (tracemalloc), not the process: a copy of the whole vector that comes back fails here.
"""

import tracemalloc
from contextlib import contextmanager

import numpy as np
import pytest

from potluck.core.asks import Ask, Block, Kind
from potluck.core.desk import Desk
from potluck.core.ledger import Volatile
from potluck.core.party import SERVER, site
from potluck.core.rounds import Label, Parcel, RoundId, Terms
from potluck.core.slices import LONG
from potluck.core.stages import Opened, Update
from potluck.core.wire import pack
from potluck.dp.mechanism import guarded, mechanism
from potluck.dp.reveal import reveal
from potluck.mpc.clear.protection import Clear
from potluck.mpc.clear.site import INPUT
from potluck.mpc.mask.pairs import mask
from potluck.net.pieces import Assembler, count, message
from potluck.secret.box import BoxKey, PublicBoxKey
from potluck.secret.container import Secret
from potluck.secret.context import Receivers, Senders
from potluck.secret.envelope import close, disclose
from potluck.secret.keys import Roster, SigningKey
from potluck.secret.random import system
from support.dp.examples import plan

LENGTH = 1 << 20
VECTOR = 8 * LENGTH
SITES = tuple(site(f"s{i}") for i in range(5))
TERMS = Terms(RoundId("run", 1), b"t" * 32, "once", SITES, 5, LENGTH, 64)


@contextmanager
def at_most(vectors):
    """The block allocates no more than so many vectors beyond what is there, at any time."""
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak <= vectors * VECTOR, f"{peak / VECTOR:.2f} vectors"


def test_the_yardstick_sees_a_copy():
    words = np.zeros(LENGTH, "<u8")
    with pytest.raises(AssertionError, match="vectors"), at_most(1.5):
        (words + 1) + 1


@pytest.mark.parametrize(("noise", "most"), [("none", 1.25), ("site", 3.25)])
def test_values_become_words_without_copies_between(noise, most):
    ask = Ask(Kind.TRAIN, 0, (Block("gradient", LENGTH, 8.0, 8.0, 5),), b"")
    privacy = mechanism(plan(noise), ask)
    values = np.full((1, LENGTH), 2.0**-10)
    with at_most(most):
        assert guarded(privacy, iter([Update(values)]), system).words.any()


def test_an_opened_sum_becomes_real_numbers_at_the_price_of_those():
    ask = Ask(Kind.TRAIN, 0, (Block("gradient", LENGTH, 8.0, 8.0, 5),), b"")
    privacy = mechanism(plan("none"), ask)
    words = np.ones(LENGTH, "<u8")

    with at_most(2.25):  # the numbers, and their standard deviation: zeros
        assert reveal(privacy.at_reveal(Opened(words, frozenset(SITES)), system), privacy.grid).values.any()


def test_masks_are_added_in_place():
    words = np.zeros(LENGTH, "<u8")
    with at_most(0.25):
        mask(words, [Secret(bytes([i]) * 32) for i in range(1, 4)])


def test_a_sum_takes_long_letters_one_by_one_and_holds_none():
    keys = {party: SigningKey(Secret(party.name.encode() * 16)) for party in SITES}
    roster, box = Roster({party: key.public for party, key in keys.items()}), BoxKey(Secret(b"s" * 96))
    senders, receivers, label = Senders({SERVER: PublicBoxKey(box.public)}), Receivers(box), Label(TERMS.round, INPUT)
    words = [np.arange(LENGTH, dtype="<u8") * (i + 1) for i in range(5)]
    letters = [
        close(keys[who], senders, b"fed", who, SERVER, Parcel(label, pack(some)))
        for who, some in zip(SITES, words, strict=True)
    ]
    desk = Desk(SERVER, TERMS.round, Clear().open(TERMS, None), None, None, Volatile())
    with at_most(1.25):
        desk.start()
        for letter in letters:
            desk.accept(*disclose(roster, receivers, lambda round_: b"fed", SERVER, letter))
    assert np.array_equal(desk.result.words, np.arange(LENGTH, dtype="<u8") * 15)


def test_words_are_sealed_and_joined_from_pieces_in_files():
    key, box, words = SigningKey(Secret(b"k" * 32)), BoxKey(Secret(b"s" * 96)), np.arange(LENGTH, dtype="<u8")
    assert VECTOR > LONG
    senders = Senders({SERVER: PublicBoxKey(box.public)})
    with at_most(0.5):
        letter = close(key, senders, b"", SITES[0], SERVER, Parcel(Label(TERMS.round, INPUT), pack(words)))
        assembler = Assembler()
        for index in range(count(len(letter))):
            added = assembler.add("s", message(b"i" * 16, letter, index), 0)
    assert len(added.whole) == len(letter)
