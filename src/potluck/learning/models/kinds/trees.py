"""Boosted trees, which are grown over columns at different owners alone: they are no sum (`training.fit_trees`)."""

from potluck.learning.models.kind import ModelKind

TREES = ModelKind(title="boosted trees", targets=("number", "binary"), layered=False)
