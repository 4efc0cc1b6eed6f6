"""A model of layers on secret rows, in whole numbers: exact in the ring, but for `tanh`.

A number with f bits of fraction is the integer nearest to it times 2^f. Sums of products of such integers are
exact mod 2^64; where a later layer would lack room, bits of fraction are cut off (rounding down). So what comes out is
what the same steps give in plain integers, whatever the ring's library makes of real numbers.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from potluck.engines.frames import OpError
from potluck.engines.spu.program import Array, Program, count, outside
from potluck.engines.spu.settings import FRACTION, natural
from potluck.engines.spu.shares import MOST, Kind

DEEPEST = 16
WIDEST = 1 << 17
ROOM = 61
"""Bits that the absolute value of any integer has, at most."""
FAR = 8.0
"""tanh beyond is 1, to 2^-22. Up to here what is computed in its place is off by less than 2^-14 (measured 2^-14.6)."""


class Cut(NamedTuple):
    """What becomes of a hidden layer's sums. before: bits cut off before the activation; after: behind it."""

    before: int
    after: int


class Layer(NamedTuple):
    """inputs, outputs: of one layer; limit: bits of the L1 norm of an output's weights and bias, in steps; scale: bits
    of fraction of what goes in, by which a bias is shifted; cut: None of the last one."""

    inputs: int
    outputs: int
    limit: int
    scale: int
    cut: Cut | None


def layers_scored(about: Mapping[str, Any]) -> Program:
    """Rows [n, d], then weights with the bias as last column [outputs, inputs + 1] of each layer, all integers ->
    margins [n, outputs]; whether a row breaks its bound, and whether a weight does, each 0 or 1 [2].

    about: {"rows": n, "activation": "" | relu | tanh | square, "widths": [d, ..., outputs], "high": h, "limits": [...],
    "scales": [...], "cuts": [[before, after], ...]}. A row's elements are at most 2^h in absolute value, and of each
    output's weights the sum of absolute values at most 2^limit. From these alone follows that nothing overflows: where
    it does not follow the program is refused. Unless both bits open to 0 the margins mean nothing.
    """
    rows, high = natural(about, "rows", 1, MOST), natural(about, "high", 0, ROOM)
    word, layers = about.get("activation"), _layers(about)
    if (word in ACTIVATIONS) != (len(layers) > 1):
        raise OpError("an activation stands between layers, and only there")
    if rows * max(max(one.inputs, one.outputs) for one in layers) > MOST:
        raise OpError("too many elements")
    _fit(layers, str(word), high)

    def run(x: Array, *weights: Array) -> Sequence[Array]:
        broken = count(outside(x, 1 << high).reshape(-1))
        heavy = jnp.int64(0)
        for layer, matrix in zip(layers, weights, strict=True):
            # An element beyond the limit is a fault by itself (-2^63, too: what it is compared by wraps), so that sums
            # of others cannot wrap.
            size, most = jnp.where(matrix < 0, -matrix, matrix), 1 << layer.limit
            heavy = heavy + count((size > most).reshape(-1)) + count(size.sum(axis=1) > most)
            x = x @ matrix[:, :-1].T + (matrix[:, -1] << layer.scale)
            if layer.cut is not None:
                x = ACTIVATIONS[str(word)](x, layer.cut)
        bits = [jnp.where(one > 0, jnp.int64(1), jnp.int64(0)) for one in (broken, heavy)]
        return x, jnp.stack(bits)

    takes = tuple(Kind("integer", (one.outputs, one.inputs + 1)) for one in layers)
    gives = (Kind("integer", (rows, layers[-1].outputs)), Kind("integer", (2,)))
    return Program(run, (Kind("integer", (rows, layers[0].inputs)), *takes), gives)


def _relu(x: Array, cut: Cut) -> Array:
    return jnp.maximum(x >> cut.before, 0) >> cut.after if cut.after else jnp.maximum(x >> cut.before, 0)


def _square(x: Array, cut: Cut) -> Array:
    small = x >> cut.before
    return (small * small) >> cut.after


def _tanh(x: Array, cut: Cut) -> Array:
    """The one real function: 2 sigmoid(2x) - 1 by the library, whose tanh is a hundred times further off.

    The clip stands between conversion and product: the compiler makes an integer of the two where they meet.
    """
    edge = FAR * 2.0**FRACTION
    real = jnp.clip((x >> cut.before).astype(jnp.float64), -edge, edge) * 2.0**-FRACTION
    half = (jax.nn.sigmoid(2 * real) * 2.0**FRACTION).astype(jnp.int64)
    return jnp.clip(2 * half - (1 << FRACTION), -(1 << FRACTION), 1 << FRACTION)


ACTIVATIONS = {"relu": _relu, "square": _square, "tanh": _tanh}


def _layers(about: Mapping[str, Any]) -> list[Layer]:
    """Raises OpError: not a list of whole numbers within bounds, or lists of different lengths."""
    widths = _numbers(about, "widths", 1, WIDEST)
    limits, scales = _numbers(about, "limits", 0, ROOM), _numbers(about, "scales", 0, ROOM)
    cuts = about.get("cuts")
    if not isinstance(cuts, list) or not all(isinstance(one, list) and len(one) == 2 for one in cuts):
        raise OpError("cuts must be a list of pairs")
    if not 2 <= len(widths) <= DEEPEST or len({len(widths) - 1, len(limits), len(scales), len(cuts) + 1}) != 1:
        raise OpError("one limit and scale a layer, and a cut between each two")
    made = [Cut(*(natural({"cut": bits}, "cut", 0, ROOM) for bits in one)) for one in cuts]
    found = zip(pairwise(widths), limits, scales, [*made, None], strict=True)
    return [Layer(*size, limit, scale, cut) for size, limit, scale, cut in found]


def _numbers(about: Mapping[str, Any], key: str, least: int, most: int) -> list[int]:
    found = about.get(key)
    if not isinstance(found, list):
        raise OpError(f"{key} must be a list of whole numbers")
    return [natural({key: one}, key, least, most) for one in found]


def _fit(layers: Sequence[Layer], word: str, high: int) -> None:
    """Raises OpError: an integer could have more than ROOM bits."""
    for layer in layers:
        norm = layer.limit + (layer.inputs + 1).bit_length()
        high = layer.limit + max(high, layer.scale)
        if max(norm, high) > ROOM:
            raise OpError("sums could overflow")
        if layer.cut is None:
            return
        high = max(0, high - layer.cut.before)
        if word == "square":
            high *= 2
        if high > (ROOM - FRACTION if word == "tanh" else ROOM):
            raise OpError("what the activation makes of sums could overflow")
        high = FRACTION if word == "tanh" else max(0, high - layer.cut.after)
