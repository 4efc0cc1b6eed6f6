"""All of a run but its protection: sites' sums on their grid, and the server's steps, in this process."""

from collections.abc import Iterator

import numpy as np

from potluck.core.asks import Answer, Ask
from potluck.core.party import site
from potluck.core.plan import Plan
from potluck.core.stages import Floats, Opened
from potluck.dp.mechanism import guarded, mechanism
from potluck.dp.reveal import reveal
from potluck.drivers.sums import drive
from potluck.learning.data.table import Table
from potluck.learning.loops import TrainTask
from potluck.learning.models.graph_model import vector
from potluck.learning.models.graphs import trained_of
from potluck.secret.random import system


def weights(plan: Plan, table: Table) -> Floats:
    """The model that the plan trains on these rows."""
    task = TrainTask(plan, evaluated=False)
    return drive(task, lambda ask: answered(task, ask, table)).model.weights


def after_each_round(plan: Plan, *tables: Table) -> Iterator[Floats]:
    """The model after each round of training at these sites."""
    task = TrainTask(plan, evaluated=False)
    lead = task.lead()
    ask = next(lead)
    while True:
        try:
            ask = lead.send(answered(task, ask, *tables))
        except StopIteration as stop:
            last = stop.value.model
            yield vector(last.graph.network, trained_of(plan)) if last.graph else last.weights
            return
        yield np.frombuffer(ask.state, dtype="<f8")


def answered(task: TrainTask, ask: Ask, *tables: Table) -> Answer:
    """One sum: the words that every protection opens."""
    made = mechanism(task.plan, ask)
    first, *others = (guarded(made, task.contribute(ask, table, system), system).words for table in tables)
    total = first.copy()
    for words in others:
        total += words
    opened = Opened(total, frozenset(site(f"s{place}") for place in range(len(tables))))
    return Answer(reveal(made.at_reveal(opened, system), made.grid), made.grid)
