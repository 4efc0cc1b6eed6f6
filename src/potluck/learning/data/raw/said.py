"""What a raw column says, in few enough words for other programs: ONNX, scikit-learn.

A number is taken as it stands, or its logarithm, or is the time from one day to another. A code is the place of a
declared value: of a text, or of the part of a range in which a number lies. What is derived of something derived is
said of the column at the bottom.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from potluck.core.errors import UsageError

NONE = -1
"""The place of a value that the plan does not declare."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A number of a raw column; logged: its natural logarithm."""

    source: str
    logged: bool = False


@dataclass(frozen=True, slots=True)
class Dated:
    """A day of a raw column. format: see `kinds.date`."""

    source: str
    format: str


@dataclass(frozen=True, slots=True)
class Elapsed:
    """A number: days from one day to another, or whole years. last: may be one day for all rows, as yyyymmdd."""

    first: Dated
    last: Dated | float
    years: bool


Number = Measured | Elapsed


@dataclass(frozen=True, slots=True)
class Parted:
    """A code of a number. edges: rising, an edge lies in the part above it; places: of each part, one more."""

    number: Number
    edges: tuple[float, ...]
    places: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Worded:
    """A code of a text of a raw column. places: of each text, as the plan spells it."""

    source: str
    places: Mapping[str, int]


Reading = Number | Parted | Worded | Dated


def unsaid(name: str, why: str) -> UsageError:
    """Of a column that other programs do not read."""
    hint = "potluck score reads it; or export what takes encoded features"
    return UsageError(f"column {name!r} {why}, which the file cannot compute", hint=hint)
