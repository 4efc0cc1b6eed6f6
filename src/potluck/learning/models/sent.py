"""What a plan names by hashes and the server sends to whoever lacks it, as one letter: a graph with the tokenizers of
its texts (`models.carried`), or the weights of an earlier run's model."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from potluck.core.errors import GraphError
from potluck.core.plan import Plan, required
from potluck.core.slices import Sliced, whole
from potluck.learning.data.encode import encoding
from potluck.learning.graph.schema import DIGEST
from potluck.learning.models import carried, graphs, started
from potluck.learning.models.forms import weights_of
from potluck.learning.models.model import model
from potluck.learning.models.started import Started


def letter_of(plan: Plan) -> bytes:
    """The letter; empty where the plan names nothing, or it is not at hand."""
    return plan.weights if isinstance(plan, Started) else graphs.graph_of(plan)


def lacks(plan: Plan) -> bool:
    """Whether a plan names what is not at hand."""
    return plan.sent and not isinstance(plan, graphs.Equipped | Started)


def awaited(plan: Plan, errors: Sequence[str]) -> bool:
    """Whether all that is wrong with a plan is that what the server sends is not at hand."""
    named = plan.model and (plan.model.digest if plan.drawn else plan.model.first)
    missing = graphs.NOT_HERE if plan.drawn else started.NOT_HERE
    return plan.sent and list(errors) == [missing] and bool(DIGEST.fullmatch(named or ""))


def key_of(plan: Plan) -> str:
    """Under which name a party keeps the letter: 64 digits."""
    return carried.key_of(plan) if plan.drawn else str(required(plan.model).first).removeprefix("sha256:")


def with_letter(plan: Plan, body: Sliced, models: Path | None = None) -> Plan:
    """The plan with what a letter holds, which comes from elsewhere. models: see `graphs.with_bytes`.

    Raises GraphError, DataError: it is not what the plan names.
    """
    return graphs.with_bytes(plan, body, models) if plan.drawn else _started(plan, body)


def _started(plan: Plan, body: Sliced) -> Started:
    """Bytes are numbers, and nothing is parsed: the model that they make has the digest that the plan names."""
    if len(body) == 8 * weights_of(plan, len(encoding(plan).names)):
        content = whole(body)
        weights = np.frombuffer(content, "<f8").astype(np.float64)
        if np.isfinite(weights).all() and model(plan, weights).digest() == required(plan.model).first:
            return started.started(plan, content)
    raise GraphError("are other weights than the plan names", where="model.start", hint="take the plan's own file")
