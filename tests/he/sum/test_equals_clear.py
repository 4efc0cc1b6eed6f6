"""What `he` opens is what `clear` opens, bit for bit: any cohort, words and drop-outs that the thresholds allow."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from potluck.core.party import SERVER, site
from potluck.core.rounds import Abort, Cause, RoundId, Terms
from potluck.core.stages import Opened
from potluck.he.sum.protection import He
from potluck.mpc.clear.protection import Clear
from potluck.testing.protection import RoundContext, check_protection
from support.examples import examples

BEFORE = ["he/keys", "he/share", "he/input"]
AFTER = ["he/partial"]


def slow(*case):
    return pytest.param(*case, marks=pytest.mark.slow)


def least(n, c, d):
    return min(n - d, max(c + 1, n // 2 + 1))


@pytest.fixture(scope="module")
def workers(he_engine):
    """Engines that all rounds of this module share: a party keeps its own, as in a run of many rounds."""
    made = {}
    yield made
    for worker in made.values():
        worker.close()


def sitting(workers, n, c, d, words, bits=64, leaves=None, recheck=True):
    """One round of n sites; leaves: {index: the step at which it vanishes}."""
    sites = tuple(site(f"s{i}") for i in range(n))
    terms = Terms(RoundId("run", 1), b"d" * 32, "once", sites, n - d, len(words[0]), bits)
    gone = {sites[i]: step for i, step in (leaves or {}).items()}
    given_ = dict(zip(sites, words, strict=True))
    protection = He(least(n, c, d), recheck, workers)
    return RoundContext(protection, terms, given_, vanish=lambda party, round, step: gone.get(party) == step)


def arrays(n, length, bits, seed=0):
    return list(np.random.default_rng(seed).integers(0, 2**bits, (n, length), dtype=f"u{bits // 8}"))


@st.composite
def rounds(draw, most):
    """A sound federation, words at the edges of the ring, and drop-outs that its thresholds allow."""
    n = draw(st.integers(3, most))
    d = draw(st.integers(0, (n - 1) // 2))
    c = draw(st.integers(0, least(n, n, d) - 1))
    order = draw(st.permutations(range(n)))
    gone = draw(st.integers(0, d))
    leaves = {i: draw(st.sampled_from([*BEFORE, *AFTER])) for i in order[:gone]}
    bits = draw(st.sampled_from([32, 64]))
    edge = st.sampled_from([0, 1, 2 ** (bits - 1) - 1, 2 ** (bits - 1), 2**bits - 1]) | st.integers(0, 2**bits - 1)
    words = draw(st.lists(st.lists(edge, min_size=3, max_size=3), min_size=n, max_size=n))
    return n, c, d, [np.array(row, dtype=f"<u{bits // 8}") for row in words], bits, leaves, draw(st.booleans())


def check(workers, case):
    n, c, d, words, bits, leaves, recheck = case
    sat = sitting(workers, n, c, d, words, bits, leaves, recheck)
    opened = check_protection(sat)
    assert isinstance(opened, Opened), str(opened)
    assert opened.givers == {s for i, s in enumerate(sat.terms.sites) if leaves.get(i) not in BEFORE}
    silent = [s for i, s in enumerate(sat.terms.sites) if leaves.get(i) in BEFORE]
    plain = RoundContext(Clear(), sat.terms, sat.words, vanish=lambda party, round, step: party in silent)
    clear = plain.run()[SERVER].result
    assert np.array_equal(opened.words, clear.words)
    assert opened.givers == clear.givers


@settings(max_examples=examples(12))
@given(case=rounds(most=5))
def test_he_opens_what_clear_opens(workers, case):
    check(workers, case)


@pytest.mark.slow
@given(case=rounds(most=8))
def test_he_opens_what_clear_opens_often(workers, case):
    check(workers, case)


@pytest.mark.parametrize(("n", "d"), [(3, 0), slow(5, 0), (5, 2), slow(10, 0), slow(10, 3)])
@pytest.mark.parametrize("bits", [slow(32), 64])
def test_three_five_and_ten_sites_with_as_many_gone_as_may_be(workers, n, d, bits):
    steps = [*BEFORE, *AFTER]
    leaves = {2 * i: steps[(i + 1) % 4] for i in range(d)}
    check(workers, (n, 0, d, arrays(n, 5, bits), bits, leaves, True))


@pytest.mark.parametrize("step", [*BEFORE, *AFTER])
@pytest.mark.parametrize("recheck", [True, slow(False)])
def test_every_step_alone_may_lose_as_many_as_the_plan_says(workers, step, recheck):
    check(workers, (5, 1, 2, arrays(5, 4, 64), 64, {0: step, 4: step}, recheck))


@pytest.mark.slow
def test_a_vector_of_many_ciphertexts(workers):
    check(workers, (3, 0, 0, arrays(3, 70_001, 32), 32, {}, True))


def test_holders_of_shares_may_vanish_when_they_are_asked_for_them(workers):
    """t-of-n: of four that stayed, three hold enough."""
    sat = sitting(workers, 5, 1, 1, arrays(5, 4, 64), leaves={2: "he/partial", 3: "he/rebuild"})
    assert isinstance(check_protection(sat), Opened)


@pytest.mark.parametrize("step", [*BEFORE, *AFTER])
def test_below_the_minimum_cohort_nothing_opens_and_the_error_says_so(workers, step):
    sat = sitting(workers, 5, 1, 1, arrays(5, 4, 64), leaves={1: step, 3: step})
    abort = check_protection(sat)
    assert isinstance(abort, Abort)
    assert abort.cause is Cause.TOO_FEW
    assert "3 answers where 4 are needed" in str(abort)
    assert not any(move.label.step == "he/rebuild" for move in sat.transcript.moves)


def test_below_t_shares_nothing_opens_and_the_error_says_so(workers):
    leaves = {0: "he/partial", 1: "he/rebuild", 2: "he/rebuild"}
    abort = check_protection(sitting(workers, 5, 1, 1, arrays(5, 4, 64), leaves=leaves))
    assert isinstance(abort, Abort)
    assert abort.cause is Cause.TOO_FEW
    assert "2 answers where 3 are needed" in str(abort)


def test_where_all_must_stay_no_key_is_shared(workers):
    sat = sitting(workers, 3, 0, 0, arrays(3, 4, 64))
    assert isinstance(check_protection(sat), Opened)
    assert {move.label.step for move in sat.transcript.moves} == {
        "he/keys", "he/roster", "he/input", "he/survivors", "he/partial",
    }  # fmt: skip


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(np.zeros(5, "<u8"), marks=pytest.mark.slow),
        np.zeros(3, "<u8"),
        pytest.param(np.zeros((4, 1), "<u8"), marks=pytest.mark.slow),
        np.zeros(4, "<u4"),
    ],
)
def test_a_site_whose_words_do_not_fit_the_terms_stops_before_it_sends_them(workers, words):
    sat = sitting(workers, 4, 0, 1, arrays(4, 4, 64))
    sat.words[sat.terms.sites[2]] = words
    desks = sat.run()
    assert desks[sat.terms.sites[2]].abort.cause is Cause.TERMS
    assert desks[SERVER].result.givers == {s for i, s in enumerate(sat.terms.sites) if i != 2}
