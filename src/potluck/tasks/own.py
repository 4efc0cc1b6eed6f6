"""What an owner alone holds at the end of a run: a model of its own and what it is worth, where the run gave its site
one, and where the owner wants it what a model says of each of its rows (`predictions`).

`run` and `up`, which one person starts for all, leave in SITES/NAME of the run's folder what each owner would hold.
Across machines it lies in the site's home. Metrics are exact, on the site's own rows: the coordinator has neither.
"""

import contextlib
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import msgspec

from potluck.core import private
from potluck.core.party import Party
from potluck.core.plan import Plan
from potluck.core.schema import readable
from potluck.core.visible import json_text
from potluck.learning.data.table import Table
from potluck.learning.training.trained import OwnModel, Scoring, Trained, own_of
from potluck.members.names import file_name
from potluck.tasks import predictions, released, trained, validated
from potluck.tasks.here import Beside, Json, Outcome

FOLDER = "own"
"""Its name in a site's home: in it a folder a run."""
SITES = "sites"
"""Its name in the folder of a run that was for all sites: in it a folder a site."""
MODEL, METRICS = "model.json", "metrics.json"


def with_own(plan: Plan, rows: Mapping[Party, Table], outcome: Outcome, scored: bool = False) -> Outcome:
    """The outcome of a run in one process, with every site's own model. scored: owners want what a model says of their
    rows."""
    if not isinstance(outcome, Trained):
        return outcome
    found = {site.name: own for site, table in rows.items() if (own := own_of(plan, table)) is not None}
    common = None if plan.model is not None and plan.model.local else outcome.model
    best = {
        site.name: (found[site.name].model if site.name in found else common, table) for site, table in rows.items()
    }
    wanted = {name: Scoring(model, table) for name, (model, table) in best.items() if scored and model is not None}
    return replace(outcome, own=found, scoring=wanted)


def write(own: OwnModel, folder: Path) -> None:
    """The model file, with what stands beside it, and its metrics. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True, mode=private.FOLDER)
    own.model.write(folder / MODEL)
    said: Json = {"digest": own.model.digest(), "metrics": _scores(own)}
    private.write(folder / METRICS, json_text(said | ({"bare": True} if own.bare else {})))


class _Bare(msgspec.Struct, frozen=True):
    digest: str
    bare: bool = False


def bare(home: Path, digest: str) -> bool:
    """Whether a model is one of the owner's own that has no noise, where what left its site in that run has: scores by
    it would tell others of rows what no ledger counts. home: the site's."""
    for path in (home / FOLDER).glob(f"*/{METRICS}"):
        with contextlib.suppress(OSError, msgspec.MsgspecError, UnicodeDecodeError):
            found = msgspec.json.decode(path.read_bytes(), type=readable(_Bare))
            if found.bare and found.digest == digest:
                return True
    return False


def for_owner(own: OwnModel, where: str) -> tuple[str, ...]:
    """Lines for the owner's screen and log. where: the model lies, in its home."""
    known = ", ".join(f"{name} {value:.4g}" for name, value in _scores(own).items() if isinstance(value, float))
    rows = own.metrics.rows or 0
    worth = f"on {rows:.0f} held-out rows of yours: {known}" if rows and known else "no row of yours is held out"
    return (f"your own model: {where}", f"your own model {worth}")


def leave(outcome: Outcome, folder: Path) -> None:
    """As `trained.leave`, and what each owner would hold."""
    trained.leave(outcome, folder)
    if isinstance(outcome, Trained):
        for name, own in outcome.own.items():
            write(own, _of(folder, name))
        for name, one in outcome.scoring.items():
            predictions.write(one.model, one.rows, _of(folder, name))


def document(outcome: Outcome, plan: Plan, folder: Path, beside: Beside) -> Json:
    """As `trained.document`, and where what owners alone hold is, which is all that is said of it."""
    found = trained.document(outcome, plan, folder, beside)
    if not isinstance(outcome, Trained):
        return found
    if outcome.folds is not None:
        found["folds"] = validated.document(outcome.folds, outcome.model.target)
    return found | _said(folder, outcome.own, outcome.scoring)


def gathered(homes: Mapping[str, Path], run: str, folder: Path) -> Json:
    """The same of a run whose homes are all here: what each holds, as a run in one process leaves it."""
    held = {name: home / FOLDER / file_name(run) for name, home in homes.items()}
    here = {
        name: one for name, one in held.items() if any((one / file).is_file() for file in (MODEL, predictions.FILE))
    }
    for name, one in here.items():  # the model of all sites is the run's own
        shutil.copytree(one, _of(folder, name), ignore=shutil.ignore_patterns(*released.FILES))
    models, scores = (
        [name for name, one in here.items() if (one / file).is_file()] for file in (MODEL, predictions.FILE)
    )
    return _said(folder, models, scores)


def _said(folder: Path, models: Iterable[str], scores: Iterable[str]) -> Json:
    """Where owners' models and predictions are, by site."""
    own = {name: str(_of(folder, name) / MODEL) for name in models}
    rows = {name: str(_of(folder, name) / predictions.FILE) for name in scores}
    said: Json = {"own": own, "own_predictions": rows}
    return {key: some for key, some in said.items() if some}


def _of(folder: Path, name: str) -> Path:
    return folder / SITES / file_name(name)


def _scores(own: OwnModel) -> Json:
    return trained.scores(own.metrics, own.model.target)
