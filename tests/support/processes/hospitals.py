"""Four small made-up hospitals, a short plan for them, and what a run over known givers must give."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from potluck.api.plan.plan import Plan
from potluck.core.party import SERVER, Party
from potluck.core.plan import digest
from potluck.core.rounds import RoundId
from potluck.drivers.memory import Memory
from potluck.drivers.sums import Sums, drive
from potluck.learning.loops import build
from potluck.tasks.sources import tables
from potluck.tasks.sums import protections
from potluck.tasks.sums.together import Together
from support.ports import free_port
from support.processes.rig import CANARY, Rig

NAMES = ("anna", "bert", "carl", "dora")
NONE = {"noise": "none"}
SHARED = {"noise": "shared", "unit": "row", "epsilon": 3.0, "delta": 1e-5, "clip": 1.0, "redo": 2}
PATIENCE = 6.0


def frames(rows: int = 40) -> dict[str, pd.DataFrame]:
    """A table a hospital. The first row of each holds the canary, as a number that is read."""
    found = {}
    for number, name in enumerate(NAMES):
        rng = np.random.default_rng(number)
        x, z = rng.normal(size=(2, rows))
        y = (x + (number - 1) * z + rng.logistic(size=rows) > 0).astype(int)
        x[0] = float(CANARY)
        found[name] = pd.DataFrame({"x": x, "z": z, "y": y})
    return found


def plan(word: str = "mask", privacy: Mapping[str, Any] = NONE, patience: float = PATIENCE, rounds: int = 3) -> Plan:
    return Plan(
        name="hospitals",
        purpose="test",
        task="train",
        federation={"sites": list(NAMES), "corrupt": 1, "dropouts": 1, "patience": patience},
        data={
            "columns": {"x": {"kind": "number", "low": -3, "high": 3}, "z": {"kind": "number", "low": -3, "high": 3}},
            "target": {"column": "y", "positive": ["1"]},
            "split": {"test": 0.3},
            "max_rows": 100,
        },
        model={"kind": "logistic"},
        training={"method": "gradient", "rounds": rounds, "rate": 1.0, "expected_rows": 100},
        protect={"with": word},
        privacy=dict(privacy),
    )


def reference(of: Plan, givers: Sequence[Sequence[str]] = ()) -> Any:
    """The model of a run in one process; givers: of each sum in order, all where not said."""
    spec, held = tables(of, frames())
    task = build(spec)

    def vanish(party: Party, round: RoundId, step: str) -> bool:
        known = givers[round.number - 1] if round.number <= len(givers) else NAMES
        return party != SERVER and party.name not in known

    memory = Memory(spec.sites, digest(spec), vanish=vanish)
    return drive(
        task, Sums(spec, Together(spec, task, protections.row(spec).build(spec, None), held, memory, "run"))
    ).model


def federation(folder: Path, policies: Mapping[str, str] | None = None) -> Rig:
    """Enrolled, nothing started."""
    rig = Rig(folder, frames(), policies or {})
    rig.found(free_port())
    return rig
