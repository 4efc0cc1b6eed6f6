"""Numbers: a range that is rounded outwards, and numbers that stand for "no value"."""

import math

from potluck.api.draft.guess import CONFIRM, Guess, Seen

FEW = 10
"""Different whole numbers that may be codes."""


def quantity(seen: Seen) -> Guess | None:
    """All cells with a value are numbers, and not codes that begin with 0."""
    facts = seen.all
    if not facts.numeric(seen.decimal) or seen.coded:
        return None
    low, high = facts.low, facts.high
    believed = {one for one, rows in facts.standins.items() if low <= high and rows > facts.beyond[one]}
    for one in {*facts.standins} - believed:
        low, high = min(low, one), max(high, one)
    if not low < high:
        return Guess(why="all its values are the same") if low == high else None
    low, high = outwards(low, high)
    notes = [f"{CONFIRM}: range of the files, rounded outwards"]
    if facts.whole == facts.fits and facts.different <= FEW:
        notes.append(
            f'{facts.different} different whole numbers: if they are codes, kind = "category" with their values'
        )
    if facts.thousands == seen.decimal:
        notes.append(
            f'{CONFIRM}: "{seen.decimal}" stands before three digits in all cells, and is read as decimal mark'
        )
    if believed:
        notes.append(f"{_said(believed)} taken for no value")
    return Guess(
        {"kind": "number", "low": low, "high": high},
        "; ".join(notes),
        missing=(*facts.words, *(f"{one:g}" for one in sorted(believed))),
    )


def outwards(low: float, high: float) -> tuple[float, float]:
    """The range in steps of 1, 2 or 5 times a power of ten, at most ten or so of them; not below 0 where nothing is."""
    rough = (high - low) / 10
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * times for times in (1, 2, 5, 10) if power * times >= rough * (1 - 1e-9))
    ends = math.floor(low / step) * step, math.ceil(high / step) * step
    digits = max(0, -math.floor(math.log10(step)))
    return round(ends[0], digits), round(ends[1], digits)


def _said(numbers: set[float]) -> str:
    return ", ".join(f"{one:g}" for one in sorted(numbers)) + (" is" if len(numbers) == 1 else " are")
