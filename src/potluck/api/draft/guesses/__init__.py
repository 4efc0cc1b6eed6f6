"""What a column may be, a file a guess, in the order in which they are asked; the first that answers is taken."""

from potluck.api.draft.guess import Guess, Guesser, Seen
from potluck.api.draft.guesses.day import day
from potluck.api.draft.guesses.identifier import identifier
from potluck.api.draft.guesses.limit import limit
from potluck.api.draft.guesses.marks import marks
from potluck.api.draft.guesses.note import note
from potluck.api.draft.guesses.pair import pair
from potluck.api.draft.guesses.quantity import quantity
from potluck.api.draft.guesses.rest import absent, rest
from potluck.api.draft.guesses.thousands import thousands
from potluck.api.draft.guesses.values import values

GUESSES: tuple[Guesser, ...] = (absent, day, pair, note, marks, thousands, limit, identifier, quantity, values)


def guessed(seen: Seen) -> Guess:
    """What a column is taken for."""
    return next(filter(None, (one(seen) for one in GUESSES)), None) or rest(seen)
