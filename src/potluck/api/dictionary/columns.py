"""The columns of a plan from a data dictionary: a plain table, Frictionless, pandera, OMOP or Croissant.

What the dictionary says in full becomes an entry of [data.columns]. What it leaves open is a comment, with what is to
be filled in: no range is guessed, and none is taken from data.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from potluck.api.dictionary.described import Described, Format, Sheet
from potluck.api.dictionary.document import read
from potluck.api.dictionary.formats import FORMATS
from potluck.api.plan import toml
from potluck.core.errors import UsageError
from potluck.core.prose import agree
from potluck.core.visible import visible
from potluck.learning.data.notation import Notation

MOST, LONGEST = 100_000, 1_000
"""Columns, and values of all of them; letters of a name or value. As of a plan."""


@dataclass(frozen=True)
class Dictionary:
    """What a data dictionary says of one table. columns: entries of [data.columns], ready; confirm: by column, what its
    author has to fill in or decide; missing: the texts that mean "no value", None where it does not say."""

    format: str
    table: str
    columns: dict[str, dict[str, object]]
    confirm: dict[str, str]
    missing: tuple[str, ...] | None
    sheet: Sheet

    @property
    def data(self) -> dict[str, object]:
        """The [data] table of a plan, as far as it is known: `potluck.Plan(data=...)` takes it."""
        return {"columns": self.columns} | ({} if self.missing is None else {"missing": list(self.missing)})

    def document(self) -> dict[str, object]:
        """The JSON."""
        return {"format": self.format, "table": self.table or None, "data": self.data, "confirm": self.confirm}

    def toml(self) -> str:
        """The TOML of a plan's [data] and [data.columns]; what is to be confirmed stands there as comments."""
        of = f" of {visible(self.table)}" if self.table else ""
        count = len(self.confirm)
        open_ = f", {count} to confirm" if count else ""
        lines = [f"# {agree(len(self.sheet.columns), '1 column', f'{len(self.sheet.columns)} columns')}{of}{open_}"]
        if self.missing is not None:
            lines += ["[data]", f"missing = {toml.value(list(self.missing))}", ""]
        lines += ["[data.columns]", *map(self._line, self.sheet.columns)]
        return "\n".join(lines) + "\n"

    def _line(self, one: Described) -> str:
        asked = self.confirm.get(one.name)
        note = "; ".join(filter(None, (asked, one.note)))
        beside = f"  # {visible(note)}" if note else ""
        if asked is not None and not one.kind:
            return f"# {toml.key(one.name)}:{beside[3:]}"
        entry = f"{toml.key(one.name)} = {toml.table(one.table)}"
        return f"# {entry}{beside}" if asked is not None else f"{entry}{beside}"


def columns_from(path: str | Path, table: str | None = None) -> Dictionary:
    """The columns of a plan, from a data dictionary: Frictionless, pandera, OMOP, Croissant, or a plain CSV table.

    Args:
        path: of the dictionary, in JSON, YAML or CSV.
        table: which one, where it describes several.

    Returns:
        The columns that it says in full, and by column what is left to confirm. No range is guessed.

    Raises:
        UsageError: it cannot be read, is of no known format, does not keep to it, or has no such table.

    Examples:
        >>> from pathlib import Path
        >>> import potluck
        >>> size = Path("columns.csv").write_text("column,kind,low,high\\nage,number,0,120\\nsmoker,,,\\n")
        >>> found = potluck.columns_from("columns.csv")
        >>> found.columns
        {'age': {'kind': 'number', 'low': 0.0, 'high': 120.0}}
        >>> list(found.confirm)
        ['smoker']
    """
    path = Path(path)
    document = read(path)
    found = next((one for one in FORMATS if one.claims(document)), None)
    if found is None:
        known = (
            "Table Schema, Data Package, pandera, Croissant (JSON), OMOP field level (CSV), or CSV with column and kind"
        )
        raise UsageError("is of no known format", where=path.name, hint=f"known: {known}")
    try:
        sheet = found.read(document, _chosen(found, document, table))
        _within(sheet)
    except UsageError as error:
        raise UsageError(error.what, where=path.name, hint=error.hint) from None
    how = Notation() if sheet.missing is None else Notation(sheet.missing)
    asked = {one.name: what for one in sheet.columns if (what := one.confirm(how))}
    ready = {one.name: one.table for one in sheet.columns if one.name not in asked}
    return Dictionary(found.name, sheet.name, ready, asked, sheet.missing, sheet)


def _chosen(one: Format, document: object, table: str | None) -> str:
    """The table that is asked for, or the only one."""
    names = one.sheets(document)
    if not names:
        raise UsageError("describes no table", hint="see the format's specification")
    if table is None and len(names) == 1:
        return names[0]
    # OMOP's documents write a table's name in capitals, its databases in small letters
    fitting = [name for name in names if table is not None and name in (table, table.lower())]
    if not fitting:
        what = f"describes {len(names)} tables" if table is None else f"has no table {table!r}"
        shown = ", ".join(name[:100] for name in names[:20])
        more = ", ..." if len(names) > 20 else ""
        raise UsageError(what, hint=f"--table, one of: {shown}{more}" if shown else "leave --table out")
    return fitting[0]


def _within(sheet: Sheet) -> None:
    """Raises UsageError: more than a plan can hold, a column twice, or one without a name."""
    names = [one.name for one in sheet.columns]
    if not all(map(str.strip, names)):
        raise UsageError("a column has no name", hint="see the format's specification")
    again = [name for name, times in Counter(names).items() if times > 1]
    if again:
        raise UsageError(f"column {again[0][:100]!r} is there twice", hint="each column has one entry")
    count = max(len(names), sum(len(one.values) for one in sheet.columns), len(sheet.missing or ()))
    if count > MOST:
        raise UsageError(f"more than {MOST:,} columns or values", hint="describe the columns that a plan needs")
    for text in (*names, *(value for one in sheet.columns for value in one.values), *(sheet.missing or ())):
        if len(text) > LONGEST:
            raise UsageError(f"a name or value has more than {LONGEST:,} letters", hint="shorten it")
