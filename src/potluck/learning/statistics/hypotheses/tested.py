"""What a test of a hypothesis says, and what plans of tests have in common."""

from collections.abc import Callable, Iterator

from potluck.core.plan import Plan, Statistic
from potluck.core.stages import Floats
from potluck.learning.statistics.forms import AnyForm, Frame
from potluck.learning.statistics.kind import of_numbers, wanted
from potluck.learning.statistics.reading import Read, names
from potluck.learning.statistics.result import OF, Result, each
from potluck.learning.statistics.sums import Part

ENOUGH = 5.0
"""With noise a group counts if it has so many times the standard deviation of the noise in its count. Below that the
error rates of these tests were measured to be wrong."""

ENOUGH_PAIRS = 6.0
"""The same of pairs of bins. At 5 the test is wrong too often where values crowd in few bins."""


class Tested(Result, frozen=True, kw_only=True, omit_defaults=True):
    """statistic; df: degrees of freedom, of an F statistic two, none of a statistic that has none; p: two-sided.

    All None where the rows, or the noise, say nothing. yates: of a table of 2 x 2 without noise, the statistic with
    Yates' correction. by: of each declared value.
    """

    statistic: float | None
    df: float | tuple[float, float] | None
    p: float | None
    yates: float | None = None
    by: "dict[str, Tested] | None" = None

    def shown(self, plan: Plan, one: Statistic) -> tuple[AnyForm, ...]:
        """A line for all rows and each group."""
        freedom = {name: _freedom(mine.df) for name, mine in each(self, self.by)}
        wide = max(map(len, freedom.values()))
        head = OF, "statistic", *("df", "df within")[:wide], "p"
        rows = tuple(
            (name, mine.statistic, *freedom[name], *[None] * (wide - len(freedom[name])), mine.p)
            for name, mine in each(self, self.by)
        )
        test = one.test or ""
        return (Frame(title="" if test in one.name else test, head=head, rows=rows),)


def _freedom(df: float | tuple[float, float] | None) -> tuple[float, ...]:
    return () if df is None else df if isinstance(df, tuple) else (df,)


UNKNOWN = Tested(statistic=None, df=None, p=None)


def noise(std: Floats) -> float:
    """The standard deviation of the noise in each number of a statistic, which is the same in all."""
    return float(std.flat[0])


def of_groups(plan: Plan, one: Statistic, at: str) -> Iterator[str]:
    """The check of a test that compares a number between the groups of `by`."""
    yield from of_numbers(plan, one, at)
    if one.by is None:
        yield f"{at}.by: is missing. hint: name the category whose groups are compared"


def of_two_groups(plan: Plan, one: Statistic, at: str) -> Iterator[str]:
    """The same of two groups, no more."""
    problems = list(of_groups(plan, one, at))
    yield from problems
    if not problems and len(names(plan, one)) != 2:
        yield f"{at}.by: {one.by} has {len(names(plan, one))} declared values. hint: {one.test} compares two groups"


def of_pairs(plan: Plan, one: Statistic, at: str) -> Iterator[str]:
    """The check of a test of two numbers of each row."""
    if len(one.columns) != 2 or one.columns[0] == one.columns[1]:
        yield f'{at}.columns: {one.test} needs two columns. hint: columns = ["before", "after"]'
        return
    for name in one.columns:
        yield from wanted(plan, f"{at}.columns", name, measured=True)


def of_declared(test: Callable[[Floats, float], Tested]) -> Read:
    """The read of a test between groups: the declared ones [groups, width], and the noise in each number."""

    def read(plan: Plan, one: Statistic, part: Part) -> Tested:
        return test(part.values[:-1], noise(part.std))

    return read
