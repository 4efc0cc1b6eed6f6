"""What `share` opens is what `clear` opens, bit for bit; who is out of bounds is left out by name."""

import numpy as np
import pytest

from potluck.core.party import SERVER
from potluck.core.rounds import Abort, Cause, Limit
from potluck.core.stages import Opened
from potluck.mpc.clear.protection import Clear
from potluck.testing.protection import RoundContext, check_protection
from support.mpc.share_rig import RANKS, end, sitting, terms, words_of


def arrays(n, length, bits, seed=0):
    """Words of the ring's inner half, edges included."""
    rng, top = np.random.default_rng(seed), 2 ** (31 if bits == 32 else 62) - 1
    found = rng.integers(-top, top, (n, length), endpoint=True)
    found[:, 0], found[0, -1] = top, -top
    return words_of(found.tolist(), bits)


def check(engines, words, agreed, leaves=None):
    opened = check_protection(sitting(engines, words, agreed, leaves=leaves))
    assert isinstance(opened, Opened), str(opened)
    silent = [one for one in agreed.sites if leaves and leaves.get(one) == "share/input"]
    plain = RoundContext(
        Clear(), agreed, dict(zip(agreed.sites, words, strict=True)), vanish=lambda p, r, s: p in silent
    )
    clear = plain.run()[SERVER].result
    assert np.array_equal(opened.words, clear.words)
    assert opened.givers == clear.givers
    return opened


@pytest.mark.parametrize("bits", [pytest.param(32, marks=pytest.mark.slow), 64])
@pytest.mark.parametrize(
    ("n", "d"), [(5, 2), *(pytest.param(*one, marks=pytest.mark.slow) for one in ((3, 0), (2, 0)))]
)
def test_share_opens_what_clear_opens_with_as_many_gone_as_may_be(engines, n, d, bits):
    agreed = terms(n, 7, bits, d)
    leaves = {agreed.sites[2 * i]: "share/input" for i in range(d)}
    check(engines, arrays(n, 7, bits), agreed, leaves)


def test_a_site_that_vanishes_after_its_parts_left_is_in_the_sum(engines):
    agreed = terms(4, 3, d=1)
    opened = check(engines, arrays(4, 3, 64), agreed, {agreed.sites[1]: "share/confirm"})
    assert agreed.sites[1] in opened.givers


@pytest.mark.slow
def test_the_second_round_of_a_run_uses_the_link_of_the_first(engines):
    first = sitting(engines, arrays(3, 5, 64), terms(3, 5, number=7))
    second = sitting(engines, arrays(3, 5, 64, 1), terms(3, 5, number=8))
    end(engines)
    for one in (first, second):
        assert isinstance(check_protection(one), Opened)
    assert "share/link" in {move.label.step for move in first.transcript.moves}
    assert "share/link" not in {move.label.step for move in second.transcript.moves}


@pytest.mark.parametrize(
    ("wrong", "limits"),
    [
        pytest.param([11, 0, 0, 0], [Limit(4, 10)], marks=pytest.mark.slow),
        ([10, 10, 0, 0], [Limit(4, 10, 14)]),
        pytest.param([-11, 0, 0, 0], [Limit(4, 10)], marks=pytest.mark.slow),
        pytest.param([0, 0, 0, 6], [Limit(3, 10), Limit(1, 5)], marks=pytest.mark.slow),
        pytest.param([2**63, 0, 0, 0], [Limit(4, 10)], marks=pytest.mark.slow),
    ],
)
def test_who_is_out_of_range_or_over_the_norm_is_left_out_and_named(engines, wrong, limits):
    agreed = terms(4, 4, d=1, limits=limits)
    words = words_of([[1, 2, 3, 4], [-10, 5, 0, 5], wrong, [0, 0, 0, -5]])
    sat = sitting(engines, words, agreed)
    desks = sat.run()
    opened, bad = desks[SERVER].result, agreed.sites[2]
    assert isinstance(opened, Opened), desks[SERVER].abort
    assert opened.words.astype(np.int64).tolist() == [-9, 7, 3, 4]
    assert opened.givers == set(agreed.sites) - {bad}
    assert opened.refused == {bad: Cause.RANGE.value}
    assert desks[bad].abort.cause is Cause.RANGE
    assert desks[bad].abort.party == bad


def test_below_the_cohort_nothing_opens_and_who_was_out_of_range_is_named(engines):
    agreed = terms(3, 2, limits=[Limit(2, 10)])
    sat = sitting(engines, words_of([[1, 2], [3, 40], [5, 6]]), agreed)
    desks = sat.run()
    assert desks[SERVER].abort
    assert desks[agreed.sites[1]].abort.cause is Cause.RANGE
    for party in RANKS:
        assert desks[party].abort.cause is Cause.COHORT
        assert desks[party].abort.party == agreed.sites[1]
    assert not any(move.label.step in ("share/survivors", "share/result") for move in sat.transcript.moves)


@pytest.mark.parametrize("step", ["share/input"])
def test_with_too_few_sites_nothing_is_computed(engines, step):
    agreed = terms(4, 2, d=1)
    sat = sitting(engines, arrays(4, 2, 64), agreed, leaves=dict.fromkeys(agreed.sites[:2], step))
    abort = check_protection(sat)
    assert isinstance(abort, Abort)
    assert abort.cause is Cause.TOO_FEW
    assert "2 answers where 3 are needed" in str(abort)
    assert not any(move.label.step == "share/run" for move in sat.transcript.moves)


@pytest.mark.slow
def test_below_a_cohort_that_stands_by_the_set_nothing_opens(engines):
    agreed = terms(4, 2, d=1)
    sat = sitting(engines, arrays(4, 2, 64), agreed, leaves=dict.fromkeys(agreed.sites[:2], "share/confirm"))
    assert isinstance(check_protection(sat), Abort)
    assert not any(move.label.step == "share/result" for move in sat.transcript.moves)


def test_a_site_whose_words_do_not_fit_the_terms_stops_before_it_sends_them(engines):
    agreed = terms(4, 4, d=1)
    sat = sitting(engines, arrays(4, 4, 64), agreed)
    sat.words[agreed.sites[2]] = np.zeros(5, dtype="<u8")
    desks = sat.run()
    assert desks[agreed.sites[2]].abort.cause is Cause.TERMS
    assert desks[SERVER].result.givers == {s for i, s in enumerate(agreed.sites) if i != 2}
