"""Scores of rows that trained beside those of rows that did not: how well they are told apart, and what chance does.

Chance is exact: a hash decided who trains, so that every way to share out the two kinds over the scores was as likely.
Reference: Carlini et al. 2022, arXiv 2112.03570 (true positives at few false ones); Mann and Whitney 1947 (the area).
"""

import math
from dataclasses import dataclass, field

import numpy as np

from potluck.audits.attack import Truth, Verdict, named
from potluck.audits.membership.candidates import members
from potluck.audits.seen import Candidates
from potluck.core.plan import Plan, required
from potluck.core.stages import Floats

ALARM = 0.01
"""False alarms at which an attack counts: of 100 rows that did not train it may name one."""
FEWEST = 15
"""Of each kind: with fewer hardly any result is rare enough."""
HINT = 0.01
"""A chance that says a little: below it, and not below the level, nothing is decided."""
MANY = 50.0
"""An epsilon that forbids nothing."""
MOST = 1e6
"""No chance is said to be smaller than one in so many: of the area it is the tail of a normal, and near it so good."""


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """members [m], others [n]: the larger, the surer the attack is that the row (or person) was trained on. tries: of
    so many ways to score the same these are the best."""

    members: Floats = field(repr=False)
    others: Floats = field(repr=False)
    tries: int = 1

    def caught(self, alarm: float = ALARM) -> float:
        """The share of members above all others but so many false alarms (true positives at a rate of false ones)."""
        return self._above(alarm) / len(self.members)

    def _above(self, alarm: float) -> int:
        allowed = int(alarm * len(self.others))
        return int((self.members > np.sort(self.others)[::-1][allowed]).sum())

    @property
    def auc(self) -> float:
        """The chance that a member scores higher than another row, a tie counting half: 0.5 is guessing."""
        low = np.searchsorted(np.sort(self.others), self.members, side="left").sum()
        high = np.searchsorted(np.sort(self.others), self.members, side="right").sum()
        return float(low + high) / 2 / (len(self.members) * len(self.others))

    @property
    def chance(self) -> float:
        """How often scores that know nothing do as well, by what is caught or by the area, both looked at, in any of
        the tries."""
        from scipy.stats import hypergeom, mannwhitneyu

        m, n, above, allowed = len(self.members), len(self.others), self._above(ALARM), int(ALARM * len(self.others))
        # So many members stand above one other too many: of the first `above + allowed` no more others than allowed.
        caught = hypergeom.cdf(allowed, m + n, n, min(above + allowed, m + n)) if above else 1.0
        area = mannwhitneyu(self.members, self.others, alternative="greater").pvalue
        return float(min(1.0, 2 * self.tries * min(caught, area)))

    @property
    def right(self) -> float:
        """Of rows that are named at ALARM, where half of all rows trained, the share that did: 0.5 is guessing."""
        caught = self.caught()
        return caught / (caught + ALARM) if caught else 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Named:
    """Scores [units] of candidates. how: what they are, in words; plan: of the run."""

    asked: Candidates
    values: Floats = field(repr=False)
    how: str
    plan: Plan = field(repr=False)

    @property
    def of(self) -> frozenset[str]:
        """See `Found`."""
        return self.asked.of

    def scores(self, truth: Truth) -> Scores | None:
        """Those of members, and of others. None: their rows are not here."""
        if not self.of <= truth.keys():
            return None
        inside = members(self.plan, truth, self.of)
        return Scores(self.values[inside], self.values[~inside])

    def judged(self, truth: Truth) -> Verdict:
        """Succeeded where chance hardly ever does as well. score: the share of members that is caught at one false
        alarm in a hundred; baseline: what guessing catches then."""
        found = self.scores(truth)
        return judged(found, self.of, self.plan, self.asked.level, "was trained on", self.how, self.asked.times)


def judged(
    found: Scores | None, of: frozenset[str], plan: Plan, level: float, there: str, how: str, times: int = 1
) -> Verdict:
    """What scores of rows of these sites come to. None: there are too few. there: what members did; how: what the
    scores are; times: of how many of what the plan's noise hides a row (or person) is at most."""
    what = "rows" if plan.data.person is None else "persons"
    if found is None or min(len(found.members), len(found.others)) < FEWEST:
        return Verdict(None, f"fewer than {FEWEST} {what} of {named(of)} are known of which each {there}, or of others")
    m, n, chance, caught = len(found.members), len(found.others), found.chance, found.caught()
    told = True if chance < level else None if chance < HINT else False
    right = f"; where half of all {what} are of the one kind, {100 * found.right:.0f} of 100 that it names are"
    rare = f"less than once in {MOST:,.0f} runs"
    if chance * MOST >= 1:
        rare = "in most runs" if chance > 0.5 else f"once in {1 / chance:,.0f} runs"
    weak = f", too often for a success, which is less than once in {1 / level:,.0f}" if told is None else ""
    words = (
        f"of two {what} of {named(of)}, of which one {there}, it picks that one {100 * found.auc:.0f} times in 100, "
        f"where guessing does 50 times; asked about {m} of the one kind and {n} of the other, at one false alarm in "
        f"100 it names {100 * caught:.1f} % of the first, where guessing names {100 * ALARM:.0f} %"
        f"{_beyond(plan, times, caught) if told else ''}{right if told and caught else ''} (chance does as well "
        f"{rare}{weak}; {how})"
    )
    return Verdict(told, words, caught, ALARM)


def forbidden(plan: Plan, times: int) -> float | None:
    """The share of members beyond which the plan's epsilon and delta let no attack name any on average, at ALARM. None:
    there is no noise.

    times: as of `judged`: (epsilon, delta) of one is (k epsilon, delta (e^(k epsilon) - 1) / (e^epsilon - 1)) of k.
    """
    if not plan.noisy:
        return None
    epsilon = required(plan.privacy.epsilon)
    if times * epsilon > MANY:
        return 1.0
    more = math.expm1(times * epsilon) / math.expm1(epsilon)
    return min(1.0, math.exp(times * epsilon) * ALARM + more * required(plan.privacy.delta))


def _beyond(plan: Plan, times: int, caught: float) -> str:
    most, privacy = forbidden(plan, times), plan.privacy
    if most is None or caught <= most:
        return ""
    what = f"epsilon {privacy.epsilon:g} for each {privacy.unit} lets whoever reads noised sums alone name"
    return f", and {what} no more than {100 * most:.2f} % on average over runs"


@dataclass(frozen=True, slots=True)
class Short:
    """Time was up before anything could be said. what: was done by then."""

    of: frozenset[str]
    what: str

    def judged(self, truth: Truth) -> Verdict:
        """Undecided."""
        return Verdict(None, f"{self.what}: its time was up (--minutes)")
