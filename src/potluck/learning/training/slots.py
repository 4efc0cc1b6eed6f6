"""With noise: each unit's gradient of a network in a slot of its own, clipped, and added up (`clipped_sums`).

A site has as many slots as the plan allows it rows (`data.max_rows`), and goes through all of them, whatever it holds:
time says nothing of how many units there are. Each unit stands in a slot that is drawn in secret for each sum, all ways
alike. So to take one unit away leaves the others where they are, as the bound of `clipped_sums` asks: the chances of
where they stand do not depend on it. A unit is a row, or the first `privacy.rows_per_person` rows of a person.
Where units are drawn for a sum in secret (`dp.sampling`) there are fewer slots: as many as the plan's public chance
fills of `data.max_rows`, but for once in 2^100 sums, when the surplus is left out. All of them are gone through then.
For an empty slot another row is read and let go: as many files are opened whoever was drawn, and however many there
are.

Layers are trained as the graph that says the same (`models.exports.as_graph`). It all runs on the processor, also where
an owner lets a graphics card train: there the order of sums, and so the bits of other units, can change by themselves.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import cycle, islice

import numpy as np

from potluck.core.party import Draw
from potluck.core.plan import Plan
from potluck.core.seeded import generator
from potluck.core.stages import RARE, Coins, Encoded, Floats, Grid, GridBlock, L
from potluck.learning.data.encode import encoding
from potluck.learning.data.table import Table
from potluck.learning.data.target import Goal, goal_of
from potluck.learning.data.units import Index, among_own, most_rows, sorted_by_person, whose
from potluck.learning.graph.file import Network
from potluck.learning.graph.interpreter import program, tensors
from potluck.learning.graph.per_row.foreseen import FEWEST_ROWS
from potluck.learning.graph.per_row.gradients import Gradients
from potluck.learning.graph.per_row.uses import uses
from potluck.learning.graph.schema import Weight
from potluck.learning.graph.steps import torch
from potluck.learning.graph.tensors import Array
from potluck.learning.models import graphs
from potluck.learning.models.exports.as_graph import as_graph
from potluck.learning.models.first.unfilled import first_model
from potluck.learning.models.fitted import training
from potluck.learning.models.forms import form_of
from potluck.learning.models.graph_model import columns, parts, vector
from potluck.learning.models.kinds import kind_of
from potluck.learning.models.losses import loss_of, wanted
from potluck.learning.training.clipped_sums import Take, Work, clipped_sum
from potluck.learning.training.drawn import band, chance
from potluck.learning.training.method import by_unit
from potluck.learning.training.row_sums import Whole, encoded, noised


@dataclass(frozen=True, eq=False)
class Net:
    """A plan's network as a graph. trained: its weights that train; order [d]: of their numbers, one after another,
    where each stands among the plan's weights."""

    network: Network = field(repr=False)
    trained: tuple[Weight, ...] = field(repr=False)
    order: Index = field(repr=False)

    def at_once(self, slots: int, each: int) -> int:
        """Slots of a microbatch, for so many or a few more, of so many rows each: all microbatches are as long, and
        there are as few as may be."""
        count = -(-slots // graphs.units_at_once(self.network, self.trained, each)[0])
        return max(-(-slots // count), -(-FEWEST_ROWS // each))


def net_of(plan: Plan, size: int) -> Net:
    """Of a plan whose network has so many weights that train."""
    if plan.drawn:
        return Net(graphs.network_of(plan), graphs.trained_of(plan), np.arange(size))
    network = as_graph(first_model(plan, np.arange(size, dtype=np.float64)))  # each weight says its own place
    weights = network.graph.weights
    return Net(network, weights, vector(network, weights).astype(np.int64))


def ready(plan: Plan) -> None:
    """Load what a plan's model is trained with, before a round's clock runs: it takes seconds. Raises GraphError,
    UsageError as `graphs.follow`."""
    graphs.follow(plan)
    if not (plan.traits.sums and plan.traits.learns and by_unit(plan)) or graphs.patterned(plan):
        return
    if kind_of(plan).layered and kind_of(plan).link is None:
        size = form_of(plan, goal_of(plan), len(encoding(plan).names)).size
        net_of(plan, size).at_once(plan.data.max_rows, most_rows(plan))


def units_of(plan: Plan, rows: Table) -> Index:
    """[units, each] a site's training rows by unit: their numbers, and -1 where a person has fewer rows."""
    index = np.flatnonzero(rows.train)
    if plan.privacy.unit != "person":
        return index[:, None]
    order, starts = sorted_by_person(whose(rows.person)[index])
    place = among_own(starts, len(order))
    found = np.full((len(starts), most_rows(plan)), -1)
    found[np.cumsum(place == 0) - 1, place] = index[order]
    return found


def in_a_sum(plan: Plan) -> tuple[int, int] | None:
    """(k, n): k in n units are in a sum on average, each by itself. None: all are."""
    groups = band(plan)
    return chance(plan) if groups is None else (1, groups.groups)


def enough(most: int, some: tuple[int, int] | None) -> int:
    """How many of `most` units may be in a sum, where each is with the chance k/n: more are less than once in
    1 / RARE sums (Chernoff's bound). None: all are."""
    if some is None:
        return most
    q = some[0] / some[1]
    low, high = math.floor(q * most), most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if most * _apart(middle / most, q) >= -math.log(RARE) else (middle, high)
    return high


def _apart(one: float, other: float) -> float:
    """The relative entropy of two coins."""
    return one * math.log(one / other) + (1 - one) * math.log((1 - one) / (1 - other))


def shuffled(count: int, draw: Draw) -> Index:
    """0 to count - 1 in an order that is drawn, all alike: by keys, drawn again where two are the same."""
    while True:
        keys = np.frombuffer(draw(8 * count), dtype="<u8")
        order = np.argsort(keys)
        if (np.diff(keys[order]) != 0).all():
            return order


@dataclass(frozen=True, eq=False)
class Slots:
    """What a site's units add at these weights. See `core.stages.Drawable`.

    units [k, each]: row numbers, -1 where a unit has fewer; order [n]: the slots, in the order in which units take
    them; mixed: numbers of all rows of the site, in an order that is drawn. Raises ValueError: there are more units
    than slots.
    """

    plan: Plan
    goal: Goal
    net: Net = field(repr=False)
    weights: Floats = field(repr=False)
    rows: Table = field(repr=False)
    units: Index = field(repr=False)
    order: Index = field(repr=False)
    mixed: Index = field(repr=False)
    step: int

    @property
    def slots(self) -> Index:
        """[n, each]: each unit in a slot of its own, and -1 in the others."""
        if len(self.units) > len(self.order):
            raise ValueError("more units than a site may have")
        found = np.full((len(self.order), self.units.shape[1]), -1)
        found[self.order[: len(self.units)]] = self.units
        return found

    def among(self, coins: Coins) -> "Slots":
        """See `core.stages.Drawable`."""
        return replace(self, units=self.units[coins(len(self.units))][: len(self.order)])

    def encode(self, grid: Grid, limit: L) -> Encoded[L]:
        """Each unit within the clip, as `clipped_sums` proves; and where that is asked, how many were short: half a
        count more for each whose norm is within the clip, half less for each other. Raises GraphError: torch fails."""
        part, *beside = grid.parts
        most, short = noised(limit).l2[0], 0

        def seen(some: Gradients) -> None:
            nonlocal short
            within, there = some.norms <= most, some.there
            short += int((there & within).sum()) - int((there & ~within).sum())

        found = self.summed(part, most, seen)
        counts = {one.name: np.array([round(short / (2 * one.step))]) for one in beside}
        return encoded({part.name: found} | counts, grid, limit)

    def summed(self, part: GridBlock, most: float, seen: Callable[[Gradients], None] = lambda found: None) -> Whole:
        """[d] the clipped gradients of all units, in whole steps of `part`. most, seen: as of `clipped_sum`."""
        found = np.empty(part.size, dtype=np.int64)
        found[self.net.order] = clipped_sum(self._work(), self.slots, part, most, seeds(self.plan, self.step), seen)
        return found

    def _work(self) -> Work:
        network, trained = self.net.network, self.net.trained
        held = {name: one.requires_grad_(False) for name, one in tensors(network).items()}
        for name, array in parts(self.weights[self.net.order], trained).items():
            held[name] = torch().from_numpy(array)
        made = uses(program(network.checked), [one.name for one in trained])
        each = self.units.shape[1]
        at_once = self.net.at_once(len(self.order), each)
        return Work(made, loss_of(self.goal).rows, held, self._taking(at_once * each), at_once)

    def _taking(self, size: int) -> Take:
        """What the graph takes of some rows, and what the loss does: each time so many rows are read, of which others
        are let go."""
        network, others = self.net.network, self.mixed[~np.isin(self.mixed, self.units)]
        kind = network.checked.values[network.graph.output].dtype
        more = cycle(others if len(others) else self.mixed)

        def take(index: Index) -> tuple[dict[str, Array], Array]:
            read = np.concatenate([index, np.fromiter(islice(more, size - len(index)), np.int64)])
            found = columns(network, self.rows.inputs[read])
            target = wanted(self.goal, self.rows.inputs[index], self.rows.target[index], kind)
            return {name: one[: len(index)] for name, one in found.items()}, target

        return take


def seeds(plan: Plan, step: int) -> Iterator[int]:
    """Public ones, of what a graph draws in each part of a round."""
    drawn = generator(training(plan).seed, "gradient", step, "draws")
    while True:
        yield int(drawn.integers(2**63))


def slots_of(plan: Plan, goal: Goal, net: Net, weights: Floats, rows: Table, step: int, draw: Draw) -> Slots:
    """A site's units, each to be in a slot that is drawn."""
    units = units_of(plan, rows)
    slots = enough(plan.data.max_rows, in_a_sum(plan))
    size = net.at_once(slots, units.shape[1])
    count = -(-slots // size) * size
    return Slots(plan, goal, net, weights, rows, units, shuffled(count, draw), shuffled(len(rows.target), draw), step)
