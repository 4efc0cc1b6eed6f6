"""Columns that tell rows or people apart, and are never features: numbers of patients, keys, names."""

import re

from potluck.api.draft.guess import FEWEST, Guess, Seen
from potluck.core.prose import agree

NAMED = frozenset({"id", "ids", "nr", "nummer", "mrn", "pid", "uuid", "guid", "code", "patientid", "caseid"})
PERSONAL = frozenset({"name", "names", "nom", "noms", "patient", "mail", "ssn", "ahv", "ort", "rue"})
"""Words of names of columns that say who somebody is where most cells differ."""
WHOLE = frozenset({"name", "names", "nom", "noms", "patient", "patientin", "arzt", "doctor", "physician", "medecin"})
"""Names of columns that hold names, however many cells differ."""
PARTS = (
    # English
    "surname", "lastname", "firstname", "forename", "givenname", "middlename", "familyname", "maidenname", "fullname",
    "patientname", "personname", "doctorname", "physicianname", "username", "street", "address", "phone", "email",
    # German
    "nachname", "vorname", "familienname", "geburtsname", "rufname", "zuname", "patientenname", "arztname", "hausarzt",
    "strasse", "anschrift", "adresse", "telefon", "handynummer", "mobilnummer",
    # French
    "prenom", "nomdefamille", "nompatient", "nomdupatient", "nomdenaissance", "courriel", "medecintraitant",
)  # fmt: skip
"""Parts of such names, without marks between words and above letters."""
PLAIN = str.maketrans({"é": "e", "è": "e", "ß": "ss", "ä": "a", "ö": "o", "ü": "u"})
MANY = 20
"""Rows, at least, of which it means something that all differ."""
DIFFERENT = 0.9
"""The share of cells that differ, from which on whole numbers may be IDs."""
DENSE = 1.5
"""Times as many as rows: whole numbers out of so few would be there twice, if they measured anything."""
LONG = 1000
"""Whole numbers from here on may be IDs; below they are ages, or results of a laboratory."""
YEARS = 1900, 2100


def identifier(seen: Seen) -> Guess | None:
    """Most cells differ, and its name says so; or all do, and they are texts or whole numbers as IDs are."""
    facts = seen.all
    rows, texts = facts.present, seen.coded or not facts.numeric(seen.decimal)
    codes = facts.whole == facts.fits == rows or (texts and not facts.spaced)
    most = seen.distinct >= 0.5 or facts.values is None
    if (most and (seen.words & PERSONAL or _personal(seen))) or (texts and _personal(seen)):
        return Guess(why="by its name it says who somebody is")
    if seen.words & NAMED and codes and most:
        return Guess(why=f"an ID: it tells rows apart{_again(seen)}")
    if texts and (rare := _rare(seen)):
        many = agree(rare, "1 of its texts has", f"{rare} of its texts have")
        said = "names or notes look so; if it is a category, list its values"
        return Guess(why=f"{many} fewer than {FEWEST} rows each: {said}")
    if rows < MANY or seen.distinct < DIFFERENT:
        return None
    if texts and not facts.spaced and seen.distinct >= 0.95:
        return Guess(why=seen.dated or "all its texts differ: an ID, or a name")
    if facts.whole == rows and not seen.aimed:
        return _counted(facts.low, facts.high, rows)
    return None


def _personal(seen: Seen) -> bool:
    """Whether a column is called as names of persons, or how to reach them, are."""
    plain = re.sub(r"[\W_0-9]", "", seen.name.lower()).translate(PLAIN)
    return plain in WHOLE or any(part in plain for part in PARTS)


def _rare(seen: Seen) -> int:
    """How many texts have few rows, if these are more than the others, and many."""
    counts = seen.all.values or {}
    rare = sum(rows < FEWEST for rows in counts.values())
    return rare if rare > max(MANY / 2, len(counts) - rare) and len(counts) - rare >= 2 else 0


def _counted(low: float, high: float, rows: int) -> Guess | None:
    """Of whole numbers that all differ."""
    if high - low < DENSE * rows:
        return Guess(
            why="it counts rows" if low in (0.0, 1.0) else "an ID: its whole numbers all differ, and lie close"
        )
    years = YEARS[0] <= low and high <= YEARS[1]
    if low < LONG or years:
        return None
    by_hand = 'if they measure something, write its entry by hand: kind = "number", with low and high'
    return Guess(why=f"an ID? Its whole numbers all differ; {by_hand}")


def _again(seen: Seen) -> str:
    """A word where an ID stands in several rows."""
    rows = max(facts.present / max(facts.different, 1) for facts in seen.each.values())
    return f'; it stands in several rows: if it says whose they are, --person "{seen.name}"' if rows > 1.1 else ""
