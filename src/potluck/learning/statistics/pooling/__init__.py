"""What a meta-analysis pools, a line each. Each is a kind of statistic, which `kinds/meta.py` calls by its name."""

from potluck.learning.statistics.kind import METAS
from potluck.learning.statistics.pooling import coefficients, means

__all__ = ["METAS"]

METAS.register("mean", means.MEAN)
METAS.register("proportion", means.PROPORTION)
METAS.register("coefficient", coefficients.COEFFICIENT)
