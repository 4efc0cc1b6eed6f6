"""A first plan from owners' rows: read, guessed column by column, and put together.

Ranges and values come from the rows, so the plan is as private as they are until somebody has confirmed it: whoever
drafts it says so in comments, and values of few rows are never in it. Nothing is released, and no budget is spent: it
is for owners, and for whoever holds rows of all of them.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from potluck.api.dictionary.columns import Dictionary
from potluck.api.draft.facts import MARKS, Facts
from potluck.api.draft.guess import Guess, Seen
from potluck.api.draft.guesses import guessed
from potluck.api.draft.missing import agreed
from potluck.api.draft.questions import DATED, first, second
from potluck.api.draft.target import Aim, aim
from potluck.api.draft.written import Written, written
from potluck.core.errors import DataError, UsageError
from potluck.core.prose import listed
from potluck.core.registry import nearest
from potluck.learning.data.notation import to_number
from potluck.learning.data.source import opened
from potluck.learning.data.sources.csv_file import CsvFile
from potluck.owner import source as _source  # noqa: F401  kinds of source that owners have

EVALUATION = 0.1
"""Of epsilon."""


@dataclass(frozen=True, slots=True)
class Draft:
    """rows: by site; guesses: by column; aim: None of statistics; missing: texts that mean "no value"; gaps: columns
    with cells without a value; persons: rows that a person has, on average; files: paths as the plan names them.
    evaluation: of persons, the part of epsilon for metrics, None: none of those that were looked at is enough;
    settings: keys with which the model is better beside its noise (`suited`)."""

    rows: Mapping[str, int]
    written: Written
    decimal: str
    guesses: Mapping[str, Guess]
    missing: Sequence[str]
    gaps: frozenset[str]
    aim: Aim | None
    target: str | None = None
    person: str | None = None
    persons: float = 1.0
    files: Mapping[str, str] = field(default_factory=dict)
    evaluation: float | None = EVALUATION
    settings: Mapping[str, float | bool | None] = field(default_factory=dict)

    @property
    def held(self) -> bool:
        """Whether rows are held out: of persons only where metrics of them would say something."""
        return self.aim is not None and (self.person is None or self.evaluation is not None)

    @property
    def fold(self) -> bool:
        """Whether values of some column differ in case alone."""
        return any(one.fold for one in self.guesses.values() if one.used)

    @property
    def columns(self) -> dict[str, Guess]:
        """All but the persons', and that of a target whose sides are listed and that no condition is on."""
        sided = self.aim is not None and "positive" in self.aim.target and not self.aim.where
        outside = {self.person, self.target if sided else None}
        return {name: one for name, one in self.guesses.items() if name not in outside}

    @property
    def derived(self) -> dict[str, tuple[str, Mapping[str, object]]]:
        """By name, of which column each entry of `data.derive` is made, and the entry. A name that is taken is given
        its column's."""
        found: dict[str, tuple[str, Mapping[str, object]]] = {}
        for name, one in self.columns.items():
            for proposed, entry in one.derive.items() if one.used and name != self.target else ():
                called = proposed
                while called in self.guesses or called in found:
                    called = f"{name}_{called}"
                found[called] = name, entry
        return found

    def document(self) -> dict[str, object]:
        """The JSON: what was found, without a value of a row."""
        used = [name for name, one in self.columns.items() if one.used]
        left = {name: one.why for name, one in self.columns.items() if not one.used}
        return {"sites": [*self.rows], "target": self.target, "columns": used, "left_out": left}


