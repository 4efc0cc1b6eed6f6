"""Text from outside as it may be shown: every letter is seen, and none acts.

Names of plans, columns, sites and files are written by others. In a terminal an escape sequence among them could
rewrite what an owner reads, and a line break could fake a line. It does NOT shorten a text, and does not tell letters
of two alphabets apart that look alike.
"""

import json
import re
import unicodedata
from collections.abc import Sequence

import msgspec

_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Letters that count as printable and leave nothing to see: fillers, selectors of variants, a pattern without dots."""


MARKS = 6
"""Marks upon one letter that are shown, more than any script needs: heaps of them cover the lines around."""


def visible(text: str) -> str:
    """The text on one line: what is not seen (control letters, line breaks, changes of direction, halves of a pair,
    fillers, marks in heaps) stands as its number, such as `\\u{1b}`. What is visible already stays as it is."""
    if text.isascii() and text.isprintable():
        return text
    found, marks = [], 0
    for letter in text:
        marks = marks + 1 if unicodedata.category(letter) in ("Mn", "Me") else 0
        found.append(letter if seen(letter) and marks <= MARKS else f"\\u{{{ord(letter):x}}}")
    return "".join(found)


def seen(letter: str) -> bool:
    """Whether a letter shows on a screen, and does nothing else there."""
    return letter.isprintable() and not _BLANK.match(letter)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of equally many texts as lines, in which each column begins below itself."""
    shown = [list(map(visible, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in shown]


def json_text(document: object) -> str:
    """One JSON document, in which what is not printable stands as its number: JSON leaves half of it as it is."""
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
    return "\n".join(map(_numbered, text.split("\n"))) + "\n"


def json_line(document: object) -> bytes:
    """The same on one line, in UTF-8 and with its end: for files that get many of them."""
    return _numbered(msgspec.json.encode(document).decode()).encode() + b"\n"


def _numbered(text: str) -> str:
    """JSON in which what is not seen stands as its number."""
    if text.isprintable() and not _BLANK.search(text):
        return text
    return "".join(c if seen(c) else json.dumps(c)[1:-1] for c in text)
