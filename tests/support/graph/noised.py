"""What leaves a site of a network's noised sum, and bugs that a test of it must find."""

from dataclasses import replace

import numpy as np
import torch

from potluck.core.fixed import signed
from potluck.dp.mechanism import Noised, guarded, mechanism
from potluck.learning.data.table import read
from potluck.learning.graph.per_row.gradients import Gradients
from potluck.learning.loops import build
from potluck.testing.draws import seeded
from support.graph import hidden

KEPT = 2.0**-8
"""Of the clip, for rounding: 2E of 128 units in float32 is .2 %, and the grid takes less."""


class Scene:
    """A plan, its first sum, and the tables of its sites."""

    def __init__(self, graph, rows=60, each=1, **keys):
        self.plan = hidden.plan(graph, **keys)
        self.spec = self.plan.spec
        self.tables = {name: read(one, self.spec, name) for name, one in hidden.frames(rows, each).items()}
        self.task = build(self.spec)
        self.ask = next(self.task.lead())
        self.bound = mechanism(self.spec, self.ask)

    @property
    def step(self):
        return self.bound.grid.parts[0].step

    def words(self, table, draw, noise=True):
        """What leaves a site, as whole steps."""
        bound = self.bound if noise else replace(self.bound, word="reveal")
        given = self.task.contribute(self.ask, table, draw)
        return signed(guarded(bound, given, draw).words).astype(np.int64)

    def slots(self, table, draw):
        (found,) = self.task.contribute(self.ask, table, draw)
        return found

    def added(self, table):
        """[d] without noise, in real numbers."""
        return self.words(table, seeded(table.site), noise=False) * self.step


def without_clip(monkeypatch):
    monkeypatch.setattr(
        Gradients, "factors", lambda self, clip, *, double: torch.ones(len(self.there), device=self.there.device)
    )


def clip_of_the_sum(monkeypatch):
    def factors(self, clip, *, double):
        return (clip / self.norms.sum()).float().expand(len(self.there))

    monkeypatch.setattr(Gradients, "factors", factors)


def half_the_noise(monkeypatch):
    whole = Noised._noised
    monkeypatch.setattr(
        Noised, "_noised", lambda self, words, draw: whole(replace(self, share=(self.share[0] / 2,)), words, draw)
    )
