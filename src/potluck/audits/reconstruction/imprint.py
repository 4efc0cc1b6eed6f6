"""Rows from an imprint: a first layer whose units all measure one direction of a row, from graded thresholds on.

A unit has a slope of every row beyond its threshold. If the units behind it carry on alike, the slopes of neighbours
differ by those of the rows between their thresholds, and of one such row the quotient of that difference, of weights
by bias, is the row. All others cancel out, however many rows and sites the sum is over, and whoever adds it up.
Rows that share a bin come out as a mean of theirs; so only true rows can say that a guess is one.
A plan fixes its first model and its owners approve that with its hash; a later one follows from sums, which sites
cannot check. Where no model that was announced acts as an imprint, this does not fit.
Reference: Fowl et al. 2022, "Robbing the Fed", arXiv 2110.13057.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import msgspec
import numpy as np

from potluck.audits.attack import Found, Scene, Sort, Until
from potluck.audits.control import bare, lines_of, scene_of
from potluck.audits.reconstruction.analytic import possible
from potluck.audits.reconstruction.slopes import slopes_of, step_of, take_of
from potluck.audits.rows import Rows
from potluck.audits.seen import Known, Seen
from potluck.core.errors import PotluckError
from potluck.core.plan import Plan, required
from potluck.core.rounds import Abort
from potluck.core.seeded import Generator
from potluck.core.stages import Floats
from potluck.learning.data.encode import encoding
from potluck.learning.data.target import goal_of
from potluck.learning.made_up import features
from potluck.learning.models.first.imprint import LEAST, WIDE, bins_of
from potluck.learning.models.first.layer import Layer, layer_of
from potluck.learning.models.first.unfilled import first_model
from potluck.learning.models.forms import form_of
from potluck.learning.models.layers import unpacked
from potluck.learning.models.started import Started, started

SURE = 64
"""Steps of the grid below which a difference says nothing."""
REACH = 1 + 1e-3
"""No encoded feature is farther from 0."""
ROWS, SAMPLE = 8, 16
"""A site of the control has so many rows; batches of rows of no one, between which its thresholds are laid."""
MOST = 20_000
"""Differences that are looked at."""


@dataclass(frozen=True, slots=True)
class Imprint:
    """See the module."""

    name: str = "imprint"
    sort: Sort = Sort.RECONSTRUCTION
    reference: str = "Fowl et al. 2022, arXiv 2110.13057"

    def fits(self, seen: Seen) -> str | None:
        """It needs sums of slopes at a model that acts as an imprint."""
        if not any(slopes_of(one) is not None for one in seen.training()):
            return "nothing that was read holds a sum of slopes"
        layer = layer_of(seen.plan)
        if layer is None:
            return "no layer with a bias stands first in the network"
        if layer.outputs < LEAST or layer.inputs < WIDE:
            return f"it needs a first layer of {LEAST} units or more on {WIDE} numbers or more"
        return None if any(_imprinted(seen, layer)) else "no model that was announced acts as an imprint"

    def tried(self, seen: Seen, until: Until) -> Sequence[Found]:
        """Rows of each set of sites of which such a sum is known."""
        layer = layer_of(seen.plan)
        assert layer is not None
        found: dict[frozenset[str], list[Floats]] = {}
        for one in _imprinted(seen, layer):
            some = found.setdefault(one.of, [])
            if not until.over and len(some) < MOST:
                some += differences(one, layer)
        why = "differences of the slopes of neighbouring units of an imprint"
        results = list[Found]()
        for of, rows in found.items():
            guesses = possible(np.array(rows), seen.plan, layer) if rows else np.zeros((0, layer.inputs))
            if len(guesses):
                results.append(Rows(of, guesses, why, take_of(layer), sure=False))
        return results

    def control(self, seen: Seen, until: Until) -> Iterable[Scene]:
        """A run without protection that begins with an imprint, of several rows a site."""
        spec = bare(seen.plan)
        layer = layer_of(spec)
        if layer is None or spec.drawn or required(spec.model).activation != "relu":
            return []
        try:
            sample = np.vstack([features(encoding(spec), batch) for batch in range(SAMPLE)])
            begun = imprinted(spec, layer, sample, until.rng)
            return [scene_of(begun, lines_of(begun, min(ROWS, spec.data.max_rows), until.rng), until.before)]
        except (Abort, PotluckError):
            return []


def _imprinted(seen: Seen, layer: Layer) -> Iterator[Known]:
    """Sums of slopes at models that act as one."""
    acts: dict[bytes, bool] = {}  # by model: several sites are asked at one
    for one in seen.training():
        if slopes_of(one) is not None:
            key = hashlib.sha256(one.ask.state).digest()
            if key not in acts:
                acts[key] = any(True for _ in bins_of(*layer.of(one.weights)))
            if acts[key]:
                yield one


def differences(one: Known, layer: Layer) -> Iterator[Floats]:
    """[p] what one bin has, divided: of each pair of neighbours, and of the last unit by itself."""
    slopes = slopes_of(one)
    if slopes is None:
        return
    (matrix, bias), step = layer.of(slopes), step_of(one)
    for bins in bins_of(*layer.of(one.weights)):
        for place, unit in enumerate(bins):
            after = bins[place + 1 : place + 2]
            by = bias[unit] - bias[after].sum()
            if abs(by) > SURE * step:
                row = (matrix[unit] - matrix[after].sum(axis=0)) / by
                if np.abs(row).max() <= REACH:
                    yield row


def imprinted(spec: Plan, layer: Layer, sample: Floats, rng: Generator) -> Started:
    """The plan, of layers with ReLU, beginning with an imprint: units that measure a direction drawn once, from
    thresholds between which lie as many rows of `sample` [n, p] each; the next layer takes all units alike."""
    form = form_of(spec, goal_of(spec), layer.inputs)
    weights, goal = form.initial().copy(), goal_of(spec)
    widths = (layer.inputs, *required(spec.model).layers, goal.outputs)
    (matrix, bias), (behind, _), *_ = unpacked(weights, tuple(pairwise(widths)))
    way = rng.normal(size=layer.inputs)
    matrix[:] = way[:, None]
    bias[:] = -np.quantile(sample @ way, np.arange(layer.outputs) / layer.outputs)
    behind[:] = np.linspace(1, -1, behind.shape[1]) / layer.outputs
    first = msgspec.structs.replace(required(spec.model), first=first_model(spec, weights).digest())
    return started(msgspec.structs.replace(spec, model=first), weights.astype("<f8").tobytes())


IMPRINT = Imprint()
