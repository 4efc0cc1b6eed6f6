"""Convolutions and their transposes: products of what comes back at a place and the window that it was made of."""

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING

from potluck.core.slices import slices
from potluck.learning.graph.per_row.call import Call, Rule
from potluck.learning.graph.per_row.pieces import Laid, Outer, Piece, better_laid
from potluck.learning.graph.steps import torch

if TYPE_CHECKING:
    from torch import Tensor

ROOM = 1 << 21
"""Numbers of windows that are copied at a time, where they are not kept."""


def convolution(axes: int, *, transposed: bool = False) -> Rule:
    """Over so many axes. Transposed, a window of what comes back meets what enters at a place."""

    def rule(call: Call) -> Piece:
        back = call.pulled().flatten(0, 1)  # [b k, channels, ...]: an example may stand several times along the axis
        if call.argument == "bias":
            return Laid(back.reshape(call.batch, -1, back.shape[1], prod(back.shape[2:])).sum((1, 3)))
        given, wide = call.rows("input").flatten(0, 1), call.shape
        whole, places = (back, given) if transposed else (given, back)
        groups, each = int(call.number("groups", 1)), prod(wide[1:])
        left = _grouped(places, call.batch, groups, wide[0] // groups)
        strides, gaps = call.spatial("stride", axes, 1), call.spatial("dilation", axes, 1)
        padded = _padded(whole, call.spatial("padding", axes, 0))
        seen = _windows(padded, wide[2:], places.shape[2:], strides, gaps)
        if not better_laid(call.batch * groups, left.shape[2], left.shape[3], each, call.most):
            return Outer(left, _grouped(seen, call.batch, groups, each), wide)
        found = left.new_empty(call.batch, *wide)
        beside = len(seen) // call.batch
        for some in slices(call.batch, max(1, ROOM // (beside * prod(seen.shape[1:])))):
            right = _grouped(seen[beside * some.start : beside * some.stop], some.stop - some.start, groups, each)
            found[some] = (left[some].mT @ right).reshape(-1, *wide)
        return Laid(found)

    return rule


def _padded(given: "Tensor", padding: Sequence[int]) -> "Tensor":
    pads = [one for pad in reversed(padding) for one in (pad, pad)]
    found: Tensor = torch().nn.functional.pad(given, pads).contiguous() if any(pads) else given.contiguous()
    return found


def _windows(
    padded: "Tensor", kernel: Sequence[int], places: Sequence[int], stride: Sequence[int], spread: Sequence[int]
) -> "Tensor":
    """[k, channels, ...] -> [k, channels, *kernel, *places]: at each place what the kernel sees, as a view."""
    first, second, *each = padded.stride()
    steps = [one * gap for one, gap in zip(each, spread, strict=True)]
    moves = [one * step for one, step in zip(each, stride, strict=True)]
    found: Tensor = padded.as_strided((*padded.shape[:2], *kernel, *places), (first, second, *steps, *moves))
    return found


def _grouped(given: "Tensor", batch: int, groups: int, width: int) -> "Tensor":
    """[b k, groups * width numbers at each place] -> [b, groups, k places, width]."""
    parted = given.reshape(batch, len(given) // batch, groups, width, -1)
    return parted.permute(0, 2, 1, 4, 3).flatten(2, 3)
