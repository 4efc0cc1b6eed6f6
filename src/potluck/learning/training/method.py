"""What every way to train has in common: the model at which a sum is asked, the sum's blocks, and the next model."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

import msgspec
import numpy as np
from numpy.typing import NDArray

from potluck.core.asks import Answer, Block, OwnSums
from potluck.core.errors import DataError
from potluck.core.party import Draw
from potluck.core.plan import Plan
from potluck.core.registry import Registry, table
from potluck.core.rounds import Abort, Cause
from potluck.core.slices import slices
from potluck.core.stages import Contribution, Floats
from potluck.learning.data.declared import declared
from potluck.learning.data.table import Table
from potluck.learning.data.target import Goal, goal_of
from potluck.learning.data.units import most_units
from potluck.learning.models.fitted import Fitted, training
from potluck.learning.training.gaps import means

TALLY = "rows"
WIDEST = 1e9
"""No coefficient is larger: it would not be a model but an attempt to overflow."""
FEW = 10
"""Below so many training rows a coefficient, a warning."""


ServerSteps = Generator[Floats, Answer | None, Fitted]
"""Yields the weights at which the next sum is asked, is resumed with its answer: `rounds` times. Resumed with None it
ends there, with the weights that it yielded last."""


class Method(Protocol):
    """One way to train. Deterministic: the same answers give the same bytes."""

    def initial(self) -> Floats: ...

    def blocks(self, weights: Floats) -> tuple[Block, ...]: ...

    def contribute(self, weights: Floats, step: int, rows: Table, draw: Draw) -> Iterator[Contribution]: ...

    def course(self) -> ServerSteps: ...


@runtime_checkable
class Walking(Method, Protocol):
    """One whose sites may take sums of their own."""

    def own(self, weights: Floats) -> OwnSums | None:
        """Those of one round; None: units add to the sum of all sites."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingMethod:
    """One way to train, as plans name it: an object in the method's file, and a line in `methods`.

    start: the method for a plan, its target and so many features.
    rounds, rate, batch: of [training], where a plan does not say; of_kind: rounds and rate of a kind of model that has
    its own; on_shares: rounds where each is computed on shares.
    settled: rounds in which it arrives at the one fit there is; None: it may not.
    opened: what the sums that the server opens are made of, by the plan and what they say of the number of rows.
    gist: the same in plain words, for people who decide (`learning.gist`).
    linear: it trains models that are linear in their features, and no others; boosts: those that are boosted.
    bounded: with noise, what a unit adds is bounded without privacy.clip.
    steps: it takes steps down a gradient, as `training.optimizer` says.
    by_site: each site trains by itself and adds its change; else every round is a sum over all rows.
    batched: of such sums: a plan may have each over some rows alone, drawn anew.
    weighed: what rows count in its objective may depend on their side or class.
    whole: of a plan, whether a site adds one vector that it has already added up, which training.range bounds and whose
    last bits depend on the order of its rows; else each row is on the grid before it is added.
    faults: what of a plan does not fit, noised: of one with noise; pauses: what of a plan runs, and should give pause.
    Lines as `check` makes them, also of plans that have errors.
    values: about how many numbers one sum has for so many features, without making room for them; None: as many as
    weights train.
    follows: of a plan with noise, whether its clip may follow what is opened.
    scaled: of a plan, whether it may find the units in which gradients are clipped, also of one that has errors.
    modelled: the model's weights among the numbers that are announced for a round of training; cycle: from what the
    first sum announces, what those of a later round might, which are then as long as theirs, the longest last.
    stands: of numbers that are announced for one step, those for another, where they say how far training is.
    tried: of a plan with noise, by key, settings that may suit it better: `check` tries them on made-up rows. They are
    the same whatever the plan has there, so that whoever takes what does best is advised nothing else. Rates are times
    the one that is recommended.
    """

    start: Callable[[Plan, Goal, int], Method]
    rounds: int
    rate: float
    opened: Callable[[Plan, str], str]
    gist: Callable[[Plan], str] = lambda plan: "how the model should change"
    batch: int | None = None
    of_kind: Callable[[str | None], tuple[int, float] | None] = lambda kind: None
    on_shares: int | None = None
    settled: int | None = None
    linear: bool = False
    boosts: bool = False
    bounded: bool = False
    steps: bool = False
    by_site: bool = False
    batched: bool = False
    weighed: bool = False
    whole: Callable[[Plan], bool] = lambda plan: False
    faults: Callable[[Plan], Iterator[str]] = lambda plan: iter(())
    noised: Callable[[Plan], Iterator[str]] = lambda plan: iter(())
    pauses: Callable[[Plan], Iterator[str]] = lambda plan: iter(())
    values: Callable[[Plan, int], int] | None = None
    follows: Callable[[Plan], bool] = lambda plan: False
    scaled: Callable[[Plan], bool] = lambda plan: False
    modelled: Callable[[Plan, Floats], Floats] = lambda plan, announced: announced
    cycle: Callable[[Plan, Floats], tuple[Floats, ...]] = lambda plan, announced: (announced,)
    stands: Callable[[Floats, int], Floats] = lambda announced, step: announced
    tried: Mapping[str, Sequence[float | bool]] = field(default_factory=dict)

    def usual_rounds(self, joins: bool, kind: str | None) -> int:
        """Where a plan does not say them. joins: over columns of different owners, on shares; kind: of model."""
        if joins and self.on_shares:
            return self.on_shares
        own = self.of_kind(kind)
        return own[0] if own else self.rounds


