"""The program `boosted_trees`: gradient boosting over columns at different owners, all of it on secrets.

Each tree is complete: every node asks whether a row lies at or below one cut of one feature. Which cut it is, how many
rows lie where and what a leaf says are secrets while trees grow, and results afterwards.

Reference: Chen, Guestrin, XGBoost: A Scalable Tree Boosting System, KDD 2016, sections 2.2 (gain, leaf) and 3.3 (cuts
at quantiles). Sums over rows are exact: a bit times a gradient needs no cut of the fixed point.
It does NOT stop early or prune: where no cut helps, a node takes some cut all the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from potluck.engines.frames import OpError
from potluck.engines.spu.metrics import BINS, cells, sums
from potluck.engines.spu.program import Array, Program, count, fewer, outside
from potluck.engines.spu.settings import FRACTION, LARGEST, natural
from potluck.engines.spu.shares import MOST, Kind

DEEPEST, ROUNDS, OWNERS = 5, 1000, 64
ROWS = 1 << 17
"""Rows trained on: sums of so many weights are in the range of the library's division."""
CLIP = 15.0
"""The library's sigmoid is wrong far from zero."""
ODDS = 10
"""Where margins begin: at odds of 2^-10 to 2^10."""
_SHRINK = 12


@dataclass(frozen=True, slots=True)
class Shape:
    """What of the trees is public. shrink: sums of gradients times 2^-shrink may be multiplied by leaves; least: how
    many rows are to be kept."""

    train: int
    test: int
    cuts: tuple[int, ...]
    depth: int
    rounds: int
    rate: float
    ridge: float
    sides: bool
    shrink: int
    least: int

    @property
    def rows(self) -> int:
        """All rows."""
        return self.train + self.test

    @property
    def nodes(self) -> int:
        """Nodes of a tree that ask."""
        return (1 << self.depth) - 1


def shape(about: Mapping[str, Any]) -> Shape:
    """Reads the numbers of `boosted_trees`. Raises OpError: some that the fixed point could not carry."""
    train, test = natural(about, "train", 1, ROWS), natural(about, "test", 0, MOST)
    depth, rounds = natural(about, "depth", 1, DEEPEST), natural(about, "rounds", 1, ROUNDS)
    rate, ridge = natural(about, "rate", 1, 1 << FRACTION), natural(about, "ridge", 1, ROWS << FRACTION)
    sides, owners = natural(about, "sides", 0, 1), about.get("cuts")
    if not isinstance(owners, list) or not 1 <= len(owners) <= OWNERS:
        raise OpError(f"cuts must be a list of 1 to {OWNERS} counts")
    cuts = tuple(natural({"a count of cuts": one}, "a count of cuts", 0, 1 << 16) for one in owners)
    if not any(cuts) or (train + test) * max(sum(cuts), 2 << depth) > MOST:
        raise OpError("no cut, or too many elements")
    if (train << FRACTION) * max(rounds * rate, 1 << FRACTION) >= (LARGEST * ridge) << FRACTION:
        raise OpError("rows times rounds times rate must stay below 2^26 times ridge: margins would overflow")
    shrink = max(0, (train * train << FRACTION).bit_length() - (LARGEST * ridge).bit_length() + 1)
    if shrink > _SHRINK:
        raise OpError("rows squared must stay below 2^37 times ridge: gains would lose their digits")
    one = 1 << FRACTION
    least = natural(about, "least", 1, ROWS)
    return Shape(train, test, cuts, depth, rounds, rate / one, ridge / one, bool(sides), shrink, least)


