"""The graph of a model, in the file beside the model's own."""

from collections.abc import Sequence
from pathlib import Path

from potluck.core.errors import UsageError
from potluck.core.slices import digest_of
from potluck.learning.data.encode import Encoding
from potluck.learning.data.target import Goal
from potluck.learning.data.texts.worded import Tokenizers
from potluck.learning.graph.bases import FOLDER, base_in
from potluck.learning.graph.file import contents, parsed
from potluck.learning.models.graph_model import GraphModel
from potluck.learning.models.graph_shapes import shape_faults


def read_graph(
    path: Path, digest: str, how: Encoding, target: Goal, tokenizers: Tokenizers, folders: Sequence[Path] = ()
) -> GraphModel:
    """The graph of this hash, with the frozen weights of its base where a folder has them. Raises UsageError: it cannot
    be read, is another, or does not fit the model; GraphError: it is none."""
    content = contents(path)
    if digest_of(content) != digest:
        raise UsageError("this is not the graph that the model file names", where=str(path))
    network = parsed(content, str(path))
    if network.graph.base is not None:
        places = path.parent / FOLDER, Path(FOLDER), *folders
        held = next((one for place in places if (one := base_in(place, network.graph.base)) is not None), None)
        network = parsed(content, str(path), held)
    wrong = next(shape_faults(network, how, target, tokenizers), "")
    if wrong:
        raise UsageError(f"does not fit its model file: {wrong}", where=str(path))
    return GraphModel(network)
