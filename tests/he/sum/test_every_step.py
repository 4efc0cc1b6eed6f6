"""n-of-n and t-of-n of 3, 5 and 10 sites: words at the edges of the ring, sites gone at every step, `he` is `clear`.

And the other side of t: with one partial decryption too few nothing opens, whichever it is.
"""

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from potluck.core.party import SERVER, site
from potluck.core.rounds import Abort, Cause, RoundId, Terms
from potluck.core.stages import Opened
from potluck.core.wire import load
from potluck.he.sum import messages as m
from potluck.he.sum.bfv import Bfv, Setting
from potluck.he.sum.packing import unpack
from potluck.he.sum.protection import He
from potluck.mpc.clear.protection import Clear
from potluck.testing.protection import RoundContext, check_protection
from support.examples import examples

BEFORE = [m.KEYS, m.SHARE, m.INPUT]
STEPS = [*BEFORE, m.PARTIAL, m.REBUILD]
COHORTS = [(3, 0), (3, 1), (5, 0), (5, 2), (10, 0), (10, 4)]


def cases(found):
    """Parameters; those of ten sites, the first number, are slow."""
    return [pytest.param(*one, marks=pytest.mark.slow if one[0] == 10 else []) for one in found]


@pytest.fixture(scope="module")
def workers(he_engine):
    """Engines that all rounds of this module share."""
    made = {}
    yield made
    for worker in made.values():
        worker.close()


