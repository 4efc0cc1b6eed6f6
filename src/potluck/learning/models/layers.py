"""A small fully connected network in NumPy: shapes, initial weights, the forward pass, its weights file.

Initial weights come from the plan's public seed, so that every party can check them; training needs torch
(`network`), predicting does not. Reference: LeCun et al. 1998, "Efficient BackProp", section 4.6 (initial weights).
"""

import hashlib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from potluck.core.errors import UsageError
from potluck.core.seeded import generator
from potluck.core.slices import Bytes, slices
from potluck.core.stages import Floats

Shapes = Sequence[tuple[int, int]]
MOST_VALUES = 30_000_000
"""Values of one sum: a letter carries no more (256 MiB of 8 bytes each), and nobody should make room for more."""


def size(shapes: Shapes) -> int:
    """The number of weights d."""
    return sum((inputs + 1) * outputs for inputs, outputs in shapes)


def initial(seed: int, shapes: Shapes) -> Floats:
    """[d] uniform within 1/sqrt(inputs) of zero, biases zero."""
    weights = np.zeros(size(shapes))
    for place, (matrix, _) in enumerate(unpacked(weights, shapes)):
        reach = 1 / math.sqrt(max(matrix.shape[0], 1))
        draw, flat = generator(seed, "network", place), matrix.reshape(-1)
        for part in slices(len(flat)):
            flat[part] = draw.uniform(-reach, reach, part.stop - part.start)
    return weights


def unpacked(weights: Floats, shapes: Shapes) -> Iterator[tuple[Floats, Floats]]:
    """Each layer's matrix [inputs, outputs] and bias [outputs]."""
    start = 0
    for inputs, outputs in shapes:
        middle, stop = start + inputs * outputs, start + (inputs + 1) * outputs
        yield weights[start:middle].reshape(inputs, outputs), weights[middle:stop]
        start = stop


def design(features: Floats) -> Floats:
    """features [n, p] -> [n, p + 1] with a 1 for the intercept in front."""
    out = np.empty((len(features), features.shape[1] + 1))
    out[:, 0] = 1.0
    out[:, 1:] = features
    return out


def margins(weights: Floats, features: Floats, space: Floats | None = None) -> Floats:
    """features [n, p] -> [n] the intercept and their products with the other weights [p + 1], added up. See `added`.

    Raises ValueError: there are not as many weights.
    """
    return added(weights[0], features, weights[1:].reshape(features.shape[1]), space)  # one must not stand for all


def added(first: float, features: Floats, factors: Floats, space: Floats | None = None) -> Floats:
    """[n]: first, and each row's features times factors, [p] or [n, p]: the same bytes on every machine, in any order
    of rows.

    NumPy adds the terms of a row in an order that depends on their number alone. That of a matrix product, and so its
    last bits, depend on the BLAS, on its threads and on how many rows there are.
    space: n (p + 1) numbers or more, to be written over; None: they are found here.
    """
    rows, columns = features.shape
    terms = np.empty((rows, columns + 1)) if space is None else space[: rows * (columns + 1)].reshape(rows, columns + 1)
    terms[:, 0] = first
    np.multiply(features, factors, out=terms[:, 1:])
    return np.asarray(terms.sum(axis=1), dtype=np.float64)


def forward(weights: Floats, features: Floats, shapes: Shapes, activation: str) -> Floats:
    """features [n, p] -> [n, outputs] of the last layer, with nothing after it."""
    values = features
    for place, (matrix, bias) in enumerate(unpacked(weights, shapes)):
        if len(bias) == 1:
            values = margins(np.concatenate([bias, matrix[:, 0]]), values)[:, None]
        else:
            values = values @ matrix + bias
        if place + 1 < len(shapes):
            values = activate(values, activation)
    return values


def activate(values: Floats, activation: str) -> Floats:
    """relu, tanh or square of each value."""
    if activation == "relu":
        return np.maximum(values, 0)
    return np.tanh(values) if activation == "tanh" else values * values


def dump(weights: Floats, shapes: Shapes) -> tuple[bytes, Bytes]:
    """The weights in safetensors: head, an 8-byte length and a JSON header, and the numbers, little-endian float64."""
    header: dict[str, object] = {}
    start = 0
    for place, (inputs, outputs) in enumerate(shapes):
        for name, shape in ((f"layers.{place}.weight", [inputs, outputs]), (f"layers.{place}.bias", [outputs])):
            stop = start + 8 * math.prod(shape)
            header[name] = {"dtype": "F64", "shape": shape, "data_offsets": [start, stop]}
            start = stop
    text = msgspec.json.encode(header)
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text, weights.astype("<f8", copy=False).data.toreadonly().cast("B")


def load(body: bytes) -> Floats:
    """The weights [d] of a file that `dump` made. Raises UsageError where its length does not fit."""
    length = int.from_bytes(body[:8], "little")
    data = memoryview(body)[8 + length :]
    if len(body) < 8 or len(data) % 8:
        raise UsageError("is no weights file")
    return np.frombuffer(data, dtype="<f8").astype(np.float64)


def read(path: Path, digest: str) -> Floats:
    """The same of a file with this SHA-256. Raises UsageError: it cannot be read, or is another."""
    try:
        body = path.read_bytes()
    except OSError:
        raise UsageError("the weights of the model cannot be read", where=str(path)) from None
    if hashlib.sha256(body).hexdigest() != digest:
        raise UsageError("these are not the weights that the model file names", where=str(path))
    return load(body)


def penalised(shapes: Shapes, *, intercept_first: bool) -> NDArray[np.bool_]:
    """[d] whether the ridge penalty applies, not at biases; a linear model has its bias first, of each class."""
    found = np.ones(size(shapes), dtype=np.bool_)
    if intercept_first:
        found[:: shapes[0][0] + 1] = False
        return found
    stop = 0
    for inputs, outputs in shapes:
        stop += (inputs + 1) * outputs
        found[stop - outputs : stop] = False
    return found
