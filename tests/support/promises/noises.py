"""Faulty noise and faulty parties, beside the closed list of `bugs`: what somebody who looks for it would try."""

from dataclasses import replace
from itertools import count

import numpy as np

from potluck.core.party import SERVER
from potluck.core.rounds import Exchange, Parcel
from potluck.dp import mechanism as dp
from potluck.dp.mechanism import Noised
from potluck.learning.data import units
from potluck.learning.data.table import Table
from potluck.learning.training import gradient, turns
from potluck.mpc.clear.protection import Clear
from potluck.tasks.sums import halves
from potluck.testing.draws import seeded
from support.promises.bugs import summed_noise_in_own_steps


def _equal(scaled, part):
    """All numbers of a release have something in common."""
    return np.sqrt(1 - part) * scaled + np.sqrt(part) * scaled[:, :1]


def _mirrored(scaled):
    half = scaled.shape[1] // 2
    return np.concatenate([scaled[:, : scaled.shape[1] - half], scaled[:, half - 1 :: -1]], axis=1)


def _quiet(scaled, which):
    out = scaled.copy()
    out[:, which] = 0
    return out


def _drawn(scaled, name, size):
    draw = np.random.default_rng(1)
    return getattr(draw, name)(size=scaled.shape) / size


FAULTS = {
    "half of the numbers have none": (lambda x: _quiet(x, slice(None, None, 2)), "size"),
    "one number has none": (lambda x: _quiet(x, 5), "place"),
    "twice as large": (lambda x: 2 * x, "size"),
    "in pairs": (lambda x: np.repeat(x[:, ::2], 2, axis=1)[:, : x.shape[1]], "common"),
    "mirrored": (_mirrored, "again"),
    "something in common": (lambda x: _equal(x, 0.2), "common"),
    "cancels in the next release": (lambda x: np.where(np.arange(len(x))[:, None] % 2, -np.roll(x, 1, 0), x), "common"),
    "each third release is the same": (lambda x: x[np.arange(len(x)) % 3], "common"),
    "cut off at three sigmas": (lambda x: np.clip(x, -3, 3), "again"),
    "drawn anew beyond three sigmas": (lambda x: np.where(np.abs(x) > 3, x / 3, x), "shape"),
    "uniform": (lambda x: _drawn(x, "uniform", 1) * np.sqrt(12) - np.sqrt(3), "shape"),
    "Laplace": (lambda x: _drawn(x, "laplace", np.sqrt(2)), "shape"),
    "never negative": (np.abs, "shape"),
}
"""By name: what becomes of standard normal numbers [n, d], and which test of `draws` finds it."""


def one_site_has_none(patch):
    def contribution(task, ask, rows, privacy, me):
        if me.party.name == "c" and isinstance(privacy, Noised):
            privacy = replace(privacy, share=tuple(1.0 for _ in privacy.share))
        return halves.guarded(privacy, task.contribute(ask, rows, me.draw), me.draw)

    patch.setattr(halves, "contribution", contribution)