def draft(
    sources: Mapping[str, object],
    target: str | None = None,
    person: str | None = None,
    dictionary: Dictionary | None = None,
    files: Mapping[str, str] | None = None,
    today: date | None = None,
) -> Draft:
    """sources: by site a path or a frame; files: what the plan calls them. Raises UsageError: files that differ in how
    they are written, a target or person that is none; DataError: rows that cannot be read."""
    how = written(sources)
    rows = {site: opened(one, site, how.limits) for site, one in sources.items()}
    names = {site: one.names() for site, one in rows.items()}
    for site, some in names.items():
        values = sum(to_number(one) is not None or re.match(DATED, one) is not None for one in some)
        if isinstance(rows[site], CsvFile) and 2 * values >= len(some):
            hint = "write the columns' names into a first line; a plan with data.header = false is written by hand"
            raise UsageError("the first line holds numbers or dates, not names", where=site, hint=hint)
    _there(target, names, "target")
    _there(person, names, "person")
    if person is not None and person == target:
        raise UsageError(f"--person and --target both name {person!r}", hint="who a row is of is not predicted")
    extra = tuple(dictionary.missing or ()) if dictionary else ()
    known = {site: first(one, _once(names[site]), site, extra) for site, one in rows.items()}
    decimal, proven = _decimal(known)
    each = {site: second(rows[site], one, decimal, site) for site, one in known.items()}
    for site, facts in each.items():
        if facts and not any(one.rows for one in facts.values()):
            raise DataError("has no rows", where=site, hint="a file needs rows below its first line")
    seen = _seen(each, names, Seen("", {}, tuple(names), decimal, today or date.today(), proven), target)
    seen, guesses, texts = agreed(seen, lambda name, one: _described(name, guessed(one), dictionary), person, extra)
    if person is not None and (lacking := seen[person].lacking):
        raise UsageError(f"--person: column {person!r} is not in {listed(lacking)}", hint="all sites need it")
    found = Draft(
        rows={site: max((one.rows for one in facts.values()), default=0) for site, facts in each.items()},
        written=how,
        decimal=decimal,
        guesses=guesses,
        missing=texts,
        gaps=frozenset(name for name, one in seen.items() if _gaps(one.all, guesses[name])),
        aim=None if target is None else aim(target, guesses[target]),
        target=target,
        person=person,
        persons=_persons(seen[person]) if person else 1.0,
        files=files or {},
    )
    if not any(one.used for name, one in found.columns.items() if name != target):
        why = "; ".join(f"{name}: {one.why}" for name, one in [*found.columns.items()][:3] if one.why)
        raise UsageError("there is no column that a plan could use", hint=why)
    return found


def _once(names: Sequence[str]) -> list[str]:
    """Names that are there once; others cannot be asked for."""
    return [name for name in dict.fromkeys(names) if names.count(name) == 1]


def _there(name: str | None, names: Mapping[str, Sequence[str]], what: str) -> None:
    """Raises UsageError: no site has the column."""
    every = tuple(dict.fromkeys(one for some in names.values() for one in some))
    if name is not None and name not in every:
        raise UsageError(f"--{what}: there is no column {name!r}", hint=nearest(name, every[:30]))


def _decimal(known: Mapping[str, Mapping[str, Facts]]) -> tuple[str, bool]:
    """The mark that more columns of numbers need, and whether any needs it. One that may part thousands shows none."""

    def needing(mark: str) -> int:
        every = (one for facts in known.values() for one in facts.values() if not one.thousands)
        return sum(one.numeric(mark) and not all(map(one.numeric, MARKS)) for one in every)

    decimal = max(MARKS, key=needing)
    return decimal, needing(decimal) > 0


def _seen(
    each: Mapping[str, Mapping[str, Facts]], names: Mapping[str, Sequence[str]], like: Seen, target: str | None
) -> dict[str, Seen]:
    """All columns, in the order in which they come; of those that cannot be read nothing is known. like: what holds of
    all."""
    found = {}
    for name in dict.fromkeys(name for some in names.values() for name in some):
        facts = {site: each[site].get(name, Facts()) for site, some in names.items() if name in some}
        found[name] = replace(like, name=name, each=facts, aimed=name == target)
    return found


def _described(name: str, guess: Guess, dictionary: Dictionary | None) -> Guess:
    """What a dictionary says of a column, where it says all; beside a guess, what it leaves open."""
    one = next((one for one in dictionary.sheet.columns if one.name == name), None) if dictionary else None
    if one is None or dictionary is None:
        return guess
    if name in dictionary.columns:
        note = "; ".join(filter(None, ("as the dictionary says", one.note)))
        sides = guess.sides if guess.sides and {*one.values} >= {*guess.sides[0], *guess.sides[1]} else None
        return Guess(one.table, note, missing=guess.missing, fold=guess.fold and bool(one.values), sides=sides)
    if not one.kind:
        return Guess(why=f"the dictionary says: {one.why}")
    if guess.entry is not None and guess.entry["kind"] == one.kind:
        return guess
    return Guess(why=f"the dictionary says that it is a {one.kind}, which its cells are not")


def _gaps(facts: Facts, guess: Guess) -> bool:
    """Whether some cell has no value, or may have none."""
    return facts.present < facts.rows or bool(guess.missing)


def _persons(seen: Seen) -> float:
    """Rows of a person, at the site where they have most, on average."""
    return max(one.present / max(one.different, 1) for one in seen.each.values())
