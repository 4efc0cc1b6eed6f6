"""A prediction with owner and client in this process: their model and rows, the round, and what it would cost."""

import csv
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from potluck.core.errors import PlanError, UsageError
from potluck.core.party import site
from potluck.core.plan import Plan, Predict, digest, required
from potluck.core.rounds import Abort, RoundId
from potluck.drivers.memory import Memory, new_run
from potluck.drivers.once import played
from potluck.drivers.sums import Log
from potluck.engines.environment import require
from potluck.he.predict.circuit import Outline
from potluck.learning.data.encode import tensors
from potluck.learning.data.files.cells import HeldCells
from potluck.learning.data.rows import Inputs
from potluck.learning.data.source import Source, limits_of, opened
from potluck.learning.data.tally import Tally
from potluck.learning.graph.steps import INSTALL
from potluck.learning.models.card import Card
from potluck.learning.models.model import Model
from potluck.learning.models.scoring import Agreement, Predicted, agreement, drawn, encoded, routed, row_bytes, text_of
from potluck.learning.models.slopes import present
from potluck.members.files import PRIVATE, create
from potluck.tasks.announcement import only
from potluck.tasks.demands import demand_of
from potluck.tasks.here import Begun, Beside, Estimate, Json, Outcome
from potluck.tasks.predict.halves import RoundContext, fits, halves
from potluck.tasks.predict.scorers import rehearsed, scorer, whole_of
from potluck.tasks.predict.site import SCORES
from potluck.tasks.sources import Sources, Written, not_here
from potluck.tee.predict.check import Whole

PREDICTIONS = "predictions.csv"
"""A run's scores, in its folder."""


@dataclass(frozen=True, eq=False)
class ModelAndRows:
    """Both sites' part: the owner's model, the client's rows. See `tasks.here.Here`."""

    spec: Plan
    model: Model = field(repr=False)
    rows: Source = field(repr=False)

    def tallies(self, outcome: Outcome | None = None) -> dict[str, Tally]:
        """Under the client's name, who reads its rows once the model's card is there."""
        wanted = spec_of(self.spec)
        if isinstance(outcome, Predicted):
            return {wanted.client: outcome.tally}
        read = self.encoded(self.model.card)
        fits(int(read.kept.sum()), wanted.max_rows, wanted.client)
        return {wanted.client: read.tally}

    def encoded(self, card: Card) -> Inputs:
        """The client's rows by a card."""
        return encoded(card, self.spec.data, self.rows, spec_of(self.spec).client)

    def warnings(self) -> list[str]:
        """What the scores themselves tell of the model."""
        return [*card_warnings(self.spec, self.model.card)]

    def play(self, begun: Begun) -> tuple[Predicted, Log]:
        """The round; what its client has."""
        ask, round_ = only(self.spec), RoundId(begun.name, 1)
        begun.progress(ask)
        with closing(scorer(self.spec).build(self.spec, begun.demand)) as scoring:
            every = halves(RoundContext(self.spec, scoring, round_), self.model, self.encoded, begun.memory.seat)
            found, log = played(ask, round_, every, begun.memory)
        outcome = found[site(spec_of(self.spec).client)]
        assert isinstance(outcome, Predicted)
        return outcome, log

    def beside(self, outcome: Outcome) -> Beside:
        """The scores that the same model gives in plain."""
        assert isinstance(outcome, Predicted)
        return agreement(outcome, self.model.scored_inputs(self.encoded(self.model.card)))

    def fetch(self, homes: Mapping[str, Path], run: str) -> Predicted:
        """The scores that the client's site wrote into its home."""
        path, known = SCORES.read(homes[spec_of(self.spec).client], run)
        with path.open(encoding="utf-8", newline="") as file:
            lines = list(csv.reader(file))[1:]
        table = np.array([[float(cell or "nan") for cell in line[1:]] for line in lines])
        return Predicted(self.model.target, table, known.max_error_bound, known.notes)


def spec_of(spec: Plan) -> Predict:
    """The plan's predict table, which a plan that predicts has."""
    return required(spec.predict)


def here(plan: Written, data: Sources | None) -> ModelAndRows:
    """Model and rows of a plan whose parties are all here. data: the client's rows; without it the plan's file.

    Raises PlanError: no rows, or rows of somebody else; UsageError: no model, or the engine is not installed.
    """
    return ModelAndRows(plan.spec, model_of(plan), rows_of(plan, data))


def model_of(plan: Written) -> Model:
    """The owner's model, once its protection can carry it. Raises UsageError, PlanError."""
    spec = plan.spec
    room = scorer(spec)
    for engine in (room.engine, room.computes):
        if engine is not None:
            require(engine)
    meant = required(spec.model)
    if meant.file is None:
        hint = "run it across machines (potluck server run), or name model.file"
        raise PlanError("model.file: is missing, and only a file can be scored with here", where=plan.where, hint=hint)
    model = Model.read(plan.folder / meant.file)
    if model.digest() != meant.digest:
        raise PlanError("model.file: has changed since the plan was read", where=plan.where, hint="read it again")
    if model.graph and not present():
        raise UsageError("a graph is scored with torch, which is missing", where=plan.where, hint=INSTALL)
    problems = (
        whole_of(spec).problems(_whole(spec, model)) if model.card.whole else room.problems(outline(spec, model.card))
    )
    if problems:
        what, _, hint = problems[0].partition(". hint: ")
        raise PlanError(f"model.file: {what}", where=plan.where, hint=hint)
    return model


