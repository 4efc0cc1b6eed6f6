"""What a reader of a fitted model keeps in its home: the model, and what is known of it, a file each a run."""

from __future__ import annotations

from pathlib import Path

import msgspec

from potluck.core.schema import readable
from potluck.learning.evaluation.evaluate import Metrics
from potluck.learning.models.model import Model
from potluck.learning.training.trained import Trained
from potluck.members.files import PRIVATE, folder, replace
from potluck.members.names import file_name

KEPT = "models"
"""A folder in the reader's home."""


class Known(msgspec.Struct, frozen=True):
    """Metrics of held-out rows (None: there are none), and what to mind."""

    rows: int | None
    auc: float | None
    accuracy: float | None
    r2: float | None
    rmse: float | None
    warnings: tuple[str, ...]
    measured: bool
    population: dict[str, tuple[float, float]] = {}


def keep(home: Path, run: str, found: Trained) -> None:
    """Write both. Raises UsageError: they cannot be written."""
    place = home / KEPT
    if not place.is_dir():
        folder(place)
    told = found.metrics
    one = told or Metrics(None)
    rows = None if one.rows is None else round(one.rows)
    measured, population = told is not None, dict(one.population)
    known = Known(rows, one.auc, one.accuracy, one.r2, one.rmse, found.warnings, measured, population)
    replace(place / f"{file_name(run)}.metrics.json", msgspec.json.encode(known), PRIVATE)
    replace(place / f"{file_name(run)}.json", found.model.files()[0], PRIVATE)


def kept(home: Path, run: str) -> Trained | None:
    """What was kept of a run; None: nothing. Raises UsageError: a model that cannot be read."""
    path, known = (home / KEPT / f"{file_name(run)}{suffix}" for suffix in (".json", ".metrics.json"))
    if not path.is_file():
        return None
    told = msgspec.json.decode(known.read_bytes(), type=readable(Known))
    one = Metrics(told.rows, told.auc, told.accuracy, told.r2, told.rmse, population=told.population)
    metrics = one if told.measured else None
    return Trained(Model.read(path), metrics, told.warnings)
