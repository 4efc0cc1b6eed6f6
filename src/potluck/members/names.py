"""Names of parties: which are allowed, and how they look in a file name and on a screen."""

import hashlib

from potluck.core.errors import UsageError
from potluck.core.party import BROKER, SERVER

LONGEST = 100
TAKEN = (SERVER.name, BROKER.name)


def checked_name(name: str, where: str = "") -> str:
    """The name itself: what a plan may call a site. Raises UsageError."""
    encodable = name.isascii() or not any(0xD800 <= ord(letter) <= 0xDFFF for letter in name)
    if not name.strip() or len(name) > LONGEST or name in TAKEN or not encodable:
        what = f'a site\'s name is empty, "{SERVER.name}", "{BROKER.name}", over {LONGEST} letters or no text'
        raise UsageError(what, where=where, hint="give it a short name")
    return name


def file_name(text: str) -> str:
    """A name as a file or folder name: letters, digits, dash, dot; anything else becomes a dash and a short hash.

    Two names may give one: a plan with two such sites is refused (`tasks.rules`)."""
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in text)[:60]
    return safe if safe == text else f"{safe}-{hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()[:8]}"
