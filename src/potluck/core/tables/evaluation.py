"""The table of a plan that says how models are judged on rows that they were not trained on."""

from typing import Annotated, Literal

import msgspec

from potluck.core.bounds import Bounds
from potluck.core.tables.derived import Text

FEWEST_BINS, MOST_BINS = 2, 1000
MOST_FOLDS = 20


class Evaluate(msgspec.Struct, frozen=True, kw_only=True):
    """bins: of scores, equal parts of what a score may be; an even number, so that a probability of one half is an
    edge. by: a category whose values are groups that are compared; None: nobody is. Both are of finished models.
    folds: of training, into how many parts its rows are dealt, each of which judges a model that was trained on the
    others; None: into none. rows: of training, which rows judge the run's model at its end: with "validation" test rows
    are in nothing, so that settings can be chosen without them."""

    bins: Annotated[int, Bounds(ge=FEWEST_BINS, le=MOST_BINS, hint="e.g. 20")] = 20
    by: Text | None = None
    folds: Annotated[int | None, Bounds(ge=2, le=MOST_FOLDS, hint="e.g. 5")] = None
    rows: Literal["test", "validation"] = "test"