def averages(plan: Plan) -> str:
    """What sums of a linear model tell, in plain words."""
    goal = goal_of(plan)
    if goal.side == "number":
        return f"how each column goes with {goal.column!r}"
    each = {"classes": f"for each value of {goal.column!r}", "labels": "for each label"}
    two = f"for rows positive in {goal.column!r} and for the others"
    return f"weighted averages of the columns {each.get(goal.side, two)}"


METHODS: Registry[TrainingMethod] = table("training.method")


@dataclass(frozen=True, slots=True)
class Filling:
    """A method whose first sum is of the means that fill gaps: behind what the method announces stand the means [m].

    inside: the method, with that sum less.
    """

    plan: Plan
    inside: Method

    def initial(self) -> Floats:
        """The method's first weights, and means that are not known."""
        return np.append(self.inside.initial(), means.unknown(self.plan))

    def blocks(self, weights: Floats) -> tuple[Block, ...]:
        """Of the means, then the method's. Raises Abort(TERMS): what is announced is no mean."""
        inner, known = _parted(self.plan, weights)
        return (means.block(self.plan),) if known is None else self.inside.blocks(inner)

    def contribute(self, weights: Floats, step: int, rows: Table, draw: Draw) -> Iterator[Contribution]:
        """What training rows add to means; then what they add by the method, once their gaps are filled."""
        inner, known = _parted(self.plan, weights)
        if known is None:
            return means.added(self.plan, rows)
        return self.inside.contribute(inner, step, means.whole(self.plan, rows, known), draw)

    def own(self, weights: Floats) -> OwnSums | None:
        """The method's, of a round in which it trains."""
        inner, known = _parted(self.plan, weights)
        return self.inside.own(inner) if known is not None and isinstance(self.inside, Walking) else None

    def course(self) -> ServerSteps:
        """The means, then the method's rounds with them."""
        answer = yield self.initial()
        if answer is None:
            return Fitted(method_of(self.plan).modelled(self.plan, self.initial()))
        known, gone = means.found(self.plan, answer), means.minded(self.plan, answer)
        left = self.inside.course()
        weights = next(left)
        while True:
            answer = yield np.append(weights, known)
            try:
                weights = left.send(answer)
            except StopIteration as stop:
                fitted: Fitted = stop.value
                return replace(fitted, weights=np.append(fitted.weights, known), warnings=(*gone, *fitted.warnings))


def _parted(plan: Plan, announced: Floats) -> tuple[Floats, Floats | None]:
    """What the method announces, and the means; None: they are yet to be found."""
    inner, known = np.split(announced, [len(announced) - means.averaged(plan)])
    if np.array_equal(known, means.unknown(plan)):
        return inner, None
    if np.abs(known).max() > 1:
        raise Abort(Cause.TERMS, detail="what is announced to fill gaps with is no mean of a column")
    return inner, known


def _filling(method: TrainingMethod) -> TrainingMethod:
    """The method for a plan with gaps that are filled."""

    def start(plan: Plan, goal: Goal, features: int) -> Method:
        spec = msgspec.structs.replace(training(plan), rounds=training(plan).rounds - 1)
        return Filling(plan, method.start(msgspec.structs.replace(plan, training=spec), goal, features))

    def modelled(plan: Plan, announced: Floats) -> Floats:
        inner, known = np.split(announced, [len(announced) - means.averaged(plan)])
        return np.append(method.modelled(plan, inner), known)

    def cycle(plan: Plan, announced: Floats) -> tuple[Floats, ...]:
        inner, known = np.split(announced, [len(announced) - means.averaged(plan)])
        return tuple(np.append(one, np.zeros_like(known)) for one in method.cycle(plan, inner))

    return replace(method, start=start, modelled=modelled, cycle=cycle)


