"""What differs between two policies, in words, and which differences allow something that was not allowed before.

Whatever is not known to tighten loosens: a key that this module has no rule for, too. It does NOT look at plans: which
of those that wait a change would let in is the api's to say (`api.network.policy.amend`).
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from potluck.core.prose import sentence
from potluck.owner.access import LONGEST, MOST_CODES
from potluck.owner.form.controls import Value, controls, differ, value_of
from potluck.owner.form.labels import LABELS, WORDS
from potluck.owner.hours import ANY, DAYS, span
from potluck.owner.policy import Policy
from potluck.owner.policy_words import said
from potluck.owner.reach import covers

_DAY = 24 * 60
_LONG = 40
"""Letters of a list's words that a line of the log names."""


@dataclass(frozen=True, slots=True)
class Change:
    """One key. label: what it is about; before, now: as sentences; added, removed: words of a list; looser: whether it
    may allow something that was not allowed before; short: for a line of a log; same: it allows what it did."""

    key: str
    label: str
    before: str
    now: str
    added: tuple[str, ...]
    removed: tuple[str, ...]
    looser: bool
    short: str
    same: bool = False


def changes(before: Policy, now: Policy) -> tuple[Change, ...]:
    """Every key of the form that differs."""
    return tuple(_changes(before, now))


def noted(found: Sequence[Change]) -> list[tuple[str, ...]]:
    """The reasons of so many lines of the access log: every key, and what it becomes; what allows more comes first, and
    none is cut off. Of no change one line without any."""
    codes: list[str] = []
    for one in sorted(found, key=lambda one: not one.looser):
        if codes and len(found) > MOST_CODES and len(codes[-1]) + len(one.short) + 2 <= LONGEST:
            codes[-1] += f"; {one.short}"
        else:
            codes.append(one.short)
    return [tuple(codes[start : start + MOST_CODES]) for start in range(0, max(1, len(codes)), MOST_CODES)]


def _changes(before: Policy, now: Policy) -> Iterator[Change]:
    old, new = said(before), said(now)
    for key in (one.key for one in controls()):
        a, b = value_of(before, key), value_of(now, key)
        if not differ(a, b):
            continue
        one, other = _words(a), _words(b)
        added, removed = tuple(w for w in other if w not in one), tuple(w for w in one if w not in other)
        label = LABELS[key].title if key in LABELS else key
        short = f"{key}{_quoted(added, removed)}" if isinstance(b, tuple) else f"{key}: {_said(a)} -> {_said(b)}"
        sentences = _sentence(key, a, old), _sentence(key, b, new)
        tighter = _tighter(key, a, b)
        yield Change(key, label, *sentences, added, removed, not tighter, short, tighter and _tighter(key, b, a))


def _sentence(key: str, value: Value, sentences: Mapping[str, str]) -> str:
    meant = WORDS.get(key, {}).get(str(value)) if not isinstance(value, tuple) else None
    found = meant or sentences.get(key) or sentences.get(key.partition(".")[0]) or str(value)
    return sentence(found)


def _words(value: Value) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value)) if isinstance(value, tuple) else ()


def _quoted(added: tuple[str, ...], removed: tuple[str, ...]) -> str:
    """Words added and removed, quoted: `none` must not read as nothing. What is too long for a line is counted.
    Patterns come first, and are counted apart: among many names one could let in all."""
    found = ""
    for sign, every in (("+", added), ("-", removed)):
        left: list[str] = []
        for one in sorted(every, key=lambda one: len(one) if ANY in one else math.inf):
            said = f' {sign}"{one}"'
            if len(found) + len(said) <= _LONG:
                found += said
            else:
                left.append(one)
        stars = sum(ANY in one for one in left)
        found += f" {sign}{len(left)} more" if left else ""
        found += f", {stars} with *" if stars else ""
    return found


def _said(value: Value) -> str:
    return "no limit" if value is None or value == math.inf else str(value)


def _tighter(key: str, before: Value, now: Value) -> bool:
    rule = _RULES.get(key)
    return rule is not None and rule(before, now)


def _fewer(before: Value, now: Value) -> bool:
    """Every word was there, or any was."""
    return ANY in _words(before) or set(_words(now)) <= set(_words(before))


def _covered(before: Value, now: Value) -> bool:
    """Every name or pattern lies within one that was there."""
    return all(any(covers(old, new) for old in _words(before)) for new in _words(now))


def _within(before: Value, now: Value) -> bool:
    """Every minute of a week was one before."""
    return _minutes(now) <= _minutes(before)


def _minutes(value: Value) -> set[int]:
    found: set[int] = set()
    for one in filter(None, map(span, _words(value))):
        end = one.end if one.begin < one.end else one.end + _DAY
        for day in one.days:
            found |= {minute % (len(DAYS) * _DAY) for minute in range(day * _DAY + one.begin, day * _DAY + end)}
    return found


def _number(value: Value) -> float:
    """Left out is no limit, beyond every number."""
    return math.inf if value is None or isinstance(value, str | tuple) else float(value)


def _lower(before: Value, now: Value) -> bool:
    return _number(now) <= _number(before)


def _higher(before: Value, now: Value) -> bool:
    """Left out is no limit, below every number."""
    return now is not None and (before is None or _number(now) >= _number(before))


def _earlier(*order: str) -> Callable[[Value, Value], bool]:
    """Of words from the tightest to the loosest: it is not one further on."""
    return lambda before, now: before in order and now in order and order.index(str(now)) <= order.index(str(before))


_RULES: dict[str, Callable[[Value, Value], bool]] = {
    **dict.fromkeys(
        [f"allow.{one}" for one in (
            "who", "tasks", "models", "protect", "noise", "intersect", "readers", "compute", "server", "units"
        )],
        _fewer,
    ),
    **dict.fromkeys(["allow.columns", "allow.person"], _covered),
    **dict.fromkeys(
        [f"allow.{one}" for one in (
            "epsilon_per_plan", "epsilon_per_year", "delta", "looks", "dominance", "max_parameters_per_row"
        )],
        _lower,
    ),
    **dict.fromkeys(
        ["allow.min_rows", "allow.min_sites", "allow.min_corrupt", "allow.min_cell", "approve.people"], _higher
    ),
    "allow.hours": _within,
    "approve.rule": _earlier("person", "hash", "policy"),
    "federation.follow": _earlier("nothing", "renewals", "all"),
    "keep.predictions": _lower,
}  # fmt: skip
"""By key: whether the second value allows nothing that the first did not."""
