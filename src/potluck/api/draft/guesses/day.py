"""Dates: by their format, which all cells fit. Of a date of birth an age is made."""

from collections.abc import Mapping

from potluck.api.draft.guess import CONFIRM, Guess, Seen

BIRTH = ("birth", "dob", "born", "geb", "naiss", "nacim")
OLDEST = 110
SWAPPED = {"%d/%m/%Y": "%m/%d/%Y", "%d-%m-%Y": "%m-%d-%Y"}


def day(seen: Seen) -> Guess | None:
    """The first format that all cells with a value fit."""
    facts = seen.all
    values = facts.told
    fitting = [form for form, fit in facts.dates.items() if fit == values > 0]
    if not fitting:
        return None
    form = fitting[0]
    swapped = next((b for a, b in SWAPPED.items() if form.startswith(a) and form.replace(a, b) in fitting), "")
    note = f"{CONFIRM}: every cell fits {swapped} too" if swapped else ""
    entry: Mapping[str, object] = {"kind": "date", "format": form}
    gone = tuple(facts.words)
    if any(part in seen.name.lower() for part in BIRTH):
        age = {"kind": "years", "from": seen.name, "to": seen.today.isoformat(), "low": 0, "high": OLDEST}
        return Guess(entry, note, derive={"age": age}, missing=gone)
    why = "a date is no feature by itself: [data.derive] makes days or years of it, to a day or another date"
    return Guess(entry, note, why)
