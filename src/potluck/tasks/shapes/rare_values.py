"""Exact sums of products beside a category: a row that alone has one of its values stands in them whole."""

from potluck.learning.data.column import COLUMNS
from potluck.learning.data.encode import encoding
from potluck.learning.loops import TrainTask
from potluck.learning.models.kinds import kind_of
from potluck.learning.training.newton import GRAM
from potluck.tasks.shapes.shape import Case, Shape


def _said(case: Case) -> str | None:
    plan = case.plan
    if plan.begun or kind_of(plan).link is None:
        return None
    if GRAM not in {one.name for one in TrainTask(plan, evaluated=False).usual.blocks}:
        return None
    marks = [one.name for one in encoding(plan).fields if not COLUMNS.of(one.kind).measured or one.missing == "flag"]
    if not marks:
        return None
    named = ", ".join(marks[:3]) + (" ..." if len(marks) > 3 else "")
    what = f"it opens exact sums of products, in which a row that alone has a value of {named} stands whole"
    how = "however many other rows there are and whoever protects the sums: found in every try (attack gram)"
    return f'training.method: {what}, {how}. hint: method = "gradient", coarser values, or noise'


RARE_VALUES = Shape("gram", _said)
