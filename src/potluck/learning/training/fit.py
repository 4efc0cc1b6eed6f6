"""How a kind of model is fitted over columns at different owners, as one object: its learner, checks and bounds.

A program of the engine computes it; what that is given, and what its results say, is the learner's to know.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from potluck.core.fitting import Array, Recipe
from potluck.core.plan import Plan
from potluck.core.registry import Registry
from potluck.core.stages import Floats
from potluck.learning.data.columns import Columns
from potluck.learning.models.model import Model
from potluck.learning.training.trained import Trained


class Learner(Protocol):
    """A model's program, from public numbers; an owner's part of its arguments; and what its results say."""

    def recipe(self, train: int, test: int) -> Recipe: ...

    def shared(self, owner: str, columns: Columns) -> list[Array]: ...

    def outcome(self, opened: Sequence[Array], train: int, test: int) -> Trained: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitting:
    """How one kind of model is fitted.

    learner: of a plan, and with noise sigma of each compute party's share, in steps of 2^-18 (else None).
    plain: the model of features [n, p] in the plan's order and target [n] in one place, to compare with.
    check, noised: what of a plan, and of one with noise, does not fit: lines as `check` makes them.
    unfit: what is wrong with a plan for so many rows to train on and held out, with a hint; empty: nothing.
    reads: the keys of [training] that a plan may write and others would ignore.
    tells: what an exact model tells a reader, beside that one unknown row can be worked out of it.
    """

    learner: Callable[[Plan, float | None], Learner]
    plain: Callable[[Plan, Floats, Floats], Model]
    check: Callable[[Plan], Iterator[str]]
    noised: Callable[[Plan], Iterator[str]]
    unfit: Callable[[Plan, int, int], str]
    reads: Callable[[Plan], frozenset[str]] = lambda plan: frozenset()
    tells: str = ""


FITS: Registry[Fitting] = Registry("model.kind")


def fit_of(plan: Plan) -> Fitting:
    """How a plan's kind of model is fitted. Raises PlanError: it is not."""
    return FITS.of(plan.model.kind if plan.model else None)
