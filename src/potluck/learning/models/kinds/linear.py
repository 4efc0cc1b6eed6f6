"""Linear regression: half the squared error of a number. The objective is that of `models.linear`."""

import numpy as np

from potluck.learning.models import export
from potluck.learning.models.kind import Link, ModelKind
from potluck.learning.models.linear import slope_of

IDENTITY = Link(mean=lambda margins: margins, curved=np.ones_like, steepest=1.0, squares=True)

LINEAR = ModelKind(
    title="a linear regression",
    targets=("number",),
    link=IDENTITY,
    slope=slope_of(IDENTITY),
    summed=True,
    sklearn=export.straight,
)
