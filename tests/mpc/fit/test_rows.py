"""Whether too few rows are kept is one bit for both sides, formed in the engine; with noise it is always 0."""

import numpy as np
import pytest

from potluck.core.fitting import Take
from potluck.core.rounds import Abort
from potluck.engines.worker import Worker
from potluck.mpc.fit import parts as fit_parts
from potluck.mpc.replicated import held
from potluck.mpc.spu import Spu
from potluck.secret.random import system
from support.mpc.spu_rig import PARTIES, compiled, ran

pytestmark = pytest.mark.slow
SIDE, LEAST, STEP = 12, 10, 1 << 18
LINE = {"kind": "linear", "method": "newton", "rounds": 1, "l2": 1.0, "rate": 1.0, "train": SIDE, "test": SIDE,
        "features": [1, 1], "target": 0, "batch": SIDE, "divisor": SIDE, "clip": 0.0, "noises": 0,
        "least": LEAST}  # fmt: skip
TREES = {"train": SIDE, "test": SIDE, "cuts": [2, 2], "target": 0, "depth": 1, "rounds": 1, "rate": STEP,
         "ridge": STEP, "sides": 1, "least": LEAST}  # fmt: skip


def kept(train, test=SIDE):
    """[rows] so many 1 on either side."""
    return np.array([1] * train + [0] * (SIDE - train) + [1] * test + [0] * (SIDE - test), np.int64)


CASES = [
    (kept(10, 10), kept(SIDE), 0),
    (kept(9), kept(SIDE), 1),
    (kept(SIDE, 9), kept(SIDE), 1),
    (kept(0, 0), kept(SIDE), 1),
    # Each keeps enough, together they do not: 2 and 2 of 12 are left out.
    (kept(10), kept(SIDE)[::-1] - (np.arange(2 * SIDE) < 2), 1),
    (kept(11), kept(SIDE) - (np.arange(2 * SIDE) < 1), 0),
]
"""(rows that one owner keeps, rows that the other keeps, the bit)."""


def faults(engines, protocol, programs, arrays):
    """The opened first result."""
    takes = [Take(0, one.kind, one.shape) for one in programs[0].takes]
    count = PARTIES[protocol]
    parts = fit_parts.dealt(takes, arrays, b"a test", system, count)
    shares = [fit_parts.shares(takes, held(parts, rank), b"a test") for rank in range(count)]
    results = ran(engines, programs, list(zip(*shares, strict=True)))
    return engines[0].opened(protocol, programs[0].gives[0], results[0]).view(np.int64).tolist()


def rows(seed=0):
    draw = np.random.default_rng(seed)
    return draw.uniform(-1, 1, (2 * SIDE, 1)), draw.uniform(-1, 1, (2 * SIDE, 1)), draw.uniform(-1, 1, 2 * SIDE)


def test_a_regression_says_whether_enough_rows_are_kept_on_both_sides(protocol):
    name, engines = protocol
    one, other, target = rows()
    programs = compiled(engines, name, "regression", LINE)
    for mine, yours, few in CASES:
        found = faults(engines, name, programs, [one, mine, other, yours, target])
        assert found == [0, 0, few], (mine.tolist(), yours.tolist())
    # An owner whose rows are not kept or left out, but something else, is found as such.
    odd = kept(SIDE) * 1000
    assert faults(engines, name, programs, [one, kept(9), other, odd, target])[:2] == [0, 2 * SIDE]


def test_trees_say_whether_enough_rows_are_kept_on_both_sides(aby3):
    one, other, target = rows()
    cuts = np.array([-0.5, 0.5])
    below, under = (cuts[:, None] >= column.T for column in (one, other))
    programs = compiled(aby3, "ABY3", "boosted_trees", TREES)
    for mine, yours, few in CASES:
        arrays = [below, cuts, mine > 0, under, cuts, yours > 0, target > 0]
        assert faults(aby3, "ABY3", programs, arrays) == [0, 0, few], (mine.tolist(), yours.tolist())


def test_where_no_row_is_held_out_none_has_to_be_kept(protocol):
    name, engines = protocol
    one, other, target = (part[:SIDE] for part in rows())
    programs = compiled(engines, name, "regression", LINE | {"test": 0})
    for mine, few in ((10, 0), (9, 1)):
        arrays = [one, kept(mine)[:SIDE], other, kept(SIDE)[:SIDE], target]
        assert faults(engines, name, programs, arrays) == [0, 0, few]


def test_with_noise_nothing_is_said_of_how_many_rows_are_kept(aby3):
    one, other, target = (part[:SIDE] for part in rows())
    noisy = LINE | {"method": "gradient", "test": 0, "clip": 1.0, "noises": 3, "least": 0}
    programs = compiled(aby3, "ABY3", "regression", noisy)
    for mine in (SIDE, 1, 0):
        arrays = [one, kept(mine)[:SIDE], other, kept(SIDE)[:SIDE], target, *[np.zeros((1, 3))] * 3]
        assert faults(aby3, "ABY3", programs, arrays) == [0, 0, 0]


def test_an_engine_makes_no_program_that_keeps_no_count_without_noise_or_one_with_it(mpc_engine):
    spare = Spu(Worker("mpc"))
    noisy = {"method": "gradient", "test": 0, "clip": 1.0, "noises": 3}
    for program, numbers in (
        ("regression", LINE | {"least": 0}),
        ("regression", LINE | noisy),
        ("boosted_trees", TREES | {"least": 0}),
    ):
        with pytest.raises(Abort, match="least"):
            spare.compile("ABY3", program, numbers)
    spare.close()
