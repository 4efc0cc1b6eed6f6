"""What `tee` opens is what `clear` opens, bit for bit: any cohort, words and drop-outs that the plan allows."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from potluck.core.party import SERVER
from potluck.core.rounds import Abort, Cause
from potluck.core.stages import Opened
from potluck.mpc.clear.protection import Clear
from potluck.tee.attestation import messages as a
from potluck.tee.host import Enclave
from potluck.tee.sum import messages as m
from potluck.testing.protection import RoundContext, check_protection
from support.examples import examples
from support.tee.rig import arrays, left, near, program, sitting, stopped

BEFORE = [a.NONCE, m.INPUT]
AFTER = [m.CONFIRM]


@st.composite
def rounds(draw, most):
    """A sound federation, words at the edges of the ring, and drop-outs that its cohort allows."""
    n = draw(st.integers(3, most))
    d = draw(st.integers(0, n - 2))
    order = draw(st.permutations(range(n)))
    gone = draw(st.integers(0, d))
    leaves = {i: draw(st.sampled_from([*BEFORE, *AFTER])) for i in order[:gone]}
    bits = draw(st.sampled_from([32, 64]))
    edge = st.sampled_from([0, 1, 2 ** (bits - 1) - 1, 2 ** (bits - 1), 2**bits - 1]) | st.integers(0, 2**bits - 1)
    words = draw(st.lists(st.lists(edge, min_size=3, max_size=3), min_size=n, max_size=n))
    return d, [np.array(row, dtype=f"<u{bits // 8}") for row in words], bits, leaves


def check(case, enclave=None):
    d, words, bits, leaves = case
    sat = sitting(words, d, bits=bits, leaves=leaves, enclave=enclave)
    opened = check_protection(sat)
    assert isinstance(opened, Opened), str(opened)
    silent = [s for i, s in enumerate(sat.terms.sites) if leaves.get(i) in BEFORE]
    assert opened.givers == set(sat.terms.sites) - set(silent)
    plain = RoundContext(Clear(), sat.terms, sat.words, vanish=lambda party, round, step: party in silent)
    clear = plain.run()[SERVER].result
    assert np.array_equal(opened.words, clear.words)
    assert opened.givers == clear.givers


@given(case=rounds(most=7))
def test_tee_opens_what_clear_opens(case):
    check(case)


@pytest.mark.slow
@settings(max_examples=examples(300))
@given(case=rounds(most=20))
def test_tee_opens_what_clear_opens_often(case):
    check(case)


@pytest.mark.parametrize("step", [*BEFORE, *AFTER])
@pytest.mark.parametrize("bits", [32, 64])
def test_every_step_alone_may_lose_as_many_as_the_plan_says(step, bits):
    check((2, arrays(6, bits=bits), bits, {0: step, 5: step}))


def test_a_long_vector_and_one_of_no_words_through_the_real_process():
    enclave = Enclave(program())
    check((0, arrays(3, 200_001, 32), 32, {}), enclave)
    enclave.close()
    enclave = Enclave(program())
    check((1, arrays(4, 0), 64, {2: m.CONFIRM}), enclave)
    enclave.close()


@pytest.mark.parametrize("step", [*BEFORE, *AFTER])
def test_below_the_minimum_cohort_nothing_opens_and_the_error_says_so(step):
    sat = sitting(arrays(5), 1, leaves={1: step, 3: step})
    abort = check_protection(sat)
    assert isinstance(abort, Abort)
    assert abort.cause is Cause.TOO_FEW
    assert "3 answers where 4 are needed" in str(abort)


def test_a_site_whose_words_do_not_fit_the_terms_stops_before_it_sends_them():
    sat = sitting(arrays(4), 1)
    sat.words[sat.terms.sites[2]] = np.zeros(5, dtype="<u8")
    desks = sat.run()
    assert stopped(desks)[2][0] is Cause.TERMS
    assert sat.terms.sites[2] not in left(sat, m.INPUT)
    assert desks[SERVER].result.givers == {s for i, s in enumerate(sat.terms.sites) if i != 2}


def test_two_rounds_of_one_enclave_under_fresh_nonces():
    enclave = near()
    first, second = (sitting(arrays(4, seed=number), enclave=enclave, number=number) for number in (1, 2))
    assert isinstance(check_protection(first), Opened)
    second.terms = replace(second.terms, once="another")
    assert isinstance(check_protection(second), Opened)
    shown = [body for sat in (first, second) for step, _, _, body in sat.transcript.bodies if step == a.EVIDENCE]
    assert len(set(shown)) == 8
