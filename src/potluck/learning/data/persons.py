"""Whose row is whose: the texts of the column that a plan names, each person in one spelling.

A person is what that column says, and no more: a plan that names another column has other persons. The owner's policy
says which columns may be named (`allow.person`). A name is compared in its one spelling (`core.spelling`). Numbers that
are spelt in two ways stop the site, and so do names that look alike: 7 and 07 may be one person or two, and either
guess may be wrong.

What does not fit is a DataError with column and line or count, never a value. It does NOT know a person at two sites
for the same.
"""

import unicodedata
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

import numpy as np
from numpy.typing import NDArray

from potluck.core.errors import DataError
from potluck.core.spelling import normal
from potluck.core.visible import seen
from potluck.learning.data.notation import Notation
from potluck.learning.data.problems import Problems

NOBODY = tuple(
    sign + word
    for sign in ("", "+", "-")
    for word in ("nan", "NaN", "NAN", "inf", "Inf", "INF", "infinity", "Infinity")
)
"""What programs write for a number that is none. `Nan` may be a name."""


def persons(
    cells: Sequence[str], lines: NDArray[np.int64], column: str, how: Notation, problems: Problems
) -> list[str]:
    """Whose each row is. Rows that say nobody's go into `problems`, those of a number that is none too; lines [n]: of
    the cells."""
    names = [normal(text) for text in cells]
    gone = how.gone | {""}
    nobody = [line for line, name in zip(lines.tolist(), names, strict=True) if name in NOBODY or how.key(name) in gone]
    problems.cells(column, nobody, "no person", "every row needs to say whose it is")
    return names


def coded(names: Sequence[str], column: str, site: str) -> NDArray[np.int64]:
    """[n] a number for each person, in order of appearance. Raises DataError: one number is spelt in two ways."""
    known = {name: code for code, name in enumerate(dict.fromkeys(names))}
    _clashes(known, column, site)
    return np.array([known[name] for name in names], dtype=np.int64)


def one_row_each(names: Sequence[str], column: str, site: str) -> None:
    """Raises DataError: a person who has one row is there twice, in other letters that are composed into the same."""
    if again := len(names) - len(set(names)):
        raise twice(again, column, site)


def _clashes(names: dict[str, int], column: str, site: str) -> None:
    """Either guess could give one person two units, or two persons one."""
    seen: dict[Decimal | str, str] = {}
    if again := sum(seen.setdefault(_alike(name), name) != name for name in names):
        raise twice(again, column, site)


def twice(count: int, column: str, site: str) -> DataError:
    """What is wrong where so many names are spelt in two ways."""
    what = f"column {column!r} spells names or numbers in two ways ({count} of them): one person, or two?"
    hint = "write every person one way at all sites: without leading zeros, decimals or letters that are not seen"
    return DataError(what, where=site, hint=hint)


def _alike(name: str) -> Decimal | str:
    """What names share that look alike: a number's value, whatever its decimal mark; else the letters that are seen, in
    Unicode's plainest form (NFKC), with one blank where there are any."""
    plain = name if name.isascii() else _plain(name)
    try:
        number = Decimal(plain.replace(",", "."))
    except InvalidOperation:
        return " ".join(plain.split())
    return number if number.is_finite() else plain


def _plain(name: str) -> str:
    found = unicodedata.normalize("NFKC", name)
    return "".join(letter for letter in found if seen(letter) or letter.isspace())


def one_side(person: NDArray[np.int64], test: NDArray[np.bool_], site: str) -> None:
    """Raises DataError: a person has rows on both sides of the split."""
    both = np.intersect1d(person[test], person[~test]).size
    if both:
        hint = 'with unit = "person" a person is on one side of the split only'
        raise DataError(f"{both} persons have rows on both sides of the split", where=site, hint=hint)


def by_name(names: list[str]) -> NDArray[np.int64]:
    """[n] the places of persons by name: the order in which an engine gives them means nothing."""
    return np.array(sorted(range(len(names)), key=names.__getitem__), dtype=np.int64)
