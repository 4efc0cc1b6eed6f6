"""Graphs by hand that would let a row end its batch, train what gets no gradient, or hold what their base holds."""

import hashlib
import tracemalloc

import msgspec
import numpy as np
import pytest
import torch

from potluck.core.errors import GraphError
from potluck.learning.graph.check import MOST_NAMES, check
from potluck.learning.graph.file import parsed, read, written
from potluck.learning.graph.interpreter import forward
from potluck.learning.graph.make.exported import InputShape
from potluck.learning.graph.make.make import made
from potluck.learning.graph.origins import below
from potluck.learning.graph.outline import outline
from potluck.learning.graph.schema import Special
from potluck.learning.graph.tensors import packed
from support.graph.examples import v as V
from support.graph.running import graph, network, node, ready

pytestmark = pytest.mark.torch
TABLE = {"t": ("float32", [5, 2])}
X = {"x": ("float32", [3])}
WORDS = {"x": ("int64", [3])}
LOOKED_UP = [node("embedding", V("t"), V("i"), out="e"), node("mean", V("e"), (1,), out="o")]


@pytest.mark.parametrize(
    ("inputs", "before"),
    [
        (X, [node("cast", V("x"), Special(d="int64"), out="i")]),
        (WORDS, [node("mul", V("x"), 7, out="i")]),
        (WORDS, [node("add", V("x"), V("x"), out="j"), node("slice", V("j"), 1, 0, 2, out="i")]),
        (
            WORDS,
            [
                node("mul", V("x"), 2, out="j"),
                node("cat", (V("x"), V("j")), 1, out="i"),
            ],
        ),
    ],
    ids=["cast", "multiplied", "a part of a sum", "joined with a computed one"],
)
def test_a_place_in_a_table_that_is_computed_of_a_row_is_refused(inputs, before):
    with pytest.raises(GraphError, match=r"embedding\): its indices \"i\" are computed.*could end the whole batch"):
        check(graph(inputs, [*before, *LOOKED_UP], "o", TABLE))


def test_a_place_that_is_moved_is_taken_and_the_shortest_table_says_what_it_stays_below():
    more = [
        node("slice", V("x"), 1, 1, 3, out="j"),
        node("reshape", V("j"), (Special(b=1), 2), out="i"),
        *LOOKED_UP,
        node("embedding", V("s"), V("x"), out="f"),
        node("mean", V("f"), (1,), out="g"),
        node("add", V("o"), V("g"), out="h"),
    ]
    assert check(graph(WORDS, more, "h", {**TABLE, "s": ("float32", [4, 2])})).below == {"x": 4}
    assert network("bert").checked.below == {"ids": 20, "place_ids": 6, "kind_ids": 2}


@pytest.mark.parametrize(("place", "fits"), [(-1, False), (0, True), (4, True), (5, False)])
def test_a_place_of_a_constant_lies_within_its_table(place, fits):
    nodes = [
        node("embedding", V("t"), V("c"), out="e"),
        node("add", V("x"), V("e"), out="o"),
    ]
    made_of = graph({"x": ("float32", [2])}, nodes, "o", TABLE, {"c": ("int64", [1])})
    data = written(made_of, {"t": np.ones((5, 2), np.float32), "c": np.array([place])})
    if fits:
        program, weights = ready(parsed(data, "net"))
        assert forward(program, weights, {"x": torch.ones(3, 2)}).shape == (3, 2)
        return
    with pytest.raises(GraphError, match=r"net: c: holds a place beyond its table. hint: 0 to 4"):
        parsed(data, "net")


