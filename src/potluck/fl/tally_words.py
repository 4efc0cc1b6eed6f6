"""What an owner is told of its own rows: the words of a tally, and the counts that no run should go on with.

Words name columns and counts, and of the plan's declared values a few. They hold no value of a row.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from potluck.core.plan import Plan
from potluck.fl.problems import together
from potluck.fl.tally import ColumnTally, Tally, TargetTally

MOST = 15
"""Lines of words; the rest is counted."""
SHOWN = 5
"""Declared values that a hint repeats."""


def required(tally: Tally, where: str) -> None:
    """Raises DataError: a column of which no value is as declared, or a target of which none is positive, where the
    plan does not say what else there may be. For its owner, or where the sums are exact."""
    texts, hints = [], []
    for one in tally.columns:
        if one.useless and one.declared:
            texts.append(f"column {one.column!r}: none of {one.values:,} values is a declared one{_in_case(one.case)}")
            hints.append(f"check the spelling and case of values = {_values(one.declared)}")
        elif one.useless:
            what = f"all {one.values:,} values are outside the declared range ({_sides(one)})"
            texts.append(f"column {one.column!r}: {what}")
            hints.append("check low and high, and the unit")
    target = tally.target
    if target is not None and target.open and target.rows and not target.positive:
        what = f"none of {target.rows:,} rows has a positive value{_in_case(target.case)}"
        texts.append(f"target {target.column!r}: {what}")
        hints.append(
            f"check the spelling and case of positive = {_values(target.declared)}; where a site may have none, list "
            "what else there is in data.target.negative"
        )
    if texts:
        raise together(texts, hints, where)


def words(tally: Tally) -> list[str]:
    """What the owner has to know, a line each; nothing where every value is used as it stands."""
    found = []
    if tally.dropped:
        why = ", ".join(f"{count:,} without {name!r}" for name, count in tally.dropped.items())
        found.append(f"{tally.read - tally.used:,} of {tally.read:,} rows are left out: {why}")
    found += [*_target(tally.target), *(line for one in tally.columns for line in _column(one))]
    for name, count in tally.statistics.items():
        if count < tally.used:
            found.append(f"statistic {name!r}: {count:,} of {tally.used:,} rows have a value")
    more = len(found) - MOST
    return found if more <= 0 else [*found[:MOST], f"and {more} more"]


def for_owner(plan: Plan, tally: Tally, where: str) -> tuple[str, ...]:
    """What an owner is told of the rows that a run across machines reads. Raises DataError, without noise: `required`.

    With noise a run does not end over it: that it ended would tell of the rows what the noise hides.
    """
    if plan.privacy.noise == "none":
        required(tally, where)
    return tuple(words(tally))


def told(tallies: Mapping[str, Tally]) -> list[str]:
    """The words of several sites, whose owners are all here: each line begins with the site's name."""
    return [f"{site}: {line}" for site, tally in tallies.items() for line in words(tally)]


def _target(one: TargetTally | None) -> list[str]:
    if one is None:
        return []
    if one.other:
        kinds = f"{one.kinds:,} kind{'' if one.kinds == 1 else 's'}"
        what = f"{one.other:,} of {one.rows:,} values are not declared and count as negative, of {kinds}"
        hint = "data.target.negative says which may"
        return [f"target {one.column!r}: {what}{_in_case(one.case)}. hint: {hint}"]
    return [] if one.positive or not one.rows else [f"target {one.column!r}: none of {one.rows:,} rows is positive"]


def _column(one: ColumnTally) -> list[str]:
    if one.undeclared:
        what = f"{one.undeclared:,} of {one.values:,} values are not declared: their features are 0"
        return [f"column {one.column!r}: {what}{_in_case(one.case)}"]
    if one.below or one.above:
        return [
            f"column {one.column!r}: {one.below + one.above:,} of {one.values:,} values are clamped ({_sides(one)})"
        ]
    return []


def _sides(one: ColumnTally) -> str:
    counts = {"below low": one.below, "above high": one.above}
    return ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)


def _in_case(count: int) -> str:
    return f" ({count:,} differ in case alone)" if count else ""


def _values(declared: Sequence[str]) -> str:
    """Values of the plan as it writes them."""
    more = f", and {len(declared) - SHOWN} more" if len(declared) > SHOWN else ""
    return f"[{', '.join(json.dumps(text, ensure_ascii=False) for text in declared[:SHOWN])}{more}]"
