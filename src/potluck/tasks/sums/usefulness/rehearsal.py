"""Training as a plan says it, on made-up rows and with the plan's noise: what comes of it before anything is spent.

The loop is the plan's own (`learning.loops`), and so is every sum's clip, grid and noise (`dp.mechanism`). Of more
rows than ROWS so many are made up, and noise is as much less as they are fewer, so that means are as noisy as they
would be. Noise and coins have public seeds; rows are nobody's, and nothing is kept of them.

What it does NOT reckon with: that fewer rows are a smaller sample, which makes models of very many rows look a little
worse; sites that drop out or differ; a person's rows, of which it has one each.
"""

import math
from dataclasses import dataclass, replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from potluck.core.asks import Answer, Ask, Block
from potluck.core.errors import PotluckError
from potluck.core.plan import Plan, required
from potluck.core.rounds import Abort
from potluck.core.seeded import stream
from potluck.core.stages import Floats, Opened
from potluck.dp.mechanism import Noised, guarded, mechanism
from potluck.dp.noise import LARGEST
from potluck.dp.reveal import reveal
from potluck.learning.data.encode import encoding, tensors
from potluck.learning.data.table import Table
from potluck.learning.data.target import Goal, goal_of, scores
from potluck.learning.evaluation.ranking import curve
from potluck.learning.loops import TrainTask
from potluck.learning.models.fitted import training
from potluck.learning.models.forms import weights_of
from potluck.learning.models.kinds import kind_of
from potluck.learning.models.model import Model
from potluck.learning.training import drawn
from potluck.learning.training.method import method_of
from potluck.tasks.sums.usefulness.rows import MadeUp, made_up

ROWS, LEAST, HELD = 800, 300, 2000
"""Made-up rows to train on at most, and of models with many weights; and rows to judge models on."""
WORK = 400_000
"""Rows times numbers in a sum, beyond which fewer rows are made up."""
LONGEST = 2e7
"""The same times rounds, beyond which no plan is rehearsed: seconds."""
SURE = 1e-9
"""The smallest chance that a log-loss counts."""
METRIC = {"binary": "auc", "classes": "accuracy", "number": "r2"}


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """value: of a metric on held-out rows; best: that of the model which made them; guess: of one that knows nothing.
    kept: how much of the way from the one to the other noise, few rows and steps that have not arrived have left; below
    0 it is worse than a guess. fits: of a number the same; of sides and classes its mean with that of the log-loss,
    which sees a model that ranks rows well and says "no" of all. Each counts from -1 on."""

    value: float
    best: float
    guess: float
    kept: float
    fits: float


def obstacle(spec: Plan) -> str:
    """Why no rehearsal says how useful a plan's model will be; empty: one does."""
    kind, goal, expected = kind_of(spec), goal_of(spec), training(spec).expected_rows
    if goal.side not in METRIC or tensors(encoding(spec)) or kind.deep:
        return "made-up rows say nothing of texts, pictures and several labels, nor of networks beside them"
    if method_of(spec).by_site or spec.privacy.unit == "site":
        return "sites count here, not rows"
    if expected is None:
        return "training.expected_rows does not say of how many rows it is"
    if _rows(spec, expected) * _numbers(spec) * training(spec).rounds > LONGEST:
        return "its rehearsals would take long"
    return ""


def rehearsed(spec: Plan, rows: int, share: float, number: int) -> Rehearsed | None:
    """The model of one made-up table. spec: of a plan without `obstacle`; rows: that the run has; share: of positive
    ones; number: which table. None: its noise cannot be kept, or it drew too few rows to train on."""
    goal, some = goal_of(spec), _rows(spec, rows)
    found = made_up(encoding(spec), goal, share, some + HELD, number)
    try:
        model = _trained(_smaller(spec, some), spec, found, some, rows, number)
    except Abort:
        margins = np.zeros_like(found.best[some:])  # a model that left every bound is worth nothing
    except (PotluckError, ValueError):
        return None
    else:
        margins = model.margins(found.features[some:])
    return _judged(goal, margins, found.best[some:], found.target[some:])


def _numbers(spec: Plan) -> int:
    """In a sum, about."""
    return (method_of(spec).values or weights_of)(spec, len(encoding(spec).names))


