"""One run at its sites, whose server does what a test says. The sites' tables and ledgers stay."""

import numpy as np
import pandas as pd

from potluck.core.asks import Kind
from potluck.core.ledger import Volatile
from potluck.core.party import SERVER
from potluck.core.plan import digest
from potluck.core.rounds import Exchange, Label, Parcel, RoundId
from potluck.core.wire import dump
from potluck.drivers.memory import Memory
from potluck.learning.data.table import read
from potluck.learning.loops import build
from potluck.tasks.announcement import Announcement
from potluck.tasks.sums import protections
from potluck.tasks.sums.halves import RoundContext, join, lead


def rows(plan):
    rng = np.random.default_rng(3)
    frames = {one: pd.DataFrame({"x": rng.uniform(0, 10, 20), "y": rng.integers(0, 2, 20)}) for one in plan.sites}
    return {one: read(frame, plan, one.name) for one, frame in frames.items()}


class Federated:
    """One run at the sites: their tables and ledgers stay, the server does what the test says."""

    def __init__(self, plan):
        self.plan, self.task, self.protection = plan, build(plan), protections.row(plan).build(plan, None)
        self.tables = rows(plan)
        self.memory = Memory(plan.sites, digest(plan), ledgers={one: Volatile() for one in plan.sites})

    def context(self, number):
        return RoundContext(self.plan, self.task, self.protection, RoundId("run", number))

    def told(self, number, bodies):
        """Each site's desk after the server announced `bodies` and then nothing more."""

        def server():
            label = Label(RoundId("run", number), "begin")
            yield Exchange(label, send={to: Parcel(label, body) for to, body in bodies.items()})

        context = self.context(number)
        halves = {one: join(context, self.tables[one], self.memory.seat(one)) for one in bodies}
        return self.memory.round(context.round, {SERVER: server(), **halves})

    def summed(self, number, ask, absent=()):
        """A whole round on `ask`."""
        context, seat = self.context(number), self.memory.seat
        halves = {one: join(context, table, seat(one)) for one, table in self.tables.items() if one not in absent}
        return self.memory.round(context.round, {SERVER: lead(context, ask, seat(SERVER)), **halves}, absent)

    def ask(self, step=0, weights=(0.0, 0.0), kind=Kind.TRAIN):
        return self.task.ask(kind, step, np.array(weights, dtype="<f8").tobytes())


def body(ask, plan):
    return dump(Announcement(digest(plan), ask.kind, ask.step, ask.state))


def causes(desks):
    return {str(party): desk.abort.cause for party, desk in desks.items() if desk.abort}


def at_sites(desks):
    return {name: cause for name, cause in causes(desks).items() if name != "server"}


def steps(federated, number):
    return federated.memory.transcript.traffic(number).steps
