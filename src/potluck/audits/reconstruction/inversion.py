"""Rows whose slopes are those that were seen, searched for: of any graph that the interpreter runs.

Made-up rows are moved until their slope points where the seen one does. What is made small is the squared distance of
the two slopes, each of length 1, so that neither a clip nor a rate matters: by L-BFGS from several beginnings (DLG);
and, in what time is left, by signs of slopes with total variation where an input is a picture (Geiping). Labels are
read in the opened counts of rows; with noise there are none, and the slopes of the last bias say which.
References: Zhu, Liu, Han 2019, arXiv 1906.08935 (DLG); Zhao, Mopuri, Bilen 2020, arXiv 2001.02610 (labels); Geiping et
al. 2020, arXiv 2003.14053 (directions, signs, total variation).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from potluck.audits.attack import Found, Sort, Until
from potluck.audits.reconstruction.slopes import input_of, rows_in, slopes_of
from potluck.audits.rows import Likeness
from potluck.audits.seen import Known, Seen
from potluck.core.plan import Plan
from potluck.core.stages import Floats
from potluck.learning.data.encode import encoding
from potluck.learning.data.target import TWO_SIDED, goal_of
from potluck.learning.graph.interpreter import forward, program
from potluck.learning.graph.steps import torch
from potluck.learning.models.fitted import training
from potluck.learning.models.forms import form_of
from potluck.learning.models.graph_form import GraphForm
from potluck.learning.models.graphs import network_of, trained_of
from potluck.learning.models.losses import loss_of
from potluck.learning.models.one_thread import one_thread

if TYPE_CHECKING:
    from torch import Tensor

MOST = 8
"""Rows of a sum, beyond which nothing is tried."""
SUMS = 100
"""Sets of sites that are tried, those of few rows first."""
NEAR = 1e-9
"""A squared distance of two slopes below which a row is as found as the graph's type allows."""
TURNS, BEGINNINGS, SMOOTH = 80, 3, 1e-3


@dataclass(frozen=True, slots=True)
class Inversion:
    """See the module."""

    name: str = "inversion"
    sort: Sort = Sort.RECONSTRUCTION
    reference: str = "Zhu et al. 2019, arXiv 1906.08935; Geiping et al. 2020, arXiv 2003.14053"

    def fits(self, seen: Seen) -> str | None:
        """It needs a graph of one input of numbers that predicts sides or classes, and a sum over few rows."""
        plan = seen.plan
        if plan.model is None or not plan.drawn:
            return "the model is no graph"
        inputs = network_of(plan).graph.inputs
        if len(inputs) > 1 or inputs[0].dtype != "float32":
            return "the graph takes something else than one tensor of numbers"
        if goal_of(plan).side not in (*TWO_SIDED[:1], "classes") or training(plan).class_weights:
            return "labels are neither two sides nor classes, or weigh apart"
        return None if _few(seen) else f"no sum of slopes over at most {MOST} rows was read"

    def tried(self, seen: Seen, until: Until) -> Sequence[Found]:
        """Rows of each set of sites, from the first sum over them."""
        few = _few(seen)[:SUMS]
        found: list[Found] = []
        with one_thread():
            for place, (known, rows) in enumerate(few):
                if until.over:
                    break
                search = _Search(seen.plan, known, rows, until.part(1 / (len(few) - place)))
                guesses, distance = search.done()
                take = partial(input_of, search.input)
                found.append(Likeness(known.of, guesses, take, distance))
        return found


def _few(seen: Seen) -> list[tuple[Known, int]]:
    """The first sum over each set of sites that is of few rows, and of how many."""
    first: dict[frozenset[str], tuple[Known, int]] = {}
    for one in seen.training():
        rows = rows_in(one, seen.plan)
        if one.of not in first and 0 < rows <= MOST and slopes_of(one) is not None:
            first[one.of] = one, rows
    return sorted(first.values(), key=lambda each: each[1])


