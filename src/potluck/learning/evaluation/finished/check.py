"""What of a plan that judges finished models cannot be. One line a problem: `key: what. hint: what to do`."""

from collections.abc import Iterator

from potluck.core.plan import Evaluate, Model, Plan, required
from potluck.learning.data.check import of_columns, of_features
from potluck.learning.data.declared import find
from potluck.learning.data.encode import encoding, tensors, worded
from potluck.learning.data.notation import notation
from potluck.learning.data.target import goal_of
from potluck.learning.evaluation.confusion import MOST
from potluck.learning.evaluation.finished import cells
from potluck.learning.models.finished.columns import spelt_otherwise, unlike
from potluck.learning.models.finished.finished import NOT_HERE, models_of
from potluck.learning.models.layers import MOST_VALUES
from potluck.learning.models.target_check import of_target

FILE = ("file", "files", "digest", "digests", "kind")
_NONE = Model()
TEXTS = "reads texts, which no plan evaluates in this version"


def check(plan: Plan) -> tuple[list[str], list[str]]:
    """(errors, warnings)."""
    models = models_of(plan)
    errors = [*_said(plan), *_table(plan)] or ([] if models else [NOT_HERE])
    if not errors:
        errors = [line for one in models if worded(one.encoding) for line in (f"model.file: {TEXTS}. hint: leave it",)]
    errors = errors or of_columns(plan) or of_target(plan, notation(plan.data)) or [*_target(plan), *_by(plan)]
    errors = errors or [*unlike(plan, models), *_features(plan)]
    return errors, [] if errors else [*spelt_otherwise(plan, models)]


def _said(plan: Plan) -> Iterator[str]:
    """What of its model table is for those that train."""
    model = required(plan.model)
    for key in Model.__struct_fields__:
        if key not in FILE and getattr(model, key) != getattr(_NONE, key):
            yield f"model.{key}: the model file says it. hint: leave it out"
    if plan.training is not None:
        yield "training: nothing is trained. hint: leave the table out"
    if len(set(model.digests)) < len(model.digests):
        yield "model.files: one model is there twice. hint: name each once"


def _table(plan: Plan) -> Iterator[str]:
    spec, split = required(plan.evaluate), plan.data.split
    if spec.folds is not None:
        yield "evaluate.folds: finished models are not trained again. hint: leave it out"
    if spec.rows != Evaluate().rows:
        yield "evaluate.rows: every row judges finished models, since none trains. hint: leave it out"
    if spec.bins % 2:
        what = f"{spec.bins} parts of [0, 1] have no edge at one half, by which rows are called positive"
        yield f"evaluate.bins: {what}. hint: an even number, such as {spec.bins + 1}"
    for key in ("test", "validation") if split is not None else ():
        if getattr(split, key) is not None:
            what = "every row is judged by, since none trains"
            yield f"data.split.{key}: {what}. hint: leave it out, or data.split.column: rows of the value test count"
    if split is not None and split.test is None and split.column is None and split.validation is None:
        yield "data.split: names no column. hint: leave the table out, or data.split.column"


def _target(plan: Plan) -> Iterator[str]:
    goal = goal_of(plan)
    if goal.side == "classes" and goal.cells > MOST:
        what = f"{goal.cells} classes are more than the {MOST} whose pairs are counted"
        yield f"data.target.classes: {what}. hint: judge such a model where its rows are"


def _by(plan: Plan) -> Iterator[str]:
    by = required(plan.evaluate).by
    if by is None:
        return
    column = find(plan, by)
    if column is None or not column.values or by not in {one.name for one in encoding(plan).fields}:
        what = f"{by} is no category that the plan declares"
        yield f'evaluate.by: {what}. hint: {by} = {{ kind = "category", values = [...] }} in data.columns'


def _features(plan: Plan) -> Iterator[str]:
    how = encoding(plan)
    yield from of_features(how.names, alone=not tensors(how))
    size = sum(block.size for block in cells.blocks(plan))
    if size > MOST_VALUES:
        yield f"evaluate.bins: a sum has {size:,} numbers, {MOST_VALUES:,} are the most. hint: fewer bins, or groups"