def _rows(spec: Plan, rows: int) -> int:
    """How many are made up."""
    return min(rows, max(LEAST, min(ROWS, WORK // _numbers(spec))))


def _smaller(spec: Plan, rows: int) -> Plan:
    """The plan of so many rows, none of which is held out."""
    now = training(spec)
    expected = required(now.expected_rows)
    batch = None if now.batch is None else max(1, round(now.batch * rows / expected))
    data = msgspec.structs.replace(spec.data, split=None)
    then = msgspec.structs.replace(now, expected_rows=max(rows, 1), batch=batch)
    return msgspec.structs.replace(spec, training=then, data=data)


def _trained(small: Plan, spec: Plan, found: MadeUp, some: int, rows: int, number: int) -> Model:
    nobody = np.zeros(some, np.bool_)
    person = np.arange(some) if spec.privacy.unit == "person" else None
    table = Table(found.features[:some], found.target[:some], person, nobody, {}, ())
    draw, task = stream(0, "rehearsal", number, "noise"), TrainTask(small, evaluated=False)
    lead, chance, known = task.lead(), drawn.chance(spec), dict[tuple[Block, ...], tuple[Noised, int]]()
    ask = next(lead)
    while True:
        if ask.blocks not in known:
            known[ask.blocks] = _scaled(spec, replace(ask, chance=chance), some / rows)
        bound, givers = known[ask.blocks]
        words = guarded(bound, task.contribute(ask, table, draw), draw).words
        for _ in range(1, givers):
            words = words + guarded(bound, (), draw).words
        opened = Opened(words, frozenset(spec.sites[:givers]))
        try:
            ask = lead.send(Answer(reveal(bound.at_reveal(opened, draw), bound.grid), bound.grid))
        except StopIteration as stop:
            trained: Model = stop.value.model
            return trained


def _scaled(spec: Plan, ask: Ask, scale: float) -> tuple[Noised, int]:
    """The noise of all sites, so many times as loud, and how many sites add it here: one, or as many as it takes for
    their noise to be on the grid."""
    bound = mechanism(spec, ask)
    assert isinstance(bound, Noised)  # of a plan with noise whose units add to the sum of all
    times = scale * (1.0 if bound.word == "reveal" else math.sqrt(len(spec.federation.sites)))
    givers = max(1, math.ceil((max(bound.share) * times / LARGEST) ** 2))
    loud = tuple(one * times / math.sqrt(givers) for one in bound.share)
    return replace(bound, word="site", share=loud, within=False), givers


def _judged(goal: Goal, margins: Floats, best: Floats, target: Floats) -> Rehearsed:
    if goal.side == "number":
        spread = float(((target - target.mean()) ** 2).mean())
        off = [float(((target - np.clip(one[:, 0], -1, 1)) ** 2).mean()) for one in (margins, best)]
        value, most = (1 - one / spread for one in off)
        kept = _way(value, most, 0.0)
        return Rehearsed(max(value, -1.0), most, 0.0, kept, kept)
    shares = np.bincount(target.astype(np.int64), minlength=max(goal.outputs, 2)) / len(target)
    known = -float((shares[shares > 0] * np.log(shares[shares > 0])).sum())
    loss, least = (_loss(goal, one, target) for one in (margins, best))
    if goal.side == "binary":
        value, most, guess = (*(_area(one[:, 0], target > 0) for one in (margins, best)), 0.5)
    else:
        right = [float((one.argmax(axis=1) == target).mean()) for one in (margins, best)]
        value, most, guess = (*right, float(shares.max()))
    kept = _way(value, most, guess)
    return Rehearsed(value, most, guess, kept, (kept + _way(loss, least, known)) / 2)


def _way(value: float, best: float, guess: float) -> float:
    return max(-1.0, (value - guess) / (best - guess))


def _loss(goal: Goal, margins: Floats, target: Floats) -> float:
    """The mean log-loss."""
    chance = scores(goal, margins)
    chance = np.hstack([1 - chance, chance]) if goal.side == "binary" else chance
    return -float(np.log(np.maximum(chance[np.arange(len(target)), target.astype(np.int64)], SURE)).mean())


def _area(margins: Floats, positive: NDArray[np.bool_]) -> float:
    found = curve(margins[~positive], margins[positive])
    return 0.5 if found is None else found[0]