def boosted_trees(about: Mapping[str, Any]) -> Program:
    """Bits, cuts and a bit a row of each owner, and the target -> faults, trees, and what held-out rows say of them.

    about: {"train", "test": rows, those trained on first; "cuts": [c of each owner]; "target": whose it is; "depth",
    "rounds"; "rate", "ridge": in steps of 2^-18; "sides": 1 for two sides (target a bit, log-loss), 0 for a number in
    [-1, 1] (half the squared error); "least": how many rows are to be kept}.
    Takes of each owner, where c is not 0, bits [c, rows] (whether the row's value is at or below the cut) and cuts [c],
    real, in [-1, 1]; and bits [rows]: rows that it takes out are 0; then the target [rows], bits or real. C = sum of c.
    Gives faults [owners + 1]: how many cuts, or targets, break their bound, and whether too few rows are kept: unless
    all open to 0 the rest means nothing, or is not to be opened;
    which cut of C each node takes [rounds, 2^depth - 1], level by level; its value, likewise; what the leaves say
    [rounds, 2^depth]; the first margin [1]; how many rows are trained on, and of two sides how many of them are
    positive [2]; and, where rows are held out, what `metrics` counts of them: cells, or sums.
    """
    given = shape(about)
    rows, owners = given.train + given.test, len(given.cuts)
    whose = natural(about, "target", 0, owners - 1)

    takes: list[Kind] = []
    for cuts in given.cuts:
        takes += [Kind("bit", (cuts, rows)), Kind("fixed", (cuts,))] if cuts else []
        takes.append(Kind("bit", (rows,)))
    takes.append(Kind("bit" if given.sides else "fixed", (rows,)))
    measured = Kind("integer", (2, BINS)) if given.sides else Kind("fixed", (4,))
    gives = (
        Kind("integer", (owners + 1,)),
        Kind("integer", (given.rounds, given.nodes)),
        Kind("fixed", (given.rounds, given.nodes)),
        Kind("fixed", (given.rounds, given.nodes + 1)),
        Kind("fixed", (1,)),
        Kind("integer", (2,)),
        *((measured,) if given.test else ()),
    )

    def run(*inputs: Array) -> Sequence[Array]:
        bits, edges, keep, faults = _arranged(given, inputs[:-1])
        target = inputs[-1] if given.sides else inputs[-1] * _real(keep)
        if not given.sides:
            faults[whose] = faults[whose] + count(outside(inputs[-1], 1))
        faults.append(fewer(keep, given.train, given.least))
        # A difference is held as numbers mod 2^64, once and for all; bits would be turned into such at every use.
        above = 1 - bits
        train, held = slice(None, given.train), slice(given.train, None)
        known, kept = _real(target[train]), keep[train]
        begin = _first(given, known, kept)
        splits, values, leaves, margins = _grown(given, above, edges, (known, kept), begin)
        sizes = jnp.stack([kept.sum(), (known * _real(kept)).sum().astype(jnp.int64)])
        found: list[Array] = [splits, values, leaves, begin.reshape(1), sizes]
        if given.test and given.sides:
            found.append(cells(margins[held], target[held].astype(jnp.int64), keep[held]))
        elif given.test:
            found.append(sums(margins[held], target[held], keep[held]))
        return jnp.stack(faults), *found

    return Program(run, tuple(takes), gives)


def _arranged(given: Shape, inputs: Sequence[Array]) -> tuple[Array, Array, Array, list[Array]]:
    """What owners give -> bits [C, rows], as integers, and cuts [C] of all; keep [rows], 1 where each one keeps the
    row; how many cuts of each owner break their bound."""
    rest, bits, edges, faults = iter(inputs), [], [], []
    keep = None
    for cuts in given.cuts:
        if cuts:
            bits.append(next(rest).astype(jnp.int64))
            edges.append(next(rest))
        faults.append(count(outside(edges[-1], 1)) if cuts else jnp.int64(0))
        one = next(rest)
        keep = one if keep is None else keep & one
    assert keep is not None
    return jnp.concatenate(bits), jnp.concatenate(edges), keep.astype(jnp.int64), faults


def _first(given: Shape, target: Array, kept: Array) -> Array:
    """The margin that all rows begin with: log-odds of the two sides, or the mean."""
    total, rows = (_real(kept) * target).sum(), _real(kept.sum())
    share = total / jnp.maximum(rows, 1.0)
    if not given.sides:
        return share
    odds = jnp.clip(total, 1.0, None) / jnp.clip(rows - total, 1.0, None)
    return jnp.log(jnp.clip(odds, 2.0**-ODDS, 2.0**ODDS))


def _grown(
    given: Shape, above: Array, edges: Array, known: tuple[Array, Array], begin: Array
) -> tuple[Array, Array, Array, Array]:
    """(splits, values, leaves, margins [rows]): tree after tree, on what those before leave to explain.

    known: target and keep of the rows trained on.
    """
    order = jnp.arange(sum(given.cuts), dtype=jnp.int64)

    def grow(place: Array, carried: tuple[Array, ...]) -> tuple[Array, ...]:
        splits, values, leaves, margins = carried
        slopes = _slopes(given, margins[: given.train], *known)
        chosen, leaf, change = _tree(given, above, slopes)
        splits = splits.at[place].set((chosen * order[:, None]).sum(axis=0))
        values = values.at[place].set((_real(chosen) * edges[:, None]).sum(axis=0))
        return splits, values, leaves.at[place].set(leaf), margins + change

    empty = jnp.zeros((given.rounds, given.nodes))
    start = (empty.astype(jnp.int64), empty, jnp.zeros((given.rounds, given.nodes + 1)))
    margins = jnp.broadcast_to(begin, (given.rows,))
    splits, values, leaves, margins = jax.lax.fori_loop(0, given.rounds, grow, (*start, margins))
    return splits, values, leaves, margins


