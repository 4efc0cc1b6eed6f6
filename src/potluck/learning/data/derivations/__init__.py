"""The kinds of derived column, a file and a line each."""

from potluck.learning.data.derivations import bins, days, log, recode, years
from potluck.learning.data.derive import DERIVATIONS

DERIVATIONS.register("years", years.YEARS)
DERIVATIONS.register("days", days.DAYS)
DERIVATIONS.register("recode", recode.RECODE)
DERIVATIONS.register("log", log.LOG)
DERIVATIONS.register("bins", bins.BINS)
