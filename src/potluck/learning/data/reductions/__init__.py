"""The kinds of column that a person's rows give, a file and a line each."""

from potluck.learning.data.reduce import REDUCTIONS
from potluck.learning.data.reductions import any_of, count, ends, extremes, mean

REDUCTIONS.register("first", ends.FIRST)
REDUCTIONS.register("last", ends.LAST)
REDUCTIONS.register("any", any_of.ANY)
REDUCTIONS.register("count", count.COUNT)
REDUCTIONS.register("mean", mean.MEAN)
REDUCTIONS.register("min", extremes.MIN)
REDUCTIONS.register("max", extremes.MAX)
