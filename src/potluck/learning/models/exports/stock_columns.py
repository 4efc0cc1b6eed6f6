"""How raw frames become features in scikit-learn's own classes: whatever reads them needs no Potluck.

Each column goes its own way: a number through MinMaxScaler, which clips, a code through OrdinalEncoder and
OneHotEncoder. Functions between them are those of NumPy and pandas, which a file names and does not hold. Classes are
fitted on the plan's words alone: the ends of a range, a declared value.

Frames are typed, as pandas reads files: numbers are numbers, days are datetime64 or texts in the plan's format, and "no
value" is NaN, None, or what the plan says means it. A number in a column of texts is spelled as the plan or as Python
spells it ("01", "1", "1.0"). A missing value that the plan does not flag, and a number that has no logarithm, end in a
ValueError.
"""

import math
from calendar import isleap
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, TypeAlias

import msgspec
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from potluck.core.stages import Floats
from potluck.learning.data.column import Field
from potluck.learning.data.encode import Encoding
from potluck.learning.data.notation import Notation
from potluck.learning.data.raw.reading import one_hot, reading_of
from potluck.learning.data.raw.said import NONE, Dated, Elapsed, Number, Parted, Reading, unsaid
from potluck.learning.data.sql.values import TRUTHS

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator
    from sklearn.pipeline import FeatureUnion
    from sklearn.preprocessing import FunctionTransformer

NOTHING = ("None", "nan", "<NA>", "NaT")
"""Texts that NumPy makes of no value."""
Cells = Sequence[object] | NDArray[np.datetime64]
Way: TypeAlias = "tuple[str, list[BaseEstimator], Cells]"
"""A raw column, the classes that it goes through, and the cells that they are fitted on."""
Bare: TypeAlias = "tuple[str, list[BaseEstimator], Callable[[Sequence[float]], Cells]]"
"""A raw column, the classes that make a number of it, and which cells become these numbers."""


