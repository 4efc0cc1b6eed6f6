"""Whether a clip is short beside the gradients of a network that has learnt nothing yet, from the plan alone.

Rows of nobody go through the first model (`learning.made_up`), and their gradients' norms are found as those of real
rows would be. As a model learns, the gradients of rows that it takes for others grow to several times that. A clip that
cuts off many makes sums that point elsewhere than gradients do, and they lead to another model. A longer clip has as
much more noise; where that is far below the gradients all the same, GROWN times the median norm is named. On census
rows at epsilon 8 networks of two to four layers lost .006 to .012 of their AUC at a clip of 1, and 0 to .006 at 4.

It does NOT know real rows, nor later models. What is named is a guess, as all of this is before any row is looked at.
"""

import math
from collections.abc import Iterator

import msgspec
import numpy as np

from potluck.core.plan import Plan, required
from potluck.core.seeded import generator
from potluck.core.stages import Floats, GridBlock
from potluck.learning import made_up
from potluck.learning.data.encode import encoding, tensors
from potluck.learning.data.table import Table
from potluck.learning.data.target import Goal, goal_of
from potluck.learning.graph.per_row.gradients import Gradients
from potluck.learning.models.fitted import training
from potluck.learning.models.forms import form_of
from potluck.learning.training.method import method_of
from potluck.learning.training.slots import net_of, slots_of
from potluck.tasks.sums.signal import Outlook

DRAWS = 4
"""Of `made_up.BATCH` rows."""
GROWN = 4.0
"""So many times the median is named, where the plan's clip is not half of it."""
LOUD = 20.0
"""Signal to noise of all rounds: below it a longer clip may cost more than it brings."""


def warnings(plan: Plan, outlook: Outlook | None) -> Iterator[str]:
    """A line, as `check` makes them."""
    if outlook is None or outlook.now.run < LOUD or not _judged(plan):
        return
    goal, clip = goal_of(plan), required(plan.privacy.clip)
    usual = float(np.median(norms(plan, goal)))
    if not 0 < clip < GROWN * usual / 2:
        return
    what = f"of rows drawn evenly from the columns half have gradients longer than {usual:.2g} at the first model"
    why = "they grow as it learns, and where many are cut off it learns something else"
    yield f"privacy.clip: is {clip:g}, and {what}; {why}. hint: {_rounded(GROWN * usual):g}"


def _judged(plan: Plan) -> bool:
    """Whether it trains a network of declared columns by rows. Evenly drawn pictures and texts are like no real ones,
    and what a person's rows have in common nobody declares."""
    privacy, columns = plan.privacy, encoding(plan)
    of_rows = method_of(plan).follows(plan) and privacy.unit == "row" and privacy.clip_follows is None
    return of_rows and goal_of(plan).apart and bool(columns.names) and not tensors(columns)


def norms(plan: Plan, goal: Goal) -> Floats:
    """[DRAWS made_up.BATCH] L2 norms of gradients at a plan's first model."""
    how, rows = encoding(plan), DRAWS * made_up.BATCH
    form = form_of(plan, goal, len(how.names))
    data = msgspec.structs.replace(plan.data, max_rows=rows)
    all_rows = msgspec.structs.replace(training(plan), batch=None, band=None)
    whole = msgspec.structs.replace(plan, data=data, training=all_rows)
    features = np.concatenate([made_up.features(how, batch) for batch in range(DRAWS)])
    target = np.concatenate([made_up.targets(goal, batch) for batch in range(DRAWS)])
    table = Table(features, target, None, np.zeros(rows, np.bool_), {}, ())
    public = generator(0, "made up", "slots")
    slots = slots_of(whole, goal, net_of(plan, form.size), form.initial(), table, 0, public.bytes)
    found: list[Floats] = []

    def seen(some: Gradients) -> None:
        found.append(some.norms[some.there].numpy())

    slots.summed(GridBlock("gradient", form.size, 2.0**-40, 2.0**20), 1.0, seen)
    return np.concatenate(found)


def _rounded(value: float) -> float:
    """Up to a figure."""
    unit = 10.0 ** math.floor(math.log10(value))
    return math.ceil(value / unit - 1e-9) * unit
