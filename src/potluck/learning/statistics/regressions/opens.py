"""What fits open of rows: every product of two columns of their design, summed, also at the first round.

Of two categories that is a table of their values; of a category and a number the sum of that number by value.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations_with_replacement

from potluck.core.plan import Plan, Statistic, required
from potluck.core.tables.statistic import factors
from potluck.learning.data.declared import find, measured
from potluck.learning.statistics.events import events
from potluck.learning.statistics.opens import Axis, Number, Product, Table

Column = tuple[tuple[Axis, ...], Product]
"""Of a design: the categories that say where it is not 0, and the numbers that it is the product of."""


def fitted(
    columns: Iterable[Column], within: tuple[Axis, ...] = (), beside: Product = (), parameters: int = 0
) -> Iterator[Table]:
    """Of a design with a constant, in each place of `within`. beside: what all products are multiplied by; parameters:
    fitted there."""
    found: defaultdict[tuple[Axis, ...], dict[Product, None]] = defaultdict(dict)
    for (left, first), (right, second) in combinations_with_replacement([((), ()), *columns], 2):
        product = tuple(sorted((*first, *second, *beside)))
        mine = found[tuple(dict.fromkeys((*within, *left, *right)))]
        if product:
            mine[product] = None
    for axes, products in found.items():
        yield Table(axes, tuple(products), parameters if axes == within else 0)


def designed(plan: Plan, features: Sequence[str]) -> Iterator[Column]:
    """The columns of features: a category's values are all one place or another of it."""
    for feature in features:
        names = factors(feature)
        numbers = [name for name in names if measured(required(find(plan, name)))]
        yield tuple(Axis(name) for name in names if name not in numbers), tuple(map(Number, numbers))


def outcome(plan: Plan, name: str | None, named: tuple[str, ...]) -> Column:
    """A number, or whether a category has one of the values that are `named`."""
    column = required(find(plan, required(name)))
    if measured(column):
        return (), (Number(required(name)),)
    return (sides(plan, name, named),), ()


def sides(plan: Plan, name: str | None, named: tuple[str, ...]) -> Axis:
    """The values of a category that are `named`, and the others."""
    return Axis(required(name), sides=(tuple(events(required(find(plan, required(name))), named)),))


def offset(one: Statistic) -> Iterator[Column]:
    """What is added as it is goes with every column."""
    if one.offset:
        yield (), (Number(one.offset),)
