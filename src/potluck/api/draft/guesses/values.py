"""Categories: values that enough rows have. Rarer ones stay out of the plan."""

from collections import Counter
from collections.abc import Sequence

from potluck.api.draft.guess import CONFIRM, FEWEST, Guess, Seen
from potluck.core.prose import agree
from potluck.learning.data.notation import Key, Notation

MOST = 50
"""Values of a category."""
STRAY = 0.8
"""Of the rows, from which on numbers with a few texts among them are no category."""
COVERED = 0.5
"""Of the rows, at least, that the values are of."""


def values(seen: Seen) -> Guess | None:
    """Few values, each in several rows."""
    counts = seen.all.values
    if not counts:
        return None
    numbers = seen.all.numbers
    if numbers[seen.other] > numbers[seen.decimal] and numbers[seen.other] == seen.all.present:
        return None
    how, folding = Notation(decimal=seen.decimal), Notation(decimal=seen.decimal, fold=True)
    folded = Counter[Key]()
    shown: dict[Key, str] = {}
    for text, rows in sorted(counts.items(), key=lambda one: (-one[1], one[0])):
        folded[folding.key(text)] += rows
        shown.setdefault(folding.key(text), text)
    fold = len(folded) < len({how.key(text) for text in counts})
    kept = [shown[one] for one, rows in folded.items() if rows >= FEWEST]
    if len(folded) == 1:
        return Guess(why="all its values are the same")
    if numbers[seen.decimal] >= STRAY * seen.all.present and all(folding.number(text) is not None for text in kept):
        return None
    if len(kept) > MOST or len(kept) < 2 or _rows(kept, folded, folding) < COVERED * sum(counts.values()):
        return None
    rare = len(folded) - len(kept)
    notes = [f"{CONFIRM}: values of the files"]
    if rare:
        many = agree(rare, "1 rarer value is", f"{rare} rarer values are")
        notes.append(f"{many} not written here: one of fewer than {FEWEST} rows may say who somebody is")
    if not _shared(seen, folding):
        notes.append("no value is at all sites: they may spell alike things differently")
    return Guess({"kind": "category", "values": _sorted(kept, how)}, "; ".join(notes), fold=fold, rare=rare > 0)


def _shared(seen: Seen, how: Notation) -> bool:
    """Whether some value is at all sites."""
    each = [{how.key(text) for text in facts.values or ()} for facts in seen.each.values()]
    return bool(set.intersection(*each))


def _rows(kept: Sequence[str], folded: Counter[Key], how: Notation) -> int:
    return sum(folded[how.key(text)] for text in kept)


def _sorted(texts: Sequence[str], how: Notation) -> list[str]:
    """Numbers by size, texts by letters."""
    keys = {text: how.number(text) for text in texts}
    return sorted(texts, key=lambda text: (keys[text] is None, keys[text] or 0.0, text))
