"""A plan whose finished models are at hand: what no plan's JSON or TOML holds, since it names them by their digests.

The digests enter the plan's hash, so that all parties mean the same models. What rows have to look like is said by the
models (`columns`); what the server sends to whoever lacks them is `letter`.
"""

from potluck.core.errors import PlanError
from potluck.core.plan import Plan, required
from potluck.learning.data.encode import encoding, tensors
from potluck.learning.data.mixed import Inputs, MixedRows
from potluck.learning.data.table import Table
from potluck.learning.data.units import Index
from potluck.learning.graph.bases import FOLDER, LOOKED
from potluck.learning.models.model import Model

NOT_HERE = 'model.file: the model is not here. hint: file = "earlier/model.json", as an earlier run wrote it'


class Finished(Plan, frozen=True, kw_only=True):
    """A plan with its models, in the order of `model.digests`."""

    models: tuple[Model, ...]


def finished(plan: Plan, models: tuple[Model, ...]) -> Finished:
    """The plan with its models. Whoever calls has compared the digests."""
    return Finished(**{name: getattr(plan, name) for name in Plan.__struct_fields__}, models=models)


def models_of(plan: Plan) -> tuple[Model, ...]:
    """Those at hand; none of a plan that names none, or whose models are elsewhere."""
    return plan.models if isinstance(plan, Finished) else ()


def files_of(plan: Plan) -> tuple[str, ...]:
    """Where the plan says that they lie; nothing of a plan that came from elsewhere."""
    model = required(plan.model)
    return model.files if model.file is None else (model.file,)


def lacking(plan: Plan) -> str:
    """The base whose frozen weights a model that is a graph lacks here; empty where nothing is missing."""
    graphs = (one.graph.network for one in models_of(plan) if one.graph is not None)
    return next((str(one.graph.base) for one in graphs if one.missing), "")


def here(plan: Plan) -> tuple[Model, ...]:
    """The models of a plan that names some, whole. Raises PlanError: they are not here, or lack frozen weights."""
    if not isinstance(plan, Finished):
        what, _, hint = NOT_HERE.partition(". hint: ")
        raise PlanError(what, where=plan.name, hint=hint)
    if base := lacking(plan):
        hint = f"put the file into {FOLDER}/ beside the plan; {LOOKED}"
        raise PlanError(f"a model lacks its base {base}", where="model.file", hint=hint)
    return plan.models


def taken_by(model: Model, plan: Plan, rows: Table, some: Index) -> Inputs:
    """What a model takes of some of a site's rows, which have the columns of all models: its own features, in its own
    order. some [k]: the numbers of these rows."""
    place = {name: number for number, name in enumerate(encoding(plan).names)}
    mine = rows.features[some][:, [place[name] for name in model.encoding.names]]
    cells = {name: rows.cells[name] for name in tensors(model.encoding)}
    return MixedRows(mine, cells, some) if cells else mine
