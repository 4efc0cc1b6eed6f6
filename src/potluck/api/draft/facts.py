"""What a column's cells are, counted: how many are numbers, dates, or which texts."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from math import inf
from typing import Self

from potluck.learning.data.notation import Key, Notation

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

    @property
    def told(self) -> int:
        """Cells with a value, but for words that mean "no value"."""
        return self.present - sum(self.words.values())

    def numeric(self, mark: str) -> bool:
        """Whether all cells with a value are numbers with this decimal mark, but for words that mean "no value"."""
        return 0 < self.told == self.numbers[mark]

    @property
    def thousands(self) -> str:
        """The mark between groups of three digits, if all cells with a value can be read so; else empty. "2.987" is
        such a cell, and may be a number with three decimals as well."""
        values = self.told
        for mark, many in self.grouped.items():
            others = (self.numbers[one] for one in MARKS if one != mark)
            if many and any(many + plain == values for plain in others):
                return mark
        return ""

    @property
    def looks_dated(self) -> bool:
        """Whether all cells with a value begin as dates do."""
        return 0 < self.told == self.dated

    def without(self, keys: Collection[Key], how: Notation) -> Self:
        """With cells counted as gone whose texts mean the same as these. how: as texts are compared."""
        texts = self.values or {**self.words, **{f"{one:g}": rows for one, rows in self.standins.items()}}
        found = {text: rows for text, rows in texts.items() if how.key(text) in keys}
        numbers = {text: number for text in found if (number := how.number(text)) is not None}
        fewer = sum(found[text] for text in numbers)

        def rest(counts: Mapping[str, int]) -> Mapping[str, int]:
            return Counter({text: rows for text, rows in counts.items() if text not in found})

        return replace(
            self,
            gone=Counter(self.gone) + Counter(found),
            words=rest(self.words),
            numbers=Counter({mark: max(0, many - fewer) for mark, many in self.numbers.items()}),
            fits=max(0, self.fits - fewer),
            whole=max(0, self.whole - fewer),
            different=max(0, self.different - len(found)),
            standins=Counter({one: n for one, n in self.standins.items() if one not in numbers.values()}),
            values=None if self.values is None else rest(self.values),
        )

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
