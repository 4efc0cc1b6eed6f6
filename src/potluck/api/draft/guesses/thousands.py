"""Numbers with a mark between thousands, which no plan reads: 2.987 would be three where it is three thousand."""

from potluck.api.draft.guess import Guess, Seen


def thousands(seen: Seen) -> Guess | None:
    """All cells can be read so, and nothing shows that the mark is a decimal mark."""
    facts = seen.all
    mark = facts.thousands
    # Numbers that are written with three decimals have them in all cells, where other columns show the decimal mark.
    if not mark or (mark == seen.decimal and seen.proven and facts.grouped[mark] == facts.numbers[mark]):
        return None
    asked = "thousands? Save the file without that mark"
    decimals = '; if these are decimals, write its entry by hand: kind = "number", with low and high'
    return Guess(why=f'"{mark}" stands before three digits in its numbers: {asked}{decimals if mark in ".," else ""}')
