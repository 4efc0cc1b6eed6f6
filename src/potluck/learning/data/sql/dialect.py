"""How engines spell what queries need: literals, names, numbers in texts, whole numbers and their exact sums.

A query is a text built from the plan's words alone: whatever comes from a plan or a file goes through `text`, `name` or
`double`. All else that is written is common to the engines: CASE, comparisons, and arithmetic of doubles, which is the
same in each (IEEE 754), so that each gives the same integers. Traps, all measured: `greatest` skips NULL, so it is
CASE; a cast rounds half to even, so it is truncated first; a bare literal is a decimal; NaN is the largest number, but
what a Parquet file says of its largest number leaves it out, so that no comparison finds it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

_CODES = (*range(9, 14), *range(28, 33), 133, 160, 5760, *range(8192, 8203), 8232, 8233, 8239, 8287, 12288)
BLANKS = "".join(map(chr, _CODES))
"""What `str.strip` takes away."""
STOPPED = "a cell does not fit"
"""The words of an error that a query raises."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """One engine's spelling.

    double_type, whole_type: its floats and its integers, of 64 bits. parsed: of a text the double that it spells, NULL
    where it spells none; infinity and NaN may come out of it. total: the sum of integers, which never wraps. finite:
    whether a double is neither infinite nor NaN. captured: of a text that a regular expression (a literal) matches, one
    of its groups; else NULL, or an empty text. stop: ends the query, as STOPPED, where a value is not NULL. escape:
    what stands before a backslash in a literal.
    """

    engine: str
    double_type: str
    whole_type: str
    quote: str
    parsed: Callable[[str], str]
    total: Callable[[str], str]
    finite: Callable[[str], str]
    captured: Callable[[str, str, int], str]
    stop: Callable[[str], str]
    escape: str = ""

    def text(self, value: str) -> str:
        """A literal."""
        quoted = value.replace("\\", self.escape + "\\").replace("'", (self.escape or "'") + "'")
        parts = [f"'{part}'" for part in quoted.split("\0")]
        return parts[0] if len(parts) == 1 else f"({' || chr(0) || '.join(parts)})"

    def name(self, value: str) -> str:
        """An identifier."""
        return self.quote + value.replace(self.quote, self.quote * 2) + self.quote

    def double(self, value: float) -> str:
        """A literal, exactly this number."""
        word = repr(float(value)) if math.isfinite(value) else "Infinity" if value > 0 else "-Infinity"
        return f"CAST('{word}' AS {self.double_type})"

    def whole(self, value: str) -> str:
        """A double without its fraction, as an integer."""
        return f"CAST(trunc({value}) AS {self.whole_type})"

    def trimmed(self, value: str) -> str:
        """A text without blanks around it."""
        return f"trim({value}, {self.text(BLANKS)})"


def _plain(value: str) -> str:
    return f"TRY_CAST({value} AS DOUBLE)"


def _guarded(value: str) -> str:
    odd = " OR ".join(f"contains({value}, '{mark}')" for mark in ODD)
    return f"CASE WHEN {odd} THEN NULL ELSE {_plain(value)} END"


def _stop(value: str) -> str:
    # Of a constant it would be done while the query is read.
    return f"error(CASE WHEN {value} IS NULL THEN '' ELSE '{STOPPED}' END)"


def _group(value: str, pattern: str, group: int) -> str:
    return f"regexp_extract({value}, {pattern}, {group})"


ODD = ("_", "+-")
"""What DuckDB's cast takes in a number, and nobody else does: underscores between digits, and two signs."""
DUCKDB = Dialect("duckdb", "DOUBLE", "BIGINT", '"', _guarded, "sum({})".format, "isfinite({})".format, _group, _stop)
PLAIN = replace(DUCKDB, parsed=_plain)
"""Where no text holds anything of ODD: to look for it in every cell takes as long as to read it."""
