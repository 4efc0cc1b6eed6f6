"""A simulation of a plan in memory, and the same plan run by hand, with no protocol and nothing simulated."""

import numpy as np

from potluck.core.party import site
from potluck.core.plan import digest
from potluck.core.seeded import generator
from potluck.drivers.memory import Memory
from potluck.learning.data.target import goal_of
from potluck.learning.loops import TrainTask
from potluck.simulation.pooled import pooled
from potluck.simulation.rounds import peopled, simulate
from potluck.simulation.splits import Rows, clients_of
from potluck.simulation.wanted import Wanted
from potluck.simulation.ways import Cohorts
from potluck.tasks.sums.together import by_hand


def cohorts(spec, tables, wanted):
    rows = pooled({site(name): table for name, table in tables.items()})
    split = Rows(goal_of(spec), rows.train.target, rows.sites)
    clients = clients_of(split, wanted.sites, wanted.split, generator(wanted.seed, "simulation", "split"))
    return Cohorts(peopled(spec, len(clients)), rows, clients).ready()


def simulated(spec, tables, **wanted):
    asked = Wanted(**{"split": "sites", **wanted})
    return simulate(cohorts(spec, tables, asked), asked)


def run_by_hand(spec, tables):
    """The model of a plan without noise."""
    held = {site(name): table for name, table in tables.items()}
    return by_hand(spec, TrainTask(spec, evaluated=False), held, Memory(spec.sites, digest(spec))).model


def weights(model):
    return model.graph.whole if model.graph else np.asarray(model.weights)
