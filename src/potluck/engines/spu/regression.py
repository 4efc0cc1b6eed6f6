"""Linear and logistic regression over columns of several owners, all of it in secret: the program `regression`.

The objective is that of `learning.models.linear`: the sum over all training rows of the log-loss, or of half the
squared error, plus l2/2 |w|^2 with the intercept free. Sums are formed in the ring before they are cut to 2^-18,
then scaled by a power of two, so that digits are lost once and not once a row.

Newton's step H d = g is solved by the inverse of Newton and Schulz, M <- M (2 - H M), from M = 1/bound, and refined
against H itself: the sum-scaled residual is right to 2^-18 whatever the condition of H. Reference: Schulz, "Iterative
Berechnung der reziproken Matrix", 1933; Higham, "Accuracy and Stability of Numerical Algorithms", sections 12 and 14.5.
It is undamped from zero with the safeguard of `training.newton`: where the gradient's norm rises, half-way back.

What keeps every product in range: features and targets on [-1, 1] (counted as faults where they are not, by owner),
log-odds cut to +-15 before the sigmoid, coefficients to +-LIMIT (said where one is there), a scale by which no sum
passes 2^14, and a ridge that keeps the inverse below 2^12.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from potluck.engines.frames import OpError
from potluck.engines.spu.metrics import BINS, cells, sums
from potluck.engines.spu.program import Array, Program, fewer
from potluck.engines.spu.settings import natural
from potluck.engines.spu.shares import MOST, Kind

CLIP = 15.0
"""The library's sigmoid is wrong far from zero; up to here it is right to 2^-15."""
LIMIT = 1024.0
"""The largest coefficient that is carried on with."""
BOUND = 12
"""The Gram matrix is scaled so that no eigenvalue of it passes 2^BOUND."""
COARSE = 2.0**-BOUND
"""The smallest scaled ridge: a smaller one would let the inverse grow out of range."""
MEAN = 4
"""A gradient's sums are scaled to at most 2^MEAN."""
REFINED = 4
"""How often a step is refined: each time all but a twentieth of its error goes."""
ROOT = 2.0**-7
"""Clips are kept by so much more than the library's roots are wrong."""
MOST_CLIP = 64.0
SETTLED = 2.0**-10
"""A last step this small in every coefficient counts as converged."""
OWNERS, COLUMNS, ROUNDS, ROWS = 64, 512, 1000, 1 << 22


@dataclass(frozen=True, slots=True)
class Numbers:
    """What the program is made from. features: of each owner, by the plan's order; target: whose it is.

    batch: training rows of one gradient step; all of them, where the plan has no batch; divisor: what their sum is
    divided by; clip: with noise, the norm of one row's gradient, else 0; noises: how many parties bring noise; least:
    how many rows are to be kept, 0 with noise.
    """

    logistic: bool
    newton: bool
    train: int
    test: int
    features: tuple[int, ...]
    target: int
    rounds: int
    l2: float
    rate: float
    batch: int
    divisor: int
    clip: float
    noises: int
    least: int

    @property
    def width(self) -> int:
        """Coefficients, the intercept among them."""
        return sum(self.features) + 1

    @property
    def scale(self) -> float:
        """The power of two that sums over rows are multiplied by."""
        if not self.newton:
            return 2.0 ** (MEAN - math.ceil(math.log2(self.divisor)))
        return 2.0 ** (BOUND - math.ceil(math.log2(self.width * self.train * (0.25 if self.logistic else 1.0))))


