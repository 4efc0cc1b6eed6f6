"""The tests of hypotheses, a line each. Each is a kind of statistic, which `kinds/test.py` calls by its name."""

from potluck.learning.statistics.hypotheses import association, correlations, means, ranks
from potluck.learning.statistics.kind import TESTS

__all__ = ["TESTS"]

TESTS.register("chi2", association.CHI2)
TESTS.register("welch", means.WELCH)
TESTS.register("paired", means.PAIRED)
TESTS.register("anova", means.ANOVA)
TESTS.register("kruskal", ranks.KRUSKAL)
TESTS.register("mannwhitney", ranks.MANNWHITNEY)
TESTS.register("ks", ranks.KS)
TESTS.register("correlation", correlations.CORRELATION)
TESTS.register("spearman", ranks.SPEARMAN)
