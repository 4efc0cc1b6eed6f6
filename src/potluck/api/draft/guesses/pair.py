"""Two sides in however many spellings: yes, Yes, Y, ja and 1 beside no, N and 0."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from potluck.api.draft.guess import CONFIRM, FEWEST, Guess, Seen
from potluck.core.prose import agree
from potluck.learning.data.notation import Key, Notation

YES = frozenset(
    {"yes", "y", "ja", "j", "true", "t", "wahr", "oui", "vrai", "si", "sí", "1", "positive", "positiv", "pos"}
)
NO = frozenset({"no", "n", "nein", "false", "f", "falsch", "non", "faux", "0", "negative", "negativ", "neg"})
MALE = frozenset({"male", "m", "man", "mann", "männlich", "maennlich", "homme"})
FEMALE = frozenset({"female", "f", "w", "woman", "frau", "weiblich", "femme"})
PAIRS = ((("yes", "no"), YES, NO), (("male", "female"), MALE, FEMALE))
"""What each side is called, and the spellings of it that are known."""
STRAY = 0.1
"""Of rows with a value, up to which other texts are no side."""


def pair(seen: Seen) -> Guess | None:
    """Both sides are there, and all values, or nearly all, are known spellings of them."""
    facts = seen.all
    counts = {text: rows for text, rows in (facts.values or {}).items() if text not in facts.words}
    for named, *sides in PAIRS:
        found = [tuple(text for text in counts if _plain(text) in known) for known in sides]
        stray = {text: rows for text, rows in counts.items() if not any(text in side for side in found)}
        if all(found) and (not stray or _strays(seen, found, stray, sum(counts.values()))):
            return _of(seen, named, found, stray)
    return None


def _strays(seen: Seen, found: Sequence[Sequence[str]], stray: Mapping[str, int], rows: int) -> bool:
    """Whether other texts are too few to be sides of their own: of numbers they are others, and beside one spelling of
    each side values of a category, but where it is to be predicted."""
    several = any(len({_plain(text) for text in side}) > 1 for side in found)
    few = sum(stray.values()) <= STRAY * rows
    return few and (several or seen.aimed) and not seen.all.numeric(seen.decimal)


def _plain(text: str) -> str:
    """1.0 is 1."""
    key = Notation(fold=True).key(text)
    return f"{key:g}" if isinstance(key, float) else key


def _of(seen: Seen, named: tuple[str, str], found: list[tuple[str, ...]], stray: Mapping[str, int]) -> Guess:
    counts, rare = seen.all.values or {}, bool(stray)
    bare = [_once(side, Notation().key, counts) for side in found]
    once = [_once(side, Notation(fold=True).key, counts) for side in found]
    fold = sum(map(len, once)) < sum(map(len, bare))
    yes, no = once if fold else bare
    gone = tuple(seen.all.words)
    entry = {"kind": "category", "values": [*no, *yes]}
    notes = [_said(seen, named, stray)] if stray else []
    if len(yes) == len(no) == 1:
        return Guess(entry, "; ".join(notes), missing=gone, fold=fold, sides=(yes, no), rare=rare)
    spelt = dict.fromkeys(yes, named[0]) | dict.fromkeys(no, named[1])
    derive = {f"{seen.name}_{named[0]}": {"kind": "recode", "from": seen.name, "map": spelt}}
    counted = "" if seen.aimed else "; each row counts by what is made of them below"
    notes = [f"{CONFIRM}: spellings of {named[0]} and {named[1]}{counted}", *notes]
    return Guess(entry, "; ".join(notes), derive=derive, missing=gone, fold=fold, sides=(yes, no), rare=rare)


def _said(seen: Seen, named: tuple[str, str], stray: Mapping[str, int]) -> str:
    """Which other texts there are, if enough rows have them, and what becomes of their rows."""
    shown = sorted(text for text, rows in stray.items() if rows >= FEWEST)
    texts = f" ({', '.join(shown)}{', and others' if len(shown) < len(stray) else ''})" if shown else ""
    many = sum(stray.values())
    said = f"{agree(many, '1 row says', f'{many} rows say')} neither {named[0]} nor {named[1]}{texts}"
    become = (
        agree(many, "is left out", "are left out") if seen.aimed else agree(many, "counts as", "count as") + " neither"
    )
    return f"{CONFIRM}: {said}, and {become}"


def _once(texts: Iterable[str], key: Callable[[str], Key], counts: Mapping[str, int]) -> tuple[str, ...]:
    """Of spellings that are compared alike the most frequent one."""
    found: dict[Key, str] = {}
    for text in sorted(texts, key=lambda one: (-counts[one], one)):
        found.setdefault(key(text), text)
    return tuple(found.values())
