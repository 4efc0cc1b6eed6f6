"""What looks at validation rows do to a run's training: when it ends, and after which round the model is kept.

All of it follows from opened sums, in their order: a server that was killed comes to the same by replaying them.
"""

from dataclasses import dataclass, field

import numpy as np

from potluck.core.asks import Answer, Ask
from potluck.core.plan import Plan
from potluck.core.stages import Floats
from potluck.learning.evaluation.validation import Look, better, look
from potluck.learning.models.fitted import Fitted, training
from potluck.learning.models.model import model
from potluck.learning.training.method import ServerSteps


@dataclass(slots=True)
class Looks:
    """The looks so far. place: of that whose model is kept, the best by the metric of `training.stop`, of equals the
    first; without `stop` the last. weights: with `stop`, its model's."""

    plan: Plan
    history: list[Look] = field(default_factory=list)
    place: int = 0
    weights: Floats | None = field(default=None, repr=False)

    def due(self, number: int) -> bool:
        """Whether the model is looked at after this round: every so many of them, and the last."""
        spec = training(self.plan)
        return spec.every is not None and (number % spec.every == 0 or number == spec.rounds)

    def seen(self, number: int, weights: Floats, answer: Answer) -> None:
        """What a look at these weights gave. Raises DataError: `evaluation.validation.look`."""
        self.history.append(look(self.plan, model(self.plan, weights), answer, number))
        stop = training(self.plan).stop
        if stop is None:
            self.place = len(self.history) - 1
        elif len(self.history) == 1 or better(stop.metric, self.history[-1], self.history[self.place]):
            self.place, self.weights = len(self.history) - 1, weights

    @property
    def over(self) -> bool:
        """Whether training ends here: the metric was no better than at its best for as many looks as the plan bears."""
        stop = training(self.plan).stop
        return stop is not None and len(self.history) - 1 - self.place >= stop.patience

    @property
    def kept(self) -> int:
        """After which round the model is kept; 0: nobody looked."""
        return self.history[self.place].round if self.history else 0

    def chosen(self, fitted: Fitted) -> Fitted:
        """The model of the run. What the method opened about its last model is not said of an earlier one."""
        if self.weights is None or self.place == len(self.history) - 1:
            return fitted
        return Fitted(self.weights, fitted.warnings, importances=fitted.importances)


def looked(plan: Plan, ask: Ask, answer: Answer) -> Look:
    """What the opened sum of one look says, by itself: step n of them, at the model that was announced. Raises
    DataError."""
    spec = training(plan)
    assert spec.every is not None
    weights = np.frombuffer(ask.state, dtype="<f8")
    return look(plan, model(plan, weights), answer, min((ask.step + 1) * spec.every, spec.rounds))


def ended(course: ServerSteps) -> Fitted:
    """What a course comes to that ends here."""
    try:
        course.send(None)
    except StopIteration as stop:
        fitted: Fitted = stop.value
        return fitted
    raise AssertionError("a course goes on that was told to end")
