"""Convolutions and their transposes: products of what comes back at a place and the window that it was made of.

Channels are put last, so that a window is long stretches of memory.
"""

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING

from potluck.learning.graph.per_row.call import Call, Rule
from potluck.learning.graph.per_row.pieces import Laid, Outer, Piece, better_laid
from potluck.learning.graph.steps import torch

if TYPE_CHECKING:
    from torch import Tensor

ROOM = 1 << 18
"""Numbers of windows that are copied at a time, where they are not kept: what a processor has at hand."""


def convolution(axes: int, *, transposed: bool = False) -> Rule:
    """Over so many axes. Transposed, a window of what comes back meets what enters at a place."""

    def rule(call: Call) -> Piece:
        back = call.pulled()  # [b, k, channels, ...]: an example may stand several times along the axis
        if call.argument == "bias":
            return Laid(back.flatten(3).sum(3).sum(1))
        given, wide = call.rows("input"), call.shape
        whole, places = (back, given) if transposed else (given, back)
        groups, each = int(call.number("groups", 1)), prod(wide[1:])
        left = _grouped(places, groups)
        seen = _windows(call, axes, _padded(whole, call.spatial("padding", axes, 0)), places.shape[3:])
        (_, _, m, terms), batch = left.shape, call.batch
        if not better_laid(batch * groups, terms, m, each, call.most):
            right = seen.movedim(-1, -1 - axes)  # channels before the kernel, as the weight has them
            return Outer(left.mT.contiguous(), right.reshape(batch, groups, terms, each), wide)
        found = left.new_empty(batch * groups, m, each)
        some = min(batch, max(1, ROOM // (groups * terms * each)))
        copied, parts = left.new_empty(some, *seen.shape[1:]), (found, left.flatten(0, 1))
        split = torch().split
        for windows, out, beside in zip(split(seen, some), *(split(one, some * groups) for one in parts), strict=True):
            right = copied[: len(windows)].copy_(windows)
            torch().bmm(beside, right.view(-1, terms, each), out=out)
        return Laid(found.reshape(batch, wide[0], *wide[2:], wide[1]).movedim(-1, 2))

    return rule


def _padded(given: "Tensor", padding: Sequence[int]) -> "Tensor":
    """[b, k, channels, ...] -> [b, k, ..., channels]."""
    if not any(padding):
        return given.movedim(2, -1).contiguous()
    inner = [slice(pad, pad + size) for pad, size in zip(padding, given.shape[3:], strict=True)]
    sizes = [size + 2 * pad for pad, size in zip(padding, given.shape[3:], strict=True)]
    found = given.new_zeros(*given.shape[:2], *sizes, given.shape[2])
    found[:, :, *inner] = given.movedim(2, -1)
    return found


def _windows(call: Call, axes: int, padded: "Tensor", places: Sequence[int]) -> "Tensor":
    """[b, k, ..., groups * width] -> [b, groups, k, *places, *kernel, width]: what the kernel sees, as a view."""
    kernel, width = call.shape[2:], call.shape[1]
    first, second, *each, _ = padded.stride()
    steps = [one * gap for one, gap in zip(each, call.spatial("dilation", axes, 1), strict=True)]
    moves = [one * step for one, step in zip(each, call.spatial("stride", axes, 1), strict=True)]
    shape = (*padded.shape[:2], *places, *kernel, padded.shape[-1] // width, width)
    found: Tensor = padded.as_strided(shape, (first, second, *moves, *steps, width, 1)).movedim(-2, 1)
    return found


def _grouped(given: "Tensor", groups: int) -> "Tensor":
    """[b, k, groups * width, ...] -> [b, groups, width, k places]."""
    batch, beside, channels = given.shape[:3]
    parted = given.reshape(batch, beside, groups, channels // groups, -1)
    return parted.permute(0, 2, 3, 1, 4).flatten(3)
