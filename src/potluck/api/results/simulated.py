"""What a simulation leaves: a folder that is no run's, and its object in Python.

Nothing in it is called as in a run's folder, and there is no `run.json`: verbs that read runs find none. The model file
says by its format what it is.
"""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path

from potluck.api.plan.plan import Plan
from potluck.core import private
from potluck.core.visible import json_text
from potluck.dp.account import NEIGHBOURS
from potluck.learning.models.model import Model
from potluck.report import simulated as page
from potluck.simulation.rounds import Round, Simulated
from potluck.simulation.ways import way_of
from potluck.tasks.here import Json
from potluck.tasks.trained import SIMULATED, scores

ROUNDS, REPORT = "simulated-rounds.csv", "simulated-report.html"
STAMP = "simulated: all rows are in one process, nothing is sealed, this is no run"


@dataclass(frozen=True)
class Simulation:
    """A finished simulation. folder: where it is; document: the JSON of `potluck simulate --json`."""

    folder: Path
    document: Mapping[str, object] = field(repr=False)

    @cached_property
    def model(self) -> Model:
        """The last round's model, which is marked as simulated."""
        return Model.read(self.folder / SIMULATED, simulated=True)


def write(folder: Path, plan: Plan, found: Simulated, now: datetime, warnings: list[str]) -> Simulation:
    """The simulation's files. Raises OSError."""
    found.trained.model.write(folder / SIMULATED)
    rounds = [_round(one) for one in found.rounds]
    private.write(folder / ROUNDS, _csv(rounds))
    private.write(folder / "plan.toml", plan.text())
    document = _document(folder, plan, found, rounds, warnings)
    more = {"created": now.isoformat(timespec="seconds"), "sizes": list(found.sizes)}
    private.write(folder / page.FILE, json_text(document | more))
    private.write(folder / REPORT, page.render(folder))
    return Simulation(folder, document)


def _round(one: Round) -> dict[str, float | None]:
    found: dict[str, float | None] = {
        "round": one.round,
        "clients": one.clients,
        "rows": one.rows,
        "seconds": round(one.seconds, 6),
        "bytes_up": one.bytes_up,
        "bytes_down": one.bytes_down,
        "epsilon": one.epsilon,
        "loss": one.loss,
    }
    names = ("auc", "accuracy", "r2", "rmse", "perplexity")
    return found | {name: getattr(one.metrics, name) if one.metrics else None for name in names}


def _csv(rounds: list[dict[str, float | None]]) -> str:
    """A line a round."""
    names = page.columns(rounds)
    out = io.StringIO()
    lines = csv.writer(out, lineterminator="\n")
    lines.writerow(names)
    for one in rounds:
        lines.writerow(["" if one[name] is None else repr(one[name]) for name in names])
    return out.getvalue()


def _document(
    folder: Path, plan: Plan, found: Simulated, rounds: list[dict[str, float | None]], warnings: list[str]
) -> Json:
    spec, wanted, model = found.plan, found.wanted, found.trained.model
    way, why = way_of(spec)
    noisy = spec.noisy
    return {
        "simulated": True,
        "stamp": STAMP,
        "plan": {"name": spec.name, "hash": plan.hash},
        "simulation": str(folder),
        "report": str(folder / REPORT),
        "csv": str(folder / ROUNDS),
        "sites": len(found.sizes),
        "cohort": found.cohort,
        "noise_cohort": found.noise_cohort,
        "split": wanted.split,
        "seed": wanted.seed,
        "rows": sum(found.sizes),
        "processes": wanted.processes,
        "way": way.value,
        "way_why": why,
        "clients_per_second": round(found.speed, 3),
        "model": {
            "kind": model.kind,
            "file": str(folder / SIMULATED),
            "digest": model.digest(),
            "coefficients": dict(model.coefficients) or None,
        },
        "metrics": {"simulated": scores(found.metrics, model.target)},
        "privacy": {
            "noise": spec.privacy.noise,
            "unit": spec.privacy.unit if noisy else None,
            "neighbours": NEIGHBOURS if noisy else None,
            "delta": spec.privacy.delta if noisy else None,
            "epsilon": found.rounds[-1].epsilon if found.rounds else None,
        },
        "rounds": rounds,
        "warnings": warnings,
    }
