"""Sums over few rows: what only one of them moves is that row."""

from potluck.learning.models.first.layer import layer_of
from potluck.tasks.shapes.shape import Case, Shape

TRIES = 20
FOUND, DRAWN = {3: 20, 6: 19, 12: 10}, {3: 19, 6: 16, 12: 10}
"""In how many of TRIES made-up runs a row came out of sums over so many rows, to within 0.001: three sites, masks, a
network of 16 units of ReLU; and of a graph that begins with such a layer, as torch makes it."""
HINT = "add noise of the sites, or more rows: whoever hides sites in a sum hides no row in it"


def _said(case: Case) -> str | None:
    rows, plan = case.summed, case.plan
    layer = layer_of(plan)
    if rows < 1 or layer is None:
        return None
    if rows == 1:
        found = "one division a number gives that row, in every try"
        return f"privacy.noise: no site adds noise, a sum is over one row, and {found} (attack analytic). hint: {HINT}"
    near = next((most for most in FOUND if rows <= most), None)
    if near is None or plan.noisy or not layer.rectified:
        return None
    hits = (DRAWN if plan.drawn else FOUND)[near]
    measured = f"of sums over {near} rows a first layer of 16 units gave one away in {hits} of {TRIES} made-up runs"
    what = f"without noise a sum is over {case.over}, and {measured}, whoever added them up"
    return f"privacy.noise: {what} (attack analytic). hint: {HINT}"


FEW_ROWS = Shape("analytic", _said)