def test_a_module_that_computes_places_of_rows_is_refused():
    class Rounded(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.table = torch.nn.Embedding(50, 2)

        def forward(self, x):
            return self.table((x > 0).long()).mean(1)

    with pytest.raises(GraphError, match="are computed"):
        made(Rounded(), {"x": InputShape("float32", (3,))})


@pytest.mark.parametrize("trained", [0, 1, None])
def test_running_statistics_do_not_train(trained):
    more = (0.1, 1e-5, True)
    names = ["m", "s"]
    nodes = [node("batch_norm", V("x"), None, None, V("m"), V("s"), False, *more, out="o")]
    held = {name: ("float32", [3]) for name in names}
    train = names[trained] if trained is not None else None
    one = graph(
        X, nodes, "o", {k: v for k, v in held.items() if k == train}, {k: v for k, v in held.items() if k != train}
    )
    if trained is None:
        check(one)
        return
    with pytest.raises(GraphError, match="its running statistics are computed, or train"):
        check(one)


def test_nodes_name_so_many_values_in_all():
    joined = (V("x"),) * MOST_NAMES
    with pytest.raises(GraphError, match=f"too many values. hint: at most {MOST_NAMES} in all"):
        check(graph(X, [node("cat", joined, 1, out="o")], "o"))
    check(graph(X, [node("cat", joined[:1000], 1, out="o")], "o"))


def test_a_frozen_weight_of_the_base_is_not_in_the_file_too(tmp_path):
    base = packed({"w": np.eye(3, dtype=np.float32)})
    nodes = [node("linear", V("x"), V("w"), out="y"), node("linear", V("y"), V("u"), out="o")]
    one = graph(X, nodes, "o", {"w": ("float32", [3, 3]), "u": ("float32", [3, 3])})
    frozen = msgspec.structs.replace(one.weights[0], train=False)
    one = msgspec.structs.replace(
        one, base=f"sha256:{hashlib.sha256(base).hexdigest()}", weights=(frozen, one.weights[1])
    )
    own = {"u": np.ones((3, 3), np.float32)}
    (tmp_path / "base").write_bytes(base)
    (tmp_path / "honest").write_bytes(written(one, own))
    (tmp_path / "other").write_bytes(written(one, {**own, "w": -np.eye(3, dtype=np.float32)}))
    assert read(tmp_path / "honest", tmp_path / "base").tensors["w"][0, 0] == 1
    assert read(tmp_path / "honest").missing == ("w",)
    with pytest.raises(GraphError, match="w: the file and its base both hold this frozen weight"):
        read(tmp_path / "other", tmp_path / "base")
    with pytest.raises(GraphError, match="names a base and lacks no weight"):
        read(tmp_path / "other")


def joined(places, moves):
    """(constants, nodes): places that are joined, and moved on and on; each result looks up a row."""
    constants = {f"c{i}": ("int64", [1]) for i in range(places)}
    nodes = [
        node("cat", tuple(V(name) for name in constants), 0, out="all"),
        node("slice", V("all"), 0, 0, 1, out="p0"),
    ]
    for i in range(moves):
        nodes.append(node("reshape", V(f"p{i}"), (1,), out=f"p{i + 1}"))
        nodes.append(node("embedding", V("t" if i else "s"), V(f"p{i + 1}"), out=f"e{i}"))
    nodes.append(node("cat", tuple(V(f"e{i}") for i in range(moves)), 0, out="found"))
    nodes.append(node("mean", V("found"), (0,), True, out="one"))
    return constants, [*nodes, node("matmul", V("x"), V("w"), out="y"), node("mul", V("y"), V("one"), out="o")]


def test_places_that_are_joined_and_moved_thousands_of_times_cost_what_they_are_and_not_their_product():
    constants, nodes = joined(1_000, 500)
    weights = {"t": ("float32", [5, 1]), "s": ("float32", [4, 1]), "w": ("float32", [3, 1])}
    whole = graph(X, nodes, "o", weights, constants)
    known = check(whole).values
    tracemalloc.start()
    try:
        found = below(whole, known, "graph")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found == dict.fromkeys(constants, 4)
    assert peak < 2**20  # a set of names for each of the moves took 32 times as much


def test_a_node_of_thousands_of_weights_makes_no_table_as_wide_as_all_their_names():
    many = {f"{'w' * 150}{i}.w": ("float32", [1, 3]) for i in range(500)}
    nodes = [
        node("cat", tuple(V(name) for name in many), 0, out="all"),
        node("mean", V("all"), (0,), True, out="row"),
        node("linear", V("x"), V("row"), out="y0"),
        *(node("mul", V(f"y{i}"), V(f"s{i}"), out=f"y{i + 1}") for i in range(300)),
    ]
    few = {f"s{i}": ("float32", [1]) for i in range(300)}
    whole = graph(X, nodes, "y300", {**many, **few})
    data = written(whole, {one.name: np.zeros(one.shape, np.float32) for one in whole.weights})
    found = outline(parsed(data, "graph"))
    assert max(map(len, found.lines())) < 2_000
    assert "and 492 more" in "\n".join(found.lines())
    assert len(found.document()["layers"][0]["weights"]) == 500
