"""Scale and shift after a normalisation: what comes back, times what was normalised, added up along a row."""

from collections.abc import Callable
from math import prod
from typing import TYPE_CHECKING

from potluck.learning.graph.per_row.call import Call, Rule
from potluck.learning.graph.per_row.pieces import Laid, Piece
from potluck.learning.graph.steps import torch

if TYPE_CHECKING:
    from torch import Tensor

Normalised = Callable[[Call, "Tensor", tuple[int, ...]], "Tensor"]
"""(the call, its input with rows first, the shape of its weight) -> the input as it was normalised, before scale and
shift."""


def last_axes(run: Normalised) -> Rule:
    """Of a normalisation along the last axes."""

    def rule(call: Call) -> Piece:
        back, wide = call.pulled(), call.shape
        if call.argument == "weight":
            back = back * run(call, call.rows("input"), wide)
        return Laid(back.reshape(call.batch, -1, *wide).sum(1))

    return rule


def channels(run: Normalised) -> Rule:
    """Of a normalisation with a scale and shift for each channel."""

    def rule(call: Call) -> Piece:
        back, wide = call.pulled().flatten(0, 1), call.shape
        if call.argument == "weight":
            back = back * run(call, call.rows("input").flatten(0, 1), wide)
        return Laid(back.reshape(call.batch, -1, wide[0], prod(back.shape[2:])).sum((1, 3)))

    return rule


def layer(call: Call, given: "Tensor", wide: tuple[int, ...]) -> "Tensor":
    """Mean 0, variance 1."""
    found: Tensor = torch().nn.functional.layer_norm(given, wide, None, None, call.number("eps", 1e-5))
    return found


def root_mean_square(call: Call, given: "Tensor", wide: tuple[int, ...]) -> "Tensor":
    """Mean square 1."""
    eps = None if call.arguments.get("eps") is None else call.number("eps", 0.0)
    found: Tensor = torch().nn.functional.rms_norm(given, wide, None, eps)
    return found


def group(call: Call, given: "Tensor", wide: tuple[int, ...]) -> "Tensor":
    """Within groups of channels."""
    found: Tensor = torch().nn.functional.group_norm(
        given, int(call.number("num_groups", 1)), None, None, call.number("eps", 1e-5)
    )
    return found


def instance(call: Call, given: "Tensor", wide: tuple[int, ...]) -> "Tensor":
    """Within each channel."""
    found: Tensor = torch().nn.functional.instance_norm(
        given, None, None, None, None, True, 0.0, call.number("eps", 1e-5)
    )
    return found


def frozen(call: Call, given: "Tensor", wide: tuple[int, ...]) -> "Tensor":
    """By statistics that are fixed."""
    mean, var = call.tensor("running_mean"), call.tensor("running_var")
    found: Tensor = torch().nn.functional.batch_norm(given, mean, var, None, None, False, 0.0, call.number("eps", 1e-5))
    return found