def least(n, d):
    return min(n - d, n // 2 + 1)


def sitting(workers, n, d, words, leaves, recheck=True, protection=None):
    sites = tuple(site(f"s{i}") for i in range(n))
    bits = 8 * words.dtype.itemsize
    terms = Terms(RoundId("run", 1), b"d" * 32, "once", sites, n - d, words.shape[1], bits)
    gone = {sites[i]: step for i, step in leaves.items()}
    made = protection or He(least(n, d), recheck, workers)
    given_ = dict(zip(sites, words, strict=True))
    return RoundContext(made, terms, given_, vanish=lambda party, round, step: gone.get(party) == step)


def bears(n, d, leaves):
    """Whether a cohort is left at each step, and holders enough of the shares that are asked for."""
    at = {step: sum(STEPS.index(gone) <= STEPS.index(step) for gone in leaves.values()) for step in STEPS}
    shared = n - at[m.KEYS] > n - d
    asked = any(gone in (m.PARTIAL, m.INPUT) for gone in leaves.values())
    if n - at[m.PARTIAL] < n - d or (not shared and any(gone != m.KEYS for gone in leaves.values())):
        return False
    return not asked or n - at[m.REBUILD] >= least(n, d)


def equals_clear(workers, n, d, words, leaves, recheck=True):
    sat = sitting(workers, n, d, words, leaves, recheck)
    opened = check_protection(sat)
    assert isinstance(opened, Opened), str(opened)
    silent = {sat.terms.sites[i] for i, step in leaves.items() if step in BEFORE}
    plain = RoundContext(Clear(), sat.terms, sat.words, vanish=lambda party, round, step: party in silent)
    clear = plain.run()[SERVER].result
    assert opened.words.dtype == clear.words.dtype
    assert opened.words.tobytes() == clear.words.tobytes()
    assert opened.givers == clear.givers == set(sat.terms.sites) - silent


@st.composite
def rounds(draw, n, d):
    """Vectors of edges, or of nothing but the largest word; who leaves, and when."""
    bits = draw(st.sampled_from([32, 64]))
    top = 2**bits - 1
    edges = [0, 1, 2, top // n, top // n + 1, top // 2, top // 2 + 1, top - 1, top]
    edge = st.sampled_from(edges) | st.integers(0, top)
    length = draw(st.integers(1, 5))
    row = st.lists(edge, min_size=length, max_size=length)
    same = draw(st.none() | st.sampled_from(edges))
    words = draw(st.lists(row, min_size=n, max_size=n)) if same is None else [[same] * length] * n
    order = draw(st.permutations(range(n)))
    leaves = {i: draw(st.sampled_from(STEPS)) for i in order[: draw(st.integers(0, d))]}
    if not bears(n, d, leaves):
        leaves = dict.fromkeys(leaves, draw(st.sampled_from(BEFORE[:1] if n == 3 else BEFORE)))
    return np.array(words, f"<u{bits // 8}"), leaves, draw(st.booleans())


@pytest.mark.parametrize(
    ("n", "d"), [pytest.param(*one, marks=[pytest.mark.slow] * (one != (5, 2))) for one in COHORTS]
)
def test_any_words_and_any_drop_outs_that_the_plan_bears(workers, n, d):
    @settings(max_examples=examples(12), database=None)
    @given(case=rounds(n, d))
    def check(case):
        words, leaves, recheck = case
        equals_clear(workers, n, d, words, leaves, recheck)

    check()


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(("n", "d"), cases([(3, 1), (5, 2), (10, 4)]))
def test_as_many_as_the_plan_says_are_gone_at_one_step(workers, n, d, step):
    """The first among them, who adds c0, and the last. Whoever leaves when it is asked for shares has done its part."""
    gone = [0, n - 1, *range(2, n - 1)][:d]
    words = np.full((n, 3), 2**64 - 1, "<u8")
    equals_clear(workers, n, d, words, dict.fromkeys(gone, step))


PAIRS = [
    pytest.param(pair, marks=pytest.mark.slow if pair[0] > pair[1] or (at % 7 and pair[0] != pair[1]) else [])
    for at, pair in enumerate(product(STEPS, repeat=2))
]


@pytest.mark.parametrize("steps", PAIRS)
def test_two_of_five_are_gone_at_any_two_steps(workers, steps):
    leaves = {1: steps[0], 3: steps[1]}
    assert bears(5, 2, leaves)
    equals_clear(workers, 5, 2, np.full((5, 2), 2**32 - 1, "<u4"), leaves)


@pytest.mark.parametrize(
    ("n", "d", "step"),
    # No key is shared where all must stay: nobody is asked for it.
    cases((n, d, step) for n, d in COHORTS for step in STEPS[:4] if d or step != m.SHARE),
)
def test_with_one_more_gone_nothing_opens(workers, n, d, step):
    leaves = dict.fromkeys(range(d + 1), step)
    abort = check_protection(sitting(workers, n, d, np.ones((n, 2), "<u4"), leaves))
    assert isinstance(abort, Abort)
    assert (abort.cause, abort.step) == (Cause.TOO_FEW, step)


# --- One partial decryption too few ---


class Heard(He):
    """`he`, whose server keeps what its engine was given to fuse, and makes nothing of it itself."""

    def __init__(self, *of):
        super().__init__(*of)
        object.__setattr__(self, "fused", [])

    def _setting(self, terms, party):
        found = super()._setting(terms, party)
        if party != SERVER:
            return found
        engine = Keeping(found.engine, self.fused)
        return Setting(engine, found.layout, found.least, found.recheck)


class Keeping(Bfv):
    def __init__(self, engine, fused):
        super().__init__(engine.parameters, engine._worker)
        self.fused = fused

    def fuse(self, partials):
        self.fused.append([bytes(one) for one in partials])
        return super().fuse(partials)


def uniform(slots, below):
    """Chi-square over 64 cells of equal width; a right test fails once in a billion."""
    counts = np.bincount((slots.ravel().astype(float) * 64 / below).astype(int), minlength=64)
    return float(((counts - counts.mean()) ** 2 / counts.mean()).sum()) < chi2.ppf(1 - 1e-9, 63)


@pytest.mark.parametrize(
    ("n", "d", "leaves"),
    cases(
        [(3, 0, {}), (3, 1, {0: m.PARTIAL}), (5, 0, {}), (5, 2, {0: m.PARTIAL, 3: m.PARTIAL}), (10, 0, {}), (10, 4, {})]
    ),
)
def test_with_any_partial_decryption_missing_what_is_left_is_uniform_and_refused(workers, n, d, leaves):
    """Rebuilt keys' too: all dealers' partials are needed, t of them open no more than one."""
    protection = Heard(least(n, d), True, workers)
    sat = sitting(workers, n, d, np.full((n, 3), 2**32 - 1, "<u4"), leaves, protection=protection)
    assert isinstance(check_protection(sat), Opened)
    (parts,) = protection.fused
    assert len(parts) == n
    setting = He._setting(protection, sat.terms, SERVER)
    assert np.array_equal(unpack(setting.engine.fuse(parts), setting.layout), np.full(3, 2**32 - n, "<u4"))
    few = {least(n, d) - 1, least(n, d), n - 1} - {0}
    for some in [one for size in few for one in list(combinations(range(n), size))[:12]]:
        slots = setting.engine.fuse([parts[i] for i in some])
        with pytest.raises(Abort) as caught:
            unpack(slots, setting.layout)
        assert caught.value.cause is Cause.RANGE
        assert uniform(slots, setting.engine.parameters.plain)


@pytest.mark.parametrize(("n", "d"), cases([(3, 1), (5, 2), (10, 4)]))
def test_one_share_too_few_ends_the_round_before_a_key_is_rebuilt(workers, n, d):
    """One site is missing at the end; of the others fewer than t give their shares of its key."""
    some = n - least(n, d)
    leaves = {0: m.PARTIAL} | dict.fromkeys(range(1, some + 1), m.REBUILD)
    sat = sitting(workers, n, d, np.ones((n, 2), "<u4"), leaves)
    abort = check_protection(sat)
    assert isinstance(abort, Abort)
    assert (abort.cause, abort.step) == (Cause.TOO_FEW, m.REBUILD)
    given_ = [load(body, m.Shares).shares for step, _, _, body in sat.transcript.bodies if step == m.REBUILD]
    assert len(given_) == least(n, d) - 1
