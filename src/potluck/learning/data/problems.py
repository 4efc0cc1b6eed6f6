"""What does not fit in a source, gathered so that its owner hears of all of it at once: columns, lines, kinds of error.

A message never holds a value. It is bounded: of one kind of problem some lines are named and the rest is counted, and
likewise of kinds.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self, TypeVar

from potluck.core.errors import DataError
from potluck.core.prose import agree

T = TypeVar("T")
MOST = 20
"""Kinds of problem that are named."""
LINES = 5
"""Lines of one kind that are named."""
NO_VALUE = 'list the text that means "no value" in data.missing'
CELL = f"correct the cell, or {NO_VALUE}"
GAP = 'declare missing = "drop" or "flag", or list the text that means "no value" in data.missing'

SHOWN = 5
"""Declared values that a hint repeats."""


def spelled(**declared: Sequence[str]) -> str:
    """A hint where values are not among the declared ones, which are repeated as the plan writes them, by its key."""
    return f"check the spelling and case of {' and '.join(_listed(key, texts) for key, texts in declared.items())}"


def _listed(key: str, declared: Sequence[str]) -> str:
    more = f", and {len(declared) - SHOWN} more" if len(declared) > SHOWN else ""
    texts = ", ".join(json.dumps(text, ensure_ascii=False) for text in declared[:SHOWN])
    return f"{key} = [{texts}{more}]"


def nothing(missing: Sequence[str]) -> tuple[str, str]:
    """What is wrong with an empty cell where a plan calls other texts "no value", and a hint."""
    what = f'empty, and to the plan, with data.{_listed("missing", missing)}, an empty cell is not "no value"'
    return what, """fill the cell, or ask for a plan whose data.missing lists "", too"""


class Doubt(Exception):
    """The quick way of reading found something that it does not place: the careful one is to read it again."""


@dataclass(slots=True)
class Places:
    """Some lines: the first few, and how many there are."""

    first: list[int] = field(default_factory=list)
    count: int = 0

    def add(self, lines: Iterable[int]) -> None:
        """More lines, in order."""
        for line in lines:
            self.count += 1
            if len(self.first) < LINES:
                self.first.append(int(line))

    def said(self, placed: bool) -> str:
        """As a message has it. placed: lines mean something to whoever reads it."""
        if not placed:
            return f"{self.count:,} {agree(self.count, 'row', 'rows')}"
        more = f" and {self.count - LINES:,} more" if self.count > LINES else ""
        return f"{agree(self.count, 'line', 'lines')} {', '.join(map(str, self.first))}{more}"


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of problem. It reads `before`, the lines, `after`; with several lines `many` instead of `after`.
    counted: also how many rows; plain: no lines."""

    before: str
    after: str
    many: str
    hint: str
    counted: bool = False
    plain: bool = False

    def text(self, at: Places, placed: bool) -> str:
        if self.plain:
            return self.before
        if self.counted:
            return f"{self.before} {at.said(False)}{f' ({at.said(True)})' if placed else ''}"
        return f"{self.before}{at.said(placed)}{self.many if at.count > 1 else self.after}"


def carefully(read: Callable[[bool], T]) -> T:
    """What a way of reading gives: the quick one, or the careful one where that is in doubt."""
    try:
        return read(False)
    except Doubt:
        return read(True)


class Problems:
    """What was found so far in the source of `where`. As a context it raises DataError at its end, if anything was
    found; an error that ends the reading is told with the rest."""

    def __init__(self, where: str, careful: bool = True) -> None:
        """careful: what does not fit is told; else it is a `Doubt` at once. Lines are named unless `placed` is unset:
        the rows came in no order that their owner knows."""
        self.where = where
        self.careful = careful
        self.placed = True
        self._found: dict[_Kind, Places] = {}

    @property
    def found(self) -> bool:
        """Whether there is any."""
        return bool(self._found)

    def persons(self, column: str, lacks: str, count: int, hint: str = GAP) -> None:
        """Persons without a value of a column that needs one, in any of their rows."""
        if count:
            what = f"column {column!r} {lacks} in any row of {count:,} {agree(count, 'person', 'persons')}"
            self._add(_Kind(what, "", "", hint, plain=True), [0])

    def cells(self, column: str, lines: Iterable[int], why: str, hint: str = CELL) -> None:
        """Cells of a column that are not what the plan declares."""
        self._add(_Kind(f"column {column!r}, ", f": {why}", f": {why}", hint), lines)

    def gaps(self, column: str, lacks: str, lines: Iterable[int], hint: str = GAP) -> None:
        """Rows without a value of a column that needs one. lacks: what each one has not, as "has no value"."""
        self._add(_Kind(f"column {column!r} {lacks} in", "", "", hint, counted=True), lines)

    def widths(self, line: int, found: int, expected: int, hint: str) -> None:
        """A line with too few or too many fields."""
        what = f"{found} columns where {expected} are expected"
        self._add(_Kind("", f" has {what}", f" have {what}", hint), [line])

    def _add(self, kind: _Kind, lines: Iterable[int]) -> None:
        places = self._found.get(kind, Places())
        places.add(lines)
        if places.count:
            self._found[kind] = places
            if not self.careful:
                raise Doubt

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if not (self._found and self.careful) or not (error is None or isinstance(error, DataError)):
            return
        texts = [kind.text(places, self.placed) for kind, places in self._found.items()]
        hints = [kind.hint for kind in self._found]
        if isinstance(error, DataError):
            texts, hints = [*texts, error.what], [*hints, error.hint]
        raise together(texts, hints, self.where) from None


def together(texts: Sequence[str], hints: Sequence[str], where: str) -> DataError:
    """Several problems as one error; each hint is said once."""
    shown, more = texts[:MOST], len(texts) - MOST
    rest = [f"and {more} more {agree(more, 'problem', 'problems')}"] if more > 0 else []
    head = f"{len(texts)} problems: " if len(texts) > 1 else ""
    advice = "; ".join(dict.fromkeys(hint for hint in hints[:MOST] if hint))
    return DataError(head + "; ".join([*shown, *rest]), where=where, hint=advice)
