"""What sums of drawn rows tell of who is there, measured: canaries in a site's rows, and the best test of each.

A canary is a row whose gradient has a direction of its own. Half of them are there. Whoever reads the sums asks of each
canary, by the likelihood of what was read along its direction, whether it is there: as an optimal attacker would who
does not know who was drawn, and as one would who believes that a seed of the plan draws. Noise and draws of different
canaries are independent, so that each is a trial of the same game: how often canaries that are there, and that are
not, are said to be there bounds the epsilon that was really spent from below. What is charged says an epsilon for every
delta, and larger deltas can be looked at with fewer trials.
References: Kairouz, Oh, Viswanath 2015, arXiv 1311.0776 (errors and epsilon, here with Clopper's and Pearson's
intervals); Steinke, Nasr, Jagielski 2023, arXiv 2305.08846 (many canaries in one run).
"""

import dataclasses
import math
from importlib.util import find_spec

import msgspec
import numpy as np
import pandas as pd
import pytest
from scipy import stats

if find_spec("torch") is None:
    pytest.skip("the networks extra is missing", allow_module_level=True)

import torch

import potluck
from potluck.core.fixed import signed
from potluck.dp.loss import epsilon
from potluck.dp.mechanism import Noised, guarded, mechanism
from potluck.dp.sampling import Drawn
from potluck.learning.data.table import read
from potluck.learning.graph.per_row.gradients import Gradients
from potluck.learning.loops import build
from potluck.learning.training import gradient
from potluck.testing.draws import seeded

pytestmark = [pytest.mark.slow, pytest.mark.torch]
MANY, TURNS, ROUNDS = 1000, 20, 8
"""Canaries; how often they all are asked of; sums that are read each time."""
BATCH, OF = 50, 500
EPSILON, DELTA, CLIP = 2.0, 1e-5, 0.05
DELTAS = (DELTA, 0.01, 0.03)
MISSED = 1e-6
"""How often a program that keeps its promise is said to break it, at most."""
COLUMNS = {"network": ("a",), "logistic": ("a", "b", "c")}
"""Of a canary's own. A linear model's intercept, which all share, has one part of a gradient's square."""


def plan(kind, tmp_path):
    values = [f"v{number}" for number in range(MANY)]
    columns = {name: {"kind": "category", "values": values} for name in COLUMNS[kind]}
    model = {"kind": kind, "l2": 0.0}
    if kind == "network":
        module = torch.nn.Linear(MANY, 1, bias=False)
        torch.nn.init.zeros_(module.weight)
        potluck.graph(module, inputs={"features": [MANY]}, path=tmp_path / "net.graph")
        model["graph"] = str(tmp_path / "net.graph")
    return potluck.Plan(
        name="canaries", purpose="a test", task="train",
        federation={"sites": ["a", "b", "c"], "server": "curious"},
        data={
            "columns": columns | {"y": {"kind": "category", "values": ["0", "1"]}},
            "max_rows": MANY, "target": {"column": "y", "positive": ["1"]},
        },
        model=model, protect={"with": "clear"},
        privacy={"noise": "site", "unit": "row", "epsilon": EPSILON, "delta": DELTA, "clip": CLIP},
        training={"method": "gradient", "rounds": ROUNDS, "rate": 0.1, "batch": BATCH, "expected_rows": OF},
    ).spec  # fmt: skip


