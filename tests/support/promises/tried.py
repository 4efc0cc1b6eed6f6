"""Faults at places that no other list has, as a reviewer would try them, without a look at what audits look at."""

from dataclasses import replace

import numpy as np

from potluck.audits.promises import charged
from potluck.core.asks import Kind
from potluck.dp import mechanism as dp
from potluck.dp.mechanism import Noised
from potluck.learning.training import gradient
from potluck.tasks.sums import halves


def clip_along_columns(patch):
    """Each number of all units together is clipped, and no unit."""

    def clip(values, most):
        norms = np.sqrt((values**2).sum(axis=0))
        values *= np.where(norms > most, most / np.where(norms > 0, norms, 1.0), 1.0)[None, :]

    patch.setattr(dp, "_clip", clip)


def clip_of_the_largest(patch):
    """The largest number of a unit is clipped, not its length."""

    def clip(values, most):
        size = np.abs(values).max(axis=1)
        values *= np.where(size > most, most / np.where(size > 0, size, 1.0), 1.0)[:, None]

    patch.setattr(dp, "_clip", clip)


def another_sites_share(patch):
    """One site's share is as if all were sure to add theirs."""

    def contribution(task, ask, rows, privacy, me):
        if me.party.name == "d" and isinstance(privacy, Noised):
            privacy = replace(privacy, share=tuple(one / np.sqrt(2) for one in privacy.share))
        return halves.guarded(privacy, task.contribute(ask, rows, me.draw), me.draw)

    patch.setattr(halves, "contribution", contribution)


def a_delta_that_is_a_little_larger(patch):
    target = dp.target
    patch.setattr(dp, "target", lambda plan, kind: (target(plan, kind)[0], 1.5 * target(plan, kind)[1]))


def weights_after_the_clip(patch):
    """Rows of one side count half as much again."""
    clipped = gradient.clipped
    patch.setattr(
        gradient,
        "clipped",
        lambda x, off, part, most, space: (
            clipped(x[off < 0], off[off < 0], part, 1.5 * most, None)
            + clipped(x[off >= 0], off[off >= 0], part, most, None)
        ),
    )


def free_metrics(patch):
    """Noise of training has all of a person's epsilon, and so has that of metrics."""
    target = dp.target

    def whole(plan, kind):
        return (plan.privacy.epsilon, plan.privacy.delta) if plan.privacy.unit != "row" else target(plan, kind)

    patch.setattr(dp, "target", whole)
    spent = charged.spent
    patch.setattr(
        charged, "spent", lambda costs, delta: max(spent([c for c in costs if c.phase is k], delta) for k in Kind)
    )


def coins_by_side(patch):
    """Rows of one side are drawn more often."""
    encode = gradient._Rows.encode

    def twice(self, grid, limit):
        if self.drawn is not None:
            more = np.random.default_rng(int(self.drawn.sum())).random(len(self.drawn)) < 0.2
            self = replace(self, drawn=self.drawn | (more & (self.rows.target[self.some] > 0.5)))
        return encode(self, grid, limit)

    patch.setattr(gradient._Rows, "encode", twice)


def clip_follows_the_model(patch):
    """It is looser where a model's numbers are large."""
    residuals, clipped, loose = gradient.residuals, gradient.clipped, []

    def seen(by, weights, x, y, batch):
        loose[:] = [1.5 if np.linalg.norm(weights) > 3 else 1.0]
        return residuals(by, weights, x, y, batch)

    patch.setattr(gradient, "residuals", seen)
    patch.setattr(gradient, "clipped", lambda x, off, part, most, space: clipped(x, off, part, loose[0] * most, space))


def half_the_noise_beside(many):
    """Of a site with more rows than so many."""

    def fault(patch):
        def contribution(task, ask, rows, privacy, me):
            if isinstance(privacy, Noised) and rows.rows > many:
                privacy = replace(privacy, share=tuple(one / 2 for one in privacy.share))
            return halves.guarded(privacy, task.contribute(ask, rows, me.draw), me.draw)

        patch.setattr(halves, "contribution", contribution)

    return fault


def one_value_is_not_clipped(patch):
    """Of 60 values of a column one alone."""
    clipped = gradient.clipped

    def some(x, off, part, most, space):
        odd = x[:, 18] > 0.5
        return clipped(x[~odd], off[~odd], part, most, None) + clipped(x[odd], off[odd], part, 1e3 * most, None)

    patch.setattr(gradient, "clipped", some)


SHARED = {"noise": "shared", "word": "mask"}
SENSITIVE = ("sensitivity", "sensitivity: training")
TRIED = {
    "clip along columns": (clip_along_columns, {"unit": "person"}, "clip", "clip: training"),
    "clip of the largest": (clip_of_the_largest, {"unit": "person"}, "clip", "clip: training"),
    "another site's share": (another_sites_share, SHARED, "parties", "sites' noise: training"),
    "a delta that is a little larger": (a_delta_that_is_a_little_larger, {}, "charges", "charges: the run"),
    "weights after the clip": (weights_after_the_clip, {}, *SENSITIVE),
    "free metrics": (free_metrics, {"unit": "person"}, "noise", "noise: metrics"),
    "coins by side": (coins_by_side, {"batch": 100}, "coins", "coins: training"),
    "clip follows the model": (clip_follows_the_model, {}, *SENSITIVE),
    "less noise beside many rows": (half_the_noise_beside(100), {}, "parties", "sites' noise: training"),
    "one value is not clipped": (one_value_is_not_clipped, {}, *SENSITIVE),
}
"""As `bugs.BUGS`."""
