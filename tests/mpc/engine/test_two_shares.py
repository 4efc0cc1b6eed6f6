"""Shares between two who compute: either part alone says nothing, both give the words, and the engine takes them."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from potluck.core.fitting import Take
from potluck.core.party import Party, Role
from potluck.core.rounds import Abort, Cause
from potluck.mpc.fit import parts as fit_parts
from potluck.mpc.replicated import commitment, expanded, held, join, places, share, split, width
from potluck.mpc.spu import AMONG, WIDTH, checked_sum
from potluck.secret.random import system
from potluck.testing.draws import seeded
from support.mpc.spu_rig import Limit, compiled, ran

TWO = tuple(Party(Role.COMPUTE, name) for name in ("alpha", "beta"))
INFO = b"a test"
WORDS = np.array([0, 1, 5, 2**64 - 5, 2**63, 2**62 - 1], np.uint64)
LEARNT, JUDGED = 3000, 3000


def shared(words, draw=system):
    """Each party's share of the words."""
    pieces = split(words, INFO, draw, 2)
    return [share(*(expanded(one, INFO, len(words)) for one in held(pieces, rank))) for rank in range(2)]


def test_each_of_two_holds_one_part_and_each_of_three_two():
    assert [places(rank, 2) for rank in range(2)] == [(0,), (1,)]
    assert [places(rank, 3) for rank in range(3)] == [(0, 1), (1, 2), (2, 0)]
    assert [width(2), width(3)] == [WIDTH["CHEETAH"], WIDTH["ABY3"]]


def test_the_first_part_travels_as_a_seed_and_both_add_up_to_the_words():
    first, second = split(WORDS, INFO, seeded(b"two"), 2)
    assert (len(first.rest), len(second.rest)) == (0, 8 * len(WORDS))
    total = expanded(first, INFO, len(WORDS)) + expanded(second, INFO, len(WORDS))
    assert np.array_equal(total, WORDS)
    assert np.array_equal(join(dict(zip(TWO, shared(WORDS), strict=True)), TWO, len(WORDS)), WORDS)


@pytest.mark.parametrize("rank", [pytest.param(0, marks=pytest.mark.slow), 1])
def test_one_partys_shares_of_two_very_different_inputs_are_alike(rank):
    inputs = np.array([[0, 0], [2**63 - 1, 2**40 - 1]], np.uint64)
    label = np.arange(LEARNT + JUDGED) % 2
    bits = np.stack([np.unpackbits(np.frombuffer(shared(inputs[one])[rank], np.uint8)) for one in label])
    judge = LogisticRegression(C=0.01).fit(bits[:LEARNT], label[:LEARNT])
    auc = roc_auc_score(label[LEARNT:], judge.decision_function(bits[LEARNT:]))
    assert abs(auc - 0.5) < 0.07  # six standard deviations of an AUC without any signal


def test_a_commitment_to_the_second_part_does_not_confirm_a_guess_of_the_words():
    """The first party knows its own part and may guess the words: what is left is still unknown, for its seed is."""
    _, second = split(WORDS, INFO, seeded(b"one"), 2)
    _, again = split(WORDS, INFO, seeded(b"one"), 2)
    assert commitment(second, INFO) == commitment(again, INFO)
    fresh = split(WORDS, INFO, system, 2)[1]
    rest = (expanded(second, INFO, len(WORDS)) - expanded(type(fresh)(fresh.seed, b""), INFO, len(WORDS))).tobytes()
    same_words = type(fresh)(fresh.seed, rest)
    assert np.array_equal(expanded(same_words, INFO, len(WORDS)), expanded(second, INFO, len(WORDS)))
    assert commitment(same_words, INFO) != commitment(second, INFO)


@pytest.mark.parametrize("spoil", [lambda one: one[:-1], lambda one: one + b"\0", lambda one: b"", lambda one: one * 2])
def test_a_share_of_another_length_is_refused_by_name(spoil):
    first, second = shared(WORDS)
    with pytest.raises(Abort) as caught:
        join({TWO[0]: first, TWO[1]: spoil(second)}, TWO, len(WORDS))
    assert (caught.value.cause, caught.value.party) == (Cause.MALFORMED, TWO[1])


def test_no_words_are_shared_and_joined_as_none():
    assert join(dict(zip(TWO, shared(WORDS[:0]), strict=True)), TWO, 0).shape == (0,)


def test_an_owners_arrays_come_back_from_both_parts_and_from_neither_alone():
    takes = (Take(0, "fixed", (3, 2)), Take(0, "integer", (3,)))
    arrays = [np.array([[0.5, -1.0], [1.0, 0.25], [0.0, -0.75]]), np.array([1, 0, 1])]
    parts = fit_parts.dealt(takes, arrays, INFO, system, 2)
    assert len(parts) == 2
    by_rank = [fit_parts.shares(takes, held(parts, rank), INFO) for rank in range(2)]
    for place, (take, array) in enumerate(zip(takes, arrays, strict=True)):
        words = join({TWO[rank]: by_rank[rank][place] for rank in range(2)}, TWO, take.size)
        assert np.array_equal(fit_parts.opened(take.kind, words, take.shape), array)
        step = fit_parts.STEP if take.kind == "fixed" else 1
        plain = (array.ravel() * step).astype(np.int64).view(np.uint64)
        assert not any((np.frombuffer(one[place], "<u8") == plain).any() for one in by_rank)


def test_bits_are_not_parted_between_two():
    with pytest.raises(ValueError, match="bits are parted among three"):
        fit_parts.dealt([Take(0, "bit", (4,))], [np.array([True, False, True, True])], INFO, system, 2)


def test_how_many_compute_decides_the_protocol_and_others_than_two_or_three_have_none():
    with pytest.raises(KeyError):
        AMONG[4]


@pytest.mark.slow
def test_the_engine_takes_these_shares_and_its_results_join_as_the_engine_opens_them(cheetah):
    vectors = np.array([[3, 2**64 - 5, 7], [1, 1, 2**64 - 1]], np.uint64)
    programs = compiled(cheetah, "CHEETAH", "sum_checked", checked_sum(2, [Limit(3, 6)]))
    total, kept = ran(cheetah, programs, [shared(vector) for vector in vectors])
    opened = cheetah[0].opened("CHEETAH", programs[0].gives[0], total)
    joined = join(dict(zip(TWO, total, strict=True)), TWO, 3)
    assert np.array_equal(joined, opened)
    assert joined.view(np.int64).tolist() == [1, 1, -1]  # the first is left out: 7 is beyond 6
    assert join(dict(zip(TWO, kept, strict=True)), TWO, 2).tolist() == [0, 1]
