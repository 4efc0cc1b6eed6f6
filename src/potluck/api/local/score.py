"""Plain local scoring of new rows with a model that one holds."""

from dataclasses import dataclass
from pathlib import Path

from potluck.core import private
from potluck.core.errors import UsageError, unwritable
from potluck.learning.data.tally import Tally
from potluck.learning.models.model import Model
from potluck.learning.models.scoring import table_text
from potluck.tasks.trained import MODEL, SIMULATED


@dataclass(frozen=True)
class Scored:
    """rows: how many; columns: what each score is called; path: where they were written, "" where not; tally: what
    became of the rows' values, for whoever has them. simulated: the model is of a simulation."""

    rows: int
    columns: tuple[str, ...]
    table: tuple[tuple[float | str, ...], ...]
    path: str
    tally: Tally
    simulated: bool = False

    def values(self) -> list[list[float | str]]:
        """The scores, a list a row."""
        return [list(row) for row in self.table]

    def text(self) -> str:
        """CSV with a header: the row's number, then its scores."""
        return table_text(self.columns, self.table)


def _file(model: Path) -> Path:
    """The model's file. Raises UsageError: it is the folder of a simulation, which is none of a run."""
    if not model.is_dir():
        return model
    if not (model / MODEL).exists() and (model / SIMULATED).exists():
        what = "is the folder of a simulation, and of no run"
        raise UsageError(what, where=str(model), hint=f"give {model / SIMULATED}")
    return model / MODEL


def score(model: Path, rows: Path, output: Path | None) -> Scored:
    """Score the rows of a CSV file. model: model.json, or a run's folder. Raises UsageError (no such model, cannot
    write), DataError (rows do not fit)."""
    held = Model.read(_file(model), simulated=True)
    read = held.inputs(rows)
    columns, table = held.written(read)
    scored = Scored(len(table), columns, table, str(output.absolute()) if output else "", read.tally, held.simulated)
    if output:
        try:
            private.write(output, scored.text())
        except OSError as error:
            raise unwritable(error, output, "name another file with -o") from None
    return scored
