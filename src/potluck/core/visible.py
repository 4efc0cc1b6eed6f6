"""Text from outside as it may be shown: every letter is seen, and none acts.

Names of plans, columns, sites and files are written by others. In a terminal an escape sequence among them could
rewrite what an owner reads, and a line break could fake a line. It does NOT shorten a text, and does not tell letters
of two alphabets apart that look alike.
"""

from __future__ import annotations


def visible(text: str) -> str:
    """The text on one line: what is not printable (control letters, line breaks, changes of direction, halves of a
    pair) stands as its number, such as `\\u{1b}`. What is visible already stays as it is."""
    return text if text.isprintable() else "".join(c if c.isprintable() else f"\\u{{{ord(c):x}}}" for c in text)