def rows_of(plan: Written, data: Sources | None) -> Source:
    """The client's rows. Raises PlanError, and as `opened`."""
    spec = plan.spec
    client = spec_of(spec).client
    files = {name: plan.folder / f for name, f in spec.data.files.items()}
    given: Mapping[str, object] = data if data is not None else files
    key = "data.files" if data is None else "data"
    strangers = [name for name in given if name != client]
    if strangers:
        hint = f"only the client's rows are scored: {client}"
        raise PlanError(f"{key}: {strangers[0]} has none to be scored", where=plan.where, hint=hint)
    if client not in given:
        raise PlanError(f"{key}: there is none for {client}", where=plan.where, hint="name the client's rows")
    return opened(given[client], client, limits_of(spec.data))


def outline(spec: Plan, card: Card) -> Outline:
    """The model and the run as their protection asks of them."""
    widths = (card.inputs, *(outputs for _, outputs in card.shapes))
    wanted, patience = spec_of(spec), spec.federation.patience
    activation = card.activation if card.layers else ""  # a network may have no hidden layer
    assert wanted.mode is not None
    assert wanted.mode == "batch" or wanted.mode == "single"  # of layers alone
    return Outline(widths, activation, wanted.mode, wanted.max_rows, patience, len(spec.compute))


def _whole(spec: Plan, model: Model) -> Whole:
    """The same of a model that is no layers."""
    size = len(drawn(model)) if model.graph else routed(model).nbytes
    return Whole(size, row_bytes(model.card), model.target.outputs, spec_of(spec).max_rows)


def card_warnings(spec: Plan, card: Card) -> Iterator[str]:
    """What the scores themselves tell of the model, as a warning."""
    inputs, most = card.inputs, spec_of(spec).max_rows
    if not card.whole and not card.activation and most > inputs:
        yield (
            f"predict.max_rows: whoever reads {inputs + 1} scores of rows of its own choice can work out all "
            f"{inputs + 1} coefficients, and {most} may be read. hint: below {inputs + 1}, or only for clients that may"
            " know the model"
        )


def leave(outcome: Outcome, folder: Path) -> None:
    """The scores, where they are here."""
    if isinstance(outcome, Predicted):
        create(folder / PREDICTIONS, text_of(outcome).encode(), PRIVATE)


def document(outcome: Outcome, plan: Plan, folder: Path, beside: Beside) -> Json:
    """What is said of scores; null where they are somewhere else."""
    if not isinstance(outcome, Predicted):
        return {"predictions": None, "max_error_bound": None, "notes": []}
    scores = str(folder / PREDICTIONS)
    found: Json = {"predictions": scores, "max_error_bound": outcome.bound, "notes": list(outcome.notes)}
    if not isinstance(beside, Agreement):
        return found
    same = {"rows": beside.rows, "same_labels": beside.same, "largest_error": beside.largest}
    return found | {"agreement": same}


def estimate(plan: Written, data: Sources | None) -> Estimate:
    """Rehearsed on a row of zeros, where the model is here. Raises as `here`; PlanError: it ends in an abort."""
    model, missing = plan.spec.model, not_here(plan, data)
    if model is None or model.file is None or "model.file" in missing:
        return Estimate(
            warnings=["model.file: the model is not here, so what it costs is not known. hint: its owner can check it"]
        )
    demand_of(plan)
    held = model_of(plan)
    warned, tallies = [*card_warnings(plan.spec, held.card)], {}
    if missing:
        warned.append("data.files: there is none to read. hint: `run` and `up` need the client's rows")
    elif data is not None or plan.spec.data.files:
        tallies = ModelAndRows(plan.spec, held, rows_of(plan, data)).tallies()
    try:
        seconds = _rehearsed(plan.spec, held)
    except Abort as abort:
        raise PlanError(f"a rehearsal on a row of zeros ended in: {abort}") from None
    if held.card.whole:
        ahead = whole_of(plan.spec).forecast(_whole(plan.spec, held))
    else:
        ahead = scorer(plan.spec).forecast(outline(plan.spec, held.card))
    size = ahead.keys + ahead.query
    return Estimate(warnings=warned, bytes_up=size, seconds=seconds, forecast=asdict(ahead), data=tallies)


def _rehearsed(spec: Plan, model: Model) -> float:
    """The seconds of one row of zeros here."""
    zeros, round_ = np.zeros((1, len(model.encoding.names))), RoundId(new_run(), 1)
    first = np.zeros(1, np.int64)
    apart = {name: HeldCells(np.zeros((1, *of), np.float32), first) for name, of in tensors(model.encoding).items()}
    with closing(rehearsed(spec)) as scoring:
        memory = Memory((*spec.sites, *spec.compute), digest(spec))
        every = halves(
            RoundContext(spec, scoring, round_),
            model,
            lambda card: Inputs(zeros, np.ones(1, np.bool_), apart),
            memory.seat,
        )
        _, log = played(only(spec), round_, every, memory)
    return round(log.rounds[0].seconds, 4)
