"""The table of a plan that says how finished models are judged on rows that they were not trained on."""

from typing import Annotated

import msgspec

from potluck.core.bounds import Bounds
from potluck.core.tables.derived import Text

FEWEST_BINS, MOST_BINS = 2, 1000


class Evaluate(msgspec.Struct, frozen=True, kw_only=True):
    """bins: of scores, equal parts of what a score may be; an even number, so that a probability of one half is an
    edge. by: a category whose values are groups that are compared; None: nobody is."""

    bins: Annotated[int, Bounds(ge=FEWEST_BINS, le=MOST_BINS, hint="e.g. 20")] = 20
    by: Text | None = None
