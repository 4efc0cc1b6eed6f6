"""The table of attacks: an attack is a file with an object in it, and a line here."""

from potluck.audits.aggregation.equivocation import EQUIVOCATION
from potluck.audits.aggregation.survivors import SURVIVOR_SETS
from potluck.audits.aggregation.uniform import UNIFORM
from potluck.audits.attack import Attack
from potluck.audits.intersection.again import AGAIN
from potluck.audits.intersection.dictionary import DICTIONARY
from potluck.audits.membership.equations import EQUATIONS
from potluck.audits.membership.lira import LIRA, LIRA_OFFLINE
from potluck.audits.membership.loss import LOSS
from potluck.audits.membership.published import PUBLISHED
from potluck.audits.membership.rmia import RMIA
from potluck.audits.membership.synthetic import SYNTHETIC
from potluck.audits.poisoning.backdoor import BACKDOOR
from potluck.audits.poisoning.poisoning import POISONING
from potluck.audits.reconstruction.analytic import ANALYTIC
from potluck.audits.reconstruction.bins import BINS
from potluck.audits.reconstruction.differencing import DIFFERENCING
from potluck.audits.reconstruction.gram import GRAM_ROWS
from potluck.audits.reconstruction.imprint import IMPRINT
from potluck.audits.reconstruction.inversion import INVERSION
from potluck.audits.reconstruction.leaves import LEAVES
from potluck.audits.reconstruction.property import PROPERTY
from potluck.audits.reconstruction.rates import RATES
from potluck.audits.reconstruction.tracker import TRACKER

ATTACKS: tuple[Attack, ...] = (
    ANALYTIC, IMPRINT, RATES, GRAM_ROWS, DIFFERENCING, TRACKER, LEAVES, BINS, UNIFORM, EQUIVOCATION, SURVIVOR_SETS,
    DICTIONARY, AGAIN, POISONING, BACKDOOR, PUBLISHED, SYNTHETIC, PROPERTY, EQUATIONS, LOSS, RMIA, LIRA_OFFLINE, LIRA,
    INVERSION,
)  # fmt: skip
"""In the order in which they are tried: those that take no time first. The last of those that share models of the
attacker's own has most of them."""
