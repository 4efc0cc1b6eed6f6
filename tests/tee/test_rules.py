"""The robust rules: what they promise on words of the ring, and what a lying site can do to them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from potluck.core.rounds import Rule
from potluck.tee.sum.rules import RULES, joined, krum, median, norm, trimmed

STEP = 2.0**-30
MOST = 1000
WORDS = list(RULES)


def words(change, rows, bits=64, tally=2):
    """A site's words: its change a row times its rows, in steps; its rows in two cells."""
    delta = np.trunc(np.asarray(change) * rows / STEP)
    cells = [rows - rows // 3, rows // 3][:tally] if tally == 2 else [rows]
    return np.concatenate([delta, cells]).astype(f"i{bits // 8}").view(f"u{bits // 8}")


def opened(rule, updates, tally=2, most=MOST):
    """The joined change a row, and the rows: what the driver makes of the words."""
    whole = joined(Rule(rule, tally, most), updates).view(f"i{updates[0].dtype.itemsize}").astype(float)
    rows = whole[-tally:].sum()
    return whole[:-tally] * STEP / rows, rows


def sites(n, d=5, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.integers(20, 200, n)


@pytest.mark.parametrize("rule", WORDS)
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 9])
def test_what_opens_reads_as_the_rules_own_answer_times_all_rows(rule, n):
    changes, rows = sites(n)
    change, total = opened(rule, [words(c, r) for c, r in zip(changes, rows, strict=True)])
    assert total == rows.sum()
    assert np.allclose(change, RULES[rule](changes, rows.astype(float)), atol=1e-6)


def test_the_rules_are_those_of_the_literature():
    changes, _ = sites(5)
    even = np.ones(5)
    assert np.allclose(median(changes, even), np.median(changes, axis=0))
    assert np.allclose(trimmed(changes, even), np.sort(changes, axis=0)[1:-1].mean(axis=0))
    # Krum: n = 5 bears f = 1, so each change has the sum of its 2 smallest distances as its score.
    apart = ((changes[:, None] - changes[None]) ** 2).sum(axis=2)
    scores = np.sort(apart + np.diag([np.inf] * 5), axis=1)[:, :2].sum(axis=1)
    assert np.array_equal(krum(changes, even), changes[scores.argmin()])
    lengths = np.linalg.norm(changes, axis=1)
    shortened = changes * np.minimum(1, np.median(lengths) / lengths)[:, None]
    assert np.allclose(norm(changes, even), shortened.mean(axis=0))


@pytest.mark.parametrize("rule", WORDS)
def test_equal_changes_give_that_change(rule):
    changes = np.tile([0.5, -0.25, 0.0], (4, 1))
    change, _ = opened(rule, [words(c, r) for c, r in zip(changes, (30, 50, 70, 90), strict=True)])
    assert np.allclose(change, changes[0], atol=1e-6)


@pytest.mark.parametrize("rule", WORDS)
@pytest.mark.parametrize("factor", [10, -10, 1e6, -1e6])
def test_one_site_of_five_moves_the_result_no_further_than_the_honest_ones_lie(rule, factor):
    changes, rows = sites(5, seed=1)
    changes = 1.0 + 0.1 * changes
    bad = changes.copy()
    bad[2] *= factor
    change, _ = opened(rule, [words(c, r) for c, r in zip(bad, rows, strict=True)])
    honest = np.delete(changes, 2, axis=0)
    if rule == "norm":  # it bounds how far, not within what
        assert np.linalg.norm(change) <= np.linalg.norm(honest, axis=1).max() * 1.0001
    else:
        assert (honest.min(axis=0) - 1e-6 <= change).all()
        assert (change <= honest.max(axis=0) + 1e-6).all()


LIES = {
    "no rows": [0, 0],
    "fewer than none": [-5, -5],
    "a negative cell": [500, -499],
    "more than a site may have": [MOST, 1],
    "as many as a word holds": [2**62, 2**62],
    "as few as a word holds": [-(2**63), 0],
    "a sum that wraps around to a few": [2**63 - 1, 2**63 - 1],
}


@pytest.mark.parametrize("rule", WORDS)
@pytest.mark.parametrize("lie", LIES)
def test_a_site_whose_rows_cannot_be_is_left_out(rule, lie):
    changes, rows = sites(5)
    updates = [words(c, r) for c, r in zip(changes, rows, strict=True)]
    expected = opened(rule, updates[1:])
    false = updates[0].copy()
    false[-2:] = np.array(LIES[lie], "i8").view("u8")
    found = opened(rule, [false, *updates[1:]])
    assert np.array_equal(expected[0], found[0])
    assert expected[1] == found[1]


def test_a_site_that_claims_as_many_rows_as_it_may_does_not_rule_norm():
    changes, rows = np.ones((5, 3)), np.full(5, 50)
    changes[0] = -1
    liar = words(changes[0], MOST)
    change, _ = opened("norm", [liar, *(words(c, r) for c, r in zip(changes[1:], rows[1:], strict=True))])
    assert np.allclose(change, 3 / 5, atol=1e-6)


@given(
    st.sampled_from(WORDS), st.sampled_from([32, 64]), st.integers(1, 6), st.integers(1, 3),
    st.randoms(use_true_random=False),
)  # fmt: skip
def test_any_words_give_words_or_say_that_nobody_has_rows(rule, bits, n, tally, random):
    edge = [0, 1, 2 ** (bits - 1) - 1, 2 ** (bits - 1), 2**bits - 1]
    any_words = [[random.choice([*edge, random.getrandbits(bits)]) for _ in range(4 + tally)] for _ in range(n)]
    updates = [np.array(one, f"<u{bits // 8}") for one in any_words]
    with np.errstate(all="raise"):
        try:
            found = joined(Rule(rule, tally, MOST), updates)
        except ValueError as error:
            assert str(error) == "no site has rows"
            return
    assert found.shape == updates[0].shape
    assert found.dtype == updates[0].dtype
    assert 0 < found[-tally:].sum() <= n * MOST


@pytest.mark.parametrize("tally", [0, 4, 5])
def test_a_vector_that_does_not_say_its_rows_is_refused(tally):
    with pytest.raises(ValueError, match="how many rows"):
        joined(Rule("median", tally, MOST), [np.ones(4, "<u8")] * 3)


def test_a_sum_is_a_sum_and_leaves_its_inputs_as_they_were():
    updates = [np.array([2**64 - 1, 5], "<u8"), np.array([3, 6], "<u8")]
    assert joined(Rule(), updates).tolist() == [2, 11]
    assert updates[0].tolist() == [2**64 - 1, 5]
    with pytest.raises(ValueError, match="no updates"):
        joined(Rule(), [])
