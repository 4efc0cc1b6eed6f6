"""Rasters brought to a plan's shape, on [-1, 1].

Each number is cut to the declared range and scaled as a number's column is. What stands for no measurement becomes the
darkest there is, and is not counted as cut. Then a picture is resized by Pillow's
BILINEAR filter, a triangle as wide as what it has to cover, so that no pixel of a larger picture is passed over; a
volume along its depth too. The same file gives the same bits on one machine. Colour becomes grey by the weights of
ITU-R BT.601, grey becomes three equal channels.
"""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from potluck.learning.data.files.raster import Raster, Unreadable

Tensor = NDArray[np.float32]
GREY = np.array([0.299, 0.587, 0.114], np.float32)
CHUNK = 1 << 20
"""Numbers that are widened at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """values [*shape] on [-1, 1]; numbers: how many the file has; below, above: of them beyond the declared range."""

    values: Tensor = field(repr=False)
    numbers: int
    below: int
    above: int


def picture(raster: Raster, shape: tuple[int, ...], low: float, high: float) -> Fitted:
    """A picture [c, h, w] or a volume [c, d, h, w] of any size, resized. Raises Unreadable: its axes are others, or a
    number is none."""
    found = _scaled(replace(raster, values=_placed(raster.values, shape)), low, high)
    values = _grey(found.values) if (len(found.values), shape[0]) == (3, 1) else found.values
    values = np.stack([_resized(one, shape[1:]) for one in values])
    values = np.repeat(values, shape[0], axis=0) if len(values) < shape[0] else values
    return Fitted(np.clip(values, -1, 1), found.numbers, found.below, found.above)


def tensor(raster: Raster, shape: tuple[int, ...], low: float, high: float) -> Fitted:
    """An array of exactly this shape. Raises Unreadable."""
    if raster.values.shape != shape:
        raise Unreadable("is of another shape than the plan says")
    return _scaled(raster, low, high)


def _placed(values: NDArray[np.generic], shape: tuple[int, ...]) -> NDArray[np.generic]:
    """With an axis of channels, and without that of a volume's only slice."""
    if values.ndim == len(shape) - 1:
        values = values[None]
    if values.ndim == len(shape) + 1 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != len(shape):
        raise Unreadable("has another number of axes than the plan's shape")
    if (values.shape[0], shape[0]) not in ((shape[0], shape[0]), (3, 1), (1, 3)):
        raise Unreadable("has another number of channels than the plan's shape")
    return values


def _scaled(raster: Raster, low: float, high: float) -> Fitted:
    flat = np.ascontiguousarray(raster.values).reshape(-1)
    out, below, above = np.empty(len(flat), np.float32), 0, 0
    for start in range(0, len(flat), CHUNK):
        stored = flat[start : start + CHUNK]
        part = stored.astype(np.float64) * raster.slope + raster.intercept
        if raster.blank is not None:
            part[(stored >= raster.blank[0]) & (stored <= raster.blank[1])] = high if raster.inverted else low
        if not np.isfinite(part).all():
            raise Unreadable("holds nan or inf")
        below, above = below + int((part < low).sum()), above + int((part > high).sum())
        # As of a number's column, and before anything else: twice a number can be beyond float64.
        out[start : start + CHUNK] = 2 * (np.clip(part, low, high) - low) / (high - low) - 1
    values = out.reshape(raster.values.shape)
    return Fitted(-values if raster.inverted else values, len(flat), below, above)


def _grey(values: Tensor) -> Tensor:
    return np.tensordot(GREY, values, 1)[None]


def _resized(values: Tensor, shape: tuple[int, ...]) -> Tensor:
    """[h, w] or [d, h, w] in another size. An axis that shrinks is taken before one that grows: what stands in between
    is never larger than both ends, whatever axes a file has."""
    if values.shape == shape:
        return values
    if len(shape) == 2:
        return _plane(values, shape)
    if len(values) > shape[0]:
        values = _deep(values, shape[0])
    return _deep(np.stack([_plane(one, shape[1:]) for one in values]), shape[0])


def _deep(values: Tensor, depth: int) -> Tensor:
    """[d, h, w] with another depth."""
    return _plane(values.reshape(len(values), -1), (depth, values[0].size)).reshape(depth, *values.shape[1:])


def _plane(values: Tensor, shape: tuple[int, ...]) -> Tensor:
    from PIL import Image

    if values.shape == shape:
        return values
    image = Image.fromarray(np.ascontiguousarray(values))
    height, width = shape
    between = (width, image.height) if width <= image.width else (image.width, height)
    for size in (between, (width, height)):
        image = image.resize(size, Image.Resampling.BILINEAR)
    return np.asarray(image, np.float32)
