"""Fashion-MNIST at five sites with noise: accuracy on the 10,000 test pictures at epsilon 2.7, rows hidden.

Whole runs under masks. A linear layer on features by which nothing is learnt (`harness.scattering`), and a CNN, by
`gradient` with shared noise, rows drawn in secret; then ten rounds of ten steps of each site's own, where all noise is
inside each, beside ten rounds of one step on the sum of all sites. Clip, momentum and batches follow Tramer and
Boneh 2021 (arXiv 2011.11660). But for the rates of these ten rounds all settings were fixed before the first run here.
Nothing is charged for test pictures: plans hold no rows out, and the bench has them. One seed: each run takes minutes.
"""

import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

import potluck
from harness import clipping, fashion, fetched, plain, scattering
from harness.measure import Row, more
from harness.network_plan import PICTURES
from peers import noised_training as peers
from potluck.learning.models.graph_model import vector

SITES, SEED, EPSILON, DELTA, CLIP = 5, 15, 2.7, 1e-5, 0.1
TRAINED = 60_000
HIDDEN = {"unit": "row", "epsilon": EPSILON, "delta": DELTA, "clip": CLIP}
TITLE = f"Fashion-MNIST, {SITES} sites, eps={EPSILON}, one seed"


@dataclass(frozen=True, slots=True)
class Rows:
    """What a network takes of pictures. entry: of the column in a plan; sites: by name, what a run reads; x, y, test,
    right: the same numbers for peers, and those that models are judged by."""

    name: str
    entry: Mapping[str, object]
    sites: Mapping[str, Any]
    parts: list[Any]
    x: Any
    y: Any
    test: Any
    right: Any


@dataclass(frozen=True, slots=True)
class Case:
    """A network and its steps. local: of a round of Flower, about one pass over a site's rows."""

    module: Callable[[], Any]
    batch: int
    rate: float
    steps: int
    local: int
    goal: float


def cnn() -> Any:
    """Of 26,010 weights, with tanh."""
    return clipping.network("cnn")


LINEAR = Case(scattering.linear, batch=8_192, rate=16.0, steps=293, local=7, goal=0.886)
CNN = Case(cnn, batch=2_048, rate=4.0, steps=440, local=6, goal=0.84)
FEW, OWN, OWN_RATE, WHOLE_RATE = 10, 10, 30.0, 16.0
"""Rounds, steps in each, and rates: of own steps, and of the server's with momentum, the best of some."""


def rows() -> Iterator[Row]:
    """Of both networks, and of a site's own steps."""
    try:
        with tempfile.TemporaryDirectory() as temp:
            features = scattered()
            yield from of("scattering and a linear layer", LINEAR, features)
            yield own_steps(features)
            del features
            yield from of("CNN of 26,000 weights", CNN, pictures(Path(temp)))
    except (fetched.Missing, ModuleNotFoundError) as why:
        print(f"noised: no more rows: {why}", file=sys.stderr, flush=True)


def scattered() -> Rows:
    """Features, in frames with a list of numbers a cell. Raises fetched.Missing."""
    import torch

    (some, labels), (test, right) = fashion.pictures("train"), fashion.pictures("t10k")
    found, judged = scattering.features(some), scattering.features(test)
    parts = fashion.evenly(labels, SITES, SEED)
    held = {f"s{place}": _frame(found[part], labels[part]) for place, part in enumerate(parts)}
    entry = {"kind": "tensor", "shape": [scattering.COUNT], "low": -scattering.MOST, "high": scattering.MOST}
    arrays = (torch.from_numpy(one) for one in (found / scattering.MOST, labels, judged / scattering.MOST, right))
    return Rows("scattered", entry, held, parts, *arrays)


def _frame(found: Any, labels: Any) -> pd.DataFrame:
    cells = pd.Series(list(found), dtype=object)
    return pd.DataFrame({"scattered": cells, "kind": [f"k{label}" for label in labels]})


def pictures(room: Path) -> Rows:
    """PNG files. Raises fetched.Missing."""
    import torch

    (some, labels), (test, right) = fashion.pictures("train"), fashion.pictures("t10k")
    parts = fashion.evenly(labels, SITES, SEED)
    held = {
        f"s{place}": fashion.written(room / f"s{place}", some[part], labels[part]) for place, part in enumerate(parts)
    }
    entry = {"kind": "image", "shape": list(PICTURES.sizes), "low": 0, "high": 255}
    arrays = (torch.from_numpy(one) for one in (fashion.scaled(some), labels, fashion.scaled(test), right))
    return Rows(PICTURES.column, entry, held, parts, *arrays)


def of(name: str, case: Case, given: Rows) -> Iterator[Row]:
    """Ours, beside the same steps with all rows in one place, and beside Flower. Raises ModuleNotFoundError."""
    title = f"{TITLE}, {name}: accuracy"
    wish = peers.Wish(case.batch, TRAINED, case.steps, case.rate, CLIP, EPSILON, DELTA)
    module = case.module()
    peers.central(module, given.x, given.y, wish, SEED)
    best = plain.accuracy(module, given.test, given.right)
    ours = _ours(case.module(), given, {
        "method": "gradient", "optimizer": "momentum", "rate": case.rate, "rounds": case.steps, "batch": case.batch,
        "iterates": "averaged"}, "shared")  # fmt: skip
    yield more(title, (ours, best), peers.CENTRAL, "accuracy", case.goal / best)
    module = case.module()
    peers.flower(module, given.x, given.y, given.parts, wish, case.local, SEED)
    yield more(f"{title}: peer", (ours, plain.accuracy(module, given.test, given.right)), peers.FLOWER, "accuracy")


def own_steps(given: Rows) -> Row:
    """Ten rounds, by steps of each site's own and by one step a round."""
    own = {"method": "average", "rounds": FEW, "steps": OWN, "rate": OWN_RATE}
    one = {"method": "gradient", "optimizer": "momentum", "rounds": FEW, "rate": WHOLE_RATE}
    pair = _ours(scattering.linear(), given, own, "site"), _ours(scattering.linear(), given, one, "shared")
    title = f"{TITLE}, {FEW} rounds of a linear layer, {OWN} own steps in each: accuracy"
    return more(title, pair, "a step a round, shared noise", "accuracy")


def _ours(module: Any, given: Rows, training: Mapping[str, object], noise: str) -> float:
    sizes = tuple(given.x.shape[1:])
    with tempfile.TemporaryDirectory() as folder:
        graph = Path(folder) / "net.graph"
        potluck.graph(module, inputs={given.name: ("float32", sizes)}, path=graph)
        plan = potluck.Plan(
            name="noised",
            purpose="bench",
            task="train",
            federation={"sites": list(given.sites), "corrupt": 1, "dropouts": 1, "patience": 300},
            data={
                "columns": {given.name: dict(given.entry)},
                "target": {"column": "kind", "classes": [f"k{kind}" for kind in range(fashion.CLASSES)]},
                "max_rows": TRAINED // SITES,
            },
            model={"kind": "network", "graph": str(graph), "l2": 0},
            training={"expected_rows": TRAINED, **training},
            protect={"with": "mask"},
            privacy={"noise": noise, **HIDDEN},
        )
        run = potluck.run(plan, given.sites, out=f"{folder}/run", ledger=f"{folder}/ledger")
        assert run.model.graph is not None
        network = run.model.graph.network
    plain.taken(module, vector(network, [one for one in network.graph.weights if one.train]))
    return plain.accuracy(module, given.test, given.right)
