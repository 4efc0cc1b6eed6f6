"""An additive model: a curve for each column, added up, boosted on summed histograms (`training.boosting.additive`)."""

from potluck.learning.models import export
from potluck.learning.models.boosted.additive import curves_of_plan
from potluck.learning.models.kind import ModelKind

ADDITIVE = ModelKind(
    title="an additive model",
    targets=("number", "binary", "classes"),
    layered=False,
    binned=True,
    made=curves_of_plan,
    holds="curves",
    sklearn=export.straight,
)
