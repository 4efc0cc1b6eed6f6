"""A small federation in memory, whose network and parties a test may disturb."""

from dataclasses import dataclass, field

import msgspec
import numpy as np
import pandas as pd

from potluck.api.plan.plan import Plan
from potluck.core.ledger import Ledger
from potluck.core.party import Party
from potluck.core.plan import Plan as Spec
from potluck.core.plan import digest
from potluck.drivers.memory import Carry, Memory, Vanish, faithfully, nobody
from potluck.drivers.sums import Sums, drive
from potluck.drivers.transcript import Transcript
from potluck.learning.loops import build
from potluck.tasks.sources import tables
from potluck.tasks.sums import protections
from potluck.tasks.sums.together import Together

NONE = {"noise": "none"}
SHARED = {"noise": "shared", "unit": "row", "epsilon": 3.0, "delta": 1e-5, "clip": 1.0}


def plan(sites: str = "abcd", privacy: dict = NONE, word: str = "mask", **federation: object) -> Plan:
    names = list(sites)
    return Plan(
        name="p",
        purpose="test",
        task="train",
        federation={"sites": names, "corrupt": 1, "dropouts": 1} | federation,
        data={
            "columns": {"x": {"kind": "number", "low": -3, "high": 3}, "z": {"kind": "number", "low": -3, "high": 3}},
            "target": {"column": "y", "positive": ["1"]},
            "split": {"test": 0.3},
            "max_rows": 100,
        },
        model={"kind": "logistic"},
        training={"method": "gradient", "rounds": 3, "expected_rows": 100},
        protect={"with": word},
        privacy=privacy,
    )


def frames(sites: str = "abcd", rows: int = 40) -> dict[str, pd.DataFrame]:
    found = {}
    for number, name in enumerate(sites):
        rng = np.random.default_rng(number)
        x, z = rng.normal(size=(2, rows))
        y = (x + rng.logistic(size=rows) > 0).astype(int)
        found[name] = pd.DataFrame({"x": x, "z": z, "y": y})
    return found


@dataclass
class Scene:
    """One run, disturbed or not."""

    plan: Plan
    carry: Carry = faithfully
    vanish: Vanish = nobody
    ledgers: dict[Party, Ledger] = field(default_factory=dict)
    name: str = "run"
    sums: Sums | None = None
    memory: Memory | None = None
    together: Together | None = None

    @property
    def spec(self) -> Spec:
        return self.plan.spec

    def run(self):
        self.plan.require()
        names = "".join(self.spec.federation.sites)
        spec, held = tables(self.plan, frames(names))
        task = build(spec)
        self.memory = Memory(
            (*spec.sites, *spec.compute),
            digest(spec),
            ledgers=self.ledgers,
            transcript=Transcript(),
            carry=self.carry,
            vanish=self.vanish,
        )
        protection = protections.row(spec).build(spec, None)
        self.together = Together(spec, task, protection, held, self.memory, self.name)
        self.sums = Sums(spec, self.together)
        return drive(task, self.sums)


def other(spec: Spec) -> Spec:
    """A plan that differs in one setting."""
    assert spec.model is not None
    return msgspec.structs.replace(spec, model=msgspec.structs.replace(spec.model, l2=2.0))