def numbers(about: Mapping[str, Any]) -> Numbers:
    """Raises OpError: not what the program takes, or a ridge too small for the rows."""
    features = about.get("features")
    if not isinstance(features, list) or not 1 <= len(features) <= OWNERS:
        raise OpError(f"features must be a list of 1 to {OWNERS} whole numbers")
    each = tuple(natural({"features": one}, "features", 0, COLUMNS) for one in features)
    real = {}
    for key, least, most in (("l2", 0.0, 1e12), ("rate", 1e-4, 1e4), ("clip", 0.0, MOST_CLIP)):
        value = about.get(key)
        if not isinstance(value, int | float) or isinstance(value, bool) or not least <= value <= most:
            raise OpError(f"{key} must be a number from {least:g} to {most:g}")
        real[key] = float(value)
    if about.get("kind") not in ("linear", "logistic") or about.get("method") not in ("newton", "gradient"):
        raise OpError("kind must be linear or logistic, method newton or gradient")
    train = natural(about, "train", 1, ROWS)
    made = Numbers(
        about["kind"] == "logistic", about["method"] == "newton", train,
        natural(about, "test", 0, ROWS), each, natural(about, "target", 0, len(each) - 1),
        natural(about, "rounds", 1, ROUNDS), real["l2"], real["rate"], natural(about, "batch", 1, train),
        natural(about, "divisor", 1, ROWS), real["clip"], natural(about, "noises", 0, OWNERS),
        natural(about, "least", 0, ROWS),
    )  # fmt: skip
    if made.newton and (made.batch != train or made.clip):
        raise OpError("newton takes all rows, and no noise")
    if bool(made.clip) != bool(made.noises) or (made.clip and (made.test or made.batch != train)):
        raise OpError("noise needs a clip, takes all rows, and leaves none for metrics")
    if bool(made.clip) == bool(made.least):
        raise OpError("a least number of kept rows is there unless there is noise")
    if not 1 < made.width <= COLUMNS or (made.train + made.test) * made.width > MOST:
        raise OpError("no columns, or too many elements")
    if made.newton and made.l2 * made.scale < COARSE:
        raise OpError("the ridge is too small for so many rows: the inverse would grow out of range")
    return made


def takes(made: Numbers) -> tuple[Kind, ...]:
    """An owner at a time: its features [n, p], where it has any, and which rows it keeps [n]; then the target [n].

    Rows are the training rows, then those held out. Then each party's noise [rounds, width], where there is any.
    """
    rows, found = made.train + made.test, list[Kind]()
    for count in made.features:
        if count:
            found.append(Kind("fixed", (rows, count)))
        found.append(Kind("integer", (rows,)))
    noise = [Kind("fixed", (made.rounds, made.width))] * made.noises
    return (*found, Kind("integer" if made.logistic else "fixed", (rows,)), *noise)


def gives(made: Numbers) -> tuple[Kind, ...]:
    """Faults by owner, and whether too few rows are kept; the coefficients, intercept first; whether it settled, how
    many coefficients are at LIMIT, how many training rows were kept, how many of them are positive; the metrics' sums.
    With noise whether too few are kept, and the two counts, are 0."""
    head = (Kind("integer", (len(made.features) + 1,)), Kind("fixed", (made.width,)), Kind("integer", (4,)))
    if not made.test:
        return head
    return (*head, Kind("integer", (2, BINS)) if made.logistic else Kind("fixed", (4,)))


def regression(about: Mapping[str, Any]) -> Program:
    """A model's coefficients and what held-out rows say of it. about: the fields of `Numbers`; kind: linear or
    logistic; method: newton or gradient. See `takes` and `gives`."""
    made = numbers(about)
    return Program(lambda *arguments: run(made, arguments), takes(made), gives(made))


