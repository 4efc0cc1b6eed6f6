"""Whether any row of a person has one of some values of a category: yes or no.

A value that the plan does not declare is none: it may be a misspelt one of those that are looked for.
"""

from potluck.core.plan import Column
from potluck.core.tables.derived import Reduced
from potluck.learning.data.column import Field
from potluck.learning.data.notation import Notation
from potluck.learning.data.reduce import Given, Reduction
from potluck.learning.data.sql.dialect import Dialect
from potluck.learning.data.sql.layers import cases

ANSWERS = ("yes", "no")


def check(at: str, one: Reduced, source: Column, how: Notation) -> list[str]:
    """Values that there are."""
    known = how.places(source.values)
    odd = [text for text in one.values if how.key(text) not in known]
    if odd:
        return [f"{at}.values: {odd[0]} is no value of it. hint: values are {', '.join(source.values)}"]
    return [] if one.values else [f"{at}.values: lists none. hint: list those that are looked for"]


def column(one: Reduced, source: Column) -> Column:
    """A category of two values."""
    return Column(kind="category", values=ANSWERS, reference=one.reference, missing=source.missing)


def gathered(one: Reduced, source: Field, rows: Given, how: Notation, d: Dialect) -> tuple[str, ...]:
    """The smallest code: that of yes where there is one."""
    places = how.places(source.values)
    listed = ", ".join(d.double(places[how.key(text)]) for text in one.values)
    yes, no = (d.double(place) for place in range(len(ANSWERS)))
    return (f"min({cases([(f'{rows.value} IN ({listed})', yes), (f'{rows.value} >= {d.double(0)}', no)], 'NULL')})",)


ANY = Reduction(
    keys=frozenset({"values", "reference"}),
    taken="a category",
    takes=lambda kind: not kind.measured and not kind.dated,
    said=lambda one, source, order: f"whether any {source} is {' or '.join(map(repr, one.values))}",
    check=check,
    column=column,
    gathered=gathered,
)
