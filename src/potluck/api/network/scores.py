"""Scores that the client's site wrote into its home, brought into the run's folder by `up`, which plays all parties."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import msgspec
import numpy as np

from potluck.api.local.predict import Room, spec_of, telling
from potluck.api.network.household import Household
from potluck.api.network.status import live
from potluck.api.results.document import PREDICTIONS, Json, agreed, agreement_of
from potluck.api.results.outcome import Run
from potluck.core import private
from potluck.core.errors import UsageError
from potluck.core.schema import readable
from potluck.core.visible import json_text
from potluck.learning.models.scoring import Agreement, Predicted, agreement
from potluck.members.files import PRIVATE, create
from potluck.parties.admission.scored import Told, kept
from potluck.report import details


def fetch(folder: Path, house: Household, room: Room, compare: bool) -> None:
    """Copy them, and say in the run's documents what their client knows of them. Raises UsageError: there are none."""
    home = house.homes[spec_of(room.plan.spec).client]
    found = kept(home, next(live(house.coordinator)).run)
    if found is None:
        raise UsageError("the client's site kept no scores", where=str(home), hint="run it again")
    path, told = found
    create(folder / PREDICTIONS, path.read_bytes(), PRIVATE)
    same = _agreement(room, path, told) if compare else None
    mind = (*telling(room.plan.spec, room.model.card),)
    _document(folder, told, same, mind)
    known = msgspec.json.decode((folder / details.FILE).read_bytes(), type=readable(details.Details))
    known = msgspec.structs.replace(known, warnings=(*known.warnings, *mind))
    if known.prediction is not None:
        more = msgspec.structs.replace(known.prediction, rows=told.rows, bound=told.max_error_bound, notes=told.notes)
        known = msgspec.structs.replace(known, prediction=agreed(more, same) if same else more)
    private.write(folder / details.FILE, details.dump(known))


def _document(folder: Path, told: Told, same: Agreement | None, mind: tuple[str, ...]) -> None:
    document: Json = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    document |= {
        "predictions": str(folder / PREDICTIONS),
        "max_error_bound": told.max_error_bound,
        "notes": list(told.notes),
        "warnings": [*Run.read(folder).warnings, *mind],
    }
    if same is not None:
        document["agreement"] = agreement_of(same)
    private.write(folder / "run.json", json_text(document))


def _agreement(room: Room, path: Path, told: Told) -> Agreement:
    with path.open(encoding="utf-8", newline="") as file:
        lines = list(csv.reader(file))[1:]
    table = np.array([[float(cell or "nan") for cell in line[1:]] for line in lines])
    plain = room.model.scored_features(room.encoded(room.model.card).features)
    return agreement(Predicted(room.model.target, table, told.max_error_bound), plain)
