"""A lying site: what it deals or says wrongly is a drop-out or ends the round with its name; its values are its own.

It can give any value, as any site can, and shift the sum by any value: that is said, and shown here.
"""

import numpy as np
import pytest

from potluck.core.party import SERVER, site
from potluck.core.rounds import Abort, Cause
from potluck.core.stages import Opened
from potluck.he.sum.bfv import Bfv
from potluck.he.sum.packing import pack
from potluck.he.sum.parameters import PARTIAL, WIRE
from potluck.he.sum.residues import add, read
from potluck.he.sum.residues import dump as flat
from potluck.testing.protection import check_protection
from support.examples import fewer
from support.he.lying import NONSENSE, lie, noise
from support.he.rogue import sitting

N, D = 5, 1
LIARS = [0, pytest.param(2, marks=pytest.mark.slow)]
"""The one who adds c0, and another."""


# --- What is no polynomial is a drop-out ---


@pytest.mark.parametrize("liar", LIARS)
@pytest.mark.parametrize("what", fewer(NONSENSE, "too short", "a residue that is its prime"))
@pytest.mark.parametrize("op", ["keygen", "encrypt", "partial"])
def test_what_is_no_polynomial_is_a_drop_out_and_the_round_goes_on(workers, op, what, liar):
    sat = lie(workers, liar, {op: NONSENSE[what]})
    opened = check_protection(sat)
    assert isinstance(opened, Opened)
    assert (sat.terms.sites[liar] in opened.givers) == (op == "partial")


@pytest.mark.parametrize("op", ["keygen", "encrypt", "partial"])
def test_where_nobody_may_drop_out_it_ends_the_round(workers, op):
    sat = lie(workers, 0, {op: NONSENSE["all ones"]}, n=3, d=0)
    desks = sat.run()
    assert desks[SERVER].abort.cause is Cause.TOO_FEW
    assert desks[SERVER].lost == {sat.terms.sites[0]: Cause.MALFORMED}


# --- What is a polynomial and wrong: never a wrong sum but by whom may choose it ---


@pytest.mark.parametrize("liar", LIARS)
@pytest.mark.parametrize(("op", "towers"), [("keygen", WIRE), ("encrypt", WIRE), ("partial", PARTIAL)])
def test_a_polynomial_of_nothing_ends_the_round_as_out_of_range(workers, op, towers, liar):
    abort = check_protection(lie(workers, liar, {op: noise(towers)}))
    assert isinstance(abort, Abort)
    assert abort.cause is Cause.RANGE


def test_the_same_partial_twice_or_none_at_all_is_out_of_range(workers):
    for turn in (lambda body, parameters: bytes(len(body)), lambda body, parameters: doubled(body, parameters)):
        abort = check_protection(lie(workers, 1, {"partial": turn}))
        assert abort.cause is Cause.RANGE


def doubled(body, parameters):
    shape = (-1, PARTIAL, parameters.ring)
    total = np.array(read(body, (len(body) // parameters.partial_bytes, *shape[1:]), parameters, None))
    add(total, total.copy(), parameters)
    return flat(total)


class Shifting(Bfv):
    """It adds to its partial decryption what an encryption of `shift` under its own key opens to."""

    def __init__(self, engine, shift):
        super().__init__(engine.parameters, engine._worker)
        self.shift, self.seed = shift, b""

    def keygen(self, seed):
        self.seed = seed
        return super().keygen(seed)

    def partial(self, key, total, lead):
        honest = super().partial(key, total, lead)
        more = super().partial(key, self.encrypt(self.seed, key.public, self.shift), True)
        shape = (len(self.shift), PARTIAL, self.parameters.ring)
        both = np.array(read(honest, shape, self.parameters, None))
        add(both, read(more, shape, self.parameters, None), self.parameters)
        return flat(both)


@pytest.mark.parametrize("liar", LIARS)
def test_a_lying_key_holder_shifts_the_sum_unseen_as_the_documentation_says(workers, liar):
    """It need not know anything of the others' words. No check can tell: it could have given other words, too."""
    plain = sitting(workers, N, D)
    layout = plain.protection.setting(plain.terms, site("s0")).layout
    shift = np.array([1, 0, 2**20, 5], "<u4")
    sat = sitting(workers, N, D, rigs={liar: lambda engine: Shifting(engine, pack(shift, layout))})
    for party in sat.terms.sites:
        sat.words[party][:] = sat.words[party] >> 4  # the sum of limbs keeps room for one more
    opened = sat.run()[SERVER].result
    right = sum((sat.words[s] for s in sat.terms.sites), np.zeros(4, "<u4"))
    assert np.array_equal(opened.words, right + shift)


@pytest.mark.parametrize("liar", LIARS)
def test_a_full_vector_has_hardly_any_padding_and_is_out_of_range_all_the_same(workers, liar):
    layout = sitting(workers, N, D).protection.setting(sitting(workers, N, D).terms, site("s0")).layout
    full = int(layout.ring / sum(cut.limbs / cut.fields for cut in layout.cuts))
    sat = lie(workers, liar, {"partial": noise(PARTIAL)}, length=full)
    assert check_protection(sat).cause is Cause.RANGE
