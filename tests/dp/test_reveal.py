"""What may be shown: the settled sum in real units, neither clamped nor rounded."""

import numpy as np

from potluck.core.party import site
from potluck.core.stages import Grid, GridBlock, Opened, Settled
from potluck.dp.mechanism import mechanism
from potluck.dp.reveal import reveal
from support.dp.examples import histogram, plan


def test_a_release_keeps_sign_fraction_and_deviation():
    grid = Grid((GridBlock("a", 2, 0.25, 100.0), GridBlock("b", 1, 1.0, 100.0)), 32)
    words = np.array([-3, 5, -7], dtype=np.int64).astype("<u4")
    givers = frozenset({site("x"), site("y")})
    release = reveal(Settled(words, givers, np.array([1.0, 1.0, 2.0])), grid)
    assert release.values.tolist() == [-0.75, 1.25, -7.0]
    assert release.std.tolist() == [1.0, 1.0, 2.0]
    assert release.givers == givers
    assert release.part(grid, "b").tolist() == [-7.0]


def test_an_exact_sum_has_no_deviation():
    exact = mechanism(plan("none", task="statistics"), histogram(size=3))
    words = np.array([1, 2, 3], dtype="<u4")
    settled = exact.at_reveal(Opened(words, frozenset({site("x")})), lambda size: b"")
    release = reveal(settled, exact.grid)
    assert release.values.tolist() == [1, 2, 3]
    assert not release.std.any()
