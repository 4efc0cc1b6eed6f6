"""Plans and rows as hard as they get, and what a site adds to a sum over them. As a program: the digests of that."""

from hashlib import sha256

import numpy as np

from potluck.core.asks import Ask, Kind
from potluck.core.plan import Data, Model, Plan, PrivacyPlan, Target, Training
from potluck.core.rounds import Words
from potluck.core.stages import Grid
from potluck.dp.mechanism import mechanism
from potluck.learning.data.table import Table
from potluck.learning.loops import build
from potluck.secret.random import system
from support.learning.sums import NONE, category, make, number

KINDS = ["logistic", "linear", "classes"]
CLASSES = ("0", "1", "2")
METHODS = ["newton", "gradient"]


def plan(
    kind: str = "logistic", method: str = "newton", p: int = 3, most: int = 1000, clip: float | None = None
) -> Plan:
    """kind: of model, or "classes": a logistic one of several. clip: with noise, whose every row is clipped to it;
    None: without."""
    columns = {f"x{i}": number(-1, 1) for i in range(p)}
    columns["y"] = number(-1, 1) if kind == "linear" else category(*CLASSES)
    given = {"linear": {}, "logistic": {"positive": ("1",)}, "classes": {"classes": CLASSES}}[kind]
    target = Target(column="y", **given)
    data = Data(columns=columns, target=target, max_rows=most)
    privacy = NONE
    if clip is not None:
        privacy = PrivacyPlan(noise="reveal", unit="row", epsilon=1.0, delta=1e-5, clip=clip)
    steps = Training(method=method, rounds=3, expected_rows=100)
    return make(
        data=data, privacy=privacy, model=Model(kind="linear" if kind == "linear" else "logistic"), training=steps
    )


def table(kind: str = "logistic", p: int = 3, n: int = 200, seed: int = 0, hidden: float = 0.2) -> Table:
    rng = np.random.default_rng(seed)
    x = rng.choice([1.0, -1.0, 0.0, 1 - 2.0**-53, rng.random()], (n, p)) * rng.choice([1.0, rng.random()], (n, p))
    sides = len(CLASSES) if kind == "classes" else 2
    y = rng.uniform(-1, 1, n) if kind == "linear" else rng.integers(0, sides, n).astype(np.float64)
    return Table(x, y, None, rng.random(n) < hidden, {}, ())


def weights_of(kind: str, p: int = 3) -> int:
    """How many the model has."""
    return (len(CLASSES) if kind == "classes" else 1) * (p + 1)


def asked(spec: Plan, weights: np.ndarray) -> Ask:
    return build(spec).ask(Kind.TRAIN, 1, np.asarray(weights, dtype=np.float64).tobytes())


def words(spec: Plan, rows: Table, weights: np.ndarray) -> tuple[Grid, Words]:
    ask = asked(spec, weights)
    made = mechanism(spec, ask)
    (given,) = build(spec).contribute(ask, rows, system)
    return made.grid, given.encode(made.grid, made.limit).words


if __name__ == "__main__":
    for kind in KINDS:
        for method, clip in (*((method, None) for method in METHODS), ("gradient", 0.5)):
            spec, rows = plan(kind, method, p=40, most=10**4, clip=clip), table(kind, p=40, n=3000)
            print(sha256(words(spec, rows, np.linspace(-1, 1, weights_of(kind, 40)))[1].tobytes()).hexdigest())
