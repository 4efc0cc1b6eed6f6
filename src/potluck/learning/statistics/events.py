"""Which values of a category are the event: of an outcome, a treatment, a share."""

from collections.abc import Iterator

from potluck.core.plan import Column, Plan, required
from potluck.learning.data.declared import find
from potluck.learning.data.notation import key


def events(column: Column, named: tuple[str, ...]) -> list[int]:
    """The places of the values that are the event; of a category of 0 and 1 that is 1, where a plan does not say."""
    keys = {key(value) for value in named or ("1",)}
    return [place for place, value in enumerate(column.values) if key(value) in keys]


def some_of(plan: Plan, at: str, name: str | None, named: tuple[str, ...]) -> Iterator[str]:
    """What is wrong with events that are `named` at this key of the plan, of a category that is declared."""
    column = required(find(plan, required(name)))
    places = events(column, named)
    if not 0 < len(places) < len(column.values) or len(places) < len(named):
        yield f'{at}: some of the values of {name}, not all. hint: {at.rpartition(".")[2]} = ["{column.values[-1]}"]'