def run(made: Numbers, arguments: Sequence[Array]) -> Sequence[Array]:
    """The program itself."""
    parts, keeps, faults, left = [], [], [], iter(arguments)
    for count in made.features:
        wrong = jnp.zeros((), jnp.int64)
        if count:
            parts.append(next(left))
            wrong = wrong + _beyond(parts[-1], -1.0, 1.0)
        keeps.append(next(left))
        faults.append(wrong + _beyond(keeps[-1], 0, 1))
    target = next(left)
    faults[made.target] = faults[made.target] + _beyond(target, 0 if made.logistic else -1.0, 1)
    x, keep = jnp.concatenate(parts, axis=1), keeps[0]
    for one in keeps[1:]:
        keep = keep * one
    rows = (x[: made.train], target[: made.train], keep[: made.train])
    noise = sum(left) if made.clip else None
    weights, said = _newton(made, *rows) if made.newton else _gradient(made, *rows, noise)
    at_limit = (jnp.abs(weights) >= LIMIT).astype(jnp.int64).sum()
    # Exact counts beside noised weights, or a bit about them, would be a release of their own.
    kept = 0 * keep[0] if made.clip else keep[: made.train].sum()
    faults.append(0 * keep[0] if made.clip else fewer(keep, made.train, made.least))
    counted = made.logistic and not made.clip
    positive = (keep * target)[: made.train].sum() if counted else jnp.zeros((), jnp.int64)
    results = [jnp.stack(faults), weights, jnp.stack([said, at_limit, kept, positive])]
    if made.test:
        margins = _margins(x[made.train :], weights)
        told = cells if made.logistic else sums
        results.append(told(margins, target[made.train :], keep[made.train :]))
    return results


def _beyond(values: Array, low: float, high: float) -> Array:
    """How many elements are not from low to high: right for every element of the ring."""
    return ((values < low) | (values > high)).astype(jnp.int64).sum()


def _margins(x: Array, weights: Array) -> Array:
    return jnp.clip(x @ weights[1:] + weights[0], -CLIP, CLIP)


def _most(made: Numbers, x: Array) -> Array:
    """[n] the largest residual of each row at which its gradient's norm is at most `clip`.

    With u = 2^-18 the step: a product is off by less than u, so `square` is at least the row's true 1 + |x|^2 and what
    is compared is off by less than (width + 4) u. A root that was wrong by more than its margin is found out by that,
    and is then that of the longest row there can be. So the root is at most 1 / sqrt(1 + |x|^2), whatever the library
    makes of it; what the products after it and the cut of the sum add is the slack of `dp.noise_on_shares`.
    """
    u = 2.0**-18
    square = 1.0 + made.width * u + (x * x).sum(axis=1)
    root = jax.lax.rsqrt(square) * (1.0 - ROOT)
    within = (root * root * square <= 1.0 - (made.width + 5) * u) & (root >= 0.0)
    return made.clip * jnp.where(within, root, math.floor(1.0 / math.sqrt(made.width) / u) * u)


def _noised_slope(made: Numbers, rows: tuple[Array, ...], most: Array, weights: Array, noise: Array) -> Array:
    """The scaled gradient [width] of clipped rows. The noise comes on before anything but the sum is made of them."""
    x, target, keep = rows
    margins = x @ weights[1:] + weights[0]
    mean = jax.nn.sigmoid(jnp.clip(margins, -CLIP, CLIP)) if made.logistic else margins
    rest = jnp.clip(mean - target, -most, most) * keep
    free = jnp.ones(made.width).at[0].set(0.0) * (made.l2 * made.scale)
    return (jnp.concatenate([rest.sum().reshape(1), rest @ x]) + noise) * made.scale + free * weights


def _slope(made: Numbers, x: Array, target: Array, keep: Array, weights: Array) -> tuple[Array, Array]:
    """The scaled gradient [width], and each row's predicted mean [n]. A batch has its share of the ridge."""
    margins = x @ weights[1:] + weights[0]
    mean = jax.nn.sigmoid(jnp.clip(margins, -CLIP, CLIP)) if made.logistic else margins
    rest = (mean - target) * keep
    free = jnp.ones(made.width).at[0].set(0.0) * (made.l2 * made.scale * made.batch / made.train)
    return jnp.concatenate([rest.sum().reshape(1), rest @ x]) * made.scale + free * weights, mean


def _gram(made: Numbers, x: Array, weight: Array) -> Array:
    """The scaled Gram matrix with its ridge [width, width]. A row at a time: see `metrics._joint`."""
    weighed, rows = weight[:, None] * x, [jnp.concatenate([weight.sum().reshape(1), weight @ x])]
    for column in range(made.width - 1):
        one = weighed[:, column]
        rows.append(jnp.concatenate([one.sum().reshape(1), one @ x]))
    ridge = jnp.diag(jnp.ones(made.width).at[0].set(0.0)) * (made.l2 * made.scale)
    return jnp.stack(rows) * made.scale + ridge


