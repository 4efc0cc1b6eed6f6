"""Trees that branch, in the words of ONNX: one ensemble of the set `ai.onnx.ml`, from encoded features to margins.

Reference: https://onnx.ai/onnx/operators, TreeEnsembleRegressor of version 3 of that set, whose BRANCH_LEQ leads to the
true child where a feature is at most the node's value, as ours lead left, and NaN where the node says so.
"""

from collections import deque
from collections.abc import Sequence

from potluck.learning.models.exports.branching import Branch, Leaf
from potluck.learning.onnx.writer import Writer

SET, VERSION = "ai.onnx.ml", 3
NODES = (
    "treeids", "nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids", "missing_value_tracks_true"
)  # fmt: skip
LEAVES = ("treeids", "nodeids", "ids", "weights")
Columns = dict[str, list[int | float | str]]


def ensemble(writer: Writer, trees: Sequence[tuple[int, Branch | Leaf]], features: str, outputs: int) -> str:
    """The name of the margins [b, outputs] of features [b, q]."""
    nodes: Columns = {name: [] for name in NODES}
    leaves: Columns = {name: [] for name in LEAVES}
    for number, (output, top) in enumerate(trees):
        waiting, taken = deque([(0, top)]), 1
        while waiting:
            place, one = waiting.popleft()
            if isinstance(one, Leaf):
                _put(nodes, (number, place, 0, 0.0, "LEAF", 0, 0, 0))
                _put(leaves, (number, place, output, one.value))
                continue
            _put(nodes, (number, place, one.feature, one.cut, "BRANCH_LEQ", taken, taken + 1, int(one.strays)))
            waiting += [(taken, one.left), (taken + 1, one.right)]
            taken += 2
    words: dict[str, object] = {f"nodes_{name}": given for name, given in nodes.items()}
    words |= {f"target_{name}": given for name, given in leaves.items()}
    words |= {"n_targets": outputs, "aggregate_function": "SUM"}
    return writer.add("TreeEnsembleRegressor", (features,), words, SET)


def _put(columns: Columns, values: Sequence[int | float | str]) -> None:
    for name, value in zip(columns, values, strict=True):
        columns[name].append(value)
