"""Of a sum that trains: the slopes in it, and over how many rows it is."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from potluck.audits.rows import Take
from potluck.audits.seen import Known, Seen
from potluck.core.plan import Plan
from potluck.core.stages import Floats
from potluck.learning.data.encode import encoding
from potluck.learning.data.mixed import taken
from potluck.learning.data.table import Table
from potluck.learning.models.first.layer import Layer
from potluck.learning.models.fitted import training
from potluck.learning.training.gaps.means import averaged
from potluck.learning.training.method import TALLY


def slopes_of(one: Known) -> Floats | None:
    """[d] the summed slopes, or what steps along them came to, turned round. None: the sum has none."""
    found, steps = one.part("gradient"), one.part("delta")
    return found if steps is None else -steps


def began(one: Known, plan: Plan) -> bool:
    """Whether it is the first at which the model is asked for slopes, and that is all zeros: means that fill gaps,
    which another sum found before, stand behind it."""
    count = averaged(plan)
    return one.ask.step == min(count, 1) and not one.weights[: len(one.weights) - count].any()


def step_of(one: Known) -> float:
    """The step of their grid."""
    return one.step("gradient" if one.part("gradient") is not None else "delta")


def counted(one: Known) -> int | None:
    """Over how many rows a sum is, as it says itself. None: it has noise, and does not."""
    counts = one.part(TALLY)
    return None if counts is None else round(float(counts.sum()))


def rows_in(one: Known, plan: Plan) -> int:
    """The same; with noise as many as the plan expects of these sites, at least one."""
    said = counted(one)
    if said is not None:
        return said
    expected = training(plan).expected_rows or 0
    return max(1, round(expected * len(one.of) / len(plan.federation.sites)))


def rows_behind(seen: Seen) -> dict[frozenset[str], int]:
    """Over how many rows the first sum that trains is, by set of sites."""
    found: dict[frozenset[str], int] = {}
    for one in seen.training():
        if one.of not in found:
            found[one.of] = rows_in(one, seen.plan)
    return found


def rows_a_site(seen: Seen) -> int:
    """How many rows a site has at most, as these sums say; of several sites together as if all had as many."""
    return max((-(-rows // len(of)) for of, rows in rows_behind(seen).items()), default=1)


def input_of(name: str, table: Table) -> Floats:
    """[n, p] what a graph takes under this name of a site's rows that train."""
    rows = table.inputs[table.train]
    return np.asarray(taken(rows, name), dtype=np.float64).reshape(len(rows), -1)


def take_of(layer: Layer) -> Take:
    """Of a site's rows what a first layer is given."""
    return partial(input_of, layer.given)


def marked(plan: Plan) -> NDArray[np.bool_]:
    """[p] which features are 0 or 1: values of categories, and flags of what is missing."""
    return np.array(
        [
            not one.measured or feature > 0  # behind a number stands whether it is missing
            for one in encoding(plan).fields
            for feature, _ in enumerate(one.features)
        ],
        dtype=np.bool_,
    )
