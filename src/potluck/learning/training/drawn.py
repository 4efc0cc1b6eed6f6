"""Which rows a round of `gradient` is over, where a plan says `batch`.

With noise the chance alone is said here (`chance`): units are drawn in secret, where their noise is (`dp.sampling`).

Without noise they are public draws of (training.seed, round, row). Each training row is drawn by itself, with the
chance batch / expected_rows, by a keyed hash of what the row is (see `Table.keys`): the same rows whatever their order,
the protection, or how often a round is asked for. So about `batch` rows of all sites are drawn, and
expected_rows / batch times their sum stands for the sum over all rows. Whoever knows a row knows when it is drawn: this
is no amplification by sampling.

An exact sum over few rows gives them away, and so does the difference of two over all but a few: a site of whose rows
fewer than LEAST would be drawn, or left out, takes no part, nor one that by `average` would go through fewer in a round
(`steps` times `batch`), if it has more. That does NOT keep many rounds from telling more than one over all rows does:
at models that hardly move, sums over so many drawn subsets are equations for single rows.
Reference: Robbins and Monro 1951 (steps along sums that are right on average).
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from potluck.core.asks import Band
from potluck.core.plan import Plan, Training, required
from potluck.core.rounds import Abort, Cause
from potluck.core.seeded import Words, marks
from potluck.learning.data.table import Table
from potluck.learning.data.units import Index
from potluck.learning.models.fitted import training
from potluck.learning.training.method import by_unit, method_of

LEAST = 32
"""Rows that a round takes at a site, on average."""


def drawn(plan: Plan, step: int, rows: Table) -> Index:
    """The training rows of this round, by number, in their order; with noise all, as nothing public draws. Raises
    Abort(REFUSED): too few would be drawn."""
    spec, index = training(plan), np.flatnonzero(rows.train)
    if plan.noisy or spec.batch is None or spec.batch == spec.expected_rows:
        return index
    taken = a_round(plan, len(index))
    if taken < LEAST:
        raise _too_few("a batch", "a larger training.batch, or a lower training.expected_rows")
    if len(index) - taken < LEAST:  # two rounds' sums would differ by a few rows
        raise _too_few("what a batch leaves out", "a smaller training.batch, or leave it out")
    return index[by_public_coins(plan, step, rows.keys[index])]


def by_public_coins(plan: Plan, step: int, keys: Words) -> NDArray[np.bool_]:
    """[n] which rows with these keys (`Table.keys`) are in a round without noise."""
    spec, some = training(plan), at_all_sites(plan)
    if some is None or some == spec.expected_rows:
        return np.ones(len(keys), np.bool_)
    bound = np.uint64((some << 64) // required(spec.expected_rows))
    return np.asarray(marks(keys, spec.seed, "gradient", step, "rows") < bound)


def chance(plan: Plan) -> tuple[int, int] | None:
    """With noise, that of each unit to be in a sum over rows: see `core.asks.Ask`. None: every unit is."""
    spec, some = training(plan), at_all_sites(plan)
    if not plan.noisy or some is None or some == spec.expected_rows:
        return None
    return some, required(spec.expected_rows)


def band(plan: Plan) -> Band | None:
    """With noise, the groups of units that have their turns: see `core.asks.Ask`. None: there are none."""
    spec = training(plan)
    return Band(spec.band, spec.rounds) if plan.noisy and spec.band is not None else None


def at_all_sites(plan: Plan) -> int | None:
    """How many rows are drawn for a sum over rows, or for as many as there are sites where each takes its own; None:
    none are drawn."""
    spec, method = training(plan), method_of(plan)
    if spec.batch is None or not (method.batched or (method.by_site and by_unit(plan))):
        return None
    return spec.batch * len(plan.federation.sites) if method.by_site else spec.batch


def stands_for(plan: Plan) -> float:
    """How many training rows one of a round stands for."""
    spec, groups = training(plan), band(plan)
    if groups is not None:
        return float(groups.groups)
    return 1.0 if spec.batch is None else required(spec.expected_rows) / spec.batch


def a_round(plan: Plan, rows: int) -> int:
    """Over how many of so many training rows a round without noise is, on average."""
    spec, method = training(plan), method_of(plan)
    if method.by_site:
        return rows if spec.steps is None else min(rows, spec.steps * required(spec.batch or method.batch))
    return (
        rows
        if spec.batch is None or not method.batched
        else min(rows, rows * spec.batch // required(spec.expected_rows))
    )


def gone_through(plan: Plan, rows: int) -> None:
    """Raises Abort(REFUSED): without noise a site that trains by itself would go through too few of so many rows."""
    if not plan.noisy and a_round(plan, rows) < min(LEAST, rows):
        raise _too_few("a round", "a larger training.steps or training.batch, or epochs instead of steps")


def _too_few(what: str, hint: str) -> Abort:
    said = f"{what} would be over too few of this site's rows: {LEAST} on average are the fewest"
    return Abort(Cause.REFUSED, detail=f"{said}. hint: {hint}")


def pauses(plan: Plan) -> Iterator[str]:
    """What of a batch should give pause."""
    spec, sites = training(plan), len(plan.federation.sites)
    if spec.batch is None or spec.expected_rows is None or plan.noisy or spec.batch >= spec.expected_rows:
        return
    if spec.batch < LEAST * sites:
        what = f"{spec.batch} over {sites} sites is few: a site with fewer than {LEAST} rows drawn takes no part"
        yield f"training.batch: {what}. hint: at least {LEAST * sites}, or leave it out"
    if spec.expected_rows - spec.batch < LEAST * sites:
        what = f"{spec.batch} leaves few rows out: a site with fewer than {LEAST} of them takes no part"
        yield f"training.batch: {what}. hint: at most {max(1, spec.expected_rows - LEAST * sites)}, or leave it out"
    what = "exact sums over many drawn subsets can tell more of single rows than sums over all of them"
    yield f"training.batch: {what}. hint: few rounds, or leave it out"


def faults(plan: Plan) -> Iterator[str]:
    """What of a plan with a batch does not fit a method that draws rows. Lines as `check` makes them."""
    spec, some = training(plan), at_all_sites(plan)
    if some is None:
        return
    if plan.noisy:
        yield from _in_secret(plan)  # and `gradient` says itself where expected_rows is missing
    elif spec.expected_rows is None:
        what = "rows are drawn with the chance batch / expected_rows, and that is missing"
        yield f"training.expected_rows: {what}. hint: give a public guess of the training rows of all sites"
    if spec.expected_rows is not None and some > spec.expected_rows:
        what = (
            f"{some}{' at all sites' * (some != spec.batch)} is more than training.expected_rows ({spec.expected_rows})"
        )
        yield f"training.batch: {what}. hint: fewer, or leave it out for all rows"


def _in_secret(plan: Plan) -> Iterator[str]:
    """What of a plan with noise does not go with draws that nobody else may know."""
    spec = training(plan)
    if plan.privacy.unit == "site":
        what = "a site that was not drawn would show, for it sends nothing"
        yield f'training.batch: {what}. hint: privacy.unit = "row" or "person", or leave it out'
    if plan.privacy.noise == "reveal" and not plan.enclosed:
        what = "the server opens the sum before it adds noise, and so sees who was drawn"
        yield f'training.batch: {what}. hint: noise = "shared" or "site", or leave it out'
    if spec.seed != Training(method=spec.method).seed:
        what = "with noise rows are drawn in secret, and a seed that all know draws none of them"
        yield f"training.seed: {what}. hint: leave it out"
