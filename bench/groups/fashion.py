"""Fashion-MNIST at five sites: accuracy on the 10,000 test pictures by rounds, beside centralised PyTorch and Flower.

A CNN, one pass of local SGD a round. Ours reads PNG files and a graph, and opens the sums that every protection opens.
Flower's FedAvg and the centralised loop start from the same weights and take as many steps of the same rate;
centralised steps are five times as wide, so that they see as many pictures. Pictures are spread evenly, and by shares a
class from a Dirichlet distribution of .5.
"""

import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness import fashion, fetched, modules, one_site, plain
from harness.measure import Row, more
from harness.network_plan import PICTURES, RATE, tables
from peers import flower_here

SITES, ROUNDS, SEED, ALPHA = 5, 12, 15, 0.5
SHOWN = (1, 4, 12)


def rows(most: int | None = None, rounds: int = ROUNDS) -> Iterator[Row]:
    """Both ways to spread the pictures. most: so many pictures alone, for a trial."""
    import torch

    try:
        some, labels = fashion.pictures("train")
        test, right = fashion.pictures("t10k")
    except fetched.Missing as why:
        print(f"fashion: no row: {why}", file=sys.stderr, flush=True)
        return
    some, labels = some[:most], labels[:most]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    x, y = torch.from_numpy(fashion.scaled(some)), torch.from_numpy(labels)
    judged = (torch.from_numpy(fashion.scaled(test)), torch.from_numpy(right))
    whole = _centralised(x, y, judged, rounds)
    spreads = {
        "evenly": fashion.evenly(labels, SITES, SEED),
        f"Dirichlet {ALPHA}, seed {SEED}": fashion.unevenly(labels, SITES, ALPHA, SEED),
    }
    for name, parts in spreads.items():
        ours = _ours(some, labels, parts, judged, rounds)
        flower = _flower(x, y, parts, judged, rounds)
        for number in (one for one in SHOWN if one <= rounds):
            what = f"Fashion-MNIST, {SITES} sites, {name}, accuracy after {number} rounds"
            yield more(what, (ours[number - 1], whole[number - 1]), "centralised PyTorch, as many steps", "accuracy")
            yield more(f"{what}: peer", (ours[number - 1], flower[number - 1]), flower_here.NAME, "accuracy")
    torch.set_num_threads(threads)


def _ours(some: Any, labels: Any, parts: Sequence[Any], judged: tuple[Any, Any], rounds: int) -> list[float]:
    module, found = modules.few_weights(), []
    with tempfile.TemporaryDirectory() as temp:
        plan, held = tables(Path(temp), module, some, labels, parts, rounds)
        for weights in one_site.after_each_round(plan, *held):
            plain.taken(module, weights)
            found.append(plain.accuracy(module, *judged))
    return found


def _centralised(x: Any, y: Any, judged: tuple[Any, Any], rounds: int) -> list[float]:
    module, found = modules.few_weights(), []
    for number in range(rounds):
        order = np.random.default_rng((SEED, number)).permutation(len(y))
        plain.steps(module, x, y, order, SITES * PICTURES.batch, RATE)
        found.append(plain.accuracy(module, *judged))
    return found


def _flower(x: Any, y: Any, parts: Sequence[Any], judged: tuple[Any, Any], rounds: int) -> list[float]:
    import torch

    module, found = modules.few_weights(), []

    def set_to(arrays: Sequence[Any]) -> None:
        with torch.no_grad():
            for one, array in zip(module.parameters(), arrays, strict=True):
                one.copy_(torch.from_numpy(np.array(array)))

    def site(place: int, part: Any) -> flower_here.Fit:
        def fit(arrays: Sequence[Any], number: int) -> tuple[list[Any], int]:
            set_to(arrays)
            order = part[np.random.default_rng((SEED, number, place)).permutation(len(part))]
            plain.steps(module, x, y, order, PICTURES.batch, RATE)
            return [one.detach().numpy().copy() for one in module.parameters()], len(part)

        return fit

    def seen(arrays: Sequence[Any]) -> None:
        set_to(arrays)
        found.append(plain.accuracy(module, *judged))

    begin = [one.detach().numpy().copy() for one in module.parameters()]
    flower_here.federated(begin, [site(place, part) for place, part in enumerate(parts)], rounds, seen)
    return found[1:]
