"""How engines spell what queries need: literals, names, numbers in texts, whole numbers and their exact sums.

A query is a text built from the plan's words alone: whatever comes from a plan or a file goes through `text`, `name` or
`double`. All else that is written is common to the engines: CASE, comparisons, and arithmetic of doubles, which is the
same in each (IEEE 754), so that each gives the same integers. Traps, all measured: `greatest` skips NULL, so it is
CASE; a cast rounds half to even, so it is truncated first; a bare literal is a decimal; NaN is the largest number, but
what a Parquet file says of its largest number leaves it out, so that no comparison finds it; a text in small letters
depends on a database's language, so letters are folded by a table. Dialects but DuckDB's have a file of their own.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

_CODES = (*range(9, 14), *range(28, 33), 133, 160, 5760, *range(8192, 8203), 8232, 8233, 8239, 8287, 12288)
BLANKS = "".join(map(chr, _CODES))
"""What `str.strip` takes away."""
STOPPED = "a cell does not fit"
"""The words of an error that a query raises."""
NUMBER = "^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$"
"""A text that spells a number, as a regular expression: no blanks, no words, ASCII digits alone."""


def _compared(value: str, table: Mapping[str, str]) -> str:
    return f"CASE {value} {' '.join(f'WHEN {text} THEN {given}' for text, given in table.items())} END"


@dataclass(frozen=True, slots=True)
class Dialect:
    """One engine's spelling.

    double_type, whole_type, text_type: its floats and its integers, of 64 bits, and its texts. parsed: of a text the
    double that it spells, NULL where it spells none; infinity and NaN may come out of it. total: the sum of integers,
    which never wraps. whole: a double without its fraction, as an integer. floor: of a double, as one. finite: whether
    a double is neither infinite nor NaN. trim: a text without these letters around it. captured: of a text that a
    regular expression (a literal) matches, one of its groups; else NULL, or an empty text. known: of a text what stands
    beside it in a table of literals, with at least one line; NULL where it is not in it. stop: ends the query, as
    STOPPED, where a value is not NULL. tame: a double that may be multiplied and divided: where a result too near to 0
    is an error, one below 1e-290 is 0. escape: what stands before a backslash in a literal. nul: the letter that no
    literal holds; empty: no text has it. fence: what ends a layer of a query, so that layers are computed one by one.
    pair: of two doubles what min and max compare by the first, and then by the second; second: of a pair that. hashed:
    of a text 52 bits of a hash, as an integer, which a double holds: one engine gives the same each time.
    """

    engine: str
    double_type: str
    whole_type: str
    text_type: str
    quote: str
    parsed: Callable[[str], str]
    total: Callable[[str], str]
    whole: Callable[[str], str]
    floor: Callable[[str], str]
    finite: Callable[[str], str]
    trim: Callable[[str, str], str]
    captured: Callable[[str, str, int], str]
    stop: Callable[[str], str]
    known: Callable[[str, Mapping[str, str]], str] = _compared
    tame: Callable[[str], str] = str
    escape: str = ""
    nul: str = "chr(0)"
    fence: str = ""
    pair: Callable[[str, str], str] = "ARRAY[{}, {}]".format
    second: Callable[[str], str] = "({})[2]".format
    hashed: Callable[[str], str] = "CAST(md5_number_lower({}) >> 12 AS BIGINT)".format

    def text(self, value: str) -> str:
        """A literal."""
        if "\0" in value and not self.nul:
            return f"CAST(NULL AS {self.text_type})"
        quoted = value.replace("\\", self.escape + "\\").replace("'", (self.escape or "'") + "'")
        parts = [f"'{part}'" for part in quoted.split("\0")]
        return parts[0] if len(parts) == 1 else f"({f' || {self.nul} || '.join(parts)})"

    def name(self, value: str) -> str:
        """An identifier."""
        return self.quote + value.replace(self.quote, self.quote * 2) + self.quote

    def double(self, value: float) -> str:
        """A literal, exactly this number."""
        word = repr(float(value)) if math.isfinite(value) else "Infinity" if value > 0 else "-Infinity"
        return f"CAST('{word}' AS {self.double_type})"

    def trimmed(self, value: str) -> str:
        """A text without blanks around it."""
        return self.trim(value, self.text(BLANKS))


def _plain(value: str) -> str:
    return f"TRY_CAST({value} AS DOUBLE)"


def _guarded(value: str) -> str:
    odd = " OR ".join(f"contains({value}, '{mark}')" for mark in ODD)
    return f"CASE WHEN {odd} THEN NULL ELSE {_plain(value)} END"


def _stop(value: str) -> str:
    # Of a constant it would be done while the query is read.
    return f"error(CASE WHEN {value} IS NULL THEN '' ELSE '{STOPPED}' END)"


def _pair(first: str, second: str) -> str:
    return f"{{'first': {first}, 'second': {second}}}"


def _listed(value: str, table: Mapping[str, str]) -> str:
    # Functions, unlike CASE, are computed once for each entry of the dictionary that a column of Parquet may have.
    return f"list_extract([{', '.join(table.values())}], list_position([{', '.join(table)}], {value}))"


def _group(value: str, pattern: str, group: int) -> str:
    return f"regexp_extract({value}, {pattern}, {group})"


ODD = ("_", "+-")
"""What DuckDB's cast takes in a number, and nobody else does: underscores between digits, and two signs."""
DUCKDB = Dialect(
    engine="duckdb",
    double_type="DOUBLE",
    whole_type="BIGINT",
    text_type="VARCHAR",
    quote='"',
    parsed=_guarded,
    total="sum({})".format,
    whole="CAST(trunc({}) AS BIGINT)".format,
    floor="floor({})".format,
    finite="isfinite({})".format,
    trim="trim({}, {})".format,
    captured=_group,
    known=_listed,
    stop=_stop,
    pair=_pair,  # a list takes a third longer
    second="({}).second".format,
)
PLAIN = replace(DUCKDB, parsed=_plain)
"""Where no text holds anything of ODD: to look for it in every cell takes as long as to read it."""
