"""What a plan names by hashes and the server sends to whoever lacks it, as one letter: a graph with the tokenizers of
its texts (`models.carried`), the weights of an earlier run's model, or finished models that are judged."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from potluck.core.errors import GraphError
from potluck.core.plan import Plan, required
from potluck.core.slices import Sliced, whole
from potluck.learning.data.encode import encoding
from potluck.learning.graph.schema import DIGEST
from potluck.learning.models import carried, graphs, started
from potluck.learning.models.finished import finished
from potluck.learning.models.finished.finished import Finished
from potluck.learning.models.finished.letter import letter, with_models
from potluck.learning.models.forms import weights_of
from potluck.learning.models.model import model
from potluck.learning.models.started import Started


def letter_of(plan: Plan) -> bytes:
    """The letter; empty where the plan names nothing, or it is not at hand."""
    if isinstance(plan, Finished):
        return letter(plan)
    return plan.weights if isinstance(plan, Started) else graphs.graph_of(plan)


def lacks(plan: Plan) -> bool:
    """Whether a plan names what is not at hand."""
    return plan.sent and not isinstance(plan, graphs.Equipped | Started | Finished)


def awaited(plan: Plan, errors: Sequence[str]) -> bool:
    """Whether all that is wrong with a plan is that what the server sends is not at hand."""
    missing = finished.NOT_HERE if plan.traits.brings else graphs.NOT_HERE if plan.drawn else started.NOT_HERE
    named = _named(plan) if plan.sent else ()
    return bool(named) and list(errors) == [missing] and all(DIGEST.fullmatch(one or "") for one in named)


def _named(plan: Plan) -> tuple[str | None, ...]:
    """The digests of what it names."""
    model = required(plan.model)
    return model.digests if plan.traits.brings else (model.digest if plan.drawn else model.first,)


def key_of(plan: Plan) -> str:
    """Under which name a party keeps the letter: 64 digits."""
    if plan.traits.brings:
        return hashlib.sha256(" ".join(required(plan.model).digests).encode()).hexdigest()
    return carried.key_of(plan) if plan.drawn else str(required(plan.model).first).removeprefix("sha256:")


def with_letter(plan: Plan, body: Sliced, models: Path | None = None) -> Plan:
    """The plan with what a letter holds, which comes from elsewhere. models: see `graphs.with_bytes`.

    Raises GraphError, DataError: it is not what the plan names.
    """
    if plan.traits.brings:
        return with_models(plan, body, models)
    return graphs.with_bytes(plan, body, models) if plan.drawn else _started(plan, body)


def _started(plan: Plan, body: Sliced) -> Started:
    """Bytes are numbers, and nothing is parsed: the model that they make has the digest that the plan names."""
    if len(body) == 8 * weights_of(plan, len(encoding(plan).names)):
        content = whole(body)
        weights = np.frombuffer(content, "<f8").astype(np.float64)
        if np.isfinite(weights).all() and model(plan, weights).digest() == required(plan.model).first:
            return started.started(plan, content)
    raise GraphError("are other weights than the plan names", where="model.start", hint="take the plan's own file")
