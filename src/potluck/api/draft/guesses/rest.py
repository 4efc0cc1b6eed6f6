"""What is left out: empty columns, free text, cells that are neither."""

from potluck.api.draft.guess import FEWEST, Guess, Seen
from potluck.core.prose import listed

LONG = 30
"""Letters of a text, on average."""


def absent(seen: Seen) -> Guess | None:
    """A column that not all sites have, or of which no cell has a value."""
    if not seen.name.strip():
        return Guess(why="it has no name")
    if "*" in seen.name:
        return Guess(why="a star in a name stands for several columns")
    if seen.lacking:
        return Guess(why=f"not in {listed(seen.lacking)}")
    if not seen.all.rows:
        return Guess(why="its values are no texts or numbers, or its name is there twice")
    if not seen.all.present:
        return Guess(why="no cell has a value")
    return None


def rest(seen: Seen) -> Guess:
    """Anything else."""
    facts = seen.all
    values = facts.told
    if facts.numbers[seen.other] == values > facts.numbers[seen.decimal]:
        return Guess(why=f'its numbers are written with "{seen.other}", those of other columns with "{seen.decimal}"')
    if seen.dated:
        return Guess(why=seen.dated)
    if seen.coded:
        return Guess(why="codes that begin with 0, too many to be a category")
    if facts.numbers[seen.other] >= 0.8 * values > facts.numbers[seen.decimal]:
        return Guess(why=f'numbers with "{seen.other}", but not in all cells; other columns have "{seen.decimal}"')
    if facts.numbers[seen.decimal] >= 0.8 * values:
        texts = "correct those cells, or list their texts in data.missing"
        return Guess(why=f"numbers, but not in all cells of {seen.misfits()}: {texts}")
    if facts.letters > LONG * values or facts.spaced > values / 2:
        return Guess(why="free text: it may say anything of anybody")
    if facts.values is not None and sum(rows >= FEWEST for rows in facts.values.values()) < 2:
        return Guess(why=f"fewer than two of its values have {FEWEST} rows")
    return Guess(why="many different texts, most of them of few rows")
