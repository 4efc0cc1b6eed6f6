"""What a result shows, as data: tables and pictures. The report, notebooks and the terminal know these forms, and no
kind of statistic by its name."""

import msgspec

Cell = str | int | float | None
Number = float | int | None


class Form(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="form"):
    """A table or a picture. title: empty where the statistic's own name says it."""

    title: str = ""


class Frame(Form, frozen=True, kw_only=True, omit_defaults=True, tag="frame"):
    """A tidy table: a row an observation, a column a thing. head: a name a column; texts come before numbers.

    name: of this one among those of a statistic; empty: the first. long: it is looked up and not read first, as the
    points of a curve are. note: what its intervals are.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    name: str = ""
    long: bool = False
    note: str = ""


class Dot(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A number with its interval."""

    name: str
    value: Number
    low: Number = None
    high: Number = None


class Dots(Form, frozen=True, kw_only=True, omit_defaults=True, tag="dots"):
    """Numbers with intervals on one scale, a line each; one alone is that number. x: what the scale is; level: a value
    to compare them with, such as no effect; factors: on a scale of factors, where 1/2 is as far from 1 as 2 is."""

    dots: tuple[Dot, ...]
    x: str = ""
    level: float | None = None
    factors: bool = False


class Bars(Form, frozen=True, kw_only=True, omit_defaults=True, tag="bars"):
    """A histogram. x, y: what the axes are; edges [n + 1] in order; values, low, high [n]: of what lies between two."""

    x: str
    y: str
    edges: tuple[float, ...]
    values: tuple[Number, ...]
    low: tuple[Number, ...]
    high: tuple[Number, ...]


class Box(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How numbers are spread: half of them lie between the quartiles. low, high: how far lines reach beyond."""

    name: str
    q1: Number
    median: Number
    q3: Number
    low: Number = None
    high: Number = None


class Boxes(Form, frozen=True, kw_only=True, omit_defaults=True, tag="boxes"):
    """Box plots on one scale, a line each. x: what the scale is."""

    x: str
    boxes: tuple[Box, ...]


class Curve(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """x [n] in order, y [n]; low and high [n], or empty: without a band; counts [n], or empty: how many are still there
    at each x."""

    name: str
    x: tuple[float, ...]
    y: tuple[Number, ...]
    low: tuple[Number, ...] = ()
    high: tuple[Number, ...] = ()
    counts: tuple[Number, ...] = ()


class Curves(Form, frozen=True, kw_only=True, omit_defaults=True, tag="curves"):
    """Curves over one axis. x, y: what the axes are; steps: a value holds from its point to the next one; beneath: what
    the counts are of, which stand under the axis."""

    x: str
    y: str
    curves: tuple[Curve, ...]
    steps: bool = False
    beneath: str = ""


class Grid(Form, frozen=True, kw_only=True, omit_defaults=True, tag="grid"):
    """Numbers by two things: values [rows, columns], deeper the farther from 0; low and high alike, or empty. deepest:
    from which number on nothing gets deeper; None: from the largest."""

    down: str
    across: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[Number, ...], ...]
    low: tuple[tuple[Number, ...], ...] = ()
    high: tuple[tuple[Number, ...], ...] = ()
    deepest: float | None = None


AnyForm = Frame | Dots | Bars | Boxes | Curves | Grid
"""The forms there are."""


def refusal(why: str | None) -> tuple[Frame]:
    """What a result without numbers shows: why there are none."""
    return (Frame(head=("refused",), rows=((why or "",),)),)
