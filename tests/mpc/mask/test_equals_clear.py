"""What `mask` opens is what `clear` opens, bit for bit: any cohort, words and drop-outs that the thresholds allow."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from potluck.core.party import SERVER, site
from potluck.core.rounds import Abort, Cause, RoundId, Terms
from potluck.core.stages import Opened
from potluck.mpc.clear.protection import Clear
from potluck.mpc.mask.graph import Shape, sound, thresholds
from potluck.mpc.mask.protection import Mask
from potluck.testing.protection import RoundContext, check_protection
from support.examples import examples

BEFORE = ["mask/advertise", "mask/share", "mask/input"]
AFTER = ["mask/sign", "mask/unmask"]
MODES = ["lying", "curious"]


def sitting(n, c, d, server, words, bits=32, leaves=None):
    """One round of n sites; leaves: {index: the step at which it vanishes}."""
    sites = tuple(site(f"s{i}") for i in range(n))
    picks, least = thresholds(n, c, d, server)
    length = len(words[0])
    terms = Terms(RoundId("run", 1), b"d" * 32, "once", sites, n - d, length, bits)
    gone = {sites[i]: step for i, step in (leaves or {}).items()}
    protection = Mask(Shape(n, picks, least, server == "lying"))
    given_ = dict(zip(sites, words, strict=True))
    return RoundContext(protection, terms, given_, vanish=lambda party, round, step: gone.get(party) == step)


def arrays(n, length, bits, seed=0):
    return list(np.random.default_rng(seed).integers(0, 2**bits, (n, length), dtype=f"u{bits // 8}"))


@st.composite
def rounds(draw, most):
    """A sound federation, words at the edges of the ring, and drop-outs that its thresholds allow."""
    server = draw(st.sampled_from(MODES))
    n = draw(st.integers(3, most))
    d = draw(st.integers(0, (n - 1) // 2))
    c = draw(st.integers(0, n - 1).filter(lambda c: sound(n, c, thresholds(n, c, d, server)[1], server)) | st.just(0))
    if not sound(n, c, thresholds(n, c, d, server)[1], server):
        d = 0
    _, least = thresholds(n, c, d, server)
    order = draw(st.permutations(range(n)))
    early = draw(st.integers(0, d))
    late = draw(st.integers(0, n - early - least))
    leaves = {i: draw(st.sampled_from(BEFORE)) for i in order[:early]}
    leaves |= {i: draw(st.sampled_from(AFTER)) for i in order[early : early + late]}
    bits = draw(st.sampled_from([32, 64]))
    edge = st.sampled_from([0, 1, 2 ** (bits - 1) - 1, 2 ** (bits - 1), 2**bits - 1]) | st.integers(0, 2**bits - 1)
    words = draw(st.lists(st.lists(edge, min_size=3, max_size=3), min_size=n, max_size=n))
    return n, c, d, server, [np.array(row, dtype=f"<u{bits // 8}") for row in words], bits, leaves


def check(case):
    n, c, d, server, words, bits, leaves = case
    sat = sitting(n, c, d, server, words, bits, leaves)
    opened = check_protection(sat)
    assert isinstance(opened, Opened), str(opened)
    # A site that would sign is never asked to by a curious server, and its input counts all the same.
    assert opened.givers == {s for i, s in enumerate(sat.terms.sites) if leaves.get(i) not in BEFORE}
    silent = [s for i, s in enumerate(sat.terms.sites) if leaves.get(i) in BEFORE]
    plain = RoundContext(Clear(), sat.terms, sat.words, vanish=lambda party, round, step: party in silent)
    clear = plain.run()[SERVER].result
    assert np.array_equal(opened.words, clear.words)
    assert opened.givers == clear.givers


@settings(max_examples=examples(30))
@given(rounds(most=9))
def test_mask_opens_what_clear_opens(case):
    check(case)


@settings(max_examples=examples(12), deadline=None)
@given(rounds(most=24))
def test_mask_opens_what_clear_opens_with_more_sites(case):
    check(case)


@pytest.mark.slow
@settings(max_examples=examples(150))
@given(rounds(most=20))
def test_mask_opens_what_clear_opens_often(case):
    check(case)


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(rounds(most=60))
def test_mask_opens_what_clear_opens_up_to_sixty_sites(case):
    check(case)


@pytest.mark.parametrize(("server", "n"), [pytest.param("lying", 60, marks=pytest.mark.slow), ("curious", 30)])
def test_many_sites_with_drop_outs_at_every_step(server, n):
    steps = (BEFORE + AFTER) if server == "lying" else [*BEFORE, "mask/unmask"]
    leaves = dict(zip((3, 10, 17, 21, n - 1), steps, strict=False))
    check((n, 5, 4, server, arrays(n, 5, 32), 32, leaves))


@pytest.mark.parametrize("step", [*BEFORE, *AFTER])
@pytest.mark.parametrize("server", MODES)
def test_every_step_alone_may_lose_as_many_as_the_plan_says(server, step):
    check((7, 1, 2, server, arrays(7, 4, 64), 64, {0: step, 6: step}))


@pytest.mark.slow
@pytest.mark.parametrize("server", ["lying", "curious"])
def test_a_sparse_graph_opens_the_same_sum(server):
    leaves = {5: "mask/advertise", 40: "mask/share", 77: "mask/input", 99: "mask/input", 12: "mask/unmask"}
    check((100, 2, 4, server, arrays(100, 3, 32), 32, leaves))


@pytest.mark.slow
@pytest.mark.parametrize("n", [101, 150])
def test_larger_sparse_graphs_open_the_same_sum(n):
    leaves = {i: (BEFORE + AFTER)[i % 5] for i in range(0, n, n // 6)}
    check((n, n // 20, n // 20, "lying", arrays(n, 3, 32), 32, leaves))


def test_a_vector_longer_than_a_chunk_and_one_of_no_words():
    check((3, 0, 0, "lying", arrays(3, 70_001, 32), 32, {}))
    check((3, 0, 0, "lying", arrays(3, 0, 64), 64, {}))


@pytest.mark.parametrize("step", BEFORE)
@pytest.mark.parametrize("server", MODES)
def test_below_the_minimum_cohort_nothing_opens_and_the_error_says_so(server, step):
    sat = sitting(6, 1, 1, server, arrays(6, 4, 32), leaves={1: step, 4: step})
    abort = check_protection(sat)
    assert isinstance(abort, Abort)
    assert abort.cause is Cause.TOO_FEW
    assert "4 answers where 5 are needed" in str(abort)
    # Nobody helped to unmask.
    assert not any(move.label.step == "mask/unmask" for move in sat.transcript.moves)


@pytest.mark.parametrize("server", MODES)
def test_below_t_unmask_replies_nothing_opens_and_the_error_says_so(server):
    n, least = 6, thresholds(6, 1, 1, server)[1]
    leaves = dict.fromkeys(range(n - least + 1), "mask/unmask")
    abort = check_protection(sitting(6, 1, 1, server, arrays(6, 4, 32), leaves=leaves))
    assert isinstance(abort, Abort)
    assert abort.cause is Cause.TOO_FEW
    assert f"{least - 1} answers where {least} are needed" in str(abort)


def test_below_t_signatures_nothing_opens_and_the_error_says_so():
    least = thresholds(6, 1, 1, "lying")[1]
    leaves = dict.fromkeys(range(6 - least + 1), "mask/sign")
    abort = check_protection(sitting(6, 1, 1, "lying", arrays(6, 4, 32), leaves=leaves))
    assert isinstance(abort, Abort)
    assert abort.cause is Cause.TOO_FEW
    assert abort.step == "mask/sign"


def test_a_site_whose_words_do_not_fit_the_terms_stops_before_it_sends_them():
    sat = sitting(4, 0, 1, "lying", arrays(4, 4, 32))
    sat.words[sat.terms.sites[2]] = np.zeros(5, dtype="<u4")
    desks = sat.run()
    assert desks[sat.terms.sites[2]].abort.cause is Cause.TERMS
    assert desks[SERVER].result.givers == {s for i, s in enumerate(sat.terms.sites) if i != 2}
