"""Plain local scoring of new rows with a model that one holds."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from potluck.core import private
from potluck.core.errors import UsageError, unwritable
from potluck.core.prose import agree
from potluck.core.spelling import normal
from potluck.learning.data.tally import Tally
from potluck.learning.models.model import Model
from potluck.learning.models.scoring import is_formula, table_text
from potluck.tasks.trained import MODEL, SIMULATED


@dataclass(frozen=True)
class Ids:
    """The column that rows are known by, and its text in each; "" where a row has none."""

    column: str
    texts: tuple[str, ...]

    @property
    def missing(self) -> int:
        """Rows without an id."""
        return self.texts.count("")

    @property
    def repeated(self) -> int:
        """Rows whose id another row has, too, in whatever spelling of the same letters."""
        return sum(count for text, count in Counter(map(normal, self.texts)).items() if text and count > 1)

    def document(self) -> dict[str, object]:
        """As JSON says it."""
        return {"column": self.column, "missing": self.missing, "repeated": self.repeated}

    def words(self) -> list[str]:
        """What to mind of them, a line each."""
        of = f"of {len(self.texts):,} {agree(len(self.texts), 'row', 'rows')}"
        found = []
        if self.missing:
            found.append(f"id {self.column!r}: {self.missing:,} {of} {agree(self.missing, 'has', 'have')} none")
        if self.repeated:
            found.append(f"id {self.column!r}: {self.repeated:,} {of} have one that another row has, too")
        if guarded := sum(map(is_formula, self.texts)):
            what = "that a spreadsheet would take for a formula: CSV has ' before it"
            found.append(f"id {self.column!r}: {guarded:,} {of} {agree(guarded, 'has', 'have')} one {what}")
        return found


@dataclass(frozen=True)
class Scored:
    """rows: how many; columns: what each score is called; path: where they were written, "" where not; tally: what
    became of the rows' values, for whoever has them. simulated: the model is of a simulation. ids: what rows are known
    by; None: by their numbers."""

    rows: int
    columns: tuple[str, ...]
    table: tuple[tuple[float | str, ...], ...]
    path: str
    tally: Tally
    simulated: bool = False
    ids: Ids | None = None

    def values(self) -> list[list[float | str]]:
        """The scores, a list a row."""
        return [list(row) for row in self.table]

    def text(self) -> str:
        """CSV with a header: the row's number or id, then its scores."""
        if self.ids is None:
            return table_text(self.columns, self.table)
        return table_text(self.columns, self.table, self.ids.texts, self.ids.column)


def _file(model: Path) -> Path:
    """The model's file. Raises UsageError: it is the folder of a simulation, which is none of a run."""
    if not model.is_dir():
        return model
    if not (model / MODEL).exists() and (model / SIMULATED).exists():
        what = "is the folder of a simulation, and of no run"
        raise UsageError(what, where=str(model), hint=f"give {model / SIMULATED}")
    return model / MODEL


def score(model: Path, rows: Path, output: Path | None, known_by: str | None = None) -> Scored:
    """Score the rows of a CSV file. model: model.json, or a run's folder; known_by: the column that says which row is
    which, in place of numbers.

    Raises UsageError (no such model, cannot write, a score has the name of that column), DataError (rows do not fit).
    """
    held = Model.read(_file(model), simulated=True)
    if known_by in held.columns:
        raise UsageError(f"a score is called {known_by!r}, too", where="--id", hint="name the column of ids otherwise")
    read = held.inputs(rows, known_by)
    columns, table = held.written(read)
    ids = None if known_by is None else Ids(known_by, read.ids)
    path = str(output.absolute()) if output else ""
    scored = Scored(len(table), columns, table, path, read.tally, held.simulated, ids)
    if output:
        try:
            private.write(output, scored.text())
        except OSError as error:
            raise unwritable(error, output, "name another file with -o") from None
    return scored
