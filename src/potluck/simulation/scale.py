"""Whether a simulated round is as large as its plan is made for: rows beside `expected_rows`, units beside noise.

Both are public numbers of a plan for many clients. Tried with a small cohort, they make a model bad for a reason that a
real round would not have; so it is said. It does NOT say how good a model will be (`tasks.sums.signal`).
"""

from potluck.learning.models.fitted import training
from potluck.simulation.rounds import peopled
from potluck.simulation.wanted import Wanted
from potluck.simulation.ways import Cohorts
from potluck.tasks.sums.signal import WEAK, signal_of

FAR = 3
"""A plan that expects more than so many times the rows of a round is made for another one."""


def warnings(cohorts: Cohorts, wanted: Wanted) -> list[str]:
    """What is too small for the plan. Raises PlanError: the noise cannot be kept."""
    plan, sites = cohorts.plan, len(cohorts.clients)
    cohort, expected, found = wanted.cohort_of(sites), training(plan).expected_rows, list[str]()
    each = sum(map(len, cohorts.clients)) / sites
    rows = max(1, round(each * cohort))
    if expected is not None and expected > FAR * rows:
        what = f"the plan is made for {expected:,} rows in a round, and {cohort:,} clients here have about {rows:,}"
        hint = f"a larger --cohort, or --set training.expected_rows={rows}"
        found.append(f"training.expected_rows: {what}. hint: {hint}")
    if plan.noisy:
        many = wanted.noise_of(cohort)
        signal = signal_of(peopled(plan, many), cohorts.task.usual)
        share = 1.0 if plan.privacy.unit == "site" or expected is None else each * many / expected
        if signal is not None and signal.run * share < WEAK:
            what = f"of rounds with {many:,} clients noise alone leads farther than all steps together"
            hint = "a larger --cohort or --noise-cohort, or a larger epsilon"
            found.append(f"privacy.noise: {what}. hint: {hint}")
    return found
