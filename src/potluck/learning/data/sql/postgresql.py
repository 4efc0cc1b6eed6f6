"""PostgreSQL's spelling. Traps, all measured:

- There is no TRY_CAST, and a cast of 1e400 or of 1e-400 ends the query, as does a product that underflows. Long numbers
  and large exponents are therefore compared as exact decimals first.
- Layers are flattened, and what one defines is then written out wherever it is used: OFFSET 0 keeps them apart.
- No text holds NUL. The sum of 64-bit integers is a decimal. A CASE that could be computed beforehand is, and so is an
  error in it: what ends a query depends on a row.

It does NOT read a number of more than 6,000 letters: that is a text.
"""

from potluck.learning.data.sql.dialect import NUMBER, STOPPED, Dialect

SHORT, LONG = 200, 6_000
"""Letters of a number whose exponent has two digits: it can be cast. Letters of any number: more are no decimal."""
HALF = "CAST('2.470328229206232720882843964341106861826e-324' AS numeric)"
OVER = "CAST('1.797693134862315807937289714053034150799e+308' AS numeric)"
"""Between 0 and the smallest double, and between the largest and what would be the next: where a cast is an error; to
40 digits."""
SMALL = 1e-290


INFINITY, BELOW, ZERO, MINUS, NAN = (
    f"CAST('{word}' AS double precision)" for word in ("Infinity", "-Infinity", "0", "-0", "NaN")
)


def _cast(value: str) -> str:
    return f"CAST({value} AS double precision)"


def _parsed(value: str) -> str:
    short = f"length({value}) <= {SHORT} AND {value} ~ '{NUMBER.replace('[0-9]+)?$', '[0-9][0-9]?)?$')}'"
    size, below = f"abs(CAST({value} AS numeric))", f"{value} LIKE '-%'"
    zero, infinite = (
        f"CASE WHEN {below} THEN {one} ELSE {other} END" for one, other in ((MINUS, ZERO), (BELOW, INFINITY))
    )
    return (
        f"CASE WHEN {short} THEN {_cast(value)} "
        f"WHEN {value} IS NULL OR length({value}) > {LONG} OR {value} !~ '{NUMBER}' THEN NULL "
        f"WHEN {value} ~ '^[+-]?[0.]+([eE].*)?$' THEN {zero} "
        f"WHEN {value} ~ '[eE]-0*[1-9][0-9]{{4}}' THEN {zero} "
        f"WHEN {value} ~ '[eE][+]?0*[1-9][0-9]{{4}}' THEN {infinite} "
        f"WHEN {size} >= {OVER} THEN {infinite} WHEN {size} <= {HALF} THEN {zero} ELSE {_cast(value)} END"
    )


def _finite(value: str) -> str:
    return f"({value} > {BELOW} AND {value} < {INFINITY})"


def _group(value: str, pattern: str, group: int) -> str:
    # There `.` means any letter but the end of a line, as elsewhere.
    return f"(regexp_match({value}, '(?p)' || {pattern}))[{group}]"


def _stop(value: str) -> str:
    # An error that quotes the words which it is to be known by.
    return f"CAST(CASE WHEN {value} IS NULL THEN '' ELSE '{STOPPED}' END AS bigint)"


def _hashed(text: str) -> str:
    digits = f"substr(encode(sha256(convert_to({text}, 'UTF8')), 'hex'), 1, 13)"
    return f"CAST(CAST('x' || {digits} AS bit(52)) AS bigint)"


def _tame(value: str) -> str:
    return f"CASE WHEN abs({value}) < {_cast(repr(SMALL))} THEN {ZERO} ELSE {value} END"


def decimal(value: str) -> str:
    """A value of type `numeric` as a double; infinite where it is too large."""
    return (
        f"CASE WHEN {value} = CAST('NaN' AS numeric) THEN {NAN} WHEN {value} >= {OVER} THEN {INFINITY} "
        f"WHEN {value} <= -{OVER} THEN {BELOW} WHEN abs({value}) <= {HALF} THEN {ZERO} ELSE {_cast(value)} END"
    )


POSTGRESQL = Dialect(
    engine="postgresql",
    double_type="double precision",
    whole_type="bigint",
    text_type="text",
    quote='"',
    parsed=_parsed,
    total="sum({})".format,
    whole="CAST(trunc({}) AS bigint)".format,
    floor="floor({})".format,
    finite=_finite,
    trim="btrim({}, {})".format,
    captured=_group,
    stop=_stop,
    tame=_tame,
    nul="",
    hashed=_hashed,
    fence=" OFFSET 0",
)
