"""How the enclave joins updates: their sum, or a rule that withstands some wrong ones and therefore needs each.

The updates are words of a ring of 2^bits: signed fixed-point steps. A rule other than `sum` looks at each site's mean
change u = delta / rows, with rows from the last `tally` words, and gives back words that read as a sum again:
the joined change times all rows, then the tallies' sum, so that what divides a sum by its rows need not know the rule.

Reference: Yin et al., Byzantine-Robust Distributed Learning, ICML 2018 (median, trimmed mean); Blanchard et al.,
Machine Learning with Adversaries, NeurIPS 2017 (Krum); Sun et al., arXiv 1911.07963 (norm bound).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.unsignedinteger]
Floats = NDArray[np.float64]
TRIM = 0.25
"""Share of the sites that `trimmed` leaves out at each end of every coordinate, at least one."""


def joined(rule: str, tally: int, updates: Sequence[Words]) -> Words:
    """updates: one [d] a site -> [d].

    Raises ValueError: no such rule, no updates, or a site without rows under a rule that divides by them.
    """
    if rule == "sum":
        total = updates[0].copy()
        for one in updates[1:]:
            total += one
        return total
    signed = [one.view(np.int64 if one.dtype.itemsize == 8 else np.int32) for one in updates]
    counts = np.array([int(one[len(one) - tally :].sum()) for one in signed], np.float64)
    used = [one for one, count in zip(signed, counts, strict=True) if count > 0]
    rows = counts[counts > 0]
    if not used or not 0 < tally < len(used[0]):
        raise ValueError("no site has rows")
    changes = np.stack([one[: len(one) - tally] / count for one, count in zip(used, rows, strict=True)])
    change = RULES[rule](changes, rows)
    ends = np.sum([one[len(one) - tally :] for one in signed], axis=0)
    whole = np.concatenate([np.trunc(change * rows.sum()), ends])
    return whole.astype(signed[0].dtype).view(updates[0].dtype)


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
    """The mean by rows, after each change was scaled down to the median of all norms."""
    norms = np.linalg.norm(changes, axis=1)
    scale = np.minimum(1.0, np.median(norms) / np.maximum(norms, 1e-300))
    return np.asarray((changes * scale[:, None] * rows[:, None]).sum(axis=0) / rows.sum(), np.float64)


RULES: Mapping[str, Callable[[Floats, Floats], Floats]] = {
    "median": median,
    "trimmed": trimmed,
    "krum": krum,
    "norm": norm,
}
