"""The gradients of one weight, of each row of a batch, not laid out where that is large: norms, and weighted sums.

A layer's gradient of one row is a sum of products of what enters and what comes back: sum_t left_t (x) right_t. Such a
sum has a norm and enters a weighted sum without being laid out (`Outer`, and `Picked` of a table); where its numbers
are few, or no rule knows its products, it is laid out (`Laid`).

What each row gives is exactly such a sum, in real numbers, of factors that are floats. Two numbers of it are bounded
here, rounding included: its L2 norm N, and its reach A, the sum of the norms of its products (of what is laid out N
itself). A says how much a sum of floats can be off, in whatever order they are added up: gamma(n) times the sum of all
reaches, with gamma(n) = n u / (1 - n u), n what is added up in one entry and its products, u the type's unit.

Norms by factors are those of Goodfellow 2015, arXiv 1510.01799, and Li et al. 2022, arXiv 2110.05679, section 4: with
several products they come from two small matrices, whose entries cancel, so that N is widened by its error.
Reference: Higham 2002, Accuracy and Stability of Numerical Algorithms, section 3.1 (gamma, in any order).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from math import prod
from typing import TYPE_CHECKING, Any

from potluck.learning.graph.steps import torch

if TYPE_CHECKING:
    from torch import Tensor

LARGEST = 2.0**40
"""A unit with a factor of a larger norm, or with more laid out, counts as zero. Below it nothing overflows, and what is
too small for a float is less than what is rounded."""
WIDER = 1 + 2.0**-24
"""More than float64 gets wrong about sums of up to 2^27 numbers that are not below 0, each rounded a few times."""

TINY = 2.0**-200
"""More than sums of squares miss in float64, where numbers are too small for it."""

CHUNK = 128
"""Squares that are added up at a time: so few that a norm is off by less than 9e-6 where it is of float32, and there
are fewer than 2^17 of them."""


def gamma(terms: int, unit: float) -> float:
    """How much a sum of so many products may be off, beside the sum of their sizes. Raises ValueError: anything."""
    if not terms * unit < 0.5:
        raise ValueError("so many products have no bound in this type")
    return terms * unit / (1 - terms * unit)


def unit(kind: Any) -> float:
    """By how much of itself an operation in one of torch's types may be off."""
    return float(torch().finfo(kind).eps) / 2


@dataclass(frozen=True, slots=True, eq=False)
class Sizes:
    """Of rows [b], in float64, and no less than it is. norm: N^2; reach: A^2; factor: the largest norm of a factor,
    squared."""

    norm: "Tensor"
    reach: "Tensor"
    factor: "Tensor"


@dataclass(frozen=True, eq=False)
class Outer:
    """left [b, s, t, m], right [b, s, t, n]: seen as s blocks [m, n], a row's gradient is sum_t left_t (x) right_t in
    each. shape: the weight's."""

    left: "Tensor" = field(repr=False)
    right: "Tensor" = field(repr=False)
    shape: tuple[int, ...]

    @property
    def terms(self) -> int:
        """How many products of a row are added up in an entry."""
        return int(self.left.shape[2])

    @property
    def numbers(self) -> int:
        """Of all rows, if they were laid out."""
        return len(self.left) * prod(self.shape)

    def without(self, lost: "Tensor") -> "Outer":
        """Zeros in place of these rows [b]."""
        here = lost[:, None, None, None]
        return Outer(self.left.masked_fill(here, 0.0), self.right.masked_fill(here, 0.0), self.shape)

    def joined(self, rows: int) -> "Outer":
        """So many rows after another are one unit, whose gradient is their sum."""
        if rows == 1:
            return self
        sides = [one.reshape(-1, rows, *one.shape[1:]).transpose(1, 2).flatten(2, 3) for one in (self.left, self.right)]
        return Outer(sides[0], sides[1], self.shape)

    def laid(self) -> "Laid":
        """Laid out."""
        return Laid((self.left.mT @ self.right).reshape(len(self.left), *self.shape))

    @property
    def sizes(self) -> Sizes:
        """N^2 comes from two matrices [t, t] that hold products of left_t and left_t', and of right_t and right_t', in
        float64: their entries multiplied and added up are N^2, in which much may cancel. So what float64 gets wrong is
        a part of A^2. Of one product `sizes` knows a shorter way.
        """
        left, right = squares(self.left.flatten(0, 2), self.right.flatten(0, 2)).view(2, *self.left.shape[:3])
        reach = (left * right).sqrt().sum(2).square().sum(1) * WIDER
        factor = torch().maximum(left, right).amax((1, 2))
        inner = [one @ one.mT for one in (self.left.double(), self.right.double())]
        count = self.left.shape[3] + self.right.shape[3] + self.left.shape[1] * self.terms**2 + 8
        found = (inner[0] * inner[1]).sum((1, 2, 3)).clamp(min=0.0)
        return Sizes(found + gamma(count, 2.0**-53) * reach + TINY, reach, factor)

    def total(self, factors: "Tensor") -> "Tensor":
        """[*shape] the sum of rows times their factors [b], in the factors' type."""
        (b, s, t, m), n = self.left.shape, self.right.shape[3]
        left, right = self.left.to(factors.dtype), self.right.to(factors.dtype)
        weigh = factors.view(b, 1, 1, 1)
        left, right = (left * weigh, right) if m < n else (left, right * weigh)
        if s == 1:
            flat: Tensor = torch().mm(left.reshape(b * t, m).t(), right.reshape(b * t, n))
            return flat.view(self.shape)
        sides = [one.transpose(0, 1).reshape(s, b * t, -1) for one in (left, right)]
        return (sides[0].mT @ sides[1]).reshape(self.shape)


