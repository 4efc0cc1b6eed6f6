"""What a program is: a function on secrets, with the kinds of what it takes and gives; and what checks have in common.

Comparisons: `x > b` is the top bit of b - x in the ring. So `outside` is right for EVERY ring element, as long as the
bound is below 2^62: of b - x and x + b at least one wraps or is negative where x is beyond it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp

from potluck.engines.spu.shares import Kind

jax.config.update("jax_enable_x64", True)

Array: TypeAlias = Any
"""A traced array of jax."""


@dataclass(frozen=True, slots=True)
class Program:
    """A function on secrets. takes, gives: what its arguments and results are."""

    run: Callable[..., Sequence[Array]]
    takes: tuple[Kind, ...]
    gives: tuple[Kind, ...]


def outside(x: Array, bound: float) -> Array:
    """Whether |x| > bound, element by element, for every element of the ring."""
    return (x > bound) | (x < -bound)


def fewer(keep: Array, train: int, least: int) -> Array:
    """keep [n], 0 or 1, the training rows first -> 1 where fewer than `least` of them are kept, or of those held out.

    One bit for both: which side lacks rows is not said. Where no row is held out, none has to be kept.
    """
    few = keep[:train].sum() < least
    return (few | (keep[train:].sum() < least) if len(keep) > train else few).astype(jnp.int64)


def count(bits: Array) -> Array:
    """How many of the bits [..., d] are set: [...]."""
    return bits.astype(jnp.int64).sum(axis=-1)
