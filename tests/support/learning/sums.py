"""The one sum without any protocol, grid or noise: floats added up in one process. What the learners are tested on."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd

import potluck
from potluck.core.asks import Answer, Ask, Kind
from potluck.core.fixed import decode, encode
from potluck.core.party import site
from potluck.core.plan import (
    Column,
    Data,
    Federation,
    Model,
    Plan,
    PrivacyPlan,
    Protect,
    Split,
    Statistic,
    Target,
    Training,
)
from potluck.core.stages import Contribution, Grid, GridBlock, Range, Release, Unlaid, Update
from potluck.dp.mechanism import Exact, Noised, guarded, mechanism
from potluck.learning.data.table import Table, read
from potluck.learning.kept import InMemory
from potluck.secret.random import system
from support.learning.laid_out import laid_out

HEART = Path(potluck.__file__).parent / "demo" / "heart"
HOSPITALS = ("cleveland", "hungarian", "switzerland", "va")
NONE = PrivacyPlan(noise="none")
Noise = Callable[[Ask, np.ndarray], tuple[np.ndarray, np.ndarray]]


def number(low: float, high: float, missing: str = "refuse") -> Column:
    return Column(kind="number", low=low, high=high, missing=missing)


def category(*values: str, missing: str = "refuse") -> Column:
    return Column(kind="category", values=values, missing=missing)


def make(**keys: object) -> Plan:
    """A plan to train logistic regression by newton at two sites, but for `keys` (whole tables)."""
    base: dict[str, object] = {
        "version": 1,
        "name": "test",
        "purpose": "test",
        "task": "train",
        "federation": Federation(sites=("a", "b")),
        "data": Data(
            columns={"x": number(0, 10), "c": category("u", "v"), "y": category("0", "1")},
            target=Target(column="y", positive=("1",)),
            split=Split(test=0.25),
        ),
        "protect": Protect(scheme="clear"),
        "privacy": NONE,
        "model": Model(kind="logistic"),
        "training": Training(method="newton", rounds=25),
    }
    return Plan(**(base | keys))


def stats(columns: dict[str, Column], *wanted: Statistic, **keys: object) -> Plan:
    """A plan of statistics at two sites."""
    return make(
        **{"task": "statistics", "model": None, "training": None, "data": Data(columns=columns), "statistics": wanted}
        | keys
    )


def replaced(value, **keys):
    return msgspec.structs.replace(value, **keys)


def heart(**keys: object) -> Plan:
    """The heart plan, without noise, by newton."""
    drop = {"missing": "drop"}
    columns = {
        "age": number(20, 90),
        "sex": category("0", "1"),
        "cp": category("1", "2", "3", "4"),
        "trestbps": number(80, 220, **drop),
        "chol": number(0, 620, **drop),
        "fbs": category("0", "1", **drop),
        "restecg": category("0", "1", "2", **drop),
        "thalach": number(60, 210, **drop),
        "exang": category("0", "1", **drop),
        "oldpeak": number(-3, 7, **drop),
        "slope": Column(kind="ignore"),
        "ca": Column(kind="ignore"),
        "thal": Column(kind="ignore"),
        "num": category("0", "1", "2", "3", "4"),
    }
    data = Data(
        header=False,
        missing=("?",),
        columns=columns,
        target=Target(column="num", positive=("1", "2", "3", "4")),
        split=Split(test=0.34, seed=43),
    )
    return make(**{"federation": Federation(sites=HOSPITALS), "data": data} | keys)


def hospitals(plan: Plan) -> dict[str, Table]:
    """The demo's rows as this plan has them read: once for all plans that differ in how they train."""
    whole = msgspec.json.encode(replaced(plan, training=None, protect=Protect(scheme="clear")))
    if whole not in _READ:
        _READ[whole] = {name: read(HEART / f"processed.{name}.data", plan, name) for name in HOSPITALS}
        for table in _READ[whole].values():
            for array in (table.features, table.target, table.test, table.validation):
                array.setflags(write=False)
    return {name: dataclasses.replace(table, kept=InMemory()) for name, table in _READ[whole].items()}


_READ: dict[bytes, dict[str, Table]] = {}


def frames(plan: Plan, *given: pd.DataFrame) -> dict[str, Table]:
    return {name: read(frame, plan, name) for name, frame in zip(plan.federation.sites, given, strict=False)}


def gridded(ask: Ask, task, tables: Mapping[str, Table]) -> Answer:
    """One sum as integers on the plan's own grid, without noise: what every protection opens."""
    bound = mechanism(task.plan, ask)
    given = [update for table in tables.values() for update in task.contribute(ask, table, system)]
    values = decode(guarded(bound, given, system).words, bound.grid)
    return Answer(Release(values, np.zeros_like(values), frozenset(map(site, tables))), bound.grid)


def before_noise(bound: Exact | Noised, given: Contribution) -> np.ndarray:
    """A batch of units, bounded and added up on the grid, in real numbers."""
    made = encode(bound.clip(given)) if isinstance(given, Update) else given.encode(bound.grid, bound.limit)
    return decode(made.words, bound.grid)


def summed(one: Unlaid, ask: Ask) -> np.ndarray:
    """What rows add that are not laid out, in floats: by way of a grid that is far finer than any of theirs."""
    fine = Grid(tuple(GridBlock(block.name, block.size, 2.0**-40, block.high) for block in ask.blocks), 64)
    return decode(one.encode(fine, Range(tuple(block.high for block in ask.blocks))).words, fine)


def answer(ask: Ask, task, tables: Mapping[str, Table], noise: Noise | None = None) -> Answer:
    """One sum in floats. Each site derives the ask for itself; every unit must be within its block's bound."""
    length = sum(block.size for block in ask.blocks)
    total, bounds = np.zeros(length), np.repeat([b.high for b in ask.blocks], [b.size for b in ask.blocks])
    for table in tables.values():
        own = task.ask(ask.kind, ask.step, ask.state)
        assert own == ask
        if ask.kind is Kind.STATISTICS:
            total += sum(summed(one, ask) for one in task.contribute(own, table, system))
            continue
        for values in laid_out(task, own, table):
            assert values.shape[1] == length
            if noise is None:
                assert (np.abs(values) <= bounds * (1 + 1e-12)).all()
            total += values.sum(axis=0)
    std = np.zeros(length)
    if noise is not None:
        total, std = noise(ask, total)
    grid = Grid(tuple(GridBlock(block.name, block.size, 2.0**-48, block.high) for block in ask.blocks), 64)
    return Answer(Release(total, std, frozenset(map(site, tables))), grid)


def run(task, tables: Mapping[str, Table], noise: Noise | None = None, *, grid: bool = False):
    """The task's outcome. grid: by integers on the plan's grid."""
    lead = task.lead()
    try:
        ask = next(lead)
        while True:
            ask = lead.send(gridded(ask, task, tables) if grid else answer(ask, task, tables, noise))
    except StopIteration as stop:
        return stop.value
