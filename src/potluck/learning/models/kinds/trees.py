"""Boosted trees: over rows by summed histograms (`training.boosting`), over columns on shares
(`training.fit_trees`)."""

from potluck.learning.models.boosted.growing import forest_of
from potluck.learning.models.kind import ModelKind

TREES = ModelKind(
    title="boosted trees",
    targets=("number", "binary", "classes"),
    layered=False,
    made=forest_of,
    holds="forest",
    levels=True,
)
