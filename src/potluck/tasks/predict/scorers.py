"""One table: a plan's word -> the room that scores rows. A new one: a folder, a line here and in `core.schemes`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from potluck.core.errors import Refused
from potluck.core.party import Party, site
from potluck.core.plan import Plan, required
from potluck.core.predicting import WHOLE, Predict
from potluck.core.registry import Registry
from potluck.core.views import View
from potluck.he.predict import protection as he
from potluck.he.predict.circuit import Forecast, Outline
from potluck.he.predict.protection import Predicting
from potluck.mpc.predict import protection as shared
from potluck.tasks.sums.protections import simulated
from potluck.tee.attestation.demand import Demand, unprotected
from potluck.tee.predict import protection as tee
from potluck.tee.predict.check import Whole

Build = Callable[[Plan, Demand | None], Predict]
"""The three halves of a plan's prediction, for a party of this process."""


@dataclass(frozen=True, slots=True)
class Wholes:
    """What a protection says that scores by models that are no layers: problems, forecast, as in `Scorer`."""

    problems: Callable[[Whole], list[str]]
    forecast: Callable[[Whole], Forecast]


@dataclass(frozen=True, slots=True)
class Scorer:
    """views: who sees what; problems, forecast: of a model's outline, which a plan may not know; build: the three
    halves, as `Row`. engine: what owner and client need installed, None where that is nothing; computes: what a compute
    party does. check: what of the plan it cannot keep. wholes: of graphs and trees; None where it
    scores by layers alone."""

    views: Callable[[Plan], list[View]]
    problems: Callable[[Outline], list[str]]
    forecast: Callable[[Outline], Forecast]
    build: Build
    engine: str | None
    computes: str | None = None
    check: Callable[[Plan], list[str]] = lambda plan: []
    wholes: Wholes | None = None


def _ends(plan: Plan) -> tuple[Party, Party, int]:
    spec = required(plan.predict)
    return site(spec.owner), site(spec.client), spec.max_rows


def _shared_views(plan: Plan) -> list[View]:
    owner, client, most = _ends(plan)
    return shared.views(owner, client, plan.compute, most)


SCORERS: Registry[Scorer] = Registry("protect.with")
SCORERS.register(
    "he",
    Scorer(lambda plan: he.views(*_ends(plan)), he.problems, he.forecast, lambda plan, demand: Predicting(), "he"),
)
SCORERS.register(
    "tee",
    Scorer(
        lambda plan: tee.views(*_ends(plan), unprotected(plan), required(plan.predict).mode),
        lambda outline: tee.problems(outline.widths, outline.rows),
        # no circuit, hence no parameters: keys counts evidence and the model
        lambda outline: Forecast("none", 0, 0, 0, *tee.traffic(outline.widths, outline.rows)),
        tee.build,
        None,
        wholes=Wholes(tee.whole_problems, lambda whole: Forecast("none", 0, 0, 0, *tee.whole_traffic(whole))),
    ),
)
SCORERS.register(
    "share",
    Scorer(
        _shared_views,
        lambda outline: shared.problems(outline.widths, outline.rows),
        # no circuit either: keys counts the model's parts
        lambda outline: Forecast("none", 0, 0, 0, *shared.traffic(outline.widths, outline.rows, outline.compute)),
        lambda plan, demand: shared.build(plan),
        None,
        "mpc",
        shared.check,
    ),
)


def scorer(plan: Plan) -> Scorer:
    """The room for this plan's prediction."""
    return SCORERS.of(plan.protect.scheme)


def whole_of(plan: Plan) -> Wholes:
    """What its protection says of models that are no layers. Raises Refused: it scores by layers alone."""
    found = scorer(plan).wholes
    if found is None:
        what, hint = _layers_alone(plan)
        raise Refused(f"predict.mode: {what}", hint=hint)
    return found


def layers_alone(plan: Plan) -> Iterator[str]:
    """What of a plan's mode its protection cannot keep. Lines as `check` makes them."""
    if required(plan.predict).mode in WHOLE and scorer(plan).wholes is None:
        yield "predict.mode: {}. hint: {}".format(*_layers_alone(plan))


def _layers_alone(plan: Plan) -> tuple[str, str]:
    """(what is wrong, a hint)"""
    what = f"{plan.protect.scheme!r} scores by layers alone, and the model is "
    if required(plan.predict).mode == "graph":
        to_layers = "potluck model export --to layers, where the graph is nothing but layers"
        return f"{what}a graph", f'protect.with = "tee"; or {to_layers}'
    return f"{what}trees", 'protect.with = "tee"; or train an additive model, which is scored as layers'


def rehearsed(plan: Plan) -> Predict:
    """The three halves for a rehearsal on numbers of no one, in this process."""
    return scorer(plan).build(simulated(plan), None)
