"""The model of all sites, as a run released it, in the home of a site that took part: with how it does on that site's
own held-out rows, exactly, for its owner alone.

A site hears of the model when its rows are evaluated, and of its digest when the run ends: whether these are one, the
owner's page says. A plan without metrics announces its last model to no site. A graph is too large to be kept twice.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from potluck.core import private
from potluck.core.errors import UsageError
from potluck.core.plan import Plan
from potluck.core.stages import Floats
from potluck.core.visible import json_text
from potluck.learning.data.table import Table
from potluck.learning.evaluation.evaluate import exact
from potluck.learning.models.model import Model
from potluck.learning.training.local import personal
from potluck.tasks import trained

MODEL, METRICS, TOLD = "released.json", "released-metrics.json", "told.json"
"""Their names, beside what else a run left for an owner (`tasks.own`). TOLD: what the coordinator said of it."""

FILES = (MODEL, METRICS, TOLD)


def kept(plan: Plan) -> bool:
    """Whether a site keeps the model of a run of this plan."""
    return plan.traits.trains and not plan.drawn and not personal(plan)


def write(model: Model, rows: Table, folder: Path) -> None:
    """The model, and beside it its digest and its metrics on these rows, as `run.json` has them. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True, mode=private.FOLDER)
    model.write(folder / MODEL)
    said = {"digest": model.digest(), "metrics": trained.scores(exact(model, [rows]), model.target)}
    private.write(folder / METRICS, json_text(said))


def where_there_is_room(keep: Callable[[Floats], None]) -> Callable[[Floats], None]:
    """The same note of a model, of which no run depends: where it cannot be written, there is none."""

    def note(weights: Floats) -> None:
        with suppress(UsageError, OSError):
            keep(weights)

    return note
