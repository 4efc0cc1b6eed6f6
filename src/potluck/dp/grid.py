"""The grid of one sum: words of 64 bits with the finest step that fits; 32 bits for whole numbers, or under noise.

A sum of everything that all sites may add, with the tail of the noise, stays in the signed half of the ring: that is
checked here, when the plan is read. Wrapping beyond it would change a value and never the privacy.
"""

import math
from dataclasses import dataclass

from potluck.core.asks import Ask, Block, Kind
from potluck.core.errors import PlanError
from potluck.core.fixed import FINEST, finest, fits
from potluck.core.stages import Grid, GridBlock
from potluck.dp.account import FINEST_SHARE

GOOD = 2.0**-20
"""With noise, 32-bit words are used where every step stays at least as fine (and in proportion for a clip below 1)."""
NEAR = 8.0
"""Contributions up to it have steps as fine as their block asks, larger ones in proportion."""
RELATIVE = 2.0**-16
"""No step is coarser than so much of the largest contribution."""
TAIL = 16.0
"""Standard deviations of noise that a sum has room for: beyond lies less than 1e-56."""
GRAIN = 48
"""A share of noise has at most 2^48 steps: finer steps would only resolve noise."""
WHOLE = 4
"""Whole numbers and parts are counted in steps of at least 2^-4 of a share of noise: they lose nothing by it."""
BIAS = 1 / 64
"""With 32-bit words truncation may move a sum by so much of its noise."""


@dataclass(frozen=True, slots=True)
class Loudness:
    """Noise of one part, in real units. sigma: guaranteed; share: of one share; most: where all sites give."""

    sigma: float
    share: float
    most: float


def exact(ask: Ask) -> Grid:
    """The grid of a sum without noise.

    Every row is cut off by up to a step, and where nothing drowns that, only whole numbers can do with short words.
    Raises PlanError: the sum does not fit.
    """
    for bits in (32, 64) if all(block.parts for block in ask.blocks) else (64,):
        parts = tuple(_exact_part(block, bits) for block in ask.blocks)
        if all(fits(part, bits) for part in parts):
            break
    else:
        raise _too_wide(ask)
    for part, block in zip(parts, ask.blocks, strict=True):
        if not block.parts and part.step > min(block.coarsest * max(1.0, block.high / NEAR), block.high * RELATIVE):
            raise _too_wide(ask)
    return Grid(parts, bits)


def _exact_part(block: Block, bits: int) -> GridBlock:
    high = float(block.units * block.high)
    return GridBlock(block.name, block.size, 1 / block.parts if block.parts else 2.0 ** finest(high, bits), high)


def noised(ask: Ask, noise: tuple[Loudness, ...]) -> Grid:
    """The grid of a sum with such noise. Raises PlanError: the sum does not fit beside its noise, or is too small."""
    for bits in (32, 64):
        parts = tuple(_noised_part(block, one, bits) for block, one in zip(ask.blocks, noise, strict=True))
        if all(_good(part, block, one, bits) for part, block, one in zip(parts, ask.blocks, noise, strict=True)):
            return Grid(parts, bits)
    # These parts are of 64 bits: what is not good at the finest step of all is too small, not too large.
    pairs = zip(parts, ask.blocks, strict=True)
    raise (_too_small if any(part.step <= 2.0**FINEST and not block.parts for part, block in pairs) else _too_wide)(ask)


def _noised_part(block: Block, noise: Loudness, bits: int) -> GridBlock:
    # A power of two, so that all parties find the same one whatever their mathematical library.
    high = 2.0 ** math.ceil(math.log2(block.units * min(block.high, block.l2) + TAIL * noise.most))
    share = math.floor(math.log2(noise.share))
    step = (
        min(1 - block.parts.bit_length(), share - WHOLE) if block.parts else max(finest(high, bits), share - GRAIN + 1)
    )
    return GridBlock(block.name, block.size, 2.0**step, high)


def _good(part: GridBlock, block: Block, noise: Loudness, bits: int) -> bool:
    if not fits(part, bits) or noise.share < FINEST_SHARE * part.step:
        return False
    if block.parts:
        return True
    if part.step > block.coarsest:
        return False
    if bits == 64:
        return part.step <= block.l2 * RELATIVE
    return part.step <= GOOD * min(1.0, block.l2) or block.units * part.step / 2 <= BIAS * noise.sigma


def _too_wide(ask: Ask) -> PlanError:
    widest = max(ask.blocks, key=lambda block: block.units * block.high)
    what = f"{widest.units} contributions to {widest.name} do not fit a word of 64 bits in steps fine enough"
    return PlanError(what, where=f"{ask.kind} sum", hint="lower data.max_rows, or training.range with average")


def _too_small(ask: Ask) -> PlanError:
    what = "contributions and their noise are too small for the finest step there is"
    hint = "raise privacy.clip" if ask.kind is Kind.TRAIN else "lower privacy.epsilon, or rescale the columns"
    return PlanError(what, where=f"{ask.kind} sum", hint=hint)
