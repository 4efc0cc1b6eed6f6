"""Spark's spelling, in its ANSI mode. Traps, all measured:

- A cast takes `1d`, `1f`, `inf` and blanks as numbers, so that a text is compared with what a number looks like first.
- The sum of 64-bit integers is one of 64 bits, which overflows: they are decimals before they are added.
- `floor` gives an integer, `trunc` is about dates, and a cast to an integer truncates.
- Backslashes in literals escape, and `${...}` in a query is replaced by what the machine holds under that name: a
  session has to switch that off (`spark.sql.variable.substitute`), and to tell names apart by case.
"""

from potluck.learning.data.sql.dialect import NUMBER, STOPPED, Dialect


def _parsed(value: str) -> str:
    return f"CASE WHEN {value} RLIKE '{NUMBER}' THEN try_cast({value} AS DOUBLE) END"


def _finite(value: str) -> str:
    return f"({value} > CAST('-Infinity' AS DOUBLE) AND {value} < CAST('Infinity' AS DOUBLE))"


def _group(value: str, pattern: str, group: int) -> str:
    # There `.` is any letter but the end of a line, which to Java alone may be of five kinds.
    return f"regexp_extract({value}, concat('(?d)', {pattern}), {group})"


def _stop(value: str) -> str:
    return f"CASE WHEN {value} IS NOT NULL THEN CAST(raise_error('{STOPPED}') AS BIGINT) END"


SPARK = Dialect(
    engine="spark",
    double_type="DOUBLE",
    whole_type="BIGINT",
    text_type="STRING",
    quote="`",
    parsed=_parsed,
    total="sum(CAST({} AS DECIMAL(38, 0)))".format,
    whole="CAST({} AS BIGINT)".format,
    floor="CAST(floor({}) AS DOUBLE)".format,
    finite=_finite,
    trim="trim(BOTH {1} FROM {0})".format,
    captured=_group,
    stop=_stop,
    pair="named_struct('first', {}, 'second', {})".format,
    second="({}).second".format,
    escape="\\",
    hashed="CAST(conv(substr(sha2({}, 256), 1, 13), 16, 10) AS BIGINT)".format,
)
