"""What the report reads of `run.json`, the document that `run`, `up`, `server run` and `demo` print.

Every part may be absent: an aborted run has no model, a noiseless one no epsilon, a statistics plan no metrics.
Unknown keys are passed over, so that an older report reads a newer run.
"""

from pathlib import Path
from typing import TypeVar

import msgspec

from potluck.core import private
from potluck.core.errors import UsageError
from potluck.core.schema import readable
from potluck.learning.training.trained import Vote
from potluck.report.details import FILE as DETAILS
from potluck.report.details import VERSION, Details, Score

FILE = "run.json"
METRICS = ("auc", "perplexity", "accuracy", "rmse", "r2")
S = TypeVar("S", bound=msgspec.Struct)

Row = list[float | None]
Ends = tuple[float | None, float | None]
"""Of an interval; `None` is open."""


class PlanName(msgspec.Struct, frozen=True, kw_only=True):
    """Which plan ran."""

    name: str = ""
    hash: str = ""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What a group of rows of one column adds to each output of an additive model."""

    of: str
    adds: tuple[float, ...]


class ModelFile(msgspec.Struct, frozen=True, kw_only=True):
    """What was learnt. coefficients: by feature, for linear models, in encoded features; of several classes by class.
    sums_a_round: of training; importances: by column, of trees and curves; curves: by column, of an additive model.
    round: after which it was kept, 0 where nobody looked at it before the end."""

    kind: str = ""
    file: str | None = ""
    digest: str = ""
    coefficients: dict[str, float | dict[str, float]] | None = None
    sums_a_round: int = 1
    importances: dict[str, float] = {}
    curves: dict[str, tuple[Step, ...]] = {}
    round: int = 0


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What validation rows said of the model after a round."""

    round: int
    loss: float | None = None
    auc: float | None = None
    accuracy: float | None = None
    rmse: float | None = None


class Largest(msgspec.Struct, frozen=True, kw_only=True):
    """The class of most held-out rows, and its share of all."""

    label: str
    share: float


class Confusion(msgspec.Struct, frozen=True, kw_only=True):
    """Held-out rows by what they are (down) and what the model says (across); low and high with noise alone. said: the
    columns, where these are no classes but whether the model is right."""

    labels: tuple[str, ...]
    counts: list[Row]
    low: list[Row] = []
    high: list[Row] = []
    said: tuple[str, ...] = ()
    largest: Largest | None = None


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """How one model did. Each metric is `None` where it is private or does not apply.

    low, high: with noise, of these rows; population: of rows like these. An end that is `None` is open. labels: of
    several labels, each one's own, of which these are the means.
    """

    auc: float | None = None
    auc_low: float | msgspec.UnsetType | None = msgspec.UNSET
    auc_high: float | None = None
    auc_population: Ends | None = None
    accuracy: float | None = None
    accuracy_low: float | msgspec.UnsetType | None = msgspec.UNSET
    accuracy_high: float | None = None
    accuracy_population: Ends | None = None
    rmse: float | None = None
    rmse_low: float | msgspec.UnsetType | None = msgspec.UNSET
    rmse_high: float | None = None
    rmse_population: Ends | None = None
    r2: float | None = None
    r2_low: float | msgspec.UnsetType | None = msgspec.UNSET
    r2_high: float | None = None
    r2_population: Ends | None = None
    perplexity: float | None = None
    perplexity_low: float | msgspec.UnsetType | None = msgspec.UNSET
    perplexity_high: float | None = None
    perplexity_population: Ends | None = None
    rows: float | None = None
    rows_low: float | None = None
    rows_high: float | None = None
    confusion: Confusion | None = None
    labels: "dict[str, Measured | None] | None" = None
    by_site: "dict[str, Measured | None] | None" = None


class Metrics(msgspec.Struct, frozen=True, kw_only=True):
    """Each kind of model that was measured; all but `federated` only from `demo` or with `--compare`."""

    federated: Measured | None = None
    federated_released: Measured | None = None
    federated_no_noise: Measured | None = None
    alone: dict[str, Measured | None] | None = None
    pooled: Measured | None = None


class Folds(msgspec.Struct, frozen=True, kw_only=True):
    """A cross-validation: each fold's metrics, and by metric their mean and their standard deviation, over the folds
    that have it: how many, in `known`."""

    each: tuple[Measured, ...] = ()
    mean: dict[str, float | None] = {}
    spread: dict[str, float | None] = {}
    known: dict[str, int] = {}


