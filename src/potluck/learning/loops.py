"""The loop over sums that trains, as drivers see it. Others are in `learning/statistics/statistics.py`, and in
`learning/evaluation/finished/task.py`, of one sum alone."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from potluck.core.asks import Answer, Ask, Block, Kind, Lead
from potluck.core.errors import DataError
from potluck.core.party import Draw
from potluck.core.plan import Plan
from potluck.core.rounds import Abort, Cause
from potluck.core.slices import Bytes
from potluck.core.stages import Contribution, Floats
from potluck.learning import folds, voting
from potluck.learning.data.encode import encoding
from potluck.learning.data.table import Table
from potluck.learning.data.target import goal_of
from potluck.learning.evaluation import evaluate, validation
from potluck.learning.evaluation.finished.task import EvaluateTask
from potluck.learning.folds import Judged
from potluck.learning.models.basis import basis
from potluck.learning.models.fitted import Fitted
from potluck.learning.models.model import model
from potluck.learning.statistics.statistics import StatisticsTask
from potluck.learning.training.drawn import band, chance
from potluck.learning.training.looks import Looks, ended
from potluck.learning.training.method import Method, Walking, within
from potluck.learning.training.methods import method_of
from potluck.learning.training.trained import Trained, minority
from potluck.learning.voting import VotedDown, Votes


@dataclass(frozen=True)
class TrainTask:
    """Train, looking at validation rows where the plan does, then evaluate on the held-out rows. See `core.asks.Task`.

    Where the plan deals training rows to folds, the same follows for each: see `learning.folds`. evaluated = False
    leaves all metrics out, and folds. fold: whose model this trains; 0: the run's.
    """

    plan: Plan
    evaluated: bool = True
    fold: int = 0

    def lead(self) -> Lead[Trained]:
        """The server's side. Raises DataError: one class, an empty side; Abort(RANGE): a coefficient beyond range."""
        found = yield from self._trained()
        if not self.evaluated or self.plan.trainings == 1:
            return found
        each = list[Judged]()
        for number in range(1, self.plan.trainings):
            each.append((yield from self._of(number)._judged()))
        validated, more = folds.joined(self.plan, found.model, each)
        return replace(found, folds=validated, warnings=(*found.warnings, *more))

    def _judged(self) -> Generator[Ask, Answer, Judged]:
        """A fold's model, and what its rows say of it. What cannot be trained ends this fold alone: the run's own model
        is opened already. Of aborts that is one of range, which would come again however often it is tried."""
        try:
            fitted = yield from self._fitted(Looks(self.plan), Votes(self.plan))
            answer = yield self._asked(Kind.EVALUATE, 0, fitted.weights)
        except DataError as error:
            return folds.failed(error)
        except Abort as error:
            if error.cause is not Cause.RANGE:
                raise
            return folds.failed(error)
        return folds.judged(self.plan, model(self.plan, fitted.weights), answer)

    def _trained(self) -> Lead[Trained]:
        """The run's own model."""
        looks, votes = Looks(self.plan), Votes(self.plan)
        fitted = yield from self._voted(looks, votes)
        fitted = replace(fitted, warnings=(*fitted.warnings, *minority(votes.cast, looks.history)))
        trained = model(self.plan, fitted.weights)
        beside = basis(self.plan, trained.digest(), fitted)
        kept = votes.back.kept if votes.back else looks.kept
        found = Trained(trained, None, fitted.told, beside, tuple(looks.history), kept, fitted.clips)
        found = replace(found, votes=tuple(votes.cast), back=votes.back)
        if not self._evaluates:
            return found
        answer = yield self._asked(Kind.EVALUATE, 0, fitted.weights)
        metrics, more = evaluate.metrics(self.plan, trained, answer)
        return replace(found, metrics=metrics, warnings=(*fitted.told, *more))

    def _voted(self, looks: Looks, votes: Votes) -> Generator[Ask, Answer, Fitted]:
        """Training to its end, or to where sites vote its model down; the last model is voted on too."""
        warnings: tuple[str, ...] = ()
        try:
            fitted = yield from self._fitted(looks, votes)
            last, warnings = self._sums, fitted.warnings
            if voting.due(self.plan, last):
                number = looks.kept or last // self.plan.sums_a_round
                votes.stood(number, fitted.weights, (yield self._asked(Kind.TRAIN, last, fitted.weights)))
        except VotedDown:
            return votes.fitted(warnings)
        return fitted

    def _fitted(self, looks: Looks, votes: Votes) -> Generator[Ask, Answer, Fitted]:
        """Training to its end, or to where looks end it. Raises VotedDown."""
        course, fitted, each = self._method.course(), None, self.plan.sums_a_round
        weights = next(course)  # with whatever is announced beside them
        for step in range(self._sums):
            try:  # the answer has no name here: it would be held until the next one
                model = self._modelled(weights)
                weights = course.send(votes.stood(step // each, model, (yield self._asked(Kind.TRAIN, step, weights))))
            except StopIteration as stop:
                fitted = stop.value
                weights = fitted.weights
            rounds, more = divmod(step + 1, each)
            if not more and looks.due(rounds):
                model = fitted.weights if fitted is not None else self._modelled(weights)
                looks.seen(rounds, model, (yield self._asked(Kind.VALIDATE, len(looks.history), model)))
                if looks.over and fitted is None:
                    fitted = ended(course)
                    break
        assert fitted is not None  # a course ends after its last round
        return looks.chosen(fitted)

    @property
    def cycle(self) -> tuple[Ask, ...]:
        """The sums of one round as most rounds have them, the longest last: those of the first may be others."""
        announced = method_of(self.plan).cycle(self.plan, self._method.initial())
        step = min(1, self._sums - 1)  # beyond the last sum there is a vote at most
        return tuple(self._asked(Kind.TRAIN, step, one) for one in announced)

    @property
    def usual(self) -> Ask:
        """The longest of them."""
        return self.cycle[-1]

    def _asked(self, kind: Kind, step: int, weights: Floats) -> Ask:
        return self._ask(kind, step, weights, _state(weights))

    def ask(self, kind: Kind, step: int, state: Bytes) -> Ask:
        """The site's own view of a sum. Raises Abort(TERMS): no such sum in this plan, or no model of it."""
        if not 0 <= step < self.plan.trainings * self._each(kind):
            raise Abort(Cause.TERMS, detail=f"the plan has no sum {kind.value} {step}")
        fold, own = divmod(step, self._each(kind))
        return self._of(fold)._heard(kind, own, state)

    def _of(self, fold: int) -> "TrainTask":
        """What trains the model of a fold; 0: the run's."""
        return self if fold == self.fold else self._folds[fold]

    @cached_property
    def _folds(self) -> "dict[int, TrainTask]":
        plan = folds.of_fold(self.plan)
        return {fold: TrainTask(plan, self.evaluated, fold) for fold in range(1, self.plan.trainings)}

    def _heard(self, kind: Kind, step: int, state: Bytes) -> Ask:
        """A sum of this model's. step: from its own first."""
        if kind is Kind.EVALUATE and not self._evaluates:
            raise Abort(Cause.TERMS, detail="no row is held out from this plan's model")
        start = self._method.initial()
        if kind is not Kind.TRAIN or step == self._sums:
            start = self._modelled(start)
        weights = np.frombuffer(state, dtype="<f8") if len(state) == 8 * len(start) else np.full(1, np.nan)
        if not np.isfinite(weights).all():
            raise Abort(Cause.TERMS, detail="the announced model is none of this plan")
        if kind is Kind.TRAIN and step == 0 and not np.array_equal(weights.view("<u8"), start.view("<u8")):
            raise Abort(Cause.TERMS, detail="the first model is not the plan's initial one")
        del start
        within(self.plan, weights)
        return self._ask(kind, step, weights, state)

    def contribute(self, ask: Ask, rows: Table, draw: Draw) -> Iterator[Contribution]:
        """Batches of disjoint units [units, d]: what this site adds."""
        if ask.fold:
            rows = rows.without(ask.fold, ask.fold * self._each(Kind.TRAIN))
        return self._of(ask.fold)._given(ask, rows, draw)

    def _given(self, ask: Ask, rows: Table, draw: Draw) -> Iterator[Contribution]:
        weights = np.frombuffer(ask.state, dtype="<f8").astype(np.float64, copy=False)
        if ask.kind is Kind.EVALUATE:
            return evaluate.contribute(self.plan, model(self.plan, weights), rows)
        if ask.kind is Kind.VALIDATE:
            return validation.contribute(self.plan, model(self.plan, weights), rows)
        return self._method.contribute(weights, ask.step - self.fold * self._each(Kind.TRAIN), rows, draw)

    @property
    def _sums(self) -> int:
        """How many sums over training rows one model takes."""
        return self.plan.sums // self.plan.trainings

    def _each(self, kind: Kind) -> int:
        """How many sums of a kind one model has at most, a vote among them."""
        of = {
            Kind.TRAIN: self._sums + self.plan.steps - self.plan.sums,
            Kind.VALIDATE: self.plan.looks // self.plan.trainings,
            Kind.EVALUATE: int(self.evaluated and evaluate.allowed(self.plan)),
        }
        return of.get(kind, 0)

    @cached_property
    def _method(self) -> Method:
        return method_of(self.plan).start(self.plan, goal_of(self.plan), len(encoding(self.plan).names))

    def _modelled(self, announced: Floats) -> Floats:
        """The model among what is announced for a round of training."""
        return method_of(self.plan).modelled(self.plan, announced)

    @property
    def _evaluates(self) -> bool:
        return bool(self._each(Kind.EVALUATE)) and (self.fold > 0 or self.plan.data.split is not None)

    def _ask(self, kind: Kind, step: int, weights: Floats, state: Bytes) -> Ask:
        number = self.fold * self._each(kind) + step
        if kind is not Kind.TRAIN:
            return Ask(kind, number, self._blocks(kind, weights), state, fold=self.fold)
        votes = voting.due(self.plan, step)
        if step == self._sums:
            return Ask(kind, number, (), state, votes=votes)
        method = self._method
        own = method.own(weights) if isinstance(method, Walking) else None
        some, groups = chance(self.plan), band(self.plan)
        return Ask(kind, number, method.blocks(weights), state, some, own, groups, votes, self.fold)

    def _blocks(self, kind: Kind, weights: Floats) -> tuple[Block, ...]:
        """What the sum at this public model is made of: the grid follows it, so all parties find the same one."""
        if kind is Kind.VALIDATE:
            return validation.blocks(self.plan, weights)
        return evaluate.blocks(self.plan, weights)


def _state(weights: Floats) -> memoryview:
    """The model's bytes, which are not copied: a method makes new weights and does not change these."""
    return weights.astype("<f8", copy=False).data.toreadonly().cast("B")


def build(plan: Plan) -> TrainTask | StatisticsTask | EvaluateTask:
    """The task of a plan whose patterns are resolved."""
    if plan.traits.brings:
        return EvaluateTask(plan)
    return TrainTask(plan) if plan.traits.labelled else StatisticsTask(plan)
