"""Guessed rows beside true ones: how many of the true were found, and how closely."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from potluck.audit.attack import Truth, Verdict, named
from potluck.core.stages import Floats
from potluck.learning.data.table import Table

CLOSE, EXACT = 1e-3, 1e-6
"""A row is found where no number of it is farther off, on the scale from -1 to 1; the last digit, where so close."""
Take = Callable[[Table], Floats]
"""Of a site's rows the numbers [n, p] that an attack is after, of rows that train."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Guesses [k, p] at rows of these sites. why: what speaks for them, without a look at true rows."""

    of: frozenset[str]
    guesses: Floats = field(repr=False)
    why: str
    take: Take = field(repr=False)

    def judged(self, truth: Truth) -> Verdict:
        """Succeeded where it finds a row. score: the share of rows found; baseline: by their mean."""
        who = named(self.of)
        if not self.of <= truth.keys():
            what = f"{len(self.guesses)} rows of {who} were found by the record alone ({self.why}); "
            return Verdict(True, what + "their true rows are not here to compare")
        rows = np.concatenate([self.take(truth[name]) for name in sorted(self.of)])
        off = farthest(rows, self.guesses)
        hits, mean = int((off <= CLOSE).sum()), float((farthest(rows, rows.mean(axis=0)[None]) <= CLOSE).mean())
        how = " to the last digit" if hits and (off[off <= CLOSE] <= EXACT).all() else f" to within {CLOSE:g}"
        words = f"{hits} of {len(rows)} rows of {who} were found{how if hits else ''} ({self.why}; compared with all)"
        return Verdict(hits > 0, words, hits / len(rows), mean if len(rows) > 1 else 0.0)


def farthest(rows: Floats, guesses: Floats) -> Floats:
    """[n] how far the nearest guess is from each row, by the number that is farthest off."""
    if not len(guesses):
        return np.full(len(rows), np.inf)
    return np.array([np.abs(guesses - row).max(axis=1).min() for row in rows])


def features(table: Table) -> Floats:
    """The encoded features of rows that train."""
    return table.features[table.train]
