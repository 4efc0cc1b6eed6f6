"""Which rows are held out: a keyed hash of each row, not a permutation.

A permutation moves dozens of other rows when one is appended, so that a model's training set would depend on rows
that it never saw, and row-level privacy would not hold. Here a row's side depends on the seed, the row itself and
how many equal rows stand before it; or, where the plan names a person column, on the person alone, so that nobody
is on both sides. Equal means equal in every bit of the encoded row: rows that merely look alike could change sides
with one another's ordinals and yet contribute differently, which one row's sensitivity does not cover.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from potluck.core.plan import Plan
from potluck.core.seeded import fraction
from potluck.core.stages import Floats

ASSUMED = 0.25
"""The share that a split column holds out: what it is, only the rows could say."""


def by_row(seed: int, share: float, features: Floats, target: Floats) -> NDArray[np.bool_]:
    """[n] True: held out. The same row is on the same side in any file, at any site, in any order."""
    rows = (np.column_stack([features, target]) + 0.0).astype("<f8")  # + 0.0: minus zero is zero
    seen: dict[bytes, int] = {}
    out = np.zeros(len(rows), dtype=np.bool_)
    whole, width = rows.tobytes(), 8 * rows.shape[1]
    for index in range(len(rows)):
        body = whole[index * width : (index + 1) * width]
        ordinal = seen.get(body, 0)
        seen[body] = ordinal + 1
        out[index] = fraction(seed, b"row\0" + body + ordinal.to_bytes(8, "little")) < share
    return out


def by_person(seed: int, share: float, names: list[str]) -> NDArray[np.bool_]:
    """[n] True: held out, with all other rows of the same person."""
    side = {
        name: fraction(seed, b"person\0" + name.encode("utf-8", "surrogatepass")) < share
        for name in dict.fromkeys(names)
    }
    return np.array([side[name] for name in names], dtype=np.bool_)


def by_key(seed: int, share: float, keys: Sequence[bytes]) -> NDArray[np.bool_]:
    """[n] True: held out, by the digests of keys that rows of several owners are matched by: the same at all owners."""
    return np.array([fraction(seed, b"key\0" + one) < share for one in keys], np.bool_)


def held_out(plan: Plan) -> float | None:
    """About how many rows of all sites are held out; None where the plan does not say how many it expects."""
    training, split = plan.training, plan.data.split
    if training is None or training.expected_rows is None or split is None:
        return None
    share = ASSUMED if split.test is None else split.test
    return training.expected_rows * share / (1 - share)
