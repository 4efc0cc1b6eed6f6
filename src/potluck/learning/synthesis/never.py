"""What no row is: conditions that never hold together. Whoever counts finds none, and noise makes none."""

import math
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import reduce

import numpy as np

from potluck.core.plan import Plan, Synthesize, required
from potluck.core.seeded import generator
from potluck.core.stages import Floats
from potluck.core.tables.derived import Where
from potluck.learning.data.column import COLUMNS
from potluck.learning.data.conditions import demanded
from potluck.learning.data.declared import find
from potluck.learning.data.notation import notation
from potluck.learning.data.units import Mask
from potluck.learning.synthesis.axes import Axis, axes_of, synthesized
from potluck.learning.synthesis.draw import values
from potluck.learning.synthesis.tables import Edge

TRIED = 10_000
"""Rows that are made up before anything is counted, to see whether rules leave any."""
COMPARED: dict[str, Callable[[Floats, float], Mask]] = {
    "at_least": operator.ge,
    "at_most": operator.le,
    "above": operator.gt,
    "below": operator.lt,
}


def check(plan: Plan, spec: Synthesize) -> Iterator[str]:
    """What is wrong with these rules, one line a problem."""
    yield from [*_wrong(plan, spec)] or _refusing(plan, spec)


def _wrong(plan: Plan, spec: Synthesize) -> Iterator[str]:
    columns = synthesized(plan)
    for number, rule in enumerate(spec.never, 1):
        at = f"synthesize.never.{number}.together"
        if len(rule.together) < 2:
            yield f"{at}: says fewer than two conditions. hint: data.where leaves rows out by one"
        for one in rule.together:
            column = columns.get(one.column)
            if column is None:
                yield f"{at}: {one.column} is no column of numbers or values. hint: one that rows are made up of"
            else:
                yield from demanded(at, one, column, notation(plan.data))


def _refusing(plan: Plan, spec: Synthesize) -> Iterator[str]:
    """Rules that no row obeys, whatever it is."""
    axes = {axis.name: axis for axis in axes_of(plan)}
    for number, rule in enumerate(spec.never, 1):
        if all(_wholly(plan, one, axes[one.column]).all() for one in rule.together):
            what = "refuses every row, whatever its values are"
            yield f"synthesize.never.{number}: {what}. hint: conditions that some rows do not meet"


def pauses(plan: Plan) -> Iterator[str]:
    """Rules that hold for no row; and rules that leave no row of many whose values are all alike frequent, so that none
    may be left to make up once epsilon is spent."""
    rules = required(plan.synthesize).never
    axes = {axis.name: axis for axis in axes_of(plan)}
    if not all(0 < axis.highs[-1] - axis.lows[0] < math.inf for axis in axes.values() if axis.lows):
        return  # which is told elsewhere
    for number, rule in enumerate(rules, 1):
        for name in dict.fromkeys(one.column for one in rule.together):
            mine = [one for one in rule.together if one.column == name]
            if not _all_met(plan, mine, _tried(plan, axes[name], mine)).any():
                what = f"never holds, whatever the rows are: no value of {name} meets all of its conditions"
                yield f"synthesize.never.{number}: {what}. hint: leave it out, or other bounds or values"
                break
    if rules:
        draw = generator(0, "rules")
        some = {name: values(axis, draw.integers(0, axis.size, TRIED), draw) for name, axis in axes.items()}
        if broken(plan, some, TRIED).any(axis=0).all():
            what = f"rules together refuse each of {TRIED:,} random rows, so perhaps no row can be made up"
            yield f"synthesize.never: {what}. hint: rules that some rows obey"


def _tried(plan: Plan, axis: Axis, conditions: Sequence[Where]) -> Floats:
    """Values of a column of which one meets these conditions, if any of its values does: all of a category; of a number
    the ends of its range, the bounds, and what lies between two of these."""
    if axis.values:
        return np.arange(axis.levels, dtype=np.float64)
    low, high, bound = axis.lows[0], axis.highs[-1], COLUMNS.of(required(find(plan, axis.name)).kind).bound
    said = [value for one in conditions for value in one.said.values() if not isinstance(value, tuple)]
    bounds = [required(required(bound)(value)) for value in said]
    ends = np.unique(np.clip([low, high, *bounds], low, high))
    found = np.concatenate([ends, (ends[1:] + ends[:-1]) / 2])
    if axis.whole:
        found = np.concatenate([np.floor(found) + step for step in (-1, 0, 1, 2)])
    return found[(found >= low) & (found <= high)]


def _all_met(plan: Plan, conditions: Sequence[Where], values: Floats) -> Mask:
    return np.asarray(np.logical_and.reduce([met(plan, one, values) for one in conditions]))


def met(plan: Plan, one: Where, values: Floats) -> Mask:
    """[n] whether a condition holds for numbers or places of values; not for none."""
    column = required(find(plan, one.column))
    word, wanted = next(iter(one.said.items()))
    if isinstance(wanted, tuple):
        how = notation(plan.data)
        codes = how.places(column.values)
        inside = np.isin(values, [codes[how.key(text)] for text in wanted])
        return np.asarray(inside if word == "in" else ~inside & ~np.isnan(values))
    bound = COLUMNS.of(column.kind).bound
    return COMPARED[word](values, required(required(bound)(wanted)))


def broken(plan: Plan, columns: Mapping[str, Floats], rows: int) -> Mask:
    """[rules, rows] which rows cannot be, by each rule."""
    rules = required(plan.synthesize).never
    found = np.zeros((len(rules), rows), np.bool_)
    for place, rule in enumerate(rules):
        found[place] = np.logical_and.reduce([met(plan, one, columns[one.column]) for one in rule.together])
    return found


def possible(plan: Plan, axes: tuple[Axis, ...], edge: Edge) -> Floats:
    """[size, size] of two columns 0 where a rule about them alone leaves nothing of a cell, else 1."""
    found = np.ones((axes[edge[0]].size, axes[edge[1]].size))
    for rule in required(plan.synthesize).never:
        sides = [[one for one in rule.together if one.column == axes[place].name] for place in edge]
        if all(sides) and sum(map(len, sides)) == len(rule.together):
            one, other = (
                reduce(np.logical_and, (_wholly(plan, where, axes[place]) for where in mine))
                for mine, place in zip(sides, edge, strict=True)
            )
            found[np.ix_(one, other)] = 0.0
    return found


def _wholly(plan: Plan, one: Where, axis: Axis) -> Mask:
    """[size] the levels of which every value meets a condition."""
    if axis.values:
        found = met(plan, one, np.arange(axis.levels, dtype=np.float64))
    else:
        found = met(plan, one, np.array(axis.lows)) & met(plan, one, np.array(axis.highs))
    return np.append(found, False) if axis.gap else found
