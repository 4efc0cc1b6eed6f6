"""The table of attacks: an attack is a file with an object in it, and a line here."""

from potluck.audit.aggregation.uniform import UNIFORM
from potluck.audit.attack import Attack
from potluck.audit.reconstruction.analytic import ANALYTIC
from potluck.audit.reconstruction.differencing import DIFFERENCING
from potluck.audit.reconstruction.gram import GRAM_ROWS
from potluck.audit.reconstruction.inversion import INVERSION
from potluck.audit.reconstruction.rates import RATES

ATTACKS: tuple[Attack, ...] = (ANALYTIC, RATES, GRAM_ROWS, DIFFERENCING, UNIFORM, INVERSION)
"""In the order in which they are tried: those that take no time first."""
