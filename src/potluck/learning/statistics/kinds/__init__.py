"""The kinds of statistic, a file and a line each."""

from potluck.learning.statistics.kind import KINDS, TESTS, kind_of
from potluck.learning.statistics.kinds import (
    contingency,
    count,
    cox,
    discover,
    distinct,
    effect,
    histogram,
    kmeans,
    marginals,
    mean,
    meta,
    missing,
    pca,
    quantile,
    regression,
    survival,
    table1,
    test,
    top,
    total,
    variance,
)

__all__ = ["KINDS", "TESTS", "kind_of"]

KINDS.register("count", count.COUNT)
KINDS.register("sum", total.SUM)
KINDS.register("mean", mean.MEAN)
KINDS.register("variance", variance.VARIANCE)
KINDS.register("histogram", histogram.HISTOGRAM)
KINDS.register("contingency", contingency.CONTINGENCY)
KINDS.register("quantile", quantile.QUANTILE)
KINDS.register("survival", survival.SURVIVAL)
KINDS.register("regression", regression.REGRESSION)
KINDS.register("cox", cox.COX)
KINDS.register("effect", effect.EFFECT)
KINDS.register("kmeans", kmeans.KMEANS)
KINDS.register("meta", meta.META)
KINDS.register("test", test.TEST)
KINDS.register("table1", table1.TABLE1)
KINDS.register("missing", missing.MISSING)
KINDS.register("top", top.TOP)
KINDS.register("pca", pca.PCA)
KINDS.register("distinct", distinct.DISTINCT)
KINDS.register("discover", discover.DISCOVER)
KINDS.register("marginals", marginals.MARGINALS)