@dataclass(frozen=True, eq=False)
class Picked:
    """Of a table [v, n]: places [b, t] of whole numbers, right [b, t, n]. A row's gradient has right_t added to the
    table's row at places_t."""

    places: "Tensor" = field(repr=False)
    right: "Tensor" = field(repr=False)
    shape: tuple[int, ...]

    @property
    def terms(self) -> int:
        """As `Outer.terms`."""
        return int(self.places.shape[1])

    @property
    def numbers(self) -> int:
        """As `Outer.numbers`."""
        return len(self.places) * prod(self.shape)

    def without(self, lost: "Tensor") -> "Picked":
        """As `Outer.without`."""
        return Picked(self.places, self.right.masked_fill(lost[:, None, None], 0.0), self.shape)

    def joined(self, rows: int) -> "Picked":
        """As `Outer.joined`."""
        if rows == 1:
            return self
        places, right = (one.reshape(-1, rows, *one.shape[1:]).flatten(1, 2) for one in (self.places, self.right))
        return Picked(places, right, self.shape)

    def laid(self) -> "Laid":
        """Laid out."""
        b, (v, n) = len(self.places), self.shape
        here = self.places + v * torch().arange(b, device=self.places.device)[:, None]
        flat = self.right.new_zeros(b * v, n).index_add_(0, here.reshape(-1), self.right.reshape(-1, n))
        return Laid(flat.reshape(b, v, n))

    def as_outer(self) -> Outer:
        """With a 1 at its place in left_t: for a table that another layer takes too."""
        hot = torch().zeros(*self.places.shape, self.shape[0], dtype=self.right.dtype, device=self.right.device)
        hot.scatter_(2, self.places[..., None], 1.0)
        return Outer(hot[:, None], self.right[:, None], self.shape)

    @property
    def sizes(self) -> Sizes:
        """As `Outer.sizes`. Products meet in the same row of the table alone."""
        same = (self.places[:, :, None] == self.places[:, None, :]).double()
        rights, right = squares(self.right.flatten(0, 1))[0].view(self.places.shape), self.right.double()
        each = rights.sqrt()
        reach = (same @ each[..., None])[..., 0].mul(each).sum(1) * WIDER
        found = ((right @ right.mT) * same).sum((1, 2)).clamp(min=0.0)
        count = right.shape[2] + self.terms**2 + 8
        return Sizes(found + gamma(count, 2.0**-53) * reach + TINY, reach, rights.amax(1))

    def total(self, factors: "Tensor") -> "Tensor":
        """As `Outer.total`."""
        weighed = self.right.to(factors.dtype) * factors[:, None, None]
        return weighed.new_zeros(self.shape).index_add_(0, self.places.reshape(-1), weighed.flatten(0, 1))


@dataclass(frozen=True, eq=False)
class Laid:
    """each [b, *shape]: a row's gradient, laid out."""

    each: "Tensor" = field(repr=False)

    @property
    def shape(self) -> tuple[int, ...]:
        """The weight's."""
        return tuple(self.each.shape[1:])

    @property
    def terms(self) -> int:
        """Of a row one number is added to an entry."""
        return 1

    @cached_property
    def _order(self) -> list[int]:
        """Axes as numbers lie in memory, so that none is copied to go through them."""
        return sorted(range(1, self.each.dim()), key=self.each.stride, reverse=True)

    @cached_property
    def flat(self) -> "Tensor":
        """[b, numbers] in the order of memory."""
        if self.each.dim() == 2:
            return self.each
        return self.each.permute(0, *self._order).reshape(len(self.each), -1)

    def without(self, lost: "Tensor") -> "Laid":
        """As `Outer.without`."""
        return Laid(self.each.masked_fill(lost.reshape(-1, *[1] * len(self.shape)), 0.0))

    def joined(self, rows: int) -> "Laid":
        """As `Outer.joined`."""
        return self if rows == 1 else Laid(self.each.reshape(-1, rows, *self.shape).sum(1))

    def laid(self) -> "Laid":
        """Itself."""
        return self

    @property
    def sizes(self) -> Sizes:
        """As `Outer.sizes`. The reach is the norm."""
        return sizes([self])

    def total(self, factors: "Tensor") -> "Tensor":
        """As `Outer.total`."""
        found, order = factors @ self.flat.to(factors.dtype), self._order
        if len(order) == 1:
            return found
        found = found.view([self.each.shape[i] for i in order])
        return found.permute([order.index(i) for i in range(1, self.each.dim())])


Piece = Outer | Picked | Laid


