"""What a column may be: what guesses go by, and what they say. A guess is no more than that, and its note says so."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import reduce
from operator import add

from potluck.api.draft.facts import MARKS, Facts
from potluck.core.prose import listed

FEWEST = 5
"""Rows that have a value, at least: a rarer one may say who somebody is, and is not written into a plan."""
CONFIRM = "confirm"


@dataclass(frozen=True, slots=True)
class Seen:
    """A column of all sites' rows. each: by site, of those that have it; sites: all of them; decimal: the mark of
    numbers; proven: numbers of some column can have no other; today: from which ages are counted; aimed: it is to be
    predicted."""

    name: str
    each: Mapping[str, Facts]
    sites: tuple[str, ...]
    decimal: str
    today: date
    proven: bool = False
    aimed: bool = False

    @property
    def all(self) -> Facts:
        """Of all sites together."""
        return reduce(add, self.each.values())

    @property
    def lacking(self) -> list[str]:
        """Sites that do not have it."""
        return [site for site in self.sites if site not in self.each]

    @property
    def distinct(self) -> float:
        """The share of cells with a value that differ from one another, about, at the site where it is least."""
        return min((one.different / one.present for one in self.each.values() if one.present), default=0.0)

    @property
    def coded(self) -> bool:
        """Whether whole numbers begin with 0, so that they are codes."""
        return self.all.padded > self.all.present / 10

    @property
    def words(self) -> frozenset[str]:
        """The parts of its name, in small letters."""
        return frozenset(one.lower() for one in re.findall(r"[A-ZÄÖÜ]?[a-zäöüß]+|[A-ZÄÖÜ]+|[0-9]+", self.name))

    @property
    def other(self) -> str:
        """The decimal mark that numbers should not have."""
        return next(mark for mark in MARKS if mark != self.decimal)

    @property
    def dated(self) -> str:
        """Why its cells are no dates of one format, where they look as dates do; else empty."""
        if not self.all.looks_dated or self.all.numeric(self.decimal):
            return ""
        if self.all.short == self.all.dated:
            return "dates with years of two digits, whose century nobody can tell: save them with four"
        many = "and years of two digits" if self.all.short else "or days that are none"
        return (
            f"dates of more than one form, {many}: a plan reads one form, with years of four digits, and ISO beside it"
        )

    def misfits(self) -> str:
        """Where cells are no numbers: sites, and a line of each where lines mean something."""
        found = [
            site + (f" (first in line {facts.misfit})" if facts.misfit is not None else "")
            for site, facts in self.each.items()
            if facts.fits < facts.told
        ]
        return listed(found[:FEWEST]) + (", and others" if len(found) > FEWEST else "")


@dataclass(frozen=True, slots=True)
class Guess:
    """entry: of `data.columns`; None: the column is left out. note: what its author should know, beside it; why: it is
    left out, or its entry is a comment. derive: what is made of it, by a name that is proposed. missing: texts of it
    that mean "no value", beside those that do everywhere. fold: texts of it differ in case alone. sides: of a column
    with two sides, the texts of yes and those of no; rare: whether values are left out of the entry."""

    entry: Mapping[str, object] | None = None
    note: str = ""
    why: str = ""
    derive: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    fold: bool = False
    sides: tuple[tuple[str, ...], tuple[str, ...]] | None = None
    rare: bool = False

    @property
    def used(self) -> bool:
        """Whether the plan reads it."""
        return self.entry is not None and not self.why


Guesser = Callable[[Seen], Guess | None]
"""None: it is something else."""
