"""Faults of later rounds, of what noise is promised, where a mechanism that is wrong takes itself for right, and of
what happens beside many rows."""

from dataclasses import replace

import numpy as np

from potluck.core.asks import Kind
from potluck.core.fixed import signed
from potluck.dp import mechanism as dp
from potluck.dp import sampling
from potluck.dp.mechanism import Noised
from potluck.learning.data import units
from potluck.learning.training import gradient, row_sums
from potluck.tasks.sums import halves
from support.promises.tried import half_the_noise_beside


def _said(patch, share):
    """What the mechanism itself takes for enough. share: (ask, share of each part) -> share of each part."""
    plain = dp._noised

    def noised(plan, ask, how, times=1):
        found = plain(plan, ask, how, times)
        return replace(found, share=tuple(share(ask, found.share)))

    patch.setattr(dp, "_noised", noised)


def none_after_the_first_round(patch):
    _said(patch, lambda ask, share: [one / 1000 if ask.step > 0 else one for one in share])


def half_in_the_last_round(patch):
    _said(patch, lambda ask, share: [one / 2 if ask.step == 199 else one for one in share])


def sites_add_none_after_the_first_round(patch):
    def contribution(task, ask, rows, privacy, me):
        if ask.step > 0 and isinstance(privacy, Noised):
            privacy = replace(privacy, share=tuple(one / 1000 for one in privacy.share))
        return halves.guarded(privacy, task.contribute(ask, rows, me.draw), me.draw)

    patch.setattr(halves, "contribution", contribution)


def hardly_any_in_the_eighth_round(patch):
    def contribution(task, ask, rows, privacy, me):
        if ask.kind is Kind.TRAIN and ask.step == 7:
            privacy = replace(privacy, share=tuple(one / 1000 for one in privacy.share))
        return halves.guarded(privacy, task.contribute(ask, rows, me.draw), me.draw)

    patch.setattr(halves, "contribution", contribution)


def only_the_first_round_is_charged(patch):
    plain = halves.contribution

    def contribution(task, ask, rows, privacy, me):
        found = plain(task, ask, rows, privacy, me)
        return replace(found, charge=b"") if ask.step > 0 else found

    patch.setattr(halves, "contribution", contribution)


def four_fifths(patch):
    _said(patch, lambda ask, share: [0.8 * one for one in share])


def half(patch):
    _said(patch, lambda ask, share: [one / 2 for one in share])


def half_in_metrics(patch):
    _said(patch, lambda ask, share: [one / 2 if ask.kind is Kind.EVALUATE else one for one in share])


def less_in_the_last_statistic(patch):
    _said(patch, lambda ask, share: [*share[:-1], 0.7 * share[-1]])


def shares_of_all_sites(patch):
    """As if none of four vanished or colluded, where two are sure."""
    plain = dp.least_share
    patch.setattr(dp, "least_share", lambda sigma, sure: plain(sigma, 4))


def half_the_chance_is_charged(patch):
    plain = sampling.rate
    patch.setattr(sampling, "rate", lambda batch, of: plain(batch, 2 * of))


def coins_are_kept(patch):
    """Those of the first sum are used in all."""
    kept = {}

    def among(self, coins):
        count = len(self.some)
        kept.setdefault(count, coins(count))
        return replace(self, drawn=kept[count])

    patch.setattr(gradient._Rows, "among", among)


def norm_without_the_last_column(patch):
    plain = row_sums.added
    patch.setattr(row_sums, "added", lambda one, x, y, space=None: plain(one, x[:, :-1], y[:, :-1], None))


def persons_as_they_stand(patch):
    """Rows of one person are taken for one unit where they follow one another."""
    patch.setattr(
        units, "sorted_by_person", lambda who: (np.arange(len(who)), np.flatnonzero(np.diff(who, prepend=-1)))
    )


def persons_of_a_batch(patch):
    """Rows are cut into batches, and then persons are looked for in each."""
    plain = units._by_person

    def by_person(index, person, size, rows):
        for at in range(0, len(index), 1_000):
            yield from plain(index[at : at + 1_000], person[at : at + 1_000], size, rows)

    patch.setattr(units, "_by_person", by_person)


def none_in_a_large_sum(patch):
    plain = Noised._noised

    def noised(self, words, draw):
        far = np.abs(signed(words)).max() > 50 * self.limit.l2[0] / self.grid.parts[0].step
        return words if far else plain(self, words, draw)

    patch.setattr(Noised, "_noised", noised)


SHARED = {"noise": "shared", "word": "mask"}
TRAINING = ("noise", "noise: training")
SITES = ("parties", "sites' noise: training")
LATER = {
    "none after the first round": (none_after_the_first_round, {}, *TRAINING),
    "none after the first round, of persons": (none_after_the_first_round, {"unit": "person"}, *TRAINING),
    "none after the first round, of sites": (none_after_the_first_round, {"unit": "site"} | SHARED, *TRAINING),
    "none after the first round, revealed": (none_after_the_first_round, {"noise": "reveal"}, *TRAINING),
    "none after the first round, own steps": (none_after_the_first_round, {"method": "average", "steps": 3}, *SITES),
    "half in the last of 200 rounds": (half_in_the_last_round, {"rounds": 200}, *TRAINING),
    "sites add none after the first round": (sites_add_none_after_the_first_round, {}, *SITES),
    "sites add none after moments": (sites_add_none_after_the_first_round, {"standardize": True}, *SITES),
    "sites add none to later turns": (
        sites_add_none_after_the_first_round,
        {"many": 5, "rounds": 6, "band": 2},
        *SITES,
    ),
    "hardly any in the eighth of 20 rounds": (hardly_any_in_the_eighth_round, {"rounds": 20}, *SITES),
    "half beside thousands of rows": (half_the_noise_beside(5_000), {}, *SITES),
    "only the first round is charged": (only_the_first_round_is_charged, {}, "charges", "charges: training"),
    "four fifths of the noise": (four_fifths, {}, *TRAINING),
    "four fifths of the noise, drawn": (four_fifths, {"batch": 100}, *TRAINING),
    "half of the noise at epsilon 0.5": (half, {"epsilon": 0.5}, *TRAINING),
    "half in metrics": (half_in_metrics, {}, "noise", "noise: metrics"),
    "less in the last statistic": (
        less_in_the_last_statistic,
        {"task": "statistics", "many": 8},
        "noise",
        "noise: statistics",
    ),
    "shares of all sites": (shares_of_all_sites, SHARED, *TRAINING),
    "half the chance is charged": (half_the_chance_is_charged, {"batch": 100}, "coins", "coins: training"),
    "coins are kept": (coins_are_kept, {"batch": 100}, "coins", "coins: training"),
    "norm without the last column": (
        norm_without_the_last_column,
        {},
        "sensitivity",
        "sensitivity: training",
    ),
    "persons as they stand": (persons_as_they_stand, {"unit": "person"}, "sensitivity", "sensitivity: training"),
    "persons of a batch": (persons_of_a_batch, {"unit": "person"}, "sensitivity", "sensitivity: training"),
    "none in a large sum": (none_in_a_large_sum, {}, *SITES),
    "shares of all sites, reckoned": (shares_of_all_sites, SHARED, "charges", "charges: the run"),
}
"""As `bugs.BUGS`."""
