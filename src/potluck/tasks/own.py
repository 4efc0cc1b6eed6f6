"""What an owner alone holds at the end of a run that gave its site a model of its own: the model, and what it is worth.

`run` and `up`, which one person starts for all, leave in SITES/NAME of the run's folder what each owner would hold.
Across machines it lies in the site's home. Metrics are exact, on the site's own rows: the coordinator has neither.
"""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from potluck.core import private
from potluck.core.party import Party
from potluck.core.plan import Plan
from potluck.core.visible import json_text
from potluck.learning.data.table import Table
from potluck.learning.training.own import own_of
from potluck.learning.training.trained import OwnModel, Trained
from potluck.members.names import file_name
from potluck.tasks import trained
from potluck.tasks.here import Beside, Json, Outcome

FOLDER = "own"
"""Its name in a site's home: in it a folder a run."""
SITES = "sites"
"""Its name in the folder of a run that was for all sites: in it a folder a site."""
MODEL, METRICS = "model.json", "metrics.json"


def with_own(plan: Plan, rows: Mapping[Party, Table], outcome: Outcome) -> Outcome:
    """The outcome of a run in one process, with every site's own model."""
    if not isinstance(outcome, Trained):
        return outcome
    found = {site.name: own for site, table in rows.items() if (own := own_of(plan, table)) is not None}
    return replace(outcome, own=found) if found else outcome


def write(own: OwnModel, folder: Path) -> None:
    """The model file, with what stands beside it, and its metrics. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True, mode=private.FOLDER)
    own.model.write(folder / MODEL)
    private.write(folder / METRICS, json_text({"digest": own.model.digest(), "metrics": _scores(own)}))


def for_owner(own: OwnModel, where: str) -> tuple[str, ...]:
    """Lines for the owner's screen and log. where: the model lies, in its home."""
    known = ", ".join(f"{name} {value:.4g}" for name, value in _scores(own).items() if isinstance(value, float))
    rows = own.metrics.rows or 0
    worth = f"on {rows:.0f} held-out rows of yours: {known}" if rows and known else "no row of yours is held out"
    return (f"your own model: {where}", f"your own model {worth}")


def leave(outcome: Outcome, folder: Path) -> None:
    """As `trained.leave`, and what each owner would hold."""
    trained.leave(outcome, folder)
    for name, own in outcome.own.items() if isinstance(outcome, Trained) else ():
        write(own, _of(folder, name))


def document(outcome: Outcome, plan: Plan, folder: Path, beside: Beside) -> Json:
    """As `trained.document`, and where the owners' own models are, which is all that is said of them."""
    found = trained.document(outcome, plan, folder, beside)
    names = outcome.own if isinstance(outcome, Trained) else {}
    return found | {"own": {name: str(_of(folder, name) / MODEL) for name in names}} if names else found


def gathered(homes: Mapping[str, Path], run: str, folder: Path) -> Json:
    """The same of a run whose homes are all here: what each holds, as a run in one process leaves it."""
    held = {name: home / FOLDER / file_name(run) for name, home in homes.items()}
    here = {name: one for name, one in held.items() if one.is_dir()}
    for name, one in here.items():
        shutil.copytree(one, _of(folder, name))
    return {"own": {name: str(_of(folder, name) / MODEL) for name in here}} if here else {}


def _of(folder: Path, name: str) -> Path:
    return folder / SITES / file_name(name)


def _scores(own: OwnModel) -> Json:
    return trained.scores(own.metrics, own.model.target.side == "number")
