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
    """Numbers with intervals on one scale, a line each. level: a value to compare them with, such as no effect."""

    dots: tuple[Dot, ...]
    level: float | None = None


class Curve(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """x [n] in order, y [n]; low and high [n], or empty: without a band."""

    name: str
    x: tuple[float, ...]
    y: tuple[Number, ...]
    low: tuple[Number, ...] = ()
    high: tuple[Number, ...] = ()


class Curves(Form, frozen=True, kw_only=True, omit_defaults=True, tag="curves"):
    """Curves over one axis. x, y: what the axes are; steps: a value holds from its point to the next one."""

    x: str
    y: str
    curves: tuple[Curve, ...]
    steps: bool = False


class Grid(Form, frozen=True, kw_only=True, omit_defaults=True, tag="grid"):
    """Numbers by two things: values [rows, columns], deeper the larger; low and high alike, or empty."""

    down: str
    across: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[Number, ...], ...]
    low: tuple[tuple[Number, ...], ...] = ()
    high: tuple[tuple[Number, ...], ...] = ()


AnyForm = Frame | Dots | Curves | Grid
"""The forms there are."""