def _slopes(given: Shape, margins: Array, target: Array, kept: Array) -> Array:
    """[train, 2]: first and second derivative of each row's loss; 0 of rows taken out."""
    if not given.sides:
        return jnp.stack([_real(kept) * (margins - target), _real(kept)], axis=1)
    chance = jax.nn.sigmoid(jnp.clip(margins, -CLIP, CLIP))
    curve = jnp.maximum(chance * (1.0 - chance), 0.0)  # rounding may have left it just below
    return _real(kept)[:, None] * jnp.stack([chance - target, curve], axis=1)


def _tree(given: Shape, above: Array, slopes: Array) -> tuple[Array, Array, Array]:
    """(which cut each node takes [C, nodes], as one 1 a column; leaves [2^depth]; what they say of each row [rows])."""
    inside, sums, whole = jnp.ones((given.rows, 1), jnp.int64), None, slopes.sum(axis=0)[None]
    chosen = []
    for _ in range(given.depth):
        sums = _sums(above[:, : given.train], inside[: given.train], slopes, sums)
        one = _largest(_gains(given, sums, whole))
        chosen.append(one)
        right = inside * _products(above.T, one)
        inside = _paired(inside - right, right)
        of_right = (_real(right[: given.train])[:, :, None] * slopes[:, None, :]).sum(axis=0)
        whole = _paired((whole - of_right).T, of_right.T).T
    leaf = -whole[:, 0] / (whole[:, 1] + given.ridge) * given.rate
    return jnp.concatenate(chosen, axis=1), leaf, _real(inside) @ leaf


def _sums(above: Array, inside: Array, slopes: Array, parents: Array | None) -> Array:
    """above [C, train], inside [train, nodes] -> [C, nodes, 2]: slopes of each node's rows above each cut, added up.

    parents: the same of the nodes one level up. Of two children only the right one is added up anew.
    """
    some = inside if parents is None else inside[:, 1::2]
    within = _real(some)[:, :, None] * slopes[:, None, :]
    found = _products(_real(above), within.reshape(len(slopes), -1)).reshape(len(above), -1, 2)
    if parents is None:
        return found
    return jnp.stack([parents - found, found], axis=2).reshape(len(above), -1, 2)


def _products(matrix: Array, columns: Array) -> Array:
    """[n, k] times [k, m]. A column at a time: the library is ten times as slow with all at once."""
    return jnp.stack([matrix @ columns[:, one] for one in range(columns.shape[1])], axis=1)


def _paired(left: Array, right: Array) -> Array:
    """[n, nodes] of left and right children -> [n, 2 nodes], children of one parent beside each other."""
    return jnp.stack([left, right], axis=2).reshape(len(left), -1)


def _gains(given: Shape, right: Array, whole: Array) -> Array:
    """right [C, nodes, 2], whole [nodes, 2]: sums of slopes -> what each cut gains [C, nodes], up to a constant."""
    sides = jnp.stack([right, whole[None] - right])
    first, second = sides[..., 0], sides[..., 1]
    return (first * 2.0**-given.shrink * (first / (second + given.ridge))).sum(axis=0)


def _largest(gains: Array) -> Array:
    """[C, nodes] -> [C, nodes] integers: in each column one 1, where it is largest (the first of equals).

    A knock-out: of each two the larger goes on, and takes along the place it came from.
    """
    length, nodes = gains.shape
    size = 1 << max(0, length - 1).bit_length()
    best = jnp.concatenate([gains, jnp.full((size - length, nodes), -1.0)])
    where = jnp.ones((size, 1, nodes), jnp.int64)
    while best.shape[0] > 1:
        one, other = best[0::2], best[1::2]
        first = (one >= other).astype(jnp.int64)
        best = other + _real(first) * (one - other)
        first = first[:, None]
        where = jnp.concatenate([where[0::2] * first, where[1::2] * (1 - first)], axis=1)
    return where[0, :length]


def _real(integers: Array) -> Array:
    """Integers as real numbers: exact, and a product of them with real numbers is exact too."""
    return integers.astype(jnp.float64)