@dataclass(eq=False)
class _Search:
    """One search for the rows [n, *shape] of a sum."""

    plan: Plan
    known: Known
    rows: int
    until: Until
    weights: "dict[str, Tensor]" = field(init=False, repr=False)
    moving: "list[Tensor]" = field(init=False, repr=False)
    wanted: "Tensor" = field(init=False, repr=False)
    labels: "Tensor" = field(init=False, repr=False)

    def __post_init__(self) -> None:
        loaded, goal = torch(), goal_of(self.plan)
        form = form_of(self.plan, goal, len(encoding(self.plan).names))
        assert isinstance(form, GraphForm)
        slopes = slopes_of(self.known)
        assert slopes is not None
        self.network = network_of(self.plan)
        self.loss = loss_of(goal)
        (given,) = self.network.graph.inputs
        self.input, self.shape = given.name, tuple(int(one) for one in given.shape[1:])
        self.weights, moving = form.held_and_moved(self.known.weights[: form.size])
        self.moving = list(moving.values())
        self.wanted = _unit(loaded.from_numpy(slopes[: form.size]).float())
        self.labels = loaded.from_numpy(labels(self.plan, self.known, slopes, self.rows)).float()

    def done(self) -> tuple[Floats, float]:
        """The rows [n, p] found, and the squared distance of their slope."""
        best, least = None, float("inf")
        for number in range(BEGINNINGS):
            if (self.until.over and best is not None) or least < NEAR:
                break
            start = torch().from_numpy(self.until.rng.uniform(-1, 1, (self.rows, *self.shape))).float()
            for way in (_by_curvature, _by_signs) if number else (_by_curvature,):
                rows = way(start, self.distance, self.until)
                distance = float(self.distance(rows).detach())
                if best is None or distance < least:
                    best, least = rows, distance
                if least < NEAR:
                    break
        assert best is not None
        return np.asarray(best.clamp(-1, 1).reshape(self.rows, prod(self.shape)).numpy(), np.float64), least

    def distance(self, rows: "Tensor") -> "Tensor":
        """Of the slope of these rows [n, *shape] and the seen one, each of length 1, squared."""
        margins = forward(program(self.network.checked), self.weights, {self.input: rows}, train=False)
        lost = self.loss.total(margins, self.labels, None)
        slopes = torch().autograd.grad(lost, self.moving, create_graph=True, materialize_grads=True)
        found: Tensor = (_unit(torch().cat([one.reshape(-1) for one in slopes])) - self.wanted).square().sum()
        return found


def _unit(slopes: "Tensor") -> "Tensor":
    found: Tensor = slopes / (slopes.norm() + 1e-30)
    return found


def _by_curvature(start: "Tensor", distance: "Callable[[Tensor], Tensor]", until: Until) -> "Tensor":
    rows = start.detach().clone().requires_grad_()
    steps = torch().optim.LBFGS([rows], lr=1.0, max_iter=4, history_size=50, line_search_fn="strong_wolfe")

    def closure() -> "Tensor":
        steps.zero_grad()
        (rows.grad,) = torch().autograd.grad(lost := distance(rows), [rows])
        return lost.detach()

    kept, least = rows.detach().clone(), float("inf")
    for _ in range(TURNS):
        before = float(steps.step(closure).detach())
        now = float(distance(rows).detach())
        if now < least:
            kept, least = rows.detach().clone(), now
        if now < NEAR or not now < before * (1 - 1e-4) or until.over:
            break
    return kept


def _by_signs(start: "Tensor", distance: "Callable[[Tensor], Tensor]", until: Until) -> "Tensor":
    rows = start.detach().clone().requires_grad_()
    for turn in range(10 * TURNS):
        if until.over:
            break
        lost = distance(rows) + SMOOTH * _variation(rows)
        (slope,) = torch().autograd.grad(lost, [rows])
        with torch().no_grad():
            rows -= 0.1 * 0.5 ** (turn // (2 * TURNS)) * slope.sign()
            rows.clamp_(-1, 1)
    return rows.detach()


def _variation(rows: "Tensor") -> "Tensor":
    """Of pictures [n, channels, height, width]: how much neighbours differ; 0 of other rows."""
    if rows.dim() < 4:
        return rows.new_zeros(())
    found: Tensor = rows.diff(dim=-1).abs().mean() + rows.diff(dim=-2).abs().mean()
    return found


def labels(plan: Plan, known: Known, slopes: Floats, rows: int) -> Floats:
    """[n] the labels of a sum: its counts where it has some; else those that most lower a slope of the last bias."""
    counts = known.part("rows")
    if counts is not None and len(counts) > 1:
        return np.repeat(np.arange(len(counts)), np.rint(counts).astype(np.int64)).astype(np.float64)
    goal = goal_of(plan)
    last = trained_of(plan)[-1]
    bias = slopes[len(slopes) - prod(last.shape) :].copy() if len(last.shape) == 1 else np.zeros(goal.outputs)
    if goal.outputs == 1:
        return np.full(rows, float(bias[0] < 0))
    share, found = np.abs(bias).sum() / 2 / rows, []
    for _ in range(rows):
        found.append(int(bias.argmin()))
        bias[found[-1]] += share
    return np.sort(np.array(found, dtype=np.float64))


INVERSION = Inversion()