def all_sites_draw_the_same(patch):
    """In each round anew."""
    calls = count()

    def contribution(task, ask, rows, privacy, me):
        draw = seeded(str(next(calls) // 4))
        return halves.guarded(privacy, task.contribute(ask, rows, draw), draw)

    patch.setattr(halves, "contribution", contribution)


def lost_on_the_way(patch):
    give = Clear.give
    patch.setattr(
        Clear,
        "give",
        lambda self, terms, me, given: give(
            self, terms, me, replace(given, words=given.words // given.words.dtype.type(2))
        ),
    )


def longer_letters(patch):
    """A parcel beside it, a byte for each row."""
    give = Clear.give
    patch.setattr(halves, "contribution", lambda task, ask, rows, privacy, me: _counted(task, ask, rows, privacy, me))

    def longer(self, terms, me, given):
        yield Exchange(terms.label("more"), {SERVER: Parcel(terms.label("more"), bytes(LAST.pop()))})
        yield from give(self, terms, me, given)

    patch.setattr(Clear, "give", longer)


LAST = []


def _counted(task, ask, rows, privacy, me):
    LAST.append(rows.rows)
    return halves.guarded(privacy, task.contribute(ask, rows, me.draw), me.draw)


def steps_of_four(patch):
    whole = Noised._noised

    def coarse(self, words, draw):
        noise = whole(self, words, draw) - words
        return words + noise // noise.dtype.type(4) * noise.dtype.type(4)

    patch.setattr(Noised, "_noised", coarse)


def reckoned_for_one_round(patch):
    patch.setattr(dp, "releases", lambda plan, kind: 1)


def a_larger_delta(patch):
    target = dp.target
    patch.setattr(dp, "target", lambda plan, kind: (target(plan, kind)[0], 10 * target(plan, kind)[1]))


def an_accountant_that_errs(patch):
    """It takes half the noise for enough, and charges as if it were."""
    calibrate, event = dp.calibrate, dp.event_of
    patch.setattr(dp, "calibrate", lambda *given: calibrate(*given) / 2)
    patch.setattr(dp, "event_of", lambda ratio, *given: event(2 * ratio, *given))


def held_out_rows_train(patch):
    patch.setattr(Table, "train", property(lambda self: np.ones(self.rows, bool)))


def free_bias(patch):
    """A clip of slopes alone."""

    def clipped(x, off, part, most, space):
        values = off[:, None] * x
        values *= np.minimum(1, most / np.maximum(np.linalg.norm(values, axis=1), 1e-12))[:, None]
        return np.trunc(np.concatenate([off[:, None], values], axis=1) / part.step).sum(axis=0).astype(np.int64)

    patch.setattr(gradient, "clipped", clipped)


def no_clip_of_a_unit(patch):
    patch.setattr(dp, "_clip", lambda values, most: None)


def one_row_too_many(patch):
    most = units.most_rows
    patch.setattr(units, "most_rows", lambda plan: most(plan) + 1)


def groups_drawn_anew(patch):
    """In each round."""
    plain, calls = turns.turns, count()
    patch.setattr(turns, "turns", lambda key, units, groups: plain(bytes([next(calls) % 256]) * 16, units, groups))


SHARED = {"noise": "shared", "word": "mask"}
MORE = {
    "one site has no noise": (one_site_has_none, {}, "parties", "sites' noise: training"),
    "one site has no noise, under masks": (one_site_has_none, SHARED, "parties", "sites' noise: training"),
    "all sites draw the same": (all_sites_draw_the_same, {}, "parties", "sites' noise: training"),
    "summed noise in own steps, at epsilon 2": (
        summed_noise_in_own_steps,
        {"method": "average", "steps": 3, "many": 5},
        "parties",
        "sites' noise: training",
    ),
    "longer letters": (longer_letters, {}, "parties", "sites' noise: training"),
    "lost on the way": (lost_on_the_way, {}, "parties", "sites' noise: training"),
    "steps of four": (steps_of_four, {}, "noise", "whole steps: training"),
    "reckoned for one round": (reckoned_for_one_round, {}, "charges", "charges: the run"),
    "a larger delta": (a_larger_delta, {}, "charges", "charges: the run"),
    "an accountant that errs": (an_accountant_that_errs, {}, "charges", "charges: the run"),
    "held-out rows train": (held_out_rows_train, {}, "sensitivity", "sensitivity: training"),
    "a free bias": (free_bias, {}, "sensitivity", "sensitivity: training"),
    "groups drawn anew": (
        groups_drawn_anew,
        {"many": 5, "rounds": 6, "band": 2},
        "sensitivity",
        "sensitivity: training",
    ),
    "no clip of a site": (
        no_clip_of_a_unit,
        {"method": "average", "unit": "site", "noise": "shared", "word": "mask"},
        "clip",
        "clip: training",
    ),
    "one row too many": (one_row_too_many, {"unit": "person"}, "sensitivity", "sensitivity: metrics"),
}
"""As `bugs.BUGS`."""
