"""Which rows are held out, for the end or to look at while training goes on: a keyed hash of each row, no permutation.

A permutation moves dozens of other rows when one is appended, so that a model's training set would depend on rows
that it never saw, and row-level privacy would not hold. Here a row's side depends on the seed, the row itself and
how many equal rows stand before it; or, where the plan names a person column, on the person alone, so that nobody
is on two sides. Equal means equal in every bit of the encoded row: rows that merely look alike could change sides
with one another's ordinals and yet contribute differently, which one row's sensitivity does not cover.
"""

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from potluck.core.plan import Plan, Split
from potluck.core.seeded import fraction
from potluck.core.stages import Floats

Mask = NDArray[np.bool_]
ASSUMED = 0.25
"""The share that a split column holds out: what it is, only the rows could say."""


def by_row(seed: int, features: Floats, target: Floats, marks: NDArray[np.uint8] | None = None) -> Floats:
    """[n] each row's place in [0, 1): below the share that is held out, it is. The same row has the same place in any
    file, at any site, in any order. marks [n, k]: what else a row is, as digests of its files."""
    places = [fraction(seed, b"row\0" + body) for body in _bodies(features, target, marks)]
    return np.array(places, dtype=np.float64)


def keys_of(site: str, features: Floats, target: Floats, marks: NDArray[np.uint8] | None = None) -> NDArray[np.uint64]:
    """[n] a number of each row that tells it from all others, of any site: a hash of the same."""
    whole = hashlib.blake2b(site.encode() + b"\0", digest_size=8)
    found = bytearray()
    for body in _bodies(features, target, marks):
        one = whole.copy()
        one.update(body)
        found += one.digest()
    return np.frombuffer(bytes(found), "<u8").astype(np.uint64)


def _bodies(features: Floats, target: Floats, marks: NDArray[np.uint8] | None) -> Iterator[bytes]:
    """Each row, and how many equal ones stand before it."""
    rows = (np.column_stack([features, target]) + 0.0).astype("<f8")  # + 0.0: minus zero is zero
    seen: dict[bytes, int] = {}
    whole, width = rows.tobytes(), 8 * rows.shape[1]
    for index in range(len(rows)):
        body = whole[index * width : (index + 1) * width]
        body += b"" if marks is None else marks[index].tobytes()
        ordinal = seen.get(body, 0)
        seen[body] = ordinal + 1
        yield body + ordinal.to_bytes(8, "little")


def by_person(seed: int, names: list[str]) -> Floats:
    """[n] each row's place, which all rows of the same person have."""
    place = {name: fraction(seed, b"person\0" + name.encode("utf-8", "surrogatepass")) for name in dict.fromkeys(names)}
    return np.array([place[name] for name in names], dtype=np.float64)


def sides(split: Split, places: Floats, column: Mask) -> tuple[Mask, Mask]:
    """(test, validation) [n] each: rows below the share of `test`, and those above it by less than `validation`.

    So test rows are the same whatever is left for validation. column: what the split column holds out, where there is
    one: of the other rows those below `validation` are looked at.
    """
    test = column if split.column is not None else places < (split.test or 0.0)
    least = 0.0 if split.column is not None else split.test or 0.0
    return test, ~test & (places < least + (split.validation or 0.0))


def folds(split: Split, number: int, places: Floats, train: Mask) -> NDArray[np.int64]:
    """[n] the fold of each row that trains, from 1; 0 of others. The places that test and validation rows leave are
    parted evenly, so that a row's fold is its own, whatever other rows there are."""
    least = (split.validation or 0.0) + (0.0 if split.column is not None else split.test or 0.0)
    part = np.floor((places - least) / (1 - least) * number).astype(np.int64)
    return np.where(train, 1 + np.clip(part, 0, number - 1), 0)


def by_key(seed: int, share: float, keys: Sequence[bytes]) -> NDArray[np.bool_]:
    """[n] True: held out, by the digests of keys that rows of several owners are matched by: the same at all owners."""
    return np.array([fraction(seed, b"key\0" + one) < share for one in keys], np.bool_)


def held_out(plan: Plan) -> float | None:
    """About how many rows of all sites judge what is trained; None where the plan does not say how many it expects."""
    training, split = plan.training, plan.data.split
    if training is None or training.expected_rows is None or split is None:
        return None
    share = ASSUMED if split.test is None else split.test
    looked = (split.validation or 0.0) * (1 if split.column is None else 1 - share)
    return training.expected_rows * (looked if plan.validated else share) / (1 - share - looked)
