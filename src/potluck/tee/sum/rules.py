"""How the enclave joins updates: their sum, or a rule that withstands some wrong ones and therefore needs each.

The updates are words of a ring of 2^bits: signed fixed-point steps. A rule other than `sum` looks at each site's mean
change u = delta / rows, with rows from the last `tally` words, and gives back words that read as a sum again:
the joined change times all rows, then the tallies' sum, so that what divides a sum by its rows need not know the rule.
A site that counts no rows, fewer than none or more than the plan allows is left out: its divisor would be a lever.

Reference: Yin et al., Byzantine-Robust Distributed Learning, ICML 2018 (median, trimmed mean); Blanchard et al.,
Machine Learning with Adversaries, NeurIPS 2017 (Krum); Sun et al., arXiv 1911.07963 (norm bound). None of them helps
against a majority, nor against changes that look like the others'.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from potluck.core.rounds import Rule, Words

Floats = NDArray[np.float64]
Word = Literal["median", "trimmed", "krum", "norm"]
TRIM = 0.25
"""Share of the sites that `trimmed` leaves out at each end of every coordinate, at least one."""


def joined(rule: Rule, updates: Sequence[Words]) -> Words:
    """updates: one [d] a site -> [d]. Raises ValueError: nothing to join, or no site with rows under a robust rule."""
    if not updates:
        raise ValueError("no updates")
    if rule.word == "sum":
        total = updates[0].copy()
        for one in updates[1:]:
            total += one
        return total
    kind = np.dtype(np.int64 if updates[0].dtype.itemsize == 8 else np.int32)
    signed: list[NDArray[np.signedinteger]] = [one.view(kind) for one in updates]
    split = len(signed[0]) - rule.tally
    if not 0 < rule.tally < len(signed[0]):
        raise ValueError("nothing says how many rows a site has")
    used = [one for one in signed if _counts(one[split:], rule.most)]
    if not used:
        raise ValueError("no site has rows")
    tallies = np.stack([one[split:] for one in used]).astype(np.int64)
    rows = tallies.sum(axis=1).astype(np.float64)
    changes = np.stack([one[:split] / count for one, count in zip(used, rows, strict=True)])
    change = RULES[rule.word](changes, rows)
    most = 2.0 ** (8 * kind.itemsize - 2)  # clip, so that an outlier the rule kept cannot overflow
    whole = np.concatenate([np.trunc(np.clip(change * rows.sum(), -most, most)), tallies.sum(axis=0)])
    return whole.astype(kind).view(updates[0].dtype)


def _counts(tally: NDArray[np.signedinteger], most: int) -> bool:
    """Whether these are counts of rows: none below zero, above zero together, and no more than a site may have."""
    values = [int(one) for one in tally]
    return min(values) >= 0 and 0 < sum(values) <= most


def median(changes: Floats, rows: Floats) -> Floats:
    """The middle of every coordinate, whatever the rows. changes: [n, d]."""
    return np.asarray(np.median(changes, axis=0), np.float64)


def trimmed(changes: Floats, rows: Floats) -> Floats:
    """The mean of every coordinate without its largest and smallest values; the median where none would be left."""
    out = max(1, int(len(changes) * TRIM))
    if 2 * out >= len(changes):
        return median(changes, rows)
    return np.asarray(np.sort(changes, axis=0)[out : len(changes) - out].mean(axis=0), np.float64)


def krum(changes: Floats, rows: Floats) -> Floats:
    """The change that lies closest to its n - f - 2 nearest others, with f the most that Krum bears: (n - 3) / 2."""
    n = len(changes)
    if n < 3:
        return median(changes, rows)
    nearest = max(1, n - (n - 3) // 2 - 2)
    apart = np.full((n, n), np.inf)
    for i in range(n):
        for j in range(i):
            apart[i, j] = apart[j, i] = ((changes[i] - changes[j]) ** 2).sum()
    scores = np.sort(apart, axis=1)[:, :nearest].sum(axis=1)
    return np.asarray(changes[int(scores.argmin())], np.float64)


def norm(changes: Floats, rows: Floats) -> Floats:
    """The mean by rows, after each change was scaled down to the median of all norms, and each count of rows to the
    median of all counts: what a site says of its rows nobody can check."""
    norms = np.sqrt((changes**2).sum(axis=1))
    scale = np.minimum(1.0, np.median(norms) / np.maximum(norms, 1e-300))
    weights = np.minimum(rows, np.median(rows))
    return np.asarray((changes * (scale * weights)[:, None]).sum(axis=0) / weights.sum(), np.float64)


RULES: Mapping[Word, Callable[[Floats, Floats], Floats]] = {
    "median": median,
    "trimmed": trimmed,
    "krum": krum,
    "norm": norm,
}
