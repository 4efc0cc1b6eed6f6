"""The Gram matrix of weighted rows, sum_i c_i x_i x_i^T, on a grid: exact integer products by float64 multiplication.

Each row is put on an integer grid once: y = sqrt(c) x 2^t becomes the nearest whole Y, with |Y| <= most. What is added
up are the products Y_j Y_k, whole numbers too, and their sum is rounded to steps of the block's grid once. No product
and no partial sum is rounded, so that the result has the same bytes on every machine: with any BLAS, any number of
threads, and in any order of rows.

- Exact: Y is cut into limbs of `width` bits, whole numbers of at most 2^(width - 1). So few rows are multiplied at a
  time (`tall`) that tall 2^(2 width - 2) <= 2^53: every partial sum of such products, in whatever order and also fused,
  is a whole number that a float64 holds. It does NOT hold for a BLAS that adds entries before it multiplies them
  (Strassen); NumPy's do not. Sums of blocks are added up as int64, and carried before they could wrap.
- Within range: |Y_j Y_k| <= most^2 <= floor(high / step) steps, for every row. So n rows stay within n times what one
  may add, which is what a protection may hold a site to.
- Near: rounding Y moves a row's entry by at most most 2^-extra <= 1/2 step, either way, and rounding the sum moves it
  by half a step more. Rows that are cut off one by one lose up to a step each, all toward zero. (Where high is no
  power of 4, as it is for the kinds that there are, a row at its very bound may lose two steps by staying below it.)
- Where columns determine one another, as a category's do, so do their Y, and the matrix is singular before that last
  rounding.

Reference: Ozaki, Ogita, Oishi, Rump 2012, "Error-free transformations of matrix multiplication by using fast routines
of matrix multiplication", Numerical Algorithms 59 (limbs; here of whole numbers, with a bound that is public).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from potluck.core.rounds import Abort, Cause
from potluck.core.stages import Floats

Whole = NDArray[np.int64]
EXACT = 53
"""A float64 holds every whole number up to 2^53."""
WIDEST = 25
"""Wider limbs would leave fewer than 32 rows a multiplication."""
TALL, BROAD, ALONE = 128, 128, 1 << 19
"""Rows and columns of one multiplication at most. Below so many products OpenBLAS uses one thread: for such small
matrices several threads would wait longer than work."""
HELD = 1 << 12
"""Rows whose products are added up before they are carried: less than 2^50 each."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How rows become whole numbers, from public numbers alone. high: the most that a row may add to an entry.

    whole: the same in steps. extra: bits of a product below a step, the fewest with which whole 2^extra is at most
    2^(2 extra - 2), and with which 2^t is a whole power of two.
    """

    high: float
    step: float

    @property
    def whole(self) -> int:
        return math.floor(self.high / self.step)

    @property
    def extra(self) -> int:
        least = (self.whole - 1).bit_length() + 2
        return least + (least - self._power) % 2

    @property
    def most(self) -> int:
        """The largest |Y|: below 2^(extra - 1)."""
        return math.isqrt(self.whole << self.extra)

    @property
    def unit(self) -> float:
        """2^t."""
        return math.ldexp(1.0, (self.extra - self._power) // 2)

    @property
    def limbs(self) -> int:
        """Two, unless they were too wide."""
        return max(2, -(-self.extra // WIDEST))

    @property
    def width(self) -> int:
        """Bits of a limb: all together hold Y with its sign."""
        return -(-self.extra // self.limbs)

    @property
    def tall(self) -> int:
        """The most rows whose products of limbs add up to at most 2^53."""
        return 1 << (EXACT - 2 * (self.width - 1))

    @property
    def _power(self) -> int:
        return math.frexp(self.step)[1] - 1


class Gram:
    """The sum of c x x^T over rows that come in batches. size: p; high, step: of the block that it becomes."""

    def __init__(self, size: int, high: float, step: float) -> None:
        self._scale = Scale(high, step)
        limbs = range(self._scale.limbs)
        self._pairs = {(i, j): np.zeros((size, size), dtype=np.int64) for i in limbs for j in limbs if i <= j}
        self._digits = np.zeros((2 * len(limbs) - 1, size, size), dtype=np.int64)
        self._held = 0

    def add(self, rows: Floats, curved: Floats) -> None:
        """rows [n, p] on [-1, 1], curved [n] on [0, high]: their weights. Raises Abort(RANGE): they are not."""
        if not len(rows):
            return
        if not (max(rows.max(), -rows.min()) <= 1 and curved.min() >= 0 and curved.max() <= self._scale.high):
            raise Abort(Cause.RANGE, detail="gram: a contribution is beyond its range or not a finite number")
        for start in range(0, len(rows), HELD):
            here = slice(start, start + HELD)
            if self._held + len(rows[here]) > HELD:
                self._carry()
            self._multiply(self._cut(rows[here], curved[here]))
            self._held += len(rows[here])

    def steps(self) -> Whole:
        """[p, p] the sum in whole steps, rounded to the nearest; its upper triangle alone is filled."""
        self._carry()
        extra, width, top = self._scale.extra, self._scale.width, len(self._digits) - 1
        place = min((extra - 1) // width, top)
        self._digits[place] += 1 << (extra - 1 - place * width)
        self._carry()
        total = np.zeros(self._digits.shape[1:], dtype=np.int64)
        for place, digit in enumerate(self._digits):
            up = place * width - extra
            total += digit << up if up >= 0 else digit >> min(-up, width)
        return total

    def _cut(self, rows: Floats, curved: Floats) -> list[Floats]:
        """The limbs of Y, the highest first: each [blocks, tall, p], with rows of zeros at the end."""
        scale = self._scale
        ceiling = float(scale.most)
        if ceiling > scale.most:
            ceiling = math.nextafter(ceiling, 0)
        down = math.ldexp(1.0, -scale.width * (scale.limbs - 1))
        factor = np.minimum(np.sqrt(curved) * scale.unit, ceiling) * down
        tall = min(scale.tall, TALL, len(rows))
        left = np.empty((-(-len(rows) // tall) * tall, rows.shape[1]))
        np.multiply(rows, factor[:, None], out=left[: len(rows)])
        left[len(rows) :] = 0.0
        found = []
        for _ in range(scale.limbs):
            limb = np.rint(left)
            left -= limb  # exact: both are multiples of the same power, and less than one step is left
            left *= 1 << scale.width
            found.append(limb.reshape(-1, tall, rows.shape[1]))
        return found

    def _multiply(self, limbs: list[Floats]) -> None:
        """Adds the products of each two limbs in tiles: of one with itself none left of the diagonal."""
        _, tall, size = limbs[0].shape
        broad = min(size, BROAD)
        high = (ALONE - 1) // (tall * broad)
        for (i, j), total in self._pairs.items():
            for top in range(0, size, high):
                rows = slice(top, top + high)
                for left in range(top if i == j else 0, size, broad):
                    columns = slice(left, left + broad)
                    found = np.matmul(limbs[i][:, :, rows].transpose(0, 2, 1), limbs[j][:, :, columns])
                    total[rows, columns] += found.astype(np.int64).sum(axis=0)

    def _carry(self) -> None:
        """Digits in base 2^width, the lowest first; the highest is signed and mod 2^64, which its last shift undoes."""
        width, top = self._scale.width, len(self._digits) - 1
        for (i, j), total in self._pairs.items():
            self._digits[top - i - j] += total if i == j else total + total.T
            total[:] = 0
        for place in range(top):
            self._digits[place + 1] += self._digits[place] >> width
            self._digits[place] &= (1 << width) - 1
        self._held = 0
