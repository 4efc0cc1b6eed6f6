"""What may be computed: a closed list of programs, by name, each made from a few numbers that all parties agree on.

No code comes from outside: a party builds the program itself, from its name and numbers, and parties compare what the
compiler made of it. Programs take secrets and give secrets; what is opened is decided outside.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp

from potluck.engines.frames import OpError
from potluck.engines.spu.layers import layers_scored
from potluck.engines.spu.program import Array, Program, count, outside
from potluck.engines.spu.regression import regression
from potluck.engines.spu.settings import natural
from potluck.engines.spu.shares import MOST, Kind
from potluck.engines.spu.trees import boosted_trees

SITES = 64
BOUND = (1 << 62) - 1
_SAFE = (1 << 63) - 1
_FINE = 30


def sum_checked(about: Mapping[str, Any]) -> Program:
    """n vectors [d] -> their sum mod 2^64 over those that keep their bounds [d], and a 0 or 1 for each vector [n].

    about: {"sites": n, "parts": [[length, bound, norm], ...]}: each element of a part is at most `bound` in absolute
    value and, where `norm` is not 0, the part's L2 norm at most `norm`. Norms below 2^30 are exact; for larger ones the
    elements are shifted right until the norm has 30 bits, and what that may add to an honest vector is added to the
    norm: no honest vector is refused, and none is kept whose norm is beyond (1 + 2^-27 sqrt(length)) times the norm.
    """
    sites, parts = natural(about, "sites", 1, SITES), about.get("parts")
    if not isinstance(parts, list) or not 1 <= len(parts) <= 4096:
        raise OpError("parts must be a list of 1 to 4096 triples")
    cut = []
    for one in parts:
        if not isinstance(one, list) or len(one) != 3:
            raise OpError("a part is a length, a bound and a norm")
        named = dict(zip(("length", "bound", "norm"), one, strict=True))
        length = natural(named, "length", 1, MOST)
        cut.append((length, natural(named, "bound", 0, BOUND), natural(named, "norm", 0, BOUND)))
    width = sum(length for length, _, _ in cut)
    if sites * width > MOST:
        raise OpError("too many elements")

    def run(*vectors: Array) -> Sequence[Array]:
        x = jnp.stack(vectors)
        faults, start = jnp.zeros(sites, jnp.int64), 0
        for length, bound, norm in cut:
            part = x[:, start : start + length]
            faults = faults + count(outside(part, min(bound, norm) if norm else bound))
            if norm:
                faults = faults + _long(part, bound, norm)
            start += length
        kept = jnp.where(faults < 1, jnp.int64(1), jnp.int64(0))
        return (x * kept[:, None]).sum(axis=0), kept

    return Program(run, (Kind("integer", (width,)),) * sites, (Kind("integer", (width,)), Kind("integer", (sites,))))


def _long(x: Array, bound: int, norm: int) -> Array:
    """How many partial sums of squares of x [n, d] are too large: [n]; 0 says that each row's norm is at most `norm`.

    It is right for rows whose elements are within bound and norm: their squares are added up in blocks that cannot wrap
    2^63, each block is compared with the limit, and blocks that keep it are added up in turn. Where a block
    does not keep it, the row is refused, whatever the later sums wrap to.
    """
    length = x.shape[1]
    shift = max(0, norm.bit_length() - _FINE)
    limit = norm * norm
    if shift:
        x = x >> shift
        limit = ((norm >> shift) + math.isqrt(length) + 2) ** 2
    most = ((min(bound, norm) >> shift) + (1 if shift else 0)) ** 2
    sums, faults = x * x, jnp.zeros(x.shape[0], jnp.int64)
    while True:
        block = min(sums.shape[1], _SAFE // max(most, 1))
        rest = -sums.shape[1] % block
        sums = jnp.pad(sums, ((0, 0), (0, rest))).reshape(x.shape[0], -1, block).sum(axis=2)
        faults = faults + count(sums > limit)
        if sums.shape[1] == 1:
            return faults
        most = limit


PROGRAMS: Mapping[str, Callable[[Mapping[str, Any]], Program]] = {
    "sum_checked": sum_checked,
    "layers_scored": layers_scored,
    "boosted_trees": boosted_trees,
    "regression": regression,
}
