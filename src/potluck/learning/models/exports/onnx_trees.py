"""Trees that branch, in the words of ONNX: one ensemble of the set `ai.onnx.ml`, from encoded features to margins.

It adds up in float64. Features and cuts are compared as float32, as Potluck compares them.
Reference: https://onnx.ai/onnx/operators, TreeEnsemble of version 5 of that set, whose mode 0 leads to the true child
where a feature is at most the node's value, as ours lead left, and NaN where the node says so.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from potluck.learning.models.exports.branching import Branch, Leaf
from potluck.learning.onnx.writer import Writer

SET, VERSION = "ai.onnx.ml", 5
NODES = ("featureids", "truenodeids", "trueleafs", "falsenodeids", "falseleafs", "missing_value_tracks_true")
SUM = 1
"""ONNX's number of how trees become one score."""


@dataclass(slots=True)
class _Ensemble:
    """nodes: by attribute, one number each; cuts: of each; roots: of each tree; targets, values: of each leaf."""

    nodes: dict[str, list[int]] = field(default_factory=lambda: {name: [] for name in NODES})
    cuts: list[float] = field(default_factory=list)
    roots: list[int] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def add(self, output: int, top: Branch | Leaf) -> None:
        """A tree. One of a leaf alone asks something, and says the same whatever the answer is."""
        whole = top if isinstance(top, Branch) else Branch(0, 0.0, True, top, top)
        self.roots.append(len(self.cuts))
        waiting = deque([whole])
        end = len(self.cuts) + 1
        while waiting:
            one = waiting.popleft()
            row = {"featureids": one.feature, "missing_value_tracks_true": int(one.strays)}
            for way, child in (("true", one.left), ("false", one.right)):
                last = isinstance(child, Leaf)
                row |= {f"{way}leafs": int(last), f"{way}nodeids": len(self.values) if last else end}
                if isinstance(child, Leaf):
                    self.targets.append(output)
                    self.values.append(child.value)
                else:
                    waiting.append(child)
                    end += 1
            for name, value in row.items():
                self.nodes[name].append(value)
            self.cuts.append(float(np.float32(one.cut)))


def ensemble(writer: Writer, trees: Sequence[tuple[int, Branch | Leaf]], features: str, outputs: int) -> str:
    """The name of the margins [b, outputs], float64, of features [b, q]."""
    made = _Ensemble()
    for output, top in trees:
        made.add(output, top)
    array = writer.package.numpy_helper.from_array
    words: dict[str, object] = {f"nodes_{name}": given for name, given in made.nodes.items()}
    words |= {"nodes_modes": array(np.zeros(len(made.cuts), np.uint8)), "nodes_splits": array(np.array(made.cuts))}
    words |= {"leaf_targetids": made.targets, "leaf_weights": array(np.array(made.values)), "tree_roots": made.roots}
    words |= {"n_targets": outputs, "aggregate_function": SUM, "post_transform": 0}
    single = writer.cast(writer.cast(features, "float32"), "float64")
    return writer.add("TreeEnsemble", (single,), words, SET)
