"""What one fit over all columns in one place gives, beside the fit on shares: only where one process has them all.

Not private: it joins the owners' columns in plain.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from potluck.core.party import Party
from potluck.core.plan import Plan
from potluck.learning.data.columns import Own, by_owner, encoding, held_out, ordered
from potluck.learning.data.table import Table
from potluck.learning.evaluation.evaluate import Metrics, exact
from potluck.mpc.psi.curve import split
from potluck.mpc.spu import DIGEST
from potluck.tasks.fit.learners import plain
from potluck.tasks.matching.alignment import Keys


def pooled(plan: Plan, keys: Mapping[Party, Keys], own: Mapping[Party, Own]) -> Metrics:
    """Exact metrics, on the held-out rows, of the model that the same rows give in one place. Raises DataError."""
    places = {p: dict(zip(split(k.digests, DIGEST), k.rows.tolist(), strict=True)) for p, k in keys.items()}
    common = sorted(set.intersection(*(set(one) for one in places.values())))
    rows = {party: np.array([of[key] for key in common], np.int64) for party, of in places.items()}
    found = (held_out(plan, own[party], rows[party], common) for party in plan.sites)
    test = next(mask for mask in found if mask is not None)
    every = [ordered(own[party], rows[party], test, party.name) for party in plan.sites]
    features = np.hstack([one.features for one in every])
    names, wanted = by_owner(plan), encoding(plan).names
    features = features[:, [names.index(name) for name in wanted]]
    keep = np.logical_and.reduce([one.keep for one in every])
    target = next(one.target for one in every if one.target is not None)
    held = np.arange(len(common)) >= every[0].train
    model = plain(plan, features[keep & ~held], target[keep & ~held])
    table = Table(features[keep], target[keep], None, held[keep], {}, ())
    return exact(model, [table])
