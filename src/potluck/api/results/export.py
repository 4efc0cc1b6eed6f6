"""A trained model as a file for other programs, as a graph, or as layers."""

from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path

from potluck.core.errors import UsageError
from potluck.core.slices import Bytes
from potluck.learning.graph.file import write, written
from potluck.learning.models.exports.as_graph import as_graph
from potluck.learning.models.exports.as_layers import as_layers
from potluck.learning.models.exports.onnx_file import onnx_file
from potluck.learning.models.exports.xgboost_file import xgboost_file
from potluck.learning.models.model import WEIGHTS, Model
from potluck.tasks.trained import MODEL

Files = Mapping[str, Bytes]
"""By how its name ends; without an end the file that the user names."""


def _onnx(model: Model) -> Files:
    return {"": onnx_file(model)}


def _columns(model: Model) -> Files:
    return {"": onnx_file(model, raw=True)}


def _sklearn(model: Model) -> Files:
    """A pickle, as scikit-learn has it, for those who take files of the researcher's. Potluck opens none."""
    if model.graph is not None:
        raise UsageError("is a network of a graph, whose pipeline needs Potluck", hint="--to onnx-columns")
    pipeline, content = model.to_sklearn(), BytesIO()
    from joblib import dump  # type: ignore[import-untyped]  # scikit-learn brings it

    dump(pipeline, content)
    return {"": content.getvalue()}


def _graph(model: Model) -> Files:
    """With its weights as the first ones; the frozen ones of a base stay where they are."""
    if model.graph is not None:
        return {"": model.graph.content}
    network = as_graph(model)
    return {"": written(network.graph, network.tensors)}


def _layers(model: Model) -> Files:
    text, weights = as_layers(model).files()
    return {WEIGHTS: b"".join(weights), "": text}


def _xgboost(model: Model) -> Files:
    return {"": xgboost_file(model)}


FORMS: Mapping[str, Callable[[Model], Files]] = {
    "onnx": _onnx,
    "onnx-columns": _columns,
    "graph": _graph,
    "layers": _layers,
    "sklearn": _sklearn,
    "xgboost": _xgboost,
}
"""What a model can become."""


def export(model: "Model | str | Path", path: str | Path, *, to: str) -> None:
    """Write a model as a file for other programs.

    Args:
        model: A model, its model.json, or a run's folder.
        path: The new file.
        to: "onnx" takes encoded features, "onnx-columns" raw columns; "sklearn", "graph", "layers" or "xgboost".

    Raises:
        UsageError: No model there, a kind or a column that the form does not say, or a file is there already.
        GraphError: An operation that the form does not say.

    Examples:
        >>> from importlib.resources import files
        >>> import potluck
        >>> plan = potluck.Plan.read(files("potluck") / "demo" / "heart.toml").set("training.rounds", 2)
        >>> run = potluck.run(plan, ledger="ledger")
        >>> potluck.export(run.model, "heart.onnx", to="onnx")
    """
    if to not in FORMS:
        raise UsageError(f"there is no form {to!r}", hint=f"to: {', '.join(FORMS)}")
    if not isinstance(model, Model):
        place = Path(model)
        model = Model.read(place / MODEL if place.is_dir() else place)
    for end, content in FORMS[to](model).items():
        write(Path(path).with_suffix(end) if end else Path(path), bytes(content))
