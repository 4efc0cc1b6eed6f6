"""A category in other words, or in fewer: `map` says of old values what they become.

A value that `map` does not name is not declared any more, as one that the old column does not declare.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from potluck.core.plan import Column
from potluck.core.tables.derived import Derive
from potluck.learning.data.column import Field
from potluck.learning.data.derive import Derivation, listed
from potluck.learning.data.raw.said import NONE, Parted, Reading, Worded
from potluck.learning.data.sql.layers import Layer, cases
from potluck.learning.data.sql.values import OTHER


def check(at: str, one: Derive, source: Column) -> list[str]:
    """Old values that there are, and new ones that are listed."""
    if not one.map:
        return [f'{at}.map: is missing. hint: map = {{ "I" = "early", "II" = "early", "III" = "late" }}']
    known = _places(source.values)
    odd = [old for old in one.map if old not in known]
    if odd:
        return [f"{at}.map: {odd[0]} is no value of {one.source}. hint: values are {', '.join(source.values)}"]
    named = _places(one.values)
    new = [text for text in one.map.values() if named and text not in named]
    if new:
        return [f"{at}.map: {new[0]} is not among its values. hint: add it to values, or leave values out"]
    return []


def column(one: Derive) -> Column:
    """A category: the values that are listed, else those that come of it, in the order of the map."""
    return Column(kind="category", values=one.values or tuple(dict.fromkeys(one.map.values())))


def value(one: Derive, source: Field, of: Sequence[str], layer: Layer) -> str:
    """A code for a code."""
    d, before, after = layer.dialect, _places(source.values), _places(column(one).values)
    pairs = [(f"{of[0]} = {d.double(before[old])}", d.double(after[new])) for old, new in one.map.items()]
    return cases(pairs, d.double(OTHER))


def read(one: Derive, below: Sequence[Field], found: Sequence[Reading]) -> Reading:
    """A place for a place."""
    before, after = _places(below[0].values), _places(column(one).values)
    new = {before[old]: after[text] for old, text in one.map.items()}
    (code,) = found
    if isinstance(code, Parted):
        return replace(code, places=tuple(new.get(place, NONE) for place in code.places))
    assert isinstance(code, Worded)  # of a checked entry, which takes a category
    return replace(code, places={text: new[place] for text, place in code.places.items() if place in new})


@lru_cache(maxsize=4)
def _places(values: tuple[str, ...]) -> Mapping[str, int]:
    """By value its place. Kept, as a thousand entries of a plan may be about one long category."""
    return {text: place for place, text in enumerate(values)}


RECODE = Derivation(
    keys=frozenset({"map", "values", "reference"}),
    taken="a category",
    said=lambda one: f"{one.source} with {listed([f'{old!r} as {new!r}' for old, new in one.map.items()])}",
    takes=lambda kind: not kind.measured and not kind.dated,
    check=check,
    column=column,
    value=value,
    read=read,
)
