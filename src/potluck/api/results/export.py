"""A trained model as a file for other programs, or as a graph."""

from collections.abc import Callable, Mapping
from pathlib import Path

from potluck.core.errors import UsageError
from potluck.learning.graph.file import write, written
from potluck.learning.models.exports.as_graph import as_graph
from potluck.learning.models.exports.onnx_file import onnx_file
from potluck.learning.models.model import Model
from potluck.tasks.trained import MODEL


def _graph(model: Model) -> bytes:
    """With its weights as the first ones; the frozen ones of a base stay where they are."""
    if model.graph is not None:
        return model.graph.content
    network = as_graph(model)
    return written(network.graph, network.tensors)


FORMS: Mapping[str, Callable[[Model], bytes]] = {"onnx": onnx_file, "graph": _graph}
"""What a model can become: each word's file."""


def export(model: "Model | str | Path", path: str | Path, *, to: str) -> None:
    """Write a model into a new file. model: one, its model.json, or a run's folder. to: "onnx" or "graph".

    Raises UsageError: no model there, a kind that the form does not say, or the file is there already; GraphError: an
    operation that the form does not say.
    """
    if to not in FORMS:
        raise UsageError(f"there is no form {to!r}", hint=f"to: {', '.join(FORMS)}")
    if not isinstance(model, Model):
        place = Path(model)
        model = Model.read(place / MODEL if place.is_dir() else place)
    write(Path(path), FORMS[to](model))
