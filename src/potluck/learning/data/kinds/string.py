"""A string that no list of values names: short, and spelled in a declared alphabet. See `data.texts.spelled`."""

import msgspec

from potluck.core.plan import Column, required
from potluck.learning.data import tensor_column
from potluck.learning.data.column import Beside, ColumnKind, Field
from potluck.learning.data.files.cells import Reader
from potluck.learning.data.notation import Notation
from potluck.learning.data.texts.spelled import SpelledReader, alphabet_of, odd

LONGEST = 100
"""Characters: as many as a statistic has sums at most."""


def check(at: str, column: Column, how: Notation) -> list[str]:
    """A length, and an alphabet of characters that cells can have."""
    if wrong := tensor_column.foreign(at, column, tensor_column.SPELLED, "a string"):
        return wrong
    if column.length is None or column.length > LONGEST:
        return [f"{at}.length: says how many characters a string has. hint: e.g. length = 16, at most {LONGEST}"]
    unfit = odd(column.alphabet) if isinstance(column.alphabet, str) else ""
    return [f"{at}.alphabet: {unfit}"] if unfit else []


def field(name: str, column: Column) -> Field:
    """With its alphabet and its length."""
    length, alphabet = required(column.length), column.alphabet
    return Field(name=name, kind=column.kind, missing=column.missing, length=length, alphabet=alphabet)


def fault(one: Field, how: Notation) -> list[str]:
    """No model takes one."""
    return [f"column {one.name!r} is a string, which no model takes"]


def reader(one: Field, beside: Beside) -> Reader:
    """Of strings."""
    assert one.length is not msgspec.UNSET  # of a checked plan
    return SpelledReader(alphabet_of(one.alphabet, beside.fold), one.length)


STRING = ColumnKind(
    check=check,
    field=field,
    value=tensor_column.value,
    names=tensor_column.names,
    features=tensor_column.features,
    fault=fault,
    reader=reader,
    spelled=True,
)
