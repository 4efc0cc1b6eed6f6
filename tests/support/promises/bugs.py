"""Faulty mechanisms, a closed list: each is patched into the code that sites run, and an audit must name it."""

from dataclasses import replace

import numpy as np

from potluck.audits.promises import scene
from potluck.core.asks import Kind
from potluck.core.party import SERVER
from potluck.core.rounds import Exchange, Parcel, charge
from potluck.core.stages import Update
from potluck.dp import mechanism as dp
from potluck.dp.mechanism import Exact, Noised, Walked
from potluck.dp.sampling import Drawn
from potluck.learning.data import units
from potluck.learning.training import gradient
from potluck.mpc.clear.protection import Clear
from potluck.tasks.sources import without_noise
from potluck.testing.draws import seeded


def no_clip(patch):
    clipped = gradient.clipped
    patch.setattr(gradient, "clipped", lambda x, off, part, most, space: clipped(x, off, part, 1e6, space))


def clip_of_the_sum(patch):
    """All rows are added up, and the sum is clipped."""

    def once(features, factors, part, most, space):
        total = np.concatenate([[factors.sum()], factors @ features])
        total *= min(1.0, most / max(np.linalg.norm(total), 1e-12))
        return np.trunc(total / part.step).astype(np.int64)

    patch.setattr(gradient, "clipped", once)


def a_share_of_noise(patch, times):
    whole = Noised._noised
    patch.setattr(
        Noised, "_noised",
        lambda self, words, draw: whole(replace(self, share=tuple(times * one for one in self.share)), words, draw),
    )  # fmt: skip


def half_noise(patch):
    a_share_of_noise(patch, 1 / 2)


def a_tenth_of_the_noise(patch):
    a_share_of_noise(patch, 1 / 10)


def float_noise(patch):
    """Added to numbers that are already decoded."""
    reveal, draw = scene.reveal, np.random.default_rng(0)
    patch.setattr(Noised, "_noised", lambda self, words, draw: words)

    def floating(settled, grid):
        release = reveal(settled, grid)
        return replace(release, values=release.values + release.std * draw.standard_normal(len(release.values)))

    patch.setattr(scene, "reveal", floating)


def wrong_divisor(patch):
    """A site makes a mean of its rows, and then a sum of as many as are expected."""
    clipped = gradient.clipped

    def scaled(x, off, part, most, space):
        return clipped(x, off, part, most, space) * (500 // max(1, np.count_nonzero(off)))

    patch.setattr(gradient, "clipped", scaled)


def shuffled_batches(patch):
    """As many units each time, none again before all others were there."""
    left = []

    def taken(self, given, draw):
        values, size = given.values, round(len(given.values) * self.chance)
        nonlocal left
        if len(left) < size:
            left = list(np.random.default_rng(draw(8)[0]).permutation(len(values)))
        some, left = left[:size], left[size:]
        there = np.isin(np.arange(len(values)), some)
        return Update(np.where(there[:, None], values, 0.0))

    patch.setattr(Drawn, "taken", taken)


def a_seed_draws(patch):
    plain = Drawn.taken
    patch.setattr(Drawn, "taken", lambda self, given, draw: plain(self, given, seeded("the plan's")))


def reused_noise(patch):
    """The same noise in each round."""
    whole = Noised._noised
    patch.setattr(Noised, "_noised", lambda self, words, draw: whole(self, words, seeded("again")))


def summed_noise_in_own_steps(patch):
    """Shares of noise, as would do for a sum over four sites, in steps that each takes by itself."""
    plain = Walked.at_site

    def at_site(self, given, draw):
        return plain(
            replace(self, each=replace(self.each, share=tuple(one / 2 for one in self.each.share))), given, draw
        )

    patch.setattr(Walked, "at_site", at_site)


def charged_after_release(patch):
    def give(self, terms, me, guarded):
        label = terms.label("clear/input")
        send = {SERVER: Parcel(label, guarded.words.tobytes())}
        yield Exchange(label, send, contributes=True)
        yield Exchange(label, record=charge(terms, guarded), contributes=True)

    patch.setattr(Clear, "give", give)


def wrong_person_column(patch):
    """One that names another person in each row."""
    patch.setattr(units, "whose", lambda person: np.arange(len(person)))


def exact_metrics(patch):
    """Beside noised training."""
    plain = dp.mechanism

    def mechanism(plan, ask):
        if ask.kind is not Kind.EVALUATE:
            return plain(plan, ask)
        exact = plain(without_noise(plan), ask)
        assert isinstance(exact, Exact)
        return exact

    patch.setattr(scene, "mechanism", mechanism)


BUGS = {
    "no clip": (no_clip, {}, "sensitivity", "sensitivity: training"),
    "clip of the sum": (clip_of_the_sum, {}, "sensitivity", "sensitivity: training"),
    "half noise": (half_noise, {}, "noise", "noise: training"),
    "noise / 10": (a_tenth_of_the_noise, {"noise": "shared", "word": "mask"}, "noise", "noise: training"),
    "float noise": (float_noise, {}, "noise", "whole steps: training"),
    "wrong divisor": (wrong_divisor, {}, "sensitivity", "sensitivity: training"),
    "shuffled batches": (shuffled_batches, {"batch": 100}, "coins", "coins: training"),
    "a seed of the plan draws": (a_seed_draws, {"batch": 100}, "coins", "coins: training"),
    "reused noise": (reused_noise, {}, "noise", "fresh noise: training"),
    "summed noise in own steps": (
        summed_noise_in_own_steps,
        {"method": "average", "steps": 3, "epsilon": 8.0, "many": 2},
        "paired",
        "paired: training",
    ),
    "charge after release": (charged_after_release, {}, "charges", "charges: training"),
    "wrong person column": (wrong_person_column, {"unit": "person"}, "sensitivity", "sensitivity: training"),
    "exact metrics": (exact_metrics, {}, "noise", "noise: metrics"),
}
"""By name: the bug, the plan that has it, which audit catches it, and by what."""
