"""Guessed rows beside true ones: how many of the true were found, and how closely."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from potluck.audits.attack import Truth, Verdict, named
from potluck.core.prose import agree
from potluck.core.stages import Floats
from potluck.learning.data.table import Table

CLOSE, EXACT = 1e-3, 1e-6
"""A row is found where no number of it is farther off, on the scale from -1 to 1; the last digit, where so close."""
GOOD, WIDTH = 30.0, 2.0
"""Decibels, from which on a guess is the row to the eye; the range of a number."""
FAR, MATCHED = 10.0, 0.1
"""Decibels by which a guess has to be nearer than what knows nothing of a site; the squared distance of two directions,
of 4 at most, up to which they are one: 18 degrees."""
LEVEL = 1e-5
"""How often guesses at the rows of one sum, made of nothing, may come as near: of 100 sums once in 1,000 runs."""
Take = Callable[[Table], Floats]
"""Of a site's rows the numbers [n, p] that an attack is after, of rows that train."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Guesses [k, p] at rows of these sites. why: what speaks for them, without a look at true rows; sure: whether they
    are rows beyond doubt."""

    of: frozenset[str]
    guesses: Floats = field(repr=False)
    why: str
    take: Take = field(repr=False)
    sure: bool

    def judged(self, truth: Truth) -> Verdict:
        """Succeeded where it finds a row. score: the share of rows found; baseline: by their mean."""
        who, many = named(self.of), len(self.guesses)
        if not self.of <= truth.keys():
            made = agree(many, "guess was made", "guesses were made")
            what = f"{made}, some of which may be means of rows"
            what = agree(many, "row was found", "rows were found") if self.sure else what
            what = f"of {who} {many} {what} by the record alone ({self.why})"
            return Verdict(True if self.sure else None, f"{what}; their true rows are not here to compare")
        rows = np.concatenate([self.take(truth[name]) for name in sorted(self.of)])
        off = farthest(rows, self.guesses)
        if self.sure and not (off <= CLOSE).any():
            found = f"{many} {agree(many, 'row was', 'rows were')} found by the record alone ({self.why})"
            what = f"of {who} {found}, none of which is here"
            return Verdict(None, f"{what}: are these the rows of that run?")
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


@dataclass(frozen=True, slots=True, eq=False)
class Likeness:
    """Guesses [k, p] at rows of these sites that may be near and not equal. distance: squared, of the direction of
    their slope and of the seen one."""

    of: frozenset[str]
    guesses: Floats = field(repr=False)
    take: Take = field(repr=False)
    distance: float

    def judged(self, truth: Truth) -> Verdict:
        """Succeeded where slopes match and a guess is GOOD decibels from a row, FAR nearer than the mean of its class
        and than any row of other sites, and nearer than guesses of nothing come by LEVEL. score: the median over rows
        of the nearest guess's; baseline: of the mean of other rows of the same target, of all sites whose rows are
        here."""
        who, slopes = named(self.of), f"slopes differ by {self.distance:.1g}"
        if not self.of <= truth.keys():
            many = len(self.guesses)
            searched = f"{many} {agree(many, 'row', 'rows')} of {who} {agree(many, 'was', 'were')} searched for"
            what = f"{searched} ({slopes}); {agree(many, 'its true row is', 'their true rows are')} not here"
            return Verdict(None, f"{what} to compare")
        rows = np.concatenate([self.take(truth[name]) for name in sorted(self.of)])
        all_ = np.concatenate([self.take(one) for one in truth.values()])
        near = decibels(rows, self.guesses)
        wanted = np.concatenate([truth[name].target[truth[name].train] for name in sorted(self.of)])
        targets = np.concatenate([one.target[one.train] for one in truth.values()])
        means = [decibels(row[None], _mean(row, all_, targets == y))[0] for row, y in zip(rows, wanted, strict=True)]
        elsewhere = [self.take(one) for name, one in truth.items() if name not in self.of]
        known = np.maximum(means, decibels(rows, np.concatenate(elsewhere)) if elsewhere else -np.inf)
        close = (near >= GOOD) & (near >= known + FAR)
        tries = len(rows) * len(self.guesses)
        hits = sum(tries * blind(row, one) <= LEVEL for row, one in zip(rows[close], near[close], strict=True))
        closest = [int(np.abs(all_ - guess).sum(axis=1).argmin()) for guess in self.guesses]
        theirs = np.array([(rows == one).all(axis=1).any() for one in all_])  # or equal
        words = (
            f"{hits} of {len(rows)} rows of {who} were found to {GOOD:g} dB or better, {FAR:g} dB nearer than the mean "
            f"of their class and rows of other sites, and nearer than guesses of nothing come once in {1 / LEVEL:,.0f} "
            f"times; the median is at {np.median(near):.1f} dB where the mean of their class is at "
            f"{np.median(means):.1f} dB; asked which of the {len(all_)} rows here it is nearest to, a guess says one "
            f"of theirs {theirs[closest].sum()} of {len(closest)} times, and a blind one {theirs.mean():.0%} of times "
            f"(searched for; {slopes}{'' if self.distance <= MATCHED else ', so that what is near is luck'})"
        )
        return Verdict(hits > 0 and self.distance <= MATCHED, words, float(np.median(near)), float(np.median(means)))


def blind(row: Floats, near: float) -> float:
    """How often a guess of nothing is within so many decibels of a row [p], at most: each number of it is one end of
    the range, the other, or drawn evenly between them, a third of times each. A search that is lost ends so: at clamped
    corners. The bound is Chernoff's, for a sum of squares over independent numbers."""
    from scipy.special import erf

    off = len(row) * WIDTH**2 * 10 ** (-near / 10)
    by = np.logspace(-2, 20, 128)[:, None]
    below, above = np.sqrt(by) * (1 + row), np.sqrt(by) * (1 - row)
    even = np.sqrt(np.pi / by) / 4 * (erf(below) + erf(above))
    with np.errstate(divide="ignore"):
        each = np.log((np.exp(-np.square(below)) + np.exp(-np.square(above)) + even) / 3)
    return float(np.exp(min(0.0, (by[:, 0] * off + each.sum(axis=1)).min())))


def _mean(row: Floats, rows: Floats, alike: NDArray[np.bool_]) -> Floats:
    """[1, p] of the other rows of its kind, or of all others where it is the only one."""
    others = (rows != row).any(axis=1)
    some = rows[others & alike] if (others & alike).any() else rows[others]
    return some.mean(axis=0)[None] if len(some) else np.zeros((1, rows.shape[1]))


def decibels(rows: Floats, guesses: Floats) -> Floats:
    """[n] of each row its peak signal-to-noise ratio to the nearest guess; numbers lie between -1 and 1."""
    off = [np.square(guesses - row).mean(axis=1).min() for row in rows]
    return np.asarray(10 * np.log10(WIDTH**2 / np.maximum(off, 1e-20)))
