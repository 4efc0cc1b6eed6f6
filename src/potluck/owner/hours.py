"""When plans may start at this owner: entries like "08:00-18:00" or "mon-fri 08:00-18:00", in local time.

A span that ends before it begins wraps midnight and belongs to the day on which it begins. Days alone are whole days.
It does NOT stop a run that began in time: `judge` asks once, when a plan comes.
"""

import re
from dataclasses import dataclass
from datetime import datetime

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ANY = "*"
_DAY = "|".join(DAYS)
_ENTRY = re.compile(
    rf"(?:(?P<first>{_DAY})(?:-(?P<last>{_DAY}))?)?(?P<gap> +)?"
    r"(?:(?P<begin>(?:[01]\d|2[0-3]):[0-5]\d)-(?P<end>(?:[01]\d|2[0-3]):[0-5]\d|24:00))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Span:
    """Days (0: Monday) and minutes of the day, begin included, end not; end <= begin: until the next day."""

    days: frozenset[int]
    begin: int
    end: int


def span(entry: str) -> Span | None:
    """What an entry says; None where it says nothing that is understood."""
    if entry == ANY:
        return Span(frozenset(range(7)), 0, 24 * 60)
    found = _ENTRY.fullmatch(entry.strip().lower())
    if found is None or bool(found["gap"]) != bool(found["first"] and found["begin"]):
        return None
    if not found["first"] and not found["begin"]:
        return None
    begin, end = (_minute(found[part]) for part in ("begin", "end")) if found["begin"] else (0, 24 * 60)
    return None if begin == end else Span(_days(found["first"], found["last"]), begin, end)


def within(entries: tuple[str, ...], now: datetime) -> bool:
    """Is `now`, the owner's local time, in one of the entries? Entries that are not understood hold nothing."""
    minute, day = now.hour * 60 + now.minute, now.weekday()
    return any(_holds(one, day, minute) for one in map(span, entries) if one is not None)


def _holds(one: Span, day: int, minute: int) -> bool:
    if one.begin < one.end:
        return day in one.days and one.begin <= minute < one.end
    before = (day - 1) % 7
    return (day in one.days and minute >= one.begin) or (before in one.days and minute < one.end)


def _days(first: str | None, last: str | None) -> frozenset[int]:
    if first is None:
        return frozenset(range(7))
    begin = DAYS.index(first)
    length = (DAYS.index(last) - begin) % 7 if last else 0
    return frozenset((begin + step) % 7 for step in range(length + 1))


def _minute(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])
