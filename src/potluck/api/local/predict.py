"""A prediction with owner and client in this process: their model and rows, the round, and what it would cost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

import numpy as np

from potluck.api.local.demands import demand_of, stamp_of
from potluck.api.local.ledgers import ledger_file
from potluck.api.local.tables import Sources, opened
from potluck.api.network.once import carried
from potluck.api.plan.plan import Plan
from potluck.api.results.facts import Facts
from potluck.core.asks import Ask, Kind
from potluck.core.errors import PlanError
from potluck.core.party import site
from potluck.core.plan import Plan as Spec
from potluck.core.plan import Predict, digest
from potluck.core.predicting import Predict as Predicting
from potluck.core.rounds import Credentials, Half, RoundId
from potluck.engines.environment import require
from potluck.he.circuit import Forecast, Outline
from potluck.learning.data.rows import Inputs
from potluck.learning.data.source import Source
from potluck.learning.data.tally import Tally
from potluck.learning.models.card import Card
from potluck.learning.models.model import Model
from potluck.learning.models.scoring import Carried, agreement, encoded
from potluck.owner.budget import Budget
from potluck.parties import catalog
from potluck.parties.drivers.inference import RoundContext, fits, lead, together
from potluck.parties.drivers.memory import Memory, new_run
from potluck.parties.drivers.sums import Log, Round
from potluck.parties.drivers.transcript import Transcript
from potluck.parties.runners.journal import Journal
from potluck.parties.runners.server import Coordinator

ASK = Ask(Kind.PREDICT, 0, (), b"")


@dataclass(frozen=True, eq=False)
class Room:
    """Both sites' part: the owner's model, the client's rows."""

    plan: Plan
    model: Model = field(repr=False)
    rows: Source = field(repr=False)

    def counted(self) -> dict[str, Tally]:
        """What became of the client's values, under its name. Raises DataError, Refused, as the run would."""
        read = self.encoded(self.model.card)
        wanted = spec_of(self.plan.spec)
        fits(int((~np.isnan(read.features).any(axis=1)).sum()), wanted.max_rows, wanted.client)
        return {wanted.client: read.tally}

    def encoded(self, card: Card) -> Inputs:
        """The client's rows by a card."""
        return encoded(card, self.plan.spec.data, self.rows, spec_of(self.plan.spec).client)


def spec_of(spec: Spec) -> Predict:
    """The plan's predict table, which a plan that predicts has."""
    assert spec.predict is not None
    return spec.predict


def prepared(plan: Plan, data: Sources | None) -> Room:
    """Model and rows of a plan whose parties are all here. data: the client's rows; without it the plan's file.

    Raises PlanError: no rows, or rows of somebody else; UsageError: no model, or the engine is not installed.
    """
    return Room(plan, model_of(plan), rows_of(plan, data))


def model_of(plan: Plan) -> Model:
    """The owner's model, once its protection can carry it. Raises UsageError, PlanError."""
    spec = plan.spec
    room = catalog.prediction(spec)
    for engine in (room.engine, room.computes):
        if engine is not None:
            require(engine)
    assert spec.model is not None
    if spec.model.file is None:
        hint = "run it across machines (potluck server run), or name model.file"
        raise PlanError("model.file: is missing, and only a file can be scored with here", where=plan.where, hint=hint)
    model = Model.read(plan.folder / spec.model.file)
    if model.digest() != spec.model.digest:
        raise PlanError("model.file: has changed since the plan was read", where=plan.where, hint="read it again")
    problems = room.problems(outline(spec, model.card))
    if problems:
        what, _, hint = problems[0].partition(". hint: ")
        raise PlanError(f"model.file: {what}", where=plan.where, hint=hint)
    return model


