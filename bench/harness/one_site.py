"""All of a run but its protection: one site's sums on their grid, and the server's steps, in this process."""

from potluck.core.asks import Answer, Ask
from potluck.core.party import site
from potluck.core.plan import Plan
from potluck.core.stages import Floats, Opened
from potluck.dp.mechanism import guarded, mechanism
from potluck.dp.reveal import reveal
from potluck.drivers.sums import drive
from potluck.learning.data.table import Table
from potluck.learning.loops import TrainTask
from potluck.secret.random import system


def weights(plan: Plan, table: Table) -> Floats:
    """The model that the plan trains on these rows."""
    task = TrainTask(plan, evaluated=False)
    return drive(task, lambda ask: answered(task, table, ask)).model.weights


def answered(task: TrainTask, table: Table, ask: Ask) -> Answer:
    """One sum."""
    made = mechanism(task.plan, ask)
    words = guarded(made, task.contribute(ask, table, system), system).words
    opened = Opened(words, frozenset([site("a")]))
    return Answer(reveal(made.at_reveal(opened, system), made.grid), made.grid)