class Privacy(msgspec.Struct, frozen=True, kw_only=True):
    """The noise that was owed, and what this run spent at each owner. person: with that unit, the column that says who
    one is."""

    noise: str = ""
    unit: str | None = None
    person: str | None = None
    neighbours: str | None = None
    delta: float | None = None
    epsilon: dict[str, float | None] | None = None


class TrainRound(msgspec.Struct, frozen=True, kw_only=True):
    """One finished training round."""

    round: int
    dropped: tuple[str, ...] = ()
    bytes_up: int = 0
    bytes_down: int = 0
    seconds: float = 0.0


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """The whole of `run.json`, as far as a report shows it. results: what is shown of them is in the details, and so of
    models, which were finished before the run and judged by it. votes: of sites on the models of rounds; rolled_back:
    by which of them training ended."""

    plan: PlanName = PlanName()
    task: str = ""
    protect: str = ""
    model: ModelFile | None = None
    metrics: Metrics | None = None
    folds: Folds | None = None
    history: tuple[Look, ...] = ()
    clips: tuple[float, ...] = ()
    votes: tuple[Vote, ...] = ()
    rolled_back: Vote | None = None
    held_out: bool = True
    judged_by: str = "held-out rows"
    privacy: Privacy | None = None
    rounds: tuple[TrainRound, ...] = ()
    results: dict[str, object] | None = None
    models: tuple[ModelFile, ...] = ()
    warnings: tuple[str, ...] = ()
    stamp: str | None = None


def read(folder: Path, links: bool = True) -> tuple[Outcome, Details]:
    """Both documents of a run folder. links: they may be links to others. Raises UsageError where one is missing or is
    not what a run writes."""
    outcome, details = _load(folder, FILE, Outcome, links), _load(folder, DETAILS, Details, links)
    if details.version != VERSION:
        what = f"{DETAILS} is of version {details.version}, this report reads version {VERSION}"
        raise UsageError(what, where=str(folder), hint="use the potluck that made the run")
    return outcome, details


def _load(folder: Path, name: str, schema: type[S], links: bool) -> S:
    try:
        body = private.read(folder / name, links)
    except OSError:
        raise UsageError(
            f"no {name} to read", where=str(folder), hint="give the folder that a run has written"
        ) from None
    try:
        return msgspec.json.decode(body, type=readable(schema))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        kind = str(error).splitlines()[0] if isinstance(error, msgspec.ValidationError) else "not JSON"
        what = f"{name} is not what a run writes ({kind})"
        raise UsageError(
            what, where=str(folder), hint="run the plan again; a run's files are not for editing"
        ) from None


def scores(outcome: Outcome, details: Details) -> tuple[Score, ...]:
    """The results by site as rows: the comparison and what was released, or else what the metrics of the run hold."""
    found = outcome.metrics or Metrics()
    if details.comparison:
        released = [one for one in of_one("federated, released", None, found.federated_released) if one.noised]
        return (*(score for score in details.comparison if score.value is not None), *released)
    rows: list[Score] = []
    for label, measured in (
        ("federated", found.federated),
        ("federated, no noise", found.federated_no_noise),
        ("pooled", found.pooled),
    ):
        rows += of_one(label, None, measured)
        for site, inner in (measured.by_site or {} if measured else {}).items():
            rows += of_one(label, site, inner)
    for site, inner in (found.alone or {}).items():
        rows += of_one("alone", site, inner)
    return tuple(rows)


def of_one(label: str, site: str | None, measured: Measured | None) -> list[Score]:
    """What is known of one model on some rows."""
    if measured is None:
        return []
    count = None if measured.rows is None else round(measured.rows)
    found = (_score(label, site, measured, metric, count) for metric in METRICS)
    return [one for one in found if one.value is not None or one.noised]


def _score(label: str, site: str | None, measured: Measured, metric: str, rows: int | None) -> Score:
    low, population = getattr(measured, f"{metric}_low"), getattr(measured, f"{metric}_population")
    noised = low is not msgspec.UNSET
    return Score(
        label=label,
        metric=metric,
        value=getattr(measured, metric),
        site=site,
        low=low if noised else None,
        high=getattr(measured, f"{metric}_high"),
        rows=rows,
        noised=noised,
        population=population,
    )
