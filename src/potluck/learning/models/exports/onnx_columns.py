"""Raw columns as features, in the words of ONNX: whoever has onnxruntime alone scores a row.

One input a column, [b]: a number is float64, and NaN where there is none; of a category a text, and "" where there is
none. A text is compared without blanks around it, and one that is a number as a number ("1.0" is "1"), but for
exponents. Of a day the input is a text too. A row has no score (NaN) where a value is missing that the plan does not
flag, where a number is infinite or has no logarithm, or a text is no day: `potluck score` gives it none, or refuses it.
Reference: https://onnx.ai/onnx/operators; patterns are those of RE2.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np

from potluck.learning.data.column import Field
from potluck.learning.data.encode import Encoding
from potluck.learning.data.notation import Notation, folding
from potluck.learning.data.raw.reading import one_hot, reading_of
from potluck.learning.data.raw.said import Dated, Elapsed, Number, Parted, Worded
from potluck.learning.data.sql.dialect import BLANKS
from potluck.learning.graph.value import DType
from potluck.learning.models.exports import onnx_days
from potluck.learning.onnx.writer import Writer

NEVER = r"[^\x{0}-\x{10ffff}]"
"""What no text fits."""


@dataclass(slots=True)
class Columns:
    """What is read so far. texts: by raw column whether it is of texts; read: by raw column the name of [b, 1]; gone:
    names of [b, 1], each whether a row has no score."""

    writer: Writer
    how: Encoding
    texts: dict[str, bool] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)
    read: dict[str, str] = field(default_factory=dict)

    @property
    def told(self) -> Notation:
        """How cells are spelt."""
        return self.how.notation

    def features(self) -> str:
        """[b, p]. Raises UsageError, by name: a column that ONNX cannot read."""
        return self.writer.add("Concat", [name for one in self.how.fields for name in self._field(one)], {"axis": 1})

    def inputs(self) -> list[Any]:
        """The raw columns as inputs."""
        types = self.writer.package.TensorProto
        made = self.writer.package.helper.make_tensor_value_info
        return [made(name, types.STRING if text else types.DOUBLE, ["b"]) for name, text in self.texts.items()]

    def gapped(self, features: str) -> str:
        """[b, q] as trees take them (`Encoding.gapped`)."""
        flags = self.how.flags
        if (flags >= 0).any():
            whose = self.writer.constant(np.where(flags >= 0, flags, 0))
            flagged = self.writer.add("Gather", (features, whose), {"axis": 1})
            gaps = self.writer.constant((flags >= 0)[None])
            lacks = self.writer.add("And", (self.writer.add("Greater", (flagged, self._number(0.0))), gaps))
            features = self.writer.add("Where", (lacks, self._number(np.nan), features))
        return self.writer.add("Gather", (features, self.writer.constant(self.how.gapped)), {"axis": 1})

    def scored(self, scores: str, kind: DType) -> str:
        """scores [b, k], of this type, NaN in rows that have none."""
        if not self.gone:
            return scores
        return self.writer.add("Where", (self._any(self.gone), self.writer.number(np.nan, kind), scores))

    def _field(self, one: Field) -> list[str]:
        """[b, 1] each of a column's features."""
        reading = reading_of(self.how, one)
        assert not isinstance(reading, Dated)  # no feature by itself
        if isinstance(reading, Number):
            value = self._value(reading)
            lacks = self.writer.add("IsNaN", (value,))
            fill = self._number(0.0 if one.fill is msgspec.UNSET else one.fill)
            found = [self.writer.add("Where", (lacks, fill, self._scaled(value, one)))]
        else:
            codes, lacks = self._codes(one, reading)
            found = [self._bits(codes[place]) for place in one.levels]
        if one.missing == "flag":
            return [*found, self._bits(lacks)]
        if one.fill is msgspec.UNSET:
            self.gone.append(lacks)
        return found

    def _codes(self, one: Field, reading: Parted | Worded) -> tuple[list[str], str]:
        """[b, 1] each: whether the cell is this declared value, and whether it counts as missing."""
        one_hot(one)
        if isinstance(reading, Parted):
            value = self._value(reading.number)
            codes, lacks = self._parts(value, reading, len(one.values)), self.writer.add("IsNaN", (value,))
        else:
            text, places = self._source(reading.source, text=True), range(len(one.values))
            codes = [
                self._spelt(text, [said for said, of in reading.places.items() if of == place]) for place in places
            ]
            lacks = self._spelt(text, ["", *self.told.missing])
        if one.referred:  # then what is not declared does
            lacks = self._any([lacks, self.writer.add("Not", (self._any(codes),))])
        return codes, lacks

    def _value(self, reading: Number) -> str:
        """[b, 1] a number, NaN where there is none."""
        if isinstance(reading, Elapsed):
            return self._elapsed(reading)
        value = self._source(reading.source)
        self.gone.append(self.writer.add("IsInf", (value,)))
        for word in self.told.numbers:
            said = self.writer.add("Equal", (value, self._number(word)))
            value = self.writer.add("Where", (said, self._number(np.nan), value))
        if not reading.logged:
            return value
        self.gone.append(self.writer.add("LessOrEqual", (value, self._number(0.0))))
        return self.writer.add("Log", (value,))

    def _elapsed(self, reading: Elapsed) -> str:
        lacks, ends = [], []
        for one in (reading.first, reading.last):
            if isinstance(one, float):
                ends.append(onnx_days.constant(self.writer, one))
                continue
            text = self._source(one.source, text=True)
            lacks.append(self._spelt(text, ["", *self.told.missing]))
            found, there = onnx_days.of_text(self.writer, text, one.format, _BLANKS)
            ends.append(found)
            fits = self.writer.add("Or", (lacks[-1], there))
            self.gone.append(self.writer.add("Not", (fits,)))
        apart = (onnx_days.years if reading.years else onnx_days.days)(self.writer, *ends)
        return self.writer.add("Where", (self._any(lacks), self._number(np.nan), apart))

    def _scaled(self, value: str, one: Field) -> str:
        """As `data.encode.scale`, in the same order."""
        inside = self.writer.add("Clip", (value, self._number(one.low), self._number(one.high)))
        twice = self.writer.add("Mul", (self.writer.add("Sub", (inside, self._number(one.low))), self._number(2.0)))
        share = self.writer.add("Div", (twice, self._number(one.high - one.low)))
        return self.writer.add("Sub", (share, self._number(1.0)))

    def _parts(self, value: str, reading: Parted, values: int) -> list[str]:
        """[b, 1] each: whether a number lies in a part that is this declared value, of so many."""
        from_on = [self.writer.add("GreaterOrEqual", (value, self._number(edge))) for edge in reading.edges]
        there = self.writer.add("Not", (self.writer.add("IsNaN", (value,)),))
        none = self.writer.constant(np.array([[False]]))
        ends = [there, *from_on, none]
        inside = [self.writer.add("And", (low, self.writer.add("Not", (high,)))) for low, high in pairwise(ends)]
        return [
            self._any([none, *(one for one, of in zip(inside, reading.places, strict=True) if of == place)])
            for place in range(values)
        ]

    def _spelt(self, value: str, texts: Sequence[str]) -> str:
        either = "|".join(_pattern(text, self.told) for text in texts) or NEVER
        return self.writer.add("RegexFullMatch", (value,), {"pattern": f"{_BLANKS}(?:{either}){_BLANKS}"})

    def _source(self, name: str, text: bool = False) -> str:
        """[b, 1] a raw column."""
        if name not in self.read:
            self.texts[name], self.writer.batch = text, self.writer.batch or name
            self.read[name] = self.writer.add("Unsqueeze", (name, self.writer.whole(1)))
        return self.read[name]

    def _any(self, some: Sequence[str]) -> str:
        found, *others = some
        for one in others:
            found = self.writer.add("Or", (found, one))
        return found

    def _bits(self, name: str) -> str:
        return self.writer.cast(name, "float64")

    def _number(self, value: float) -> str:
        return self.writer.number(value, "float64")


