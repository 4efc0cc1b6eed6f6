"""What of a plan whose gaps are filled with means its training cannot do. One line a problem, with a hint."""

from collections.abc import Iterator

from potluck.core.plan import Plan, required
from potluck.learning.data.declared import declared
from potluck.learning.models.fitted import training
from potluck.learning.training.gaps.means import LEAST_ROUNDS
from potluck.learning.training.local import keeps
from potluck.learning.training.method import METHODS

HINT = 'missing = "flag", "drop" or "refuse"'


def faults(plan: Plan) -> Iterator[str]:
    """Where every step has to be of one kind, or there is no such sum."""
    named = [name for name, one in declared(plan).items() if one.missing == "mean"]
    if not named:
        return
    key = "data.derive" if named[0] in plan.data.derive else "data.columns"
    at, spec = f"{key}.{named[0]}.missing", training(plan)
    if METHODS.of(spec.method).boosts:
        what = "trees and curves learn what they say of a row without a value, and fill nothing"
        yield f'{at}: {what}. hint: missing = "flag"'
    elif spec.rounds < (least := LEAST_ROUNDS + bool(spec.standardize)):
        first = (
            "the first rounds find the means and the units" if spec.standardize else "the first round finds the means"
        )
        yield f"training.rounds: {first}, and no other is left to train in. hint: at least {least}"
    if keeps(plan):
        yield f"{at}: means are not for sites that keep something from one round to the next. hint: {HINT}"
    if plan.begun:
        yield f"{at}: a model that starts from another one has its encoding. hint: {HINT}, or no model.start"
    if spec.vote is not None:
        yield f"{at}: sites vote on models that can score from the first round on. hint: {HINT}, or no training.vote"
    if required(plan.model).loss is not None:
        yield f"{at}: a language model takes no numbers to fill. hint: {HINT}"
