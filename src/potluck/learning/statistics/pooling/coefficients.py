"""Of a meta-analysis: one coefficient of a regression that each site fits by itself.

Such a pool allows each site an intercept and other coefficients of its own, which one regression of all rows does not.
A fit that fails (columns that determine one another, outcomes that a line separates, too few rows) is no estimate.
"""

from collections.abc import Iterator

import msgspec

from potluck.core.plan import Plan, Statistic, required
from potluck.learning.statistics.course import Columns, alone
from potluck.learning.statistics.kind import too_large, wanted
from potluck.learning.statistics.kinds import regression
from potluck.learning.statistics.pooling.pooled import Estimator, Own, pooling
from potluck.learning.statistics.regressions.coefficients import Coefficients
from potluck.learning.statistics.regressions.design import design
from potluck.learning.statistics.regressions.families import FAMILIES
from potluck.learning.statistics.regressions.glm import Glm
from potluck.learning.statistics.regressions.regression import Regression

FREE = 10
"""More rows than coefficients that a fit needs: of fewer its errors are hardly known, and one that is small by chance
has all of the weight. The degrees of freedom that statistical offices ask for (ACRO, github.com/AI-SDC/ACRO)."""
LOCAL = 50
"""Steps of a fit that costs no round."""
ROBUST = "hc0"


def coefficient(plan: Plan, one: Statistic, columns: Columns) -> Own | None:
    """A site's own, in units of the largest that a fit may have."""
    of = Regression(plan, msgspec.structs.replace(one, rounds=LOCAL))
    rows = len(of.counts(columns))
    if rows < len(of.design.names) + FREE:
        return None
    fit = alone(Glm(of), columns, rows)
    assert isinstance(fit, Coefficients)
    found = (fit.coefficients or {}).get(_names(plan, one)[0])
    _, largest = _units(plan, one)
    if found is None or abs(found.value) > largest or not found.se > 0:
        return None
    return Own(found.value / largest, (found.se / largest) ** 2, rows)


def _names(plan: Plan, one: Statistic) -> tuple[str, ...]:
    return design(plan, (required(one.column),), constant=False).names


def _units(plan: Plan, one: Statistic) -> tuple[float, float]:
    """No fit goes where some |x b| is beyond the family's reach: with x up to 1, and an intercept as far on the other
    side, no coefficient is larger than twice that."""
    of = Regression(plan, one)
    place = of.design.names.index(_names(plan, one)[0])
    return 0.0, float(2 * of.family.reach * of.turn[place, place])


def check(plan: Plan, one: Statistic, at: str) -> Iterator[str]:
    """A regression, and one of its features that has one coefficient."""
    fit = msgspec.structs.replace(one, kind="regression", rounds=None)
    fit = msgspec.structs.replace(fit, rounds=regression.rounds(plan, fit))
    found = [*regression.REGRESSION.check(plan, fit, at)] if not plan.noisy else []
    yield from found or too_large(Glm(Regression(plan, fit)), at)
    if one.errors not in ("model", ROBUST):
        yield f'{at}.errors: of a site by itself they have few clusters. hint: errors = "model" or "{ROBUST}"'
    if one.column not in one.features:
        yield f"{at}.column: says whose coefficient is pooled. hint: one of features"
    else:
        wrong = [*wanted(plan, f"{at}.column", one.column)]
        yield from wrong
        if not wrong and len(_names(plan, one)) != 1:
            names = ", ".join(_names(plan, one))
            yield f"{at}.column: {one.column} has several coefficients: {names}. hint: one with two values (recode)"


COEFFICIENT = pooling(
    Estimator(
        coefficient,
        _units,
        f"a fit that settles, of {FREE} rows more than it has coefficients",
        ratios=lambda one: FAMILIES.of(one.family).ratios,
    ),
    (regression.KEYS - {"cluster"}) | {"column"},
    check,
    regression.opens,
)