def sizes(pieces: Sequence[Piece]) -> Sizes:
    """Of all together. Of one product, and of what is laid out, norms are finished at once: there may be many."""
    single = [one for one in pieces if isinstance(one, Outer) and one.left.shape[1] == one.terms == 1]
    laid = [one.flat for one in pieces if isinstance(one, Laid)]
    found = [one.sizes for one in pieces if isinstance(one, Picked) or (isinstance(one, Outer) and one not in single)]
    if single or laid:
        each, k = squares(*(one.left for one in single), *(one.right for one in single), *laid), len(single)
        parts = each if not k else torch().cat([each[:k] * each[k : 2 * k], each[2 * k :]])
        norm = parts.sum(0) * WIDER
        found.append(Sizes(norm, norm, each.amax(0)))
    first, *rest = found
    for one in rest:
        most = torch().maximum(first.factor, one.factor)
        first = Sizes(first.norm + one.norm, first.reach + one.reach, most)
    return first


def squares(*tensors: "Tensor") -> "Tensor":
    """k of [b, ...], each of its own shape -> [k, b] in float64, no less than the squares of rows' norms.

    They are norms of norms of stretches, in the tensor's type. A square is off by at most gamma(n) of itself, n as
    `_summed` counts it, and by what is too small for the type, a number. What comes back to a layer is its bias's
    gradient and a factor of its weight's: the same numbers are gone through once.
    """
    loaded = torch()
    norms: dict[tuple[int, ...], Tensor] = {}
    keys = [
        (one.data_ptr(), one.shape[0], one.numel()) if one.is_contiguous() else (i,) for i, one in enumerate(tensors)
    ]
    for key, one in zip(keys, tensors, strict=True):
        if key not in norms:
            norms[key] = _norms(one)
    total = loaded.stack([norms[key] for key in keys]).double().square()
    kinds = [loaded.finfo(one) for one in {one.dtype for one in tensors}]
    sizes = {one.numel() // max(1, one.shape[0]) for one in tensors}
    off = gamma(max(map(_summed, sizes)), max(float(one.eps) for one in kinds) / 2)
    found: Tensor = total * ((1 + off) * WIDER) + 2 * max(sizes) * max(float(one.tiny) for one in kinds)
    return found


def _norms(tensor: "Tensor") -> "Tensor":
    """[b, ...] -> [b]: norms of rows."""
    rows, norm = tensor.shape[0], torch().linalg.vector_norm
    size = tensor.numel() // max(1, rows)
    each = _stretch(size)
    rest = size % each
    if size <= each:
        found: Tensor = norm(tensor.reshape(rows, size), dim=-1)
        return found
    if not rest:
        return _norms(norm(tensor.reshape(rows, size // each, each), dim=-1))
    flat, whole = tensor.reshape(rows, size), size - rest
    parts = norm(flat[:, :whole].reshape(rows, -1, each), dim=-1), norm(flat[:, whole:], dim=-1, keepdim=True)
    return _norms(torch().cat(parts, 1))


@cache
def _stretch(size: int) -> int:
    return next((one for one in range(CHUNK, CHUNK // 4, -1) if not size % one), CHUNK)


@cache
def _summed(size: int) -> int:
    """Roundings that a square goes through in a norm of so many numbers: of its stretch, and of sums of stretches."""
    each = _stretch(size)
    return size + 4 if size <= each else each + 4 + _summed(-(-size // each))


def together(pieces: Sequence[Piece]) -> Piece:
    """The gradients of one weight that is used in several places: each row's is the sum of its parts, so its norm
    comes after they are added up."""
    if len(pieces) == 1:
        return pieces[0]
    if all(isinstance(one, Picked) for one in pieces):
        tables = [one for one in pieces if isinstance(one, Picked)]
        places, right = ([one.places for one in tables], [one.right for one in tables])
        return Picked(torch().cat(places, 1), torch().cat(right, 1), tables[0].shape)
    factors = [one.as_outer() if isinstance(one, Picked) else one for one in pieces if not isinstance(one, Laid)]
    if len(factors) == len(pieces) and len({_blocks(one) for one in factors}) == 1:
        left, right = ([one.left for one in factors], [one.right for one in factors])
        return Outer(torch().cat(left, 2), torch().cat(right, 2), factors[0].shape)
    first, *rest = (one.laid().each for one in pieces)
    for one in rest:
        first = first + one
    return Laid(first)


def _blocks(one: Outer) -> tuple[int, int, int]:
    return one.left.shape[1], one.left.shape[3], one.right.shape[3]


def compact(piece: Piece, most: int) -> Piece:
    """Laid out where that is better."""
    if isinstance(piece, Outer):
        (b, s, t, m), n = piece.left.shape, piece.right.shape[3]
        return piece.laid() if better_laid(b * s, t, m, n, most) else piece
    return piece


def better_laid(blocks: int, terms: int, m: int, n: int, most: int) -> bool:
    """Whether so many sums of products are laid out [m, n]: that takes no more room or work than the products, or not
    much, and what is added up of it is off by far less. Never more than `most` numbers."""
    return terms > 1 and m * n <= 2 * terms * max(terms, m + n) and blocks * m * n <= most