def _solved(made: Numbers, gram: Array, slope: Array) -> Array:
    """d with gram d = slope [width]."""
    unit = jnp.eye(made.width)
    doublings = math.ceil(math.log2(2.0**BOUND / max(made.l2 * made.scale, COARSE))) + 4
    inverse = jax.lax.fori_loop(
        0, doublings, lambda _, m: m @ (2.0 * unit - gram @ m), _secret(unit * 2.0**-BOUND, slope)
    )
    found = inverse @ slope
    for _ in range(REFINED):
        found = found + inverse @ (slope - gram @ found)
    return found


def _secret(value: Array, of: Array) -> Array:
    """A public value as a secret: what a loop carries keeps its visibility."""
    return value + 0.0 * of.sum()


def _cut(weights: Array) -> Array:
    return jnp.clip(weights, -LIMIT, LIMIT)


def _newton(made: Numbers, x: Array, target: Array, keep: Array) -> tuple[Array, Array]:
    """(weights, 1 where the last step was small). A quadratic's one step is exact."""
    zero = _secret(jnp.zeros(made.width), target.astype(jnp.float64)[:1])
    if not made.logistic:
        slope, _ = _slope(made, x, target, keep, zero)
        step = _solved(made, _gram(made, x, keep.astype(jnp.float64)), slope)
        return _cut(-step), jnp.ones((), jnp.int64) + 0 * keep[0]

    def one(_: int, state: tuple[Array, ...]) -> tuple[Array, ...]:
        best, point, merit, _kept, _moved = state
        slope, mean = _slope(made, x, target, keep, point)
        norm = jnp.abs(slope).sum()
        taken = norm <= merit
        step = _solved(made, _gram(made, x, mean * (1.0 - mean) * keep), slope)
        after = jnp.where(taken, _cut(point - step), (best + point) * 0.5)
        best, merit = jnp.where(taken, point, best), jnp.where(taken, norm, merit)
        return best, after, merit, jnp.where(taken, after, best), jnp.abs(after - point).max()

    high = _secret(jnp.asarray(2.0**24), zero)
    _, _, _, kept, moved = jax.lax.fori_loop(0, made.rounds, one, (zero, zero, high, zero, high))
    return kept, (moved <= SETTLED).astype(jnp.int64)


def _gradient(made: Numbers, x: Array, target: Array, keep: Array, noise: Array | None) -> tuple[Array, Array]:
    """(weights, 1): `rounds` steps down the mean gradient over a batch's rows. It is not asked to settle.

    Batches follow one another in the rows' order and go on at its start, so that all rows count alike. noise: [rounds,
    width], of all parties together. Reference: Bassily, Smith, Thakurta 2014, arXiv 1405.7085.
    """
    pace, size = made.rate / (made.divisor * made.scale), made.batch
    most = None if noise is None else _most(made, x)
    if size < made.train:
        x, target, keep = (jnp.concatenate([one, one[:size]]) for one in (x, target, keep))

    def one(step: Array, weights: Array) -> Array:
        rows = (x, target, keep)
        if size < made.train:
            start = (step * size) % made.train
            rows = tuple(jax.lax.dynamic_slice_in_dim(each, start, size) for each in rows)
        if noise is not None:
            fresh = jax.lax.dynamic_index_in_dim(noise, step, keepdims=False)
            return _cut(weights - pace * _noised_slope(made, rows, most, weights, fresh))
        return _cut(weights - pace * _slope(made, *rows, weights)[0])

    zero = _secret(jnp.zeros(made.width), target.astype(jnp.float64)[:1])
    return jax.lax.fori_loop(0, made.rounds, one, zero), jnp.ones((), jnp.int64) + 0 * keep[0]
