"""Claims about shares: one says nothing, all say the value, and whoever sends one chooses numbers and nothing else."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from potluck.core.rounds import Abort, Cause
from potluck.mpc.spu import Value, checked_sum
from support.mpc.spu_rig import Engine, compiled

PARTIES = {"ABY3": 3, "CHEETAH": 2}
LEARNT, JUDGED = 5000, 40_000


@pytest.fixture(scope="module")
def owner(mpc_engine):
    """An owner's engine: it needs no link."""
    engine = Engine()
    yield engine
    engine.close()


@pytest.mark.parametrize("protocol", PARTIES)
def test_all_shares_open_to_the_value_in_every_shape(owner, protocol):
    rng = np.random.default_rng(1)
    for shape in [(1,), (7,), (3, 5), (2, 3, 4)]:
        words = rng.integers(0, 2**64, shape, np.uint64)
        shares = owner.shares(protocol, words)
        value = Value("integer", shape)
        assert [len(one) for one in shares] == [value.share_bytes(protocol)] * PARTIES[protocol]
        assert (owner.opened(protocol, value, shares) == words).all()
        reals = rng.uniform(-100, 100, shape)
        opened = owner.opened(protocol, Value("fixed", shape), owner.shares(protocol, reals))
        assert np.abs(opened - reals).max() <= 2.0**-18


def test_two_of_three_shares_hold_the_value(owner):
    """An ABY3 party has two summands of three: any two parties have all three. This is what the views must say."""
    words = np.array([3, 2**64 - 5, 2**63], np.uint64)
    first, second, third = (np.frombuffer(one, "<u8").reshape(-1, 2) for one in owner.shares("ABY3", words))
    assert (first[:, 1] == second[:, 0]).all()
    assert (second[:, 1] == third[:, 0]).all()
    assert (third[:, 1] == first[:, 0]).all()
    for one, other in ((first, second), (second, third), (third, first)):
        assert (one.sum(axis=1, dtype=np.uint64) + other[:, 1] == words).all()


@pytest.mark.parametrize(("protocol", "rank"), [("ABY3", 0), ("ABY3", 1), ("ABY3", 2), ("CHEETAH", 0), ("CHEETAH", 1)])
def test_one_partys_shares_of_two_very_different_inputs_cannot_be_told_apart(owner, protocol, rank):
    inputs = np.array([[0, 0], [2**63 - 1, 2**40 - 1]], np.uint64)
    label = np.arange(LEARNT + JUDGED) % 2
    shares = owner.shares(protocol, inputs[label])[rank]
    bits = np.unpackbits(np.frombuffer(shares, np.uint8)).reshape(len(label), -1).astype(np.float32)
    judge = LogisticRegression(C=0.01).fit(bits[:LEARNT], label[:LEARNT])
    auc = roc_auc_score(label[LEARNT:], judge.decision_function(bits[LEARNT:]))
    assert abs(auc - 0.5) < 0.02  # seven standard deviations of an AUC without any signal
    assert len({shares[start : start + 8] for start in range(0, len(shares), 8)}) == len(shares) // 8


def test_the_judge_finds_a_share_that_is_not_masked():
    """The same judge, given the inputs themselves."""
    label = np.arange(2000) % 2
    words = np.array([[0, 0], [2**63 - 1, 2**40 - 1]], np.uint64)[label]
    bits = np.unpackbits(words.view(np.uint8)).reshape(len(label), -1).astype(np.float32)
    judge = LogisticRegression(C=0.01).fit(bits[:1000], label[:1000])
    assert roc_auc_score(label[1000:], judge.decision_function(bits[1000:])) > 0.99


def test_fresh_sharings_of_one_value_differ_everywhere(owner):
    words = np.zeros(1000, np.uint64)
    first, second = (np.frombuffer(owner.shares("ABY3", words)[0], "<u8") for _ in range(2))
    assert not (first == second).any()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda one: one[:-1],
        *(
            pytest.param(one, marks=pytest.mark.slow)
            for one in (lambda one: one + b"\0", lambda one: b"", lambda one: one * 2)
        ),
    ],
)
def test_a_share_of_another_length_is_refused_before_the_others_are_asked(cheetah, spoil):
    programs = compiled(cheetah, "CHEETAH", "sum_checked", checked_sum(1, []) | {"parts": [[3, 5, 0]]})
    with pytest.raises(Abort) as caught:
        cheetah[0].execute(programs[0], [spoil(bytes(24))])
    assert caught.value.cause is Cause.MALFORMED
    share = cheetah[0].shares("CHEETAH", np.zeros(3, np.uint64))
    pending = [
        one.execute(program, [share[rank]]) for rank, (one, program) in enumerate(zip(cheetah, programs, strict=True))
    ]
    assert all(len(one.result()) == 2 for one in pending)


def test_garbage_of_the_right_length_is_just_another_number(owner):
    """So the worst that a site's bytes can do to the engine is what any number can do."""
    value = Value("integer", (4,))
    opened = owner.opened("ABY3", value, [b"\xff" * 64, b"\x00" * 64, bytes(range(64))])
    assert opened.shape == (4,)
