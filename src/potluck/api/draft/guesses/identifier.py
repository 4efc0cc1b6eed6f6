"""Columns that tell rows or people apart, and are never features: numbers of patients, keys, names."""

from potluck.api.draft.guess import Guess, Seen

NAMED = frozenset({"id", "ids", "nr", "nummer", "mrn", "pid", "uuid", "guid", "code", "patientid", "caseid"})
PERSONAL = frozenset(
    {"name", "surname", "firstname", "lastname", "vorname", "nachname", "email", "mail", "phone", "telefon", "address"}
    | {"adresse", "street", "strasse", "straße", "ssn", "ahv", "patient"}
)
MANY = 20
"""Rows, at least, of which it means something that all differ."""


def identifier(seen: Seen) -> Guess | None:
    """Most cells differ, and its name says so; or all do, and they are texts or count rows."""
    facts = seen.all
    rows, texts = facts.present, seen.coded or not facts.numeric(seen.decimal)
    codes = facts.whole == facts.fits == rows or (texts and not facts.spaced)
    most = seen.distinct >= 0.5 or facts.values is None
    if seen.words & PERSONAL and most:
        return Guess(why="by its name it says who somebody is")
    if seen.words & NAMED and codes and most:
        return Guess(why=f"an ID: it tells rows apart{_again(seen)}")
    if rows < MANY or seen.distinct < 0.95:
        return None
    if texts and not facts.spaced:
        return Guess(why="all its texts differ: an ID, or a name")
    if facts.whole == rows and facts.high - facts.low < 1.5 * rows and facts.low in (0.0, 1.0):
        return Guess(why="it counts rows")
    return None


def _again(seen: Seen) -> str:
    """A word where an ID stands in several rows."""
    rows = max(facts.present / max(facts.different, 1) for facts in seen.each.values())
    return f'; it stands in several rows: if it says whose they are, --person "{seen.name}"' if rows > 1.1 else ""
