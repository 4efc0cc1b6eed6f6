"""Sums over few rows of a graph in which no layer stands first: rows are searched for, whose slopes are those seen."""

from potluck.learning.models.first.layer import layer_of
from potluck.learning.models.graphs import network_of
from potluck.tasks.shapes.few_rows import HINT
from potluck.tasks.shapes.shape import Case, Shape

MOST = 3
"""Rows of a sum, of which digits of 8 by 8 were found to 30 decibels and better, under masks too."""


def _said(case: Case) -> str | None:
    rows, plan = case.summed, case.plan
    if plan.noisy or not 0 < rows <= MOST or not plan.drawn or layer_of(plan) is not None:
        return None
    inputs = network_of(plan).graph.inputs
    if len(inputs) > 1 or inputs[0].dtype != "float32":
        return None
    measured = f"of sums over 1 to {MOST} handwritten digits every digit came out to the eye, under masks too"
    what = f"without noise a sum is over {case.over}, and {measured}"
    return f"privacy.noise: {what} (attack inversion). hint: {HINT}"


FEW_PICTURES = Shape("inversion", _said)
