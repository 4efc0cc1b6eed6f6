"""The candidates of a grid: each is the plan with one combination of settings, judged by validation rows.

Test rows are in no sum of any of them (`evaluate.rows`). A plan that names no validation rows gives a fifth of those
that are not test rows. Its `training.expected_rows` shrink with what is left to train on, as those of a fold do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from potluck.api.local.check import Verdict, check
from potluck.api.plan.plan import Plan
from potluck.api.tune.grid import Grid, Settings, combinations, said
from potluck.core.errors import PlanError, PotluckError, UsageError
from potluck.core.plan import required
from potluck.learning.data.target import Side, goal_of
from potluck.learning.evaluation import evaluate
from potluck.tasks import catalog
from potluck.tasks.sources import Sources
from potluck.tasks.trained import MEASURES

SHARE = 0.2
"""Of the rows that are not test rows, as many judge candidates where the plan does not say."""
USUAL: Mapping[Side, str] = {
    "binary": "auc", "classes": "accuracy", "number": "rmse", "labels": "auc", "tokens": "loss",
}  # fmt: skip
"""By what is predicted, the metric that chooses where nobody says."""
LOWER = frozenset({"rmse", "loss", "perplexity"})
"""Metrics that are better the lower they are."""


@dataclass(frozen=True)
class Candidate:
    """number: from 1, in the grid's order; plan: as it is run; verdict: what it will cost."""

    number: int
    settings: Settings
    plan: Plan
    verdict: Verdict

    @property
    def words(self) -> str:
        """Its settings."""
        return said(self.settings)


def judged(plan: Plan) -> Plan:
    """The plan whose model validation rows judge. Raises UsageError: it trains nothing, or holds no rows out."""
    spec = plan.spec
    if not spec.traits.trains:
        what = f'a plan with task = "{spec.task}" has no settings that validation rows choose'
        raise UsageError(what, where=f"tune: {plan.where}", hint='task = "train"')
    split = spec.data.split
    if split is None:
        what = "data.split is missing: no row is left out of training by which settings could be chosen"
        hint = (
            "[data.split] with test = 0.2 and validation = 0.2: the ones say how good the choice is, the others choose"
        )
        raise PlanError(what, where=plan.where, hint=hint)
    found = plan.set("evaluate", {"rows": "validation"})
    if split.validation is not None:
        return found
    rest = 1.0 if split.column is not None else 1 - (split.test or 0.0)
    found = found.set("data.split.validation", round(SHARE * rest, 6))
    expected, batch = required(spec.training).expected_rows, required(spec.training).batch
    if expected is not None:
        fewer = max(1, round(expected * (1 - SHARE)))
        found = found.set("training.expected_rows", fewer)
        if batch is not None and batch > fewer:
            found = found.set("training.batch", fewer)
    return found


def candidates(plan: Plan, grid: Grid, data: Sources | None) -> list[Candidate]:
    """Each of them, checked as `potluck check` does. plan: of `judged`.

    Raises UsageError: the grid; PlanError, DataError: a combination cannot run, is judged by nothing, lets somebody see
    something else than the first, or is one of the others.
    """
    found = list[Candidate]()
    for number, settings in enumerate(combinations(grid), 1):
        one = _set(plan, settings)
        verdict = check(one, data)
        if verdict.errors:
            what, _, hint = verdict.errors[0].removeprefix(f"{plan.where}: ").partition(". hint: ")
            raise PlanError(what, where=f"{plan.where} with {said(settings)}", hint=hint)
        _comparable(one, settings, found)
        found.append(Candidate(number, settings, one, verdict))
    return found


def metric_of(every: Sequence[Candidate], wanted: str | None) -> str:
    """By which metric candidates are compared. Raises UsageError: their target has no such metric."""
    side = goal_of(every[0].plan.spec).side
    if wanted is None:
        return USUAL[side]
    known = [name for name in MEASURES[side] if side != "classes" or name != "auc"]
    if wanted not in known:
        raise UsageError(f'--metric {wanted}: this target has no "{wanted}"', hint=f"one of {', '.join(known)}")
    return wanted


def _set(plan: Plan, settings: Settings) -> Plan:
    """Raises PlanError, UsageError: the combination is none of a plan."""
    for key, value in settings.items():
        try:
            plan = plan.set(key, value)
        except PotluckError as error:
            error.where = f"{error.where} with {said(settings)}" if error.where else f"with {said(settings)}"
            raise type(error)(error.what, where=error.where, hint=error.hint) from None
    return plan


def _comparable(one: Plan, settings: Settings, before: Sequence[Candidate]) -> None:
    """Raises PlanError: see `candidates`."""
    where = f"{one.where} with {said(settings)}"
    if not evaluate.allowed(one.spec):
        noisy = one.spec.noisy and one.spec.privacy.unit != "row"
        what = "no metrics are released, by which settings could be chosen"
        hint = "privacy.evaluation = 0.1, a part of epsilon" if noisy else "a model all of whose weights are shared"
        raise PlanError(what, where=where, hint=hint)
    same = next((other for other in before if other.plan.hash == one.hash), None)
    if same is not None:
        raise PlanError(f"is the same plan as with {same.words}", where=where, hint="leave one of the two values out")
    if before and _seen(one) != _seen(before[0].plan):
        what = f"somebody sees something else than with {before[0].words}, which is not chosen by rows"
        raise PlanError(what, where=where, hint="potluck explain says what; tune each by itself")


def _seen(plan: Plan) -> set[tuple[object, ...]]:
    """Who sees what in which form, unless what breaks."""
    return {(one.party, one.of, one.form, one.breaks_if) for one in catalog.views(plan.spec)}
