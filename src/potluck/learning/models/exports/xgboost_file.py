"""A boosted model as XGBoost's JSON: its program, and treelite, load it and say of encoded features what `score` says.

A number comes out in the target's own units. Features come as `Model.features` has them: in the encoding's order, NaN
where a column has no value. Written is what the model holds and nothing else: fields that XGBoost fills with gains,
sums of second derivatives (its cover) and weights of inner nodes are zeros, since they say more of the rows, and were
not released. XGBoost leads left where a feature is BELOW a number, so a cut is the next float32 above ours. A right
child stands next to its left one: where it does not, XGBoost predicts something else and says nothing.
Reference: XGBoost 3.2, doc/model.schema.
"""

from collections import deque

import msgspec
import numpy as np

from potluck.learning.models.exports.branching import Branch, Leaf, branching
from potluck.learning.models.model import Model

VERSION = (3, 2, 0)
NONE, ROOT = -1, 2147483647
"""No child; the parent of a root."""
FORBIDDEN = frozenset("[]<")
"""Characters that XGBoost takes in no name of a feature."""
Json = dict[str, object]


def xgboost_file(model: Model) -> bytes:
    """The file's bytes. Raises UsageError: the model is made of no trees."""
    goal, names, outputs = model.target, model.taken, model.target.outputs
    half = (goal.high - goal.low) / 2 if goal.side == "number" else 1.0
    trees = branching(model, half)
    if goal.side == "number":  # its middle comes last: sums of float32 stay near 0 until then
        trees.append((0, Leaf(goal.low + half)))
    named = not any(FORBIDDEN & set(name) for name in names)
    several = outputs if goal.side == "classes" else 0
    begin = 0.5 if goal.side == "binary" else 0.0  # said as what is predicted
    learner = {
        "attributes": {"potluck.model": model.digest()},
        "feature_names": list(names) if named else [],
        "feature_types": ["float"] * len(names) if named else [],
        "gradient_booster": {
            "name": "gbtree",
            "model": {
                "gbtree_model_param": {"num_parallel_tree": "1", "num_trees": str(len(trees))},
                "iteration_indptr": list(range(0, len(trees) + 1, outputs)),
                "tree_info": [output for output, _ in trees],
                "trees": [_tree(one, number, len(names)) for number, (_, one) in enumerate(trees)],
            },
        },
        "learner_model_param": {
            "base_score": repr(begin),
            "boost_from_average": "0",
            "num_class": str(several),
            "num_feature": str(len(names)),
            "num_target": "1",
        },
        "objective": _objective(model, several),
    }
    return msgspec.json.encode({"learner": learner, "version": VERSION})


def short(value: float) -> float:
    """The shortest number whose float32 is that of this one."""
    return float(str(np.float32(value)))


def _objective(model: Model, several: int) -> Json:
    if several:
        return {"name": "multi:softprob", "softmax_multiclass_param": {"num_class": str(several)}}
    name = "reg:squarederror" if model.target.side == "number" else "binary:logistic"
    return {"name": name, "reg_loss_param": {"scale_pos_weight": "1"}}


def _tree(top: Branch | Leaf, number: int, features: int) -> Json:
    left, right, parents, cuts, asked, strays = [NONE], [NONE], [ROOT], [0.0], [0], [0]
    waiting = deque([(0, top)])
    while waiting:
        place, one = waiting.popleft()
        if isinstance(one, Leaf):
            cuts[place] = short(one.value)
            continue
        left[place], right[place] = len(left), len(left) + 1
        cuts[place] = short(np.nextafter(np.float32(one.cut), np.float32(np.inf)))
        asked[place], strays[place] = one.feature, int(one.strays)
        for child in (one.left, one.right):
            waiting.append((len(left), child))
            for column, nothing in ((left, NONE), (right, NONE), (asked, 0), (strays, 0)):
                column.append(nothing)
            parents.append(place)
            cuts.append(0.0)
    none, zeros = list[int](), [0.0] * len(left)
    return {
        "base_weights": zeros,
        "categories": none,
        "categories_nodes": none,
        "categories_segments": none,
        "categories_sizes": none,
        "default_left": strays,
        "id": number,
        "left_children": left,
        "loss_changes": zeros,
        "parents": parents,
        "right_children": right,
        "split_conditions": cuts,
        "split_indices": asked,
        "split_type": [0] * len(left),
        "sum_hessian": zeros,
        "tree_param": {
            "num_deleted": "0",
            "num_feature": str(features),
            "num_nodes": str(len(left)),
            "size_leaf_vector": "1",
        },
    }
