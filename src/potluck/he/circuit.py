"""What is computed on ciphertexts, planned before any key exists: depth, parameter set, sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from potluck.core.predicting import Activation


@dataclass(frozen=True, slots=True)
class Outline:
    """A model and a run as far as a plan knows them. widths: inputs, hidden units a layer, outputs. rows: at most."""

    widths: tuple[int, ...]
    activation: Activation
    mode: Literal["batch", "single"]
    rows: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a run uses and sends, in bytes (within some percent).

    parameters: the set's name; ring: N; depth: levels; degree: of the activation's polynomial (0: none or exact).
    keys: public and evaluation keys, sent once a run; query: ciphertexts of all rows; reply: of all scores.
    """

    parameters: str
    ring: int
    depth: int
    degree: int
    keys: int
    query: int
    reply: int
