"""What a column's cells are, counted: how many are numbers, dates, or which texts."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Self

MARKS = (".", ",")
"""Decimal marks."""
MOST_TEXTS = 100
"""Of a column with more different cells none is taken out of the engine."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Of one column's cells, of one site or, added up, of several. rows; filled: cells that are not blank; gone, words:
    of these the ones that mean "no value", by text; numbers: by decimal mark; padded: whole numbers that begin with 0;
    grouped: by mark, numbers in groups of three digits that it parts; dated: texts that begin as dates do;
    short: of these such with years of two digits; limits: numbers behind < or >, as laboratories say less than they can
    measure;
    letters: of all texts; spaced: texts of several words; different: different cells, about.

    Then, of cells with a value: fits: numbers; misfit: the first line of one that is none, None where all are or lines
    mean nothing; whole: whole numbers; low, high: of all but STANDINS; standins: how often each of these is there;
    beyond: by stand-in the other numbers in its region; dates: by format how many fit it; values: how often each text,
    None of a column with too many.
    """

    rows: int = 0
    filled: int = 0
    gone: Mapping[str, int] = field(default_factory=Counter, repr=False)
    words: Mapping[str, int] = field(default_factory=Counter, repr=False)
    numbers: Mapping[str, int] = field(default_factory=Counter)
    grouped: Mapping[str, int] = field(default_factory=Counter)
    padded: int = 0
    dated: int = 0
    short: int = 0
    limits: int = 0
    letters: int = 0
    spaced: int = 0
    different: int = 0
    fits: int = 0
    misfit: int | None = None
    whole: int = 0
    low: float = field(default=inf, repr=False)
    high: float = field(default=-inf, repr=False)
    standins: Mapping[float, int] = field(default_factory=Counter, repr=False)
    beyond: Mapping[float, int] = field(default_factory=Counter, repr=False)
    dates: Mapping[str, int] = field(default_factory=Counter)
    values: Mapping[str, int] | None = field(default_factory=Counter, repr=False)

    @property
    def present(self) -> int:
        """Cells with a value; words such as "unknown" count."""
        return self.filled - sum(self.gone.values())

    def numeric(self, mark: str) -> bool:
        """Whether all cells with a value are numbers with this decimal mark, but for words that mean "no value"."""
        return 0 < self.present - sum(self.words.values()) == self.numbers[mark]

    @property
    def thousands(self) -> str:
        """The mark between groups of three digits, if all cells with a value can be read so; else empty. "2.987" is
        such a cell, and may be a number with three decimals as well."""
        values = self.present - sum(self.words.values())
        for mark, many in self.grouped.items():
            others = (self.numbers[one] for one in MARKS if one != mark)
            if many and any(many + plain == values for plain in others):
                return mark
        return ""

    @property
    def looks_dated(self) -> bool:
        """Whether all cells with a value begin as dates do."""
        return 0 < self.present - sum(self.words.values()) == self.dated

    def __add__(self, other: Self) -> "Facts":
        """Of both."""
        values = None if self.values is None or other.values is None else Counter(self.values) + Counter(other.values)
        return Facts(
            self.rows + other.rows,
            self.filled + other.filled,
            Counter(self.gone) + Counter(other.gone),
            Counter(self.words) + Counter(other.words),
            Counter(self.numbers) + Counter(other.numbers),
            Counter(self.grouped) + Counter(other.grouped),
            self.padded + other.padded,
            self.dated + other.dated,
            self.short + other.short,
            self.limits + other.limits,
            self.letters + other.letters,
            self.spaced + other.spaced,
            # The same cells may be in both.
            max(self.different, other.different) if values is None else len(values),
            self.fits + other.fits,
            None,
            self.whole + other.whole,
            min(self.low, other.low),
            max(self.high, other.high),
            Counter(self.standins) + Counter(other.standins),
            Counter(self.beyond) + Counter(other.beyond),
            Counter(self.dates) + Counter(other.dates),
            values if values is None or len(values) <= MOST_TEXTS else None,
        )
