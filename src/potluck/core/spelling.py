"""The one spelling in which names are compared: of parties, of persons at a site, and of the keys that match rows.

Texts that look alike may differ in their bytes: "é" as one letter or as two, a blank at an end. One patient spelt in
two ways would be two privacy units, or would match nobody; two parties would be taken for each other. Case is kept,
and numbers are texts: "07" is not "7".
"""

import unicodedata


def normal(text: str) -> str:
    """Unicode's composed form (NFC), without white space at both ends."""
    return text.strip() if text.isascii() else unicodedata.normalize("NFC", text).strip()
