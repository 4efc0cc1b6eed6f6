"""What of a plan's statistics cannot be. One line a problem: `key: what. hint: what to do`."""

from collections.abc import Iterator

import msgspec

from potluck.core.plan import Plan, Statistic, repeated
from potluck.learning.data.units import most_rows
from potluck.learning.statistics import gram
from potluck.learning.statistics.kind import too_large, wanted
from potluck.learning.statistics.kinds import kind_of
from potluck.learning.statistics.parts import parts_of

COMMON = frozenset({"name", "kind", "by"})
"""Keys that every kind has."""


def check(plan: Plan) -> Iterator[str]:
    """Names, and each statistic."""
    names = [one.name for one in plan.statistics]
    clash = repeated(names)
    if clash:
        yield f"statistics: {clash[0]} is there twice. hint: give each its own name"
    if any(not name for name in names):
        yield "statistics.name: is empty. hint: name each statistic"
    for one in plan.statistics:
        at = f"statistics.{one.name}"
        yield from _unread(one, at)
        wrong = [*kind_of(one).check(plan, one, at)]
        yield from wrong or _too_large(plan, one, at)
        parts = {} if wrong else parts_of(plan, one)
        for name in (part.name for part in parts.values() if part is not one and part.name in names):
            yield f"{at}: a part of it is called {name}, as another one is. hint: give that one another name"
        if one.by is not None:
            yield from wanted(plan, f"{at}.by", one.by, measured=False)


def _too_large(plan: Plan, one: Statistic, at: str) -> Iterator[str]:
    make = kind_of(one).course
    if make is not None:
        yield from too_large(make(plan, one), at)


def pauses(plan: Plan) -> Iterator[str]:
    """What of each statistic runs, but should give pause."""
    for one in plan.statistics:
        yield from kind_of(one).pauses(plan, one, f"statistics.{one.name}")
    infer = [one.name for one in plan.statistics if kind_of(one).infers and one.errors != "cluster"]
    if infer and _several_rows(plan):
        what = f"rows of one person count as independent of each other in {gram.listed(infer)}"
        hint = f'data.reduce makes one row of them; regressions without noise take cluster = "{plan.data.person}"'
        yield f"data.person: {what}, whose p values and errors are too small if persons have several rows. hint: {hint}"


def _several_rows(plan: Plan) -> bool:
    """Whether more than one row of a person may count, as far as the plan knows of persons."""
    once = plan.noisy and plan.privacy.unit == "person" and most_rows(plan) == 1
    return plan.data.person is not None and plan.data.reduce is None and not once


def _unread(one: Statistic, at: str) -> Iterator[str]:
    """Keys that are written and that its kind does not read."""
    keys = kind_of(one).keys
    for field in msgspec.structs.fields(Statistic):
        if field.name not in COMMON | keys and getattr(one, field.name) != field.default:
            what = f"{at}.{field.name}: a {one.test or one.of or ''} {one.kind} does not read it".replace("  ", " ")
            yield f"{what}. hint: leave {field.name} out; it reads {', '.join(sorted(keys))}"
