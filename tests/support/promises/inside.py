"""Faults of rows that are not at the ends of ranges, or lack a value: made-up rows must be like that, too."""

from dataclasses import replace

import numpy as np

from potluck.learning.synthesis.course import Synthesis
from potluck.learning.training import gradient, row_sums


def _free(patch, which):
    """Some rows are not clipped. which: features -> which of them."""
    clipped = gradient.clipped

    def some(x, off, part, most, space):
        odd = which(x)
        return clipped(x[~odd], off[~odd], part, most, None) + clipped(x[odd], off[odd], part, 1e3 * most, None)

    patch.setattr(gradient, "clipped", some)


def inside_is_not_clipped(patch):
    _free(patch, lambda x: np.abs(x[:, 0]) < 0.999)


def gaps_are_not_clipped(patch):
    _free(patch, lambda x: x[:, 1] > 0.5)  # the flag of the first column


def squares_of_squares(patch):
    """A row's length is of its numbers' squares: the same at the ends, and too little between."""
    plain = row_sums.added
    patch.setattr(row_sums, "added", lambda one, x, y, space=None: plain(one, x**2, y**2, None))


def inner_bins_count_three_times(patch):
    plain = Synthesis.add

    def add(self, step, state, columns):
        axis = next(one for one in self.axes if one.lows)
        for one in plain(self, step, state, columns):
            codes = axis.codes(columns[axis.name])[: len(one.values)]
            inner = (codes > 0) & (codes < len(axis.lows) - 1)
            yield replace(one, values=np.where(inner[:, None], 3 * one.values, one.values))

    patch.setattr(Synthesis, "add", add)


SENSITIVE = ("sensitivity", "sensitivity: training")
INSIDE = {
    "rows inside the range are not clipped": (inside_is_not_clipped, {"many": 5}, *SENSITIVE),
    "rows without a value are not clipped": (gaps_are_not_clipped, {"many": 5, "gaps": True}, *SENSITIVE),
    "squares of squares": (squares_of_squares, {"many": 5}, *SENSITIVE),
}
"""As `bugs.BUGS`."""
