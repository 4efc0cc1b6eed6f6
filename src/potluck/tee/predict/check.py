"""What of a model or its rows an enclave cannot score, and what a prediction sends."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

LETTER = 240 << 20
"""Bytes of a parcel: what a mailbox takes of one letter, less what seals it."""
NUMBERS = 1 << 27
"""Numbers in one layer of all rows: the enclave holds a few such tables."""
EVIDENCE = 16 << 10
"""Bytes of an enclave's evidence with keys and endorsements, about, where it is real hardware's."""


def traffic(widths: Sequence[int], rows: int) -> tuple[int, int, int]:
    """Bytes of (keys and evidence with the model, rows, scores), about. widths: inputs, hidden units, outputs."""
    model = 8 * sum((before + 1) * after for before, after in pairwise(widths))
    return 2 * EVIDENCE + model, 8 * rows * widths[0], 8 * rows * widths[-1]


def problems(widths: Sequence[int], rows: int) -> list[str]:
    """What keeps such a model from being scored; each line says what, then ". hint: " and what to do."""
    model, asked, scores = traffic(widths, rows)
    wrong = []
    if max(asked, scores) > LETTER or rows * max(widths) > NUMBERS:
        most = min(LETTER // (8 * max(widths[0], widths[-1])), NUMBERS // max(widths))
        wrong.append(f"{rows} rows are more than one letter and the enclave take. hint: predict.max_rows = {most}")
    if model > LETTER:
        wrong.append(f"the model has {model >> 20} MB, more than one letter takes. hint: train a smaller network")
    return wrong


@dataclass(frozen=True, slots=True)
class Whole:
    """A model that is no layers, and the rows that it scores. file: its bytes, 0 where nobody knows; row: bytes of one
    row; outputs: margins of one row; rows: how many at most."""

    file: int
    row: int
    outputs: int
    rows: int


def whole_traffic(whole: Whole) -> tuple[int, int, int]:
    """As `traffic`, of a model that is no layers."""
    return 2 * EVIDENCE + whole.file, whole.row * whole.rows, 8 * whole.rows * whole.outputs


def whole_problems(whole: Whole) -> list[str]:
    """As `problems`, of a model that is no layers. What a graph itself may cost is bounded where it is read."""
    model, asked, scores = whole_traffic(whole)
    wrong = []
    if max(asked, scores) > LETTER:
        most = LETTER // max(whole.row, 8 * whole.outputs)
        wrong.append(f"{whole.rows} rows are more than one letter takes. hint: predict.max_rows = {most}")
    if model > LETTER:
        wrong.append(f"the model has {model >> 20} MB, more than one letter takes. hint: train a smaller one")
    return wrong