def _pattern(text: str, told: Notation) -> str:
    """Of all spellings of a text, or of the number that it is."""
    number = told.number(text.strip())
    if number is not None:
        return _spellings(number, f"[{told.decimal}]")
    if not told.fold:
        return "".join(map(_letter, text.strip()))
    plain = told.plain(text)
    others: dict[str, str] = {}
    for large, small in zip(*folding([plain]), strict=True):
        others[small] = others.get(small, "") + large
    return "".join(f"[{_letter(one)}{others[one]}]" if one in others else _letter(one) for one in plain)


def _spellings(number: float, mark: str) -> str:
    whole, _, part = f"{Decimal(repr(abs(number))):f}".partition(".")
    whole, part, sign = whole.lstrip("0"), part.rstrip("0"), "-" if number < 0 else "[+]?"
    if part:
        return f"{sign}0*{whole}{mark}{part}0*"
    return f"{sign}0*{whole}(?:{mark}0*)?" if whole else f"[+-]?(?:0+(?:{mark}0*)?|{mark}0+)"


def _letter(one: str) -> str:
    return one if one.isalnum() else _code(one)


def _code(one: str) -> str:
    return f"\\x{{{ord(one):x}}}"


_BLANKS = f"[{''.join(map(_code, BLANKS))}]*"