def rows_of(plan: Plan, data: Sources | None) -> Source:
    """The client's rows. Raises PlanError, and as `tables.opened`."""
    spec = plan.spec
    client = spec_of(spec).client
    given: Sources = data if data is not None else {name: plan.folder / f for name, f in spec.data.files.items()}
    key = "data.files" if data is None else "data"
    strangers = [name for name in given if name != client]
    if strangers:
        hint = f"only the client's rows are scored: {client}"
        raise PlanError(f"{key}: {strangers[0]} has none to be scored", where=plan.where, hint=hint)
    if client not in given:
        raise PlanError(f"{key}: there is none for {client}", where=plan.where, hint="name the client's rows")
    return opened(given[client], spec, client)


def outline(spec: Spec, card: Card) -> Outline:
    """The model and the run as their protection asks of them."""
    widths = (len(card.encoding.names), *(outputs for _, outputs in card.shapes))
    wanted = spec_of(spec)
    assert wanted.mode is not None
    activation = card.activation if card.layers else ""  # a network may have no hidden layer
    return Outline(widths, activation, wanted.mode, wanted.max_rows, spec.federation.patience, len(spec.compute))


def carried_out(
    room: Room, warnings: list[str], ledgers: Path, transcript: Transcript, compare: bool, now: datetime
) -> Facts:
    """The round. Raises DataError, Refused, Abort, and as the ledger."""
    spec, name = room.plan.spec, new_run()
    owner = site(spec_of(spec).owner)
    demand = demand_of(room.plan)
    protection = catalog.prediction(spec).build(spec, demand)
    with Budget(ledger_file(ledgers, owner.name)) as ledger, closing(protection):
        memory = Memory((*spec.sites, *spec.compute), digest(spec), ledgers={owner: ledger}, transcript=transcript)
        started = time.perf_counter()
        found = together(RoundContext(spec, protection, RoundId(name, 1)), room.model, room.encoded, memory)
        seconds = time.perf_counter() - started
    log = Log([Round(ASK, 1, {}, seconds, transcript.traffic(1), time.time())])
    same = agreement(found, room.model.scored_features(room.encoded(room.model.card).features)) if compare else None
    spent = dict.fromkeys(spec.federation.sites, None)
    every = [*warnings, *telling(spec, room.model.card)]
    stamp = stamp_of(spec, demand)
    return Facts(room.plan, spec, name, now, found, log, spent, every, agreement=same, stamp=stamp)


def predicted(
    spec: Spec, coordinator: Coordinator, journal: Journal, begin: Callable[[Ask], None]
) -> tuple[Carried, Log]:
    """The round across machines, as the server knows it. One that broke before the scores left is tried again.

    Raises Abort.
    """
    begin(ASK)
    protection = catalog.prediction(spec).build(spec)
    head = partial(_lead, spec, protection)
    return Carried(), carried(spec, ASK, coordinator, journal, head, closing(protection))


def _lead(spec: Spec, protection: Predicting, round_: RoundId, seat: Credentials) -> Half[None]:
    return lead(RoundContext(spec, protection, round_), seat)


def telling(spec: Spec, card: Card) -> Iterator[str]:
    """What the scores themselves tell of the model, as a warning."""
    inputs, most = len(card.encoding.names), spec_of(spec).max_rows
    if not card.activation and most > inputs:
        yield (
            f"predict.max_rows: whoever reads {inputs + 1} scores of rows of its own choice can work out all "
            f"{inputs + 1} coefficients, and {most} may be read. hint: below {inputs + 1}, or only for clients that may"
            " know the model"
        )


def rehearsed(plan: Plan, model: Model) -> tuple[Forecast, float]:
    """What a run will send, and the seconds of one row of zeros here. Raises PlanError: it ends in an abort."""
    spec = plan.spec
    room = catalog.prediction(spec)
    zeros = np.zeros((1, len(model.encoding.names)))
    with closing(catalog.met(spec)) as protection:
        memory = Memory((*spec.sites, *spec.compute), digest(spec))
        started = time.perf_counter()
        together(RoundContext(spec, protection, RoundId(new_run(), 1)), model, lambda card: Inputs(zeros), memory)
        return room.forecast(outline(spec, model.card)), round(time.perf_counter() - started, 4)
