"""What is predicted: one of two sides, one of several classes, several labels of two sides each, a number on its
declared range, or a text's next tokens."""

from collections.abc import Mapping
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from potluck.core.plan import Plan, required
from potluck.core.stages import Floats
from potluck.learning.data.column import COLUMNS, Field
from potluck.learning.data.declared import find
from potluck.learning.data.encode import scale
from potluck.learning.data.notation import Notation, key
from potluck.learning.data.problems import NO_VALUE, Problems, spelled
from potluck.learning.data.sql.dialect import Dialect
from potluck.learning.data.sql.layers import Layer, cases
from potluck.learning.data.sql.values import CASE, OTHER, Cell, code, number, order

Side = Literal["binary", "classes", "labels", "number", "tokens"]
TWO_SIDED: tuple[Side, ...] = ("binary", "labels")
"""Each column has two sides."""
SIDES = ("negative", "positive")
"""What the two are called, whatever values they have: by the plan's keys."""
UNDECLARED = "a target value that the plan does not declare"


class Goal(msgspec.Struct, frozen=True, kw_only=True, rename={"side": "kind"}):
    """The target as a model file carries it. values: all that are declared, positive and negative (empty: any);
    columns: of labels, each of two sides, instead of column."""

    column: str = ""
    side: Side
    positive: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    low: float = -1.0
    high: float = 1.0
    columns: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET

    @property
    def names(self) -> tuple[str, ...]:
        """Its columns: one, or as many as there are labels."""
        return self.columns or (self.column,)

    @property
    def apart(self) -> bool:
        """Whether cells of its own say it; next tokens stand in the text that a model takes."""
        return self.side != "tokens"

    @property
    def each(self) -> tuple["Goal", ...]:
        """The target of each column by itself: a label is one of two sides. None of next tokens."""
        if not self.columns:
            return (self,) if self.apart else ()
        return tuple(Goal(column=one, side="binary", positive=self.positive, values=self.values) for one in self.names)

    @property
    def open(self) -> bool:
        """Whether any value that is not positive counts as negative: the plan declares none."""
        return self.side in TWO_SIDED and not self.values

    @property
    def cells(self) -> int:
        """How many kinds of row there are: two sides, K classes, or 1 for a number, for labels and for tokens."""
        return {"binary": 2, "classes": len(self.classes)}.get(self.side, 1)

    @property
    def outputs(self) -> int:
        """How many numbers a model puts out a row."""
        return len(self.classes) if self.side == "classes" else len(self.names)

    @property
    def scores(self) -> tuple[str, ...]:
        """What each score is called."""
        return self.classes if self.side == "classes" else self.columns or ("score" if self.apart else "loss",)


def goal_of(plan: Plan) -> Goal:
    """The target that a plan declares, or the text whose next tokens it has a model say."""
    if plan.model is not None and plan.model.loss is not None:
        return Goal(column=worded_columns(plan)[0], side="tokens")
    target = required(plan.data.target)
    first = target.names[0]
    column = find(plan, first)  # those of labels are declared alike: see the plan's check
    if target.positive is None and target.classes is None:
        low, high = required(column).bounds
        return Goal(column=first, side="number", low=low, high=high)
    values = column.values if column is not None else ()
    if target.positive is None:
        return Goal(column=first, side="classes", classes=target.classes or (), values=values)
    if target.negative is not None:
        values = (*target.positive, *target.negative)
    if target.columns:
        return Goal(side="labels", columns=target.columns, positive=target.positive, values=values)
    return Goal(column=first, side="binary", positive=target.positive, values=values)


def worded_columns(plan: Plan) -> tuple[str, ...]:
    """The columns of texts that a plan declares."""
    return tuple(name for name, one in plan.data.columns.items() if not one.ignored and COLUMNS.of(one.kind).worded)


def sigmoid(margins: Floats) -> Floats:
    """1 / (1 + exp(-margin)), element by element: log-odds -> probabilities, of any shape."""
    # Loaded at the first call: scipy takes as long as all of ours.
    from scipy.special import expit

    return np.asarray(expit(margins), dtype=np.float64)


