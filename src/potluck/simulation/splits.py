"""How rows come to simulated clients: a word of this table, and behind a colon what it takes.

A client's rows are drawn from a public seed. So it is a simulation's alone: no owner's rows are anybody's else.
References: McMahan et al. 2017, arXiv 1602.05629, section 3 (shards); Hsu, Qi, Brown 2019, arXiv 1909.06335, section 3
(each client's mixture of classes from a Dirichlet distribution, all clients of one size). There the distribution's
parameters are a number times each class's share; here, as most programs have it, they are that number for each class.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from potluck.core.errors import UsageError
from potluck.core.registry import Registry
from potluck.core.seeded import Generator
from potluck.core.stages import Floats
from potluck.learning.data.target import Goal
from potluck.learning.data.units import Index

NATURAL = "natural"


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """What a split goes by, of n rows. target [n]; whose [n]: a number for each value of the column that a natural
    split names, or each site; None: it names none."""

    goal: Goal
    target: Floats = field(repr=False)
    whose: Index | None = field(default=None, repr=False)


Cut = Callable[[Rows, int | None, str, Generator], Sequence[Index]]
"""(rows, clients, what stands behind the colon, draws) -> the row numbers of each client, in rising order."""
SPLITS: Registry[Cut] = Registry("split")


def clients_of(rows: Rows, sites: int | None, split: str, draw: Generator) -> list[Index]:
    """The rows of each client. Raises UsageError: no such split, or it does not fit the rows."""
    word, _, given = split.partition(":")
    if word not in SPLITS.entries:
        raise _wrong(f"{split!r} is no split", f"known: {', '.join(SPLITS.words())}")
    return [np.sort(np.asarray(one, dtype=np.int64)) for one in SPLITS.of(word)(rows, sites, given, draw)]


def _wrong(what: str, hint: str) -> UsageError:
    return UsageError(what, where="--split", hint=hint)


def _plain(word: str, given: str) -> None:
    if given:
        raise _wrong(f'"{word}" takes nothing behind a colon', f"--split {word}")


def _number(word: str, given: str, example: str) -> float:
    try:
        found = float(given)
    except ValueError:
        found = math.nan
    if not (math.isfinite(found) and found > 0):
        raise _wrong(f'"{word}" takes a number above 0', f"--split {word}:{example}")
    return found


def _enough(rows: int, sites: int | None, each: int = 1) -> int:
    if sites is None:
        raise UsageError("is missing: how many clients there are", where="--sites", hint="e.g. --sites 1000")
    if rows < sites * each:
        what = f"{sites} clients and {rows} training rows: each needs {each} at least"
        raise UsageError(what, where="--sites", hint=f"at most {rows // each}")
    return sites


def _kinds(rows: Rows, word: str) -> Index:
    """[n] the side or class of each row."""
    if rows.goal.side not in ("binary", "classes"):
        raise _wrong(f'"{word}" goes by classes, and the target has none', "--split even, or natural:COLUMN")
    return rows.target.astype(np.int64)


def even(rows: Rows, sites: int | None, given: str, draw: Generator) -> Sequence[Index]:
    """Rows at random, to each client as many, or one more."""
    _plain("even", given)
    return np.array_split(draw.permutation(len(rows.target)), _enough(len(rows.target), sites))


def shards(rows: Rows, sites: int | None, given: str, draw: Generator) -> Sequence[Index]:
    """Rows in the order of their classes, cut into pieces, of which each client gets so many at random."""
    each = _number("shards", given or "2", "2")
    if not each.is_integer():
        raise _wrong('"shards" takes a whole number', "--split shards:2")
    pieces = int(each)
    count = _enough(len(rows.target), sites, pieces)
    mixed = draw.permutation(len(rows.target))
    order = mixed[np.argsort(_kinds(rows, "shards")[mixed], kind="stable")]
    parts, dealt = np.array_split(order, count * pieces), draw.permutation(count * pieces)
    return [np.concatenate([parts[one] for one in dealt[at::count]]) for at in range(count)]


def dirichlet(rows: Rows, sites: int | None, given: str, draw: Generator) -> Sequence[Index]:
    """Each client draws its mixture of classes, and then its rows from classes that have some left."""
    alpha = _number("dirichlet", given, "0.1")
    kinds, classes = _kinds(rows, "dirichlet"), rows.goal.cells
    count = _enough(len(kinds), sites)
    sizes = np.diff(np.linspace(0, len(kinds), count + 1).astype(np.int64))
    stock = [draw.permutation(np.flatnonzero(kinds == one)) for one in range(classes)]
    left = np.array([len(one) for one in stock])
    found = []
    for size, mixture in zip(sizes.tolist(), draw.dirichlet([alpha] * classes, count), strict=True):
        taken = _drawn(size, mixture, left, draw)
        ends = zip(stock, left, taken, strict=True)
        found.append(np.concatenate([one[have - some : have] for one, have, some in ends]))
        left = left - taken
    return found


def _drawn(size: int, mixture: Floats, left: Index, draw: Generator) -> Index:
    """How many rows of each class, where `left` are left."""
    taken = np.zeros(len(left), dtype=np.int64)
    while (short := size - int(taken.sum())) > 0:
        # A class that has run out is left out of the mixture; where nothing of the mixture is left, what is left is.
        chance = np.where(left > taken, mixture, 0.0)
        chance = chance if chance.sum() > 0 else (left - taken).astype(np.float64)
        taken = np.minimum(left, taken + draw.multinomial(short, chance / chance.sum()))
    return taken


def natural(rows: Rows, sites: int | None, given: str, draw: Generator) -> Sequence[Index]:
    """A client for each value of a column; of more than there shall be some at random."""
    if not given:
        raise _wrong('"natural" takes a column', "--split natural:writer")
    return _by(rows, sites, draw)


def of_sites(rows: Rows, sites: int | None, given: str, draw: Generator) -> Sequence[Index]:
    """The plan's own sites, each a client."""
    _plain("sites", given)
    return _by(rows, sites, draw)


def _by(rows: Rows, sites: int | None, draw: Generator) -> Sequence[Index]:
    assert rows.whose is not None  # whoever calls has read it
    order = np.argsort(rows.whose, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(rows.whose[order])) + 1)
    if sites is None or sites == len(parts):
        return parts
    if sites > len(parts):
        what = f"{sites} clients, and the split finds {len(parts)}"
        raise UsageError(what, where="--sites", hint=f"at most {len(parts)}, or leave it out")
    return [parts[one] for one in np.sort(draw.choice(len(parts), sites, replace=False))]


SPLITS.register("even", even)
SPLITS.register("shards", shards)
SPLITS.register("dirichlet", dirichlet)
SPLITS.register(NATURAL, natural)
SPLITS.register("sites", of_sites)
