"""Audits of additive models with noise: a forgotten part of the sensitivity and a free first sum are caught by name,
and nothing is said against the mechanism as it is."""

import math
from dataclasses import replace

import numpy as np
import pytest

from potluck.core.stages import Bounded, Encoded
from potluck.dp import mechanism as dp
from potluck.dp.mechanism import Noised
from potluck.learning.training.boosting.hidden import Hidden
from support.promises.plans import additive, broken, found

WHAT = "sensitivity: training"


def one_column_alone(patch):
    """Noise is made for a row that lies in one leaf."""
    blocks = Hidden.blocks
    patch.setattr(
        Hidden,
        "blocks",
        lambda self, at: tuple(replace(one, high=one.high / 2, l2=one.l2 / math.sqrt(3)) for one in blocks(self, at)),
    )


def nobody_looks(patch):
    """Sites add whatever rows bring."""
    patch.setattr(Noised, "clip", lambda self, update: Bounded(update.values, self.grid, self.limit))

    def encode(bounded):
        steps = np.repeat([part.step for part in bounded.grid.parts], [part.size for part in bounded.grid.parts])
        whole = np.trunc(bounded.values / steps).astype(np.int64).sum(axis=0)
        return Encoded(whole.astype(f"<u{bounded.grid.bits // 8}"), bounded.grid, bounded.limit)

    patch.setattr(dp, "encode", encode)


def free_counts(patch):
    """What opens the first sum is charged to nobody."""
    at_site = Noised.at_site

    def free(self, encoded, draw):
        made = at_site(self, encoded, draw)
        return replace(made, charge=b"") if self.grid.parts[0].name == "weights" else made

    patch.setattr(Noised, "at_site", free)


@pytest.mark.slow
def test_a_sensitivity_of_one_column_is_caught_where_nobody_clips(monkeypatch):
    right = found(additive().spec, "sensitivity")[WHAT]
    assert right.held
    assert right.found > 0.99
    one_column_alone(monkeypatch)
    assert found(additive().spec, "sensitivity")[WHAT].held  # rows are clipped to it: a poor model, no lie
    nobody_looks(monkeypatch)
    assert WHAT in broken(additive().spec, "sensitivity")


def test_a_first_sum_that_is_free_is_caught(monkeypatch):
    assert found(additive().spec, "charges")["charges: training"].held
    free_counts(monkeypatch)
    assert broken(additive().spec, "charges") == {"charges: training"}


@pytest.mark.slow
@pytest.mark.parametrize("keys", [{}, {"unit": "person"}, {"noise": "shared", "word": "mask"}])
def test_nothing_is_said_against_it(keys):
    every = found(additive(**keys).spec, trials=500)
    assert not [one for one in every.values() if one.held is False]
    assert every["noise: training"].held
    assert every["charges: training"].held
    assert every[WHAT].held