def shown(kind, tmp_path):
    """(what canaries show at least, what is charged), the epsilons of each of DELTAS."""
    spec = plan(kind, tmp_path)
    task, names = build(spec), COLUMNS[kind]
    ask = next(task.lead())
    bound = mechanism(spec, ask)
    step, shared = bound.grid.parts[0].step, int(kind == "logistic")
    moved = CLIP * math.sqrt(len(names) / (len(names) + shared))
    sigma, q = bound.sigma[0] * step, BATCH / OF
    found = []
    for turn in range(TURNS):
        there = np.arange(MANY) % 2 == turn % 2
        values = [f"v{number}" for number in np.flatnonzero(there)]
        table = read(pd.DataFrame(dict.fromkeys(names, values) | {"y": "1"}), spec, "a")
        scores = np.zeros((2, MANY))
        for number in range(ROUNDS):
            draw = Turn(turn * ROUNDS + number)
            words = guarded(bound, task.contribute(ask, table, draw), draw).words
            along = -signed(words).astype(float)[shared:].reshape(len(names), MANY).sum(0) * step
            ratio = (2 * along / math.sqrt(len(names)) * moved - moved**2) / (2 * sigma**2)
            scores[0] += np.logaddexp(math.log1p(-q), math.log(q) + ratio)
            scores[1] += believed(draw.seed, there) * ratio
        found.append((scores[:, there], scores[:, ~there]))
    mine, other = (np.concatenate(some, axis=1) for some in zip(*found, strict=True))
    event = msgspec.structs.replace(bound.cost.event, count=ROUNDS)
    return [
        (max(refuted(*game, delta) for game in zip(mine, other, strict=True)), epsilon([event], delta))
        for delta in DELTAS
    ]


class Turn:
    """A site's randomness, the same in every test, which knows the number of the sum."""

    def __init__(self, seed):
        self.seed, self._draw = seed, seeded("canaries", seed)

    def __call__(self, size):
        return self._draw(size)


def believed(seed, there):
    """[MANY] who is drawn if a public seed draws: the coin at the place where each canary would stand."""
    coins = np.frombuffer(seeded("plan", seed)(8 * MANY), "<u8") < np.uint64((BATCH << 64) // OF)
    return coins[np.cumsum(there) - there]


def refuted(there, away, delta):
    """The largest epsilon that a threshold's errors refute; all thresholds, directions, attacks and deltas together
    are wrong with the chance MISSED."""
    places = np.quantile(np.concatenate([there, away]), np.linspace(0.002, 0.998, 60))
    sure, lowest = MISSED / (4 * 2 * len(DELTAS) * len(places)), 0.0
    for place in places:
        for mine, other in ((there > place, away > place), (away <= place, there <= place)):
            hit, false = int(mine.sum()), int(other.sum())
            least = stats.beta.ppf(sure, hit, len(mine) - hit + 1) if hit else 0.0
            most = stats.beta.isf(sure, false + 1, len(other) - false) if false < len(other) else 1.0
            if least > delta:
                lowest = max(lowest, math.log((least - delta) / most))
    return lowest


def without_clip(monkeypatch):
    monkeypatch.setattr(
        Gradients, "factors", lambda self, clip, *, double: torch.ones(len(self.there), device=self.there.device)
    )
    clipped = gradient.clipped
    monkeypatch.setattr(gradient, "clipped", lambda x, off, part, most, space: clipped(x, off, part, 1e3, space))


def half_the_noise(monkeypatch):
    whole = Noised._noised

    def halved(self, words, draw):
        return whole(dataclasses.replace(self, share=tuple(one / 2 for one in self.share)), words, draw)

    monkeypatch.setattr(Noised, "_noised", halved)


def a_seed_of_the_plan_draws(monkeypatch):
    plain = Drawn.taken
    monkeypatch.setattr(Drawn, "taken", lambda self, given, draw: plain(self, given, seeded("plan", draw.seed)))


@pytest.mark.parametrize("kind", COLUMNS)
def test_canaries_show_no_more_than_was_charged(kind, tmp_path):
    found = shown(kind, tmp_path)
    assert all(least <= charged for least, charged in found), found
    assert found[0][1] <= EPSILON
    assert found[0][0] > 0


@pytest.mark.parametrize("bug", [without_clip, half_the_noise, a_seed_of_the_plan_draws])
@pytest.mark.parametrize("kind", COLUMNS)
def test_canaries_show_each_bug(kind, bug, tmp_path, monkeypatch):
    bug(monkeypatch)
    found = shown(kind, tmp_path)
    assert any(least > charged for least, charged in found), found
