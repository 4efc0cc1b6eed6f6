"""Numbers of which some stand behind < or >: less, or more, than a laboratory can measure. No plan reads these."""

from potluck.api.draft.guess import Guess, Seen
from potluck.api.draft.guesses.quantity import outwards
from potluck.core.prose import agree


def limit(seen: Seen) -> Guess | None:
    """All cells with a value are numbers, or numbers behind such a mark."""
    facts = seen.all
    values = facts.told
    if not facts.limits or facts.fits + facts.limits < values or not facts.fits:
        return None
    many = agree(facts.limits, "1 cell has", f"{facts.limits} cells have")
    ways = "list their texts in data.missing, or put a number in their place, half the limit if they are few"
    why = f"numbers, but {many} < or > before them, of {seen.misfits()}: {ways}; then take this line in"
    if not facts.low < facts.high:
        return Guess(why=why)
    low, high = outwards(facts.low, facts.high)
    return Guess({"kind": "number", "low": low, "high": high}, why=why)
