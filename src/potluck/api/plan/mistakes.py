"""What in a plan's text is no TOML: every such line, what stands there, and what to type instead.

A reader of TOML stops at the first mistake. Here each statement is read by itself, so that one that is wrong hides no
other. What the keys mean is not looked at: that needs tables.
"""

import re
import tomllib
from typing import NamedTuple

from potluck.core.visible import visible

MOST, LINES, LETTERS = 20, 200, 1 << 20
"""Mistakes that are told; lines of one statement; letters that are read, in all."""
SHOWN, LOOKED = 60, 2_000
"""Letters of a line that a message shows, and that are looked at for what to do."""
QUOTES, SPACES = "“”„‟‘’‚«»", "\u00a0\u2007\u202f\u3000"
_HINTS = (
    (rf"[{QUOTES}]", 'quotes are straight here: type "'),
    (rf"[{SPACES}]", "a space in it is of another kind, as documents have: type it again"),
    (r"=\s*[-+]?\d+,\d+\s*$", "a number has a point, and no comma: type {point}"),
    (r"=\s*[-+]?(\.\d+|\d+\.)\s*$", "TOML has digits on both sides of a point"),
    (r"=\s*[-+]?0\d+(\.\d+)?\s*$", "a number does not begin with 0"),
    (r"=\s*$", "a value is missing after ="),
    (r"(?i)=\s*(true|yes|on|false|no|off)\s*$", "type true or false, in small letters"),
    (r"^\s*[\w.-]+\s+[^\s=][^=]*=", "a key is one word, or stands in quotes"),
    (r"=\s*\w[\w .-]*$", "texts need quotes"),
    (r"^\s*\[", "the name of a table stands in brackets: [table]"),
    (r"^[^=]*:", "keys need =, and no :"),
    (r"^[^=]*$", "keys need ="),
)
"""What a wrong statement looks like, without its remark, and what to do about it; the first that fits is said."""
_REMARK = re.compile(r"""((?:[^"'#]|"[^"]*"|'[^']*')*)#.*$""", re.DOTALL)
_OPEN = re.compile(r"""[\[{]|\"""|'''""")


class Mistake(NamedTuple):
    """One. line: from 1; shown: what stands there, as a message may show it; hint: what to do."""

    line: int
    shown: str
    hint: str


def mistakes(text: str) -> list[Mistake]:
    """All that can be told one by one, in order; empty where each statement is TOML by itself."""
    if json := re.match(r"(?:\s*+(?:#[^\n]*+\n)?)*+\{", text[:LOOKED]):
        return [Mistake(json[0].count("\n") + 1, "`{`", "it looks like JSON: write it as TOML, potluck docs plan")]
    rows, found, at, left = text.split("\n"), list[Mistake](), 0, LETTERS
    while at < len(rows) and len(found) < MOST:
        most = min(at + (LINES if _OPEN.search(rows[at]) else 1), len(rows))
        for end in range(at + 1, most + 1):
            statement = "\n".join(rows[at:end])
            left -= len(statement)
            if left < 0:
                return found
            if _reads(statement):
                break
        else:
            found.append(Mistake(at + 1, shown(rows[at]), hint(rows[at])))
            end = at + 1
        at = end
    return found


def shown(row: str) -> str:
    """A line as a message may show it, in marks."""
    row = row.strip()
    return f"`{visible(row if len(row) <= SHOWN else f'{row[:SHOWN]}...')}`"


def hint(row: str) -> str:
    """What to do about a line that is no TOML."""
    bare = match[1] if (match := _REMARK.match(row[:LOOKED])) else row[:LOOKED]
    if any(bare.count(one) % 2 for one in "\"'"):
        return "a quote is missing"
    for pattern, words in _HINTS:
        if match := re.search(pattern, bare):
            return words.replace("{point}", match[0].lstrip("= ").strip().replace(",", "."))
    if sum(map(bare.count, "[{")) != sum(map(bare.count, "]}")):
        return "a bracket is not closed"
    return "texts need quotes, lists and tables need commas and their brackets"


def _reads(statement: str) -> bool:
    try:
        tomllib.loads(statement)
    except (ValueError, RecursionError):
        return False
    return True
