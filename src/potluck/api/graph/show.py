"""What an owner reads of a graph's file, or of the network that a plan trains."""

from pathlib import Path

from potluck.api.plan.plan import Plan
from potluck.core.errors import UsageError
from potluck.learning.graph.file import read
from potluck.learning.graph.outline import Outline, outline
from potluck.learning.models.exports.as_graph import of_plan


def show(path: Path, base: Path | None = None) -> Outline:
    """What is in a graph's file; of a plan (.toml) what it trains, layers as the graph that they would be.

    Raises UsageError: it cannot be read, or the plan trains nothing that is made of layers; GraphError: it is not what
    it has to be; PlanError.
    """
    if path.suffix != ".toml":
        return outline(read(path, base))
    if base is not None:
        raise UsageError("of a plan the base is looked for in models/ beside it", where="--base", hint="leave it out")
    network = of_plan(Plan.read(path).spec)
    if network is None:
        hint = "a plan that trains a network or a linear or logistic model, with its columns by name"
        raise UsageError("trains nothing that can be shown as a graph", where=str(path), hint=hint)
    return outline(network)
