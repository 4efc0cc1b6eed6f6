"""A pair's mask needs both halves and is bound to its round; rebuilding a root gives exactly its pairs."""

from dataclasses import replace

import numpy as np
import pytest

from potluck.core.party import site
from potluck.core.rounds import Abort, RoundId, Terms
from potluck.mpc.mask.pairs import Root, mask, pair_mask, self_mask, session
from potluck.secret.container import Secret
from potluck.testing.draws import seeded
from support.mpc.masked import masked

A, B = site("a"), site("b")
TERMS = Terms(RoundId("run", 1), b"t" * 32, "once", (A, B), 2, 8, 32)


def roots(terms=TERMS, seed="roots"):
    draw = seeded(seed)
    return Root(Secret(draw(32)), session(terms)), Root(Secret(draw(32)), session(terms))


def key(terms=TERMS, mine=None, theirs=None, half=None, agreed=None):
    a, b = roots(terms)
    mine, theirs = mine or a, theirs or b
    agreed = agreed or mine.agreement.agree(theirs.public[0])
    return pair_mask(agreed, half or a.toward(B), session(terms), a.public, b.public).expose()


def test_both_ends_derive_the_same_key():
    a, b = roots()
    assert key() == key(mine=b, theirs=a)


def test_whoever_has_the_agreement_alone_or_the_half_alone_does_not_have_the_mask():
    """Give an attacker one half and let it guess the other: every guess gives another key, none the right one."""
    a, b = roots()
    agreed, half = a.agreement.agree(b.public[0]), a.toward(B)
    right, draw = key(), seeded("guess")
    with_agreed = {key(agreed=agreed, half=Secret(draw(32))) for _ in range(50)} | {key(half=Secret(bytes(32)))}
    with_half = {key(half=half, agreed=Secret(draw(32))) for _ in range(50)} | {key(agreed=Secret(bytes(32)))}
    assert len(with_agreed) == len(with_half) == 51
    assert right not in with_agreed | with_half
    assert right not in (agreed.expose(), half.expose())


@pytest.mark.parametrize(
    "other",
    [
        replace(TERMS, round=RoundId("run", 2)),
        replace(TERMS, round=RoundId("nur", 1)),
        replace(TERMS, digest=b"u" * 32),
    ],
)
def test_another_run_round_or_plan_gives_other_keys_from_the_same_root(other):
    assert roots()[0].public != roots(other)[0].public
    assert key() != key(other)
    seed = Secret(b"s" * 32)
    public = roots()[0].public
    assert self_mask(seed, session(TERMS), public).expose() != self_mask(seed, session(other), public).expose()


def test_the_root_gives_the_pair_keys_and_the_half_for_each_neighbour():
    a, _ = roots()
    again = Root(Secret(a.root.expose()), session(TERMS))
    assert again.public == a.public
    assert again.toward(B).expose() == a.toward(B).expose() != a.toward(site("c")).expose()


def test_a_key_of_low_order_is_refused():
    a, _ = roots()
    for bad in (bytes(32), b"\1" + bytes(31)):
        with pytest.raises(Abort, match="keys"):
            a.agreement.agree(bad)


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("length", [0, 1, 65_535, 65_537, 200_001])
def test_a_mask_added_by_one_and_subtracted_by_the_other_is_gone(bits, length):
    words = np.arange(length, dtype=f"<u{bits // 8}") - 5
    pair = Secret(b"p" * 32)
    here, there = masked(words, plus=[pair]), masked(words, minus=[pair])
    assert length == 0 or not np.array_equal(here, words)
    assert np.array_equal(here + there, words + words)


def test_the_mask_is_the_ciphers_keystream_as_little_endian_words():
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    stream = Cipher(algorithms.AES256(b"k" * 32), modes.CTR(bytes(16))).encryptor().update(bytes(400_000))
    words = masked(np.zeros(100_000, dtype="<u4"), plus=[Secret(b"k" * 32)])
    assert words.tobytes() == stream
    both = masked(np.zeros(50_000, dtype="<u8"), plus=[Secret(b"k" * 32)] * 2, minus=[Secret(b"k" * 32)])
    assert both.tobytes() == stream


def test_masks_go_into_the_words_themselves_which_are_little_endian():
    words = np.zeros(10, dtype="<u4")
    mask(words, plus=[Secret(b"k" * 32)])
    assert words.all()
    with pytest.raises(ValueError, match="little-endian"):
        mask(np.zeros(10, dtype=">u4"))
