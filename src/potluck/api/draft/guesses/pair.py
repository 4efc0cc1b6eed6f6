"""Two sides in however many spellings: yes, Yes, Y, ja and 1 beside no, N and 0."""

from collections.abc import Callable, Iterable, Mapping

from potluck.api.draft.guess import CONFIRM, Guess, Seen
from potluck.learning.data.notation import Key, Notation

YES = frozenset(
    {"yes", "y", "ja", "j", "true", "t", "wahr", "oui", "vrai", "si", "sí", "1", "positive", "positiv", "pos"}
)
NO = frozenset({"no", "n", "nein", "false", "f", "falsch", "non", "faux", "0", "negative", "negativ", "neg"})
MALE = frozenset({"male", "m", "man", "mann", "männlich", "maennlich", "homme"})
FEMALE = frozenset({"female", "f", "w", "woman", "frau", "weiblich", "femme"})
PAIRS = ((("yes", "no"), YES, NO), (("male", "female"), MALE, FEMALE))
"""What each side is called, and the spellings of it that are known."""


def pair(seen: Seen) -> Guess | None:
    """All values are known spellings of two sides, and both are there."""
    facts = seen.all
    values = [text for text in facts.values or () if text not in facts.words]
    for named, *sides in PAIRS:
        found = [tuple(text for text in values if _plain(text) in known) for known in sides]
        if all(found) and sum(map(len, found)) == len(values):
            return _of(seen, named, found, facts.values or {})
    return None


def _plain(text: str) -> str:
    """1.0 is 1."""
    key = Notation(fold=True).key(text)
    return f"{key:g}" if isinstance(key, float) else key


def _of(seen: Seen, named: tuple[str, str], found: list[tuple[str, ...]], counts: Mapping[str, int]) -> Guess:
    bare = [_once(side, Notation().key, counts) for side in found]
    once = [_once(side, Notation(fold=True).key, counts) for side in found]
    fold = sum(map(len, once)) < sum(map(len, bare))
    yes, no = once if fold else bare
    gone = tuple(seen.all.words)
    entry = {"kind": "category", "values": [*no, *yes]}
    if len(yes) == len(no) == 1:
        return Guess(entry, missing=gone, fold=fold, sides=(yes, no))
    spelt = dict.fromkeys(yes, named[0]) | dict.fromkeys(no, named[1])
    derive = {f"{seen.name}_{named[0]}": {"kind": "recode", "from": seen.name, "map": spelt}}
    note = f"{CONFIRM}: spellings of {named[0]} and {named[1]}; each row counts by what is made of them below"
    return Guess(entry, note, derive=derive, missing=gone, fold=fold, sides=(yes, no))


def _once(texts: Iterable[str], key: Callable[[str], Key], counts: Mapping[str, int]) -> tuple[str, ...]:
    """Of spellings that are compared alike the most frequent one."""
    found: dict[Key, str] = {}
    for text in sorted(texts, key=lambda one: (-counts[one], one)):
        found.setdefault(key(text), text)
    return tuple(found.values())
