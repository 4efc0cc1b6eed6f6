"""Texts that mean "no value", which a plan lists once for all columns: what is none in one column is none in any."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from potluck.api.draft.guess import Guess, Seen
from potluck.core.prose import agree, listed
from potluck.learning.data.notation import Notation


def missing(seen: Mapping[str, Seen], read: Mapping[str, Guess], extra: Sequence[str]) -> list[str]:
    """The texts that mean "no value" in columns that the plan reads, and these more."""
    gone = [text for name in read for text in (*seen[name].all.gone, *read[name].missing)]
    return list(dict.fromkeys(["", *extra, *sorted(gone)]))


def agreed(
    seen: Mapping[str, Seen], guess: Callable[[str, Seen], Guess], aside: str | None, extra: Sequence[str]
) -> tuple[dict[str, Seen], dict[str, Guess], list[str]]:
    """Columns and guesses such that no text is a value in one column that the plan reads and none in another, and the
    texts that mean "no value". aside: a column whose texts do not count: the persons'."""
    columns, guesses = dict(seen), {name: guess(name, one) for name, one in seen.items()}
    while True:
        read = {name: one for name, one in guesses.items() if one.used and name != aside}
        texts, moved = missing(columns, read, extra), False
        for name, one in read.items():
            before, how = columns[name], Notation(decimal=columns[name].decimal, fold=True)
            keys = {*map(how.key, texts)} - {*map(how.key, one.missing)}
            each = {site: facts.without(keys, how) for site, facts in before.each.items()}
            if any(facts.gone != before.each[site].gone for site, facts in each.items()):
                moved, columns[name] = True, replace(before, each=each)
                found = columns[name].all.gone.keys() - seen[name].all.gone.keys()
                guesses[name] = _said(guess(name, columns[name]), sorted(found))
        if not moved:
            return columns, {name: _trimmed(one, texts, columns[name].decimal) for name, one in guesses.items()}, texts


def _said(guess: Guess, found: Sequence[str]) -> Guess:
    """With a word of texts that are none here because they are none elsewhere."""
    note = f"{listed(found)} {agree(len(found), 'is', 'are')} taken for no value, as in other columns"
    return replace(guess, note="; ".join(filter(None, (guess.note, note))))


def _trimmed(guess: Guess, texts: Sequence[str], decimal: str) -> Guess:
    """Without values that a dictionary declares and that mean "no value" all the same."""
    how = Notation(tuple(texts), decimal, fold=True)
    values = guess.entry.get("values") if guess.entry else None
    if not isinstance(values, (list, tuple)) or not any(how.key(str(text)) in how.gone for text in values):
        return guess
    left = [text for text in values if how.key(str(text)) not in how.gone]
    if not left:
        return Guess(why='all its values are in data.missing, and mean "no value"')
    note = 'values that mean "no value" in these files are not listed'
    noted = "; ".join(filter(None, (guess.note, note)))
    return replace(guess, entry={**(guess.entry or {}), "values": left}, note=noted, sides=None)
