"""What one compute party gets says nothing about the words; what two get says everything."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from potluck.core.rounds import Abort, Cause
from potluck.mpc.replicated import commitment, expanded, held, join, lifted, share, split
from potluck.mpc.spu import Value
from potluck.testing.draws import seeded
from support.mpc.share_rig import RANKS, terms
from support.mpc.spu_rig import Engine

FRESH, LENGTH = 5_000, 8
system = seeded("fresh sharings")  # each is fresh; that they repeat from run to run keeps chance out of the verdict
LOW = np.zeros(LENGTH, np.uint64)
HIGH = np.array([2**63 - 1, 1, 2**40, 2**32, 2**62, 3, 2**31, 2**63], np.uint64)


def seen(words, rank):
    """What the party of this rank holds of a fresh sharing, as bits, each -1 or 1."""
    first, second = (expanded(piece, b"info", LENGTH) for piece in held(split(words, b"info", system), rank))
    bits = np.unpackbits(np.frombuffer(share(first, second), np.uint8))
    return bits.astype(np.float64) * 2 - 1


def auc(sample):
    """How well a classifier tells which of two inputs was shared, on sharings that it has not seen."""
    features = np.array([sample(HIGH if i % 2 else LOW) for i in range(2 * FRESH)])
    label, train = np.arange(2 * FRESH) % 2, np.arange(2 * FRESH) < FRESH
    fitted = LogisticRegression(C=1e-3).fit(features[train], label[train])
    return roc_auc_score(label[~train], fitted.decision_function(features[~train]))


@pytest.mark.parametrize("rank", [0, *(pytest.param(rank, marks=pytest.mark.slow) for rank in (1, 2))])
def test_what_one_party_holds_of_two_inputs_cannot_be_told_apart(rank):
    assert abs(auc(lambda words: seen(words, rank)) - 0.5) <= 0.02


def test_the_classifier_finds_what_is_there():
    """The same, where a part is not fresh: one bit of the input is left in it."""

    def leaky(words):
        found = seen(words, 0)
        found[3] = 1 if words[0] & np.uint64(1) else -1
        return found

    assert auc(leaky) > 0.98


def test_commitments_that_all_see_do_not_tell_either():
    def hashes(words):
        pieces = split(words, b"info", system)
        return np.unpackbits(np.frombuffer(b"".join(commitment(one, b"info") for one in pieces), np.uint8)) * 2.0 - 1

    assert abs(auc(hashes) - 0.5) <= 0.02


@pytest.mark.parametrize("two", [(0, 1), (1, 2), (2, 0)])
def test_two_parties_together_have_the_words(two):
    pieces = split(HIGH, b"info", system)
    parts = {}
    for rank in two:
        for more, piece in enumerate(held(pieces, rank)):
            parts[(rank + more) % 3] = expanded(piece, b"info", LENGTH)
    assert (parts[0] + parts[1] + parts[2]).tolist() == HIGH.tolist()


@pytest.mark.slow
def test_the_engine_reads_these_shares_and_they_read_the_engines(mpc_engine):
    engine = Engine()
    pieces = split(HIGH, b"info", system)
    ours = [share(*(expanded(one, b"info", LENGTH) for one in held(pieces, rank))) for rank in range(3)]
    assert engine.opened("ABY3", Value("integer", (LENGTH,)), ours).tolist() == HIGH.tolist()
    theirs = dict(zip(RANKS, engine.shares("ABY3", HIGH), strict=True))
    assert join(theirs, RANKS, LENGTH).tolist() == HIGH.tolist()
    engine.close()


def test_shares_that_do_not_fit_together_are_refused_and_name_the_two():
    pieces = split(HIGH, b"info", system)
    shares = {
        party: share(*(expanded(one, b"info", LENGTH) for one in held(pieces, rank)))
        for rank, party in enumerate(RANKS)
    }
    changed = bytearray(shares[RANKS[1]])
    changed[0] ^= 1
    with pytest.raises(Abort, match="alpha and beta hold different parts") as stop:
        join(shares | {RANKS[1]: bytes(changed)}, RANKS, LENGTH)
    assert stop.value.cause is Cause.COMMITMENT
    with pytest.raises(Abort, match="another length"):
        join(shares | {RANKS[1]: shares[RANKS[1]][:-16]}, RANKS, LENGTH)


def test_words_of_32_bits_keep_their_sign_on_the_way():
    words = np.array([0, 1, 2**31 - 1, 2**31, 2**32 - 1], "<u4")
    assert lifted(words).astype(np.int64).tolist() == [0, 1, 2**31 - 1, -(2**31), -1]


def test_the_same_words_never_leave_twice_in_the_same_parts():
    assert terms(3, 1).length == 1
    made = [split(LOW, b"info", system) for _ in range(50)]
    assert len({piece.seed for pieces in made for piece in pieces}) == 150