def columns(how: Encoding, edges: Floats | None = None) -> "FeatureUnion":
    """Raw frames to features [n, p], in the encoding's order. edges: of an additive model's bins, each of which is then
    a feature of 0 and 1, in place of its number.

    Raises UsageError, by name: a column that these classes cannot read.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import FeatureUnion, make_pipeline

    ways = []
    for number, one in enumerate(how.fields):
        source, steps, cells = _way(one, reading_of(how, one), how.notation, edges)
        way = ColumnTransformer([("way", make_pipeline(*steps), [source])])
        ways.append((f"column {number}", way.fit(pd.DataFrame({source: cells}))))
    return FeatureUnion(ways)


def _way(one: Field, reading: Reading, told: Notation, edges: Floats | None) -> Way:
    assert not isinstance(reading, Dated)  # no feature by itself
    if isinstance(reading, Number):
        return _number(one, reading, told, edges)
    one_hot(one)
    if isinstance(reading, Parted):
        part = next(part for part, place in enumerate(reading.places) if place != NONE)
        inside = reading.edges[part - 1] if part else reading.edges[0] - 1
        source, bare, cells = _bare(one.name, reading.number, told, (reading.edges[0] - 1, reading.edges[-1] + 1))
        parts = _call(np.digitize, bins=[*reading.edges, np.inf])  # no number is beyond the last
        texts = {str(part): place for part, place in enumerate(reading.places)}
        steps = [*bare, _call(np.asarray, dtype=float), parts, _call(np.asarray, dtype=str)]
        return source, [*steps, *_coded(one, texts, [str(len(texts))])], cells([inside])
    nothing = {told.plain(text) for text in NOTHING}
    for text in reading.places:
        if told.plain(text) in nothing:
            raise unsaid(one.name, f"has the value {text!r}, which NumPy makes of no value")
    texts = {said: place for text, place in reading.places.items() for said in _spellings(text, told)}
    gone = [*NOTHING, *(said for text in told.missing for said in _spellings(text, told))]
    steps = [_call(np.asarray, dtype=str), _call(np.strings.strip)]
    steps += [_call(np.strings.lower)] if told.fold else []
    gone = [text.lower() for text in gone] if told.fold else gone
    return reading.source, [*steps, *_coded(one, texts, gone)], [next(iter(texts))]


def _number(one: Field, reading: Number, told: Notation, edges: Floats | None) -> Way:
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import MinMaxScaler, OneHotEncoder

    flagged, ends = one.missing == "flag", (one.low, one.high)
    source, bare, cells = _bare(one.name, reading, told, ends)
    fitted = cells([*ends, *[np.nan] * flagged])
    steps = [*bare, MinMaxScaler(feature_range=(-1, 1), clip=True)]
    if one.fill is not msgspec.UNSET:
        steps.append(SimpleImputer(strategy="constant", fill_value=one.fill))
    if edges is None:
        fill = SimpleImputer(strategy="constant", fill_value=0.0, add_indicator=True)
        return source, steps + [fill] * flagged, fitted
    bins = _call(np.digitize, bins=np.append(edges, np.inf), right=True)  # no number is beyond the last
    codes = OneHotEncoder(categories=[list(range(len(edges) + 1 + flagged))], sparse_output=False)
    return source, [*steps, _call(np.asarray, dtype=np.float32), bins, codes], fitted


def _bare(name: str, reading: Number, told: Notation, ends: tuple[float, float]) -> Bare:
    """A number without what means "no value". Of one that has no logarithm infinite, which is refused. ends: beyond
    them numbers are alike."""
    if isinstance(reading, Elapsed):
        return _elapsed(name, reading, ends)
    words = [*told.numbers, *(text for text in told.missing if text and told.number(text) is None)]
    steps = [_call(np.asarray, dtype=object)] if words else []
    steps += [_call(np.ma.masked_equal, value=word) for word in words]
    steps += [_call(np.ma.filled, fill_value=np.nan)] if words else []
    if not reading.logged:
        return reading.source, steps, list
    logged = [_call(np.asarray, dtype=float), _call(np.clip, a_min=0, a_max=None), _call(np.log)]
    return reading.source, steps + logged, lambda numbers: np.exp(numbers).tolist()


def _elapsed(name: str, reading: Elapsed, ends: tuple[float, float]) -> Bare:
    """The time from a day to another, by straight lines between days: years fall by one from a birthday to the next
    day."""
    if not isinstance(reading.last, float):
        raise unsaid(name, "is the time between two columns")
    low, high = math.floor(ends[0]), math.ceil(ends[1])
    if reading.years:
        falls = [(_day(reading.last, years), years) for years in range(high, low, -1)]
        points = [point for day, years in falls for point in ((day, years), (day + 1, years - 1))]
    else:
        points = [(_day(reading.last) - number, number) for number in (high, low)]
    days, numbers = (list(map(float, one)) for one in zip(*points, strict=True))
    nothing = float(np.iinfo(np.int64).min)  # what NumPy makes of no day
    steps = [
        _call(pd.DataFrame.apply, func=pd.to_datetime, format=reading.first.format),  # days as such stay what they are
        _call(np.asarray, dtype="datetime64[D]"),
        _call(np.asarray, dtype=float),
        _call(np.ma.masked_equal, value=nothing),
        _call(np.ma.filled, fill_value=np.nan),
        _call(np.interp, xp=days, fp=numbers),
        _call(np.clip, a_min=ends[0], a_max=ends[1]),
    ]

    def cells(wanted: Sequence[float]) -> NDArray[np.datetime64]:
        """Days of which these numbers are said."""
        whole = [math.floor(one) if one == ends[0] else math.ceil(one) for one in wanted if one == one]
        found = [days[numbers.index(one)] if one in numbers else days[0] + numbers[0] - one for one in whole]
        gaps = [np.datetime64("NaT")] * (len(wanted) - len(found))
        return np.array([*(np.datetime64(int(day), "D") for day in found), *gaps])

    return reading.first.source, steps, cells


def _day(packed: float, years: int = 0) -> int:
    """Days since 1970 of yyyymmdd so many years before; of 29 February in other years the day before 1 March."""
    year = min(max(int(packed) // 10_000 - years, 1), 9999)
    month, day = int(packed) // 100 % 100, int(packed) % 100
    if (month, day) == (2, 29) and not isleap(year):
        day = 28
    return (date(year, month, day) - date(1970, 1, 1)).days


def _coded(one: Field, texts: Mapping[str, int], gone: Sequence[str]) -> "list[BaseEstimator]":
    """From texts to 0 and 1. A code is counted from 1; 0 is a value that is not declared, one more than all is none."""
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

    last = len(one.values)
    known = [text for place in range(last) for text, of in texts.items() if of == place]
    begin = np.cumsum([0, *(sum(of == place for of in texts.values()) for place in range(last))])
    spelled = [*known, *(text for text in dict.fromkeys(gone) if text not in known)]
    unknown = np.nan if one.referred else -1
    places = OrdinalEncoder(
        categories=[np.array(spelled, object)], handle_unknown="use_encoded_value", unknown_value=unknown
    )
    codes = list(range(int(one.referred), last + 1 + (one.missing == "flag")))
    left_out = next(iter({*range(last)} - {*one.levels}), NONE) + 1
    found = OneHotEncoder(categories=[codes], drop=[left_out], sparse_output=False)
    return [places, _call(np.digitize, bins=begin), found]


def _call(function: object, **given: object) -> "FunctionTransformer":
    """A function as a step."""
    from sklearn.preprocessing import FunctionTransformer

    return FunctionTransformer(function, kw_args=given)


def _spellings(text: str, told: Notation) -> list[str]:
    """A text, and where it is a number or a truth how Python writes it."""
    number, plain = told.number(text.strip()), told.plain(text)
    found = [plain]
    if number is not None:
        found += [repr(number), *([str(int(number))] if number.is_integer() else [])]
    found += [str(word == "true") for word, value in TRUTHS.items() if number == value or plain.lower() == word]
    return [one.lower() for one in found] if told.fold else found