def softmax(margins: Floats) -> Floats:
    """margins [n, classes] -> probabilities [n, classes]: each row's sum is 1."""
    from scipy.special import softmax as whole

    return np.asarray(whole(margins, axis=1), dtype=np.float64)


def scores(one: Goal, margins: Floats) -> Floats:
    """margins [n, outputs] -> [n, outputs]: probability of positive (of each label), of each class, or the number in
    its own units."""
    if one.side == "classes":
        return softmax(margins)
    if one.side in TWO_SIDED:
        return sigmoid(margins)
    return np.asarray(one.low + (margins + 1) / 2 * (one.high - one.low), dtype=np.float64)


def score_error(one: Goal, bound: float) -> float:
    """The most that a score can be off where no margin is off by more than `bound`.

    A sigmoid's slope is at most 1/4; a class's probability p changes by at most 2 p (1 - p) <= 1/2 of the largest
    change of a logit; a number is scaled. Up to the rounding of float64 itself.
    """
    if one.side == "number":
        return bound * (one.high - one.low) / 2
    return min(1.0, bound / 2 if one.side == "classes" else bound / 4)


def settled(one: Goal, found: Mapping[str, Floats], lines: NDArray[np.int64], problems: Problems) -> Floats:
    """The target [n] of what `valued` gives of its column: 0 or 1, the class's place, or the number on [-1, 1]; NaN
    where missing. Of labels [n, labels]; of next tokens, which stand elsewhere, zeros.

    What does not fit goes into `problems`; lines [n]: of the cells.
    """
    if not one.apart:
        return np.zeros(len(lines))
    each = [_settled(part, found[part.column], lines, problems) for part in one.each]
    return np.column_stack(each) if one.columns else each[0]


def lacking(target: Floats) -> NDArray[np.bool_]:
    """[n] whether a row has no target, or lacks a label."""
    return np.asarray(np.isnan(target).reshape(len(target), -1).any(axis=1)) if len(target) else np.zeros(0, np.bool_)


def _settled(one: Goal, found: Floats, lines: NDArray[np.int64], problems: Problems) -> Floats:
    if one.side == "number":
        return scale(found, one.low, one.high)
    if not one.open:
        hint = f"{_declared(one)}, or {NO_VALUE}"
        problems.cells(one.column, lines[found == OTHER].tolist(), UNDECLARED, hint)
        problems.cells(one.column, lines[found == CASE].tolist(), f"{UNDECLARED} (only its case differs)", hint)
    return np.where(found < 0, 0.0, found)  # where nothing else was declared, whatever is not positive is negative


def _declared(one: Goal) -> str:
    if one.side == "classes":
        return spelled(classes=one.classes)
    positive = {key(value) for value in one.positive}
    return spelled(positive=one.positive, negative=[value for value in one.values if key(value) not in positive])


def valued(one: Goal, cell: Cell, how: Notation, layer: Layer) -> str:
    """SQL of a target's cell: the number as it is, or 0 (negative), 1 (positive), the class's place, OTHER or CASE."""
    if one.side == "number":
        return number(cell, how, layer)
    if one.side == "classes":
        return code(cell, order(one.classes), how, layer, known=one.values)
    return code(cell, _sides(one, how), how, layer)


def _sides(one: Goal, how: Notation) -> dict[str, float]:
    """1 of the positive values, 0 of the others that are declared."""
    positive = {how.key(value) for value in one.positive}
    return {text: float(how.key(text) in positive) for text in (*one.values, *one.positive)}


def of_derived(one: Goal, field: Field, value: str, how: Notation, d: Dialect) -> str:
    """The same of a target that is derived. value: the name of its field's value."""
    if one.side == "number":
        return value
    sides = order(one.classes) if one.side == "classes" else _sides(one, how)
    codes = {how.key(text): side for text, side in sides.items()}
    pairs = [
        (f"{value} = {d.double(place)}", d.double(codes[how.key(text)]))
        for place, text in enumerate(field.values)
        if how.key(text) in codes
    ]
    return cases([(f"{value} IS NULL", "NULL"), *pairs], d.double(OTHER))