def method_of(plan: Plan) -> TrainingMethod:
    """The method that a plan to train names; where columns' gaps are filled with means, with a sum of these before."""
    method = METHODS.of(training(plan).method)
    return _filling(method) if any(one.missing == "mean" for one in declared(plan).values()) else method


def by_unit(plan: Plan) -> bool:
    """Whether each row or person is bounded by itself, before any sum."""
    return plan.noisy and plan.privacy.unit in ("row", "person")


def held(plan: Plan) -> bool:
    """Whether coefficients stay within training.range: where sites train by themselves, and noise does not bound all
    that they change."""
    return method_of(plan).by_site and (by_unit(plan) or not plan.noisy)


def tally(plan: Plan, goal: Goal) -> Block:
    """Without noise: how many training rows there are, of each side or class."""
    return Block(TALLY, goal.cells, 1.0, 1.0, most_units(plan), parts=1)


def of_site(plan: Plan, goal: Goal, name: str, length: int) -> tuple[Block, ...]:
    """Without noise, of one vector a site: a block [length] that training.range bounds for each row, and its rows."""
    sites, most = len(plan.federation.sites), float(plan.data.max_rows)
    high = training(plan).range * most
    return (
        Block(name, length, high, high * float(np.sqrt(length)), sites),
        Block(TALLY, goal.cells, most, most, sites, parts=1),
    )


def tallied(goal: Goal, target: Floats) -> Floats:
    """[k, cells]: a 1 in each row's cell."""
    if goal.cells == 1:
        return np.ones((len(target), 1))
    return np.asarray(target[:, None] == np.arange(goal.cells), dtype=np.float64)


def counts(goal: Goal, target: Floats) -> NDArray[np.int64]:
    """[cells]: the rows in each cell."""
    if goal.cells == 1:
        return np.array([len(target)])
    return np.bincount(target.astype(np.int64), minlength=goal.cells)


def judge(plan: Plan, goal: Goal, answer: Answer) -> float:
    """The opened number of training rows. Raises DataError as `enough`."""
    return enough(plan, goal, answer.part(TALLY).values)


def enough(plan: Plan, goal: Goal, counts: NDArray[np.int64] | Floats) -> float:
    """The number of training rows, of which so many are of each side or class [cells], over all sites.

    Raises DataError: there are none, or all are of one class."""
    rows = float(counts.sum())
    if rows == 0:
        side = "the training side of the split is empty" if plan.data.split else "there are no rows to train on"
        raise DataError(side, hint="lower data.split.test, or see the split column")
    if goal.cells > 1 and np.count_nonzero(counts) < 2:
        hint = "see data.target, or the split" if plan.data.split else "see data.target"
        where = " on the training side" if plan.data.split else ""
        raise DataError(f"the target {goal.column!r} has one class{where}", hint=hint)
    return rows


def cut_off(answer: Answer, name: str) -> float:
    """How much every entry of a block may be off: the grid moves each row by at most a step."""
    step = next(part.step for part in answer.grid.parts if part.name == name)
    return step * float(answer.part(TALLY).values.sum())


def few(rows: float, coefficients: int) -> tuple[str, ...]:
    """The warning that exact sums over so few rows call for, or none."""
    if rows >= FEW * coefficients:
        return ()
    return (
        f"{rows:.0f} training rows for {coefficients} coefficients: below {FEW} rows a coefficient, exact sums can "
        "give single rows away and the fit is unsteady",
    )


def within(plan: Plan, weights: Floats) -> None:
    """Raises Abort(RANGE): not finite, or a coefficient beyond a wide public bound, within which no row's margin
    overflows: refusing public weights tells nothing of the rows. Sites that train by themselves add changes that no
    row bounds: their coefficients may have to stay within training.range (`held`)."""
    parts = [weights[part] for part in slices(len(weights))]
    if not all(np.isfinite(part).all() for part in parts):
        raise Abort(Cause.RANGE, detail="a coefficient is not finite. hint: a lower training.rate, or more model.l2")
    narrow = held(plan)
    reach = training(plan).range if narrow else WIDEST
    if any((np.abs(part) > reach).any() for part in parts):
        hint = "raise training.range or model.l2" if narrow else "a lower training.rate, or more model.l2"
        raise Abort(Cause.RANGE, detail=f"a coefficient is beyond its range ({reach:g}). hint: {hint}")
