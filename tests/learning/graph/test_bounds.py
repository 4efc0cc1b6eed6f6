"""What a batch takes stays within what was said of it before, forward and back; inputs that do not fit are refused."""

import builtins

import pytest
import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

from potluck.core.errors import GraphError
from potluck.learning.graph import steps
from potluck.learning.graph.check import check
from potluck.learning.graph.interpreter import MOST_MEMORY, forward, memory, program
from potluck.learning.graph.per_row import foreseen
from potluck.learning.graph.per_row.gradients import gradients
from potluck.learning.graph.per_row.uses import uses
from potluck.learning.graph.schema import Special
from support.graph.examples import v as V
from support.graph.modules import SOME_SLOW
from support.graph.running import case, graph, network, node, numbers, ready

pytestmark = pytest.mark.torch
BATCH = 24


class Peak(TorchDispatchMode):
    """The most bytes that tensors made meanwhile hold at once."""

    def __init__(self):
        super().__init__()
        self.live, self.peak = {}, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for one in result if isinstance(result, tuple | list) else (result,):
            if isinstance(one, torch.Tensor):
                storage = one.untyped_storage()
                self.live.setdefault(storage.data_ptr(), (StorageWeakRef(storage), storage.nbytes()))
        self.live = {key: held for key, held in self.live.items() if not held[0].expired()}
        self.peak = max(self.peak, sum(size for _, size in self.live.values()))
        return result


def given(name, batch=BATCH):
    draw = torch.Generator().manual_seed(2)
    values = network(name).checked.values
    return {one.name: numbers(values[one.name], batch, draw, 12) for one in network(name).graph.inputs}


@pytest.mark.parametrize("one", SOME_SLOW)
def test_a_batch_takes_no_more_than_its_bound_forward_and_back(one):
    made, weights = ready(network(one.name))
    inputs = given(one.name)
    trained = [weights[weight.name] for weight in made.graph.weights if weight.train]
    with Peak() as peak:
        output = forward(made, weights, inputs, train=True)
        torch.autograd.grad(output, trained, torch.ones_like(output))
    assert 0 < peak.peak <= memory(made.checked, BATCH)


@pytest.mark.parametrize("each", [1, pytest.param(3, marks=pytest.mark.slow)])
@pytest.mark.parametrize("one", SOME_SLOW)
def test_a_microbatch_of_clipped_units_takes_what_was_foreseen_and_not_much_less(one, each):
    """One row has no number: then factors are copied once more."""
    made, weights = ready(network(one.name))
    trained, inputs = [weight.name for weight in made.graph.weights if weight.train], given(one.name)
    broken = next((some for some in inputs.values() if some.is_floating_point()), None)
    if broken is not None:
        broken[5] = torch.nan
    with Peak() as peak:
        there = torch.ones(BATCH, dtype=torch.bool)
        found = gradients(uses(made, trained), weights, inputs, lambda out: out.flatten(1).sum(1), there, each=each)
        found.clipped(1.0, double=found.dear)
    need = foreseen._bytes(made.checked, tuple(trained), BATCH // each, each)
    assert peak.peak <= need
    # What single operations take within themselves is bounded from above, and by far.
    assert need - 8 * made.checked.scratch * BATCH < 1.7 * peak.peak


def test_a_network_of_which_many_rows_are_beyond_the_bound_is_gone_through_in_fewer():
    nodes = [node("linear", V("x"), V("w"), out="y"), *(node("relu", V(one), out=one + "y") for one in ("y", "yy"))]
    wide = check(graph({"x": ("float32", [4])}, [*nodes, node("mean", V("yyy"), (1,), True, out="o")], "o",
                       {"w": ("float32", [2**20, 4])}))  # fmt: skip
    assert memory(wide, foreseen.MOST_UNITS) > MOST_MEMORY
    units, need = foreseen.at_once(wide, ("w",), 1, 2**31)
    assert foreseen.FEWEST_ROWS < units < foreseen.MOST_UNITS
    assert 4 * units * 2**20 < need <= 2**31


WIDE = 2**12
FLAT = [node("reshape", V("y"), (Special(b=1), 2, WIDE // 2), out="r"), node("mean", V("r"), (2,), out="o")]
PARTS = [V(f"t{i}") for i in range(6)]
HUNGRY = {
    "the gradient of a quotient": (
        graph(
            {"x": ("float64", [1])},
            [node("div", V("x"), V("w"), out="y"), *FLAT],
            "o",
            {"w": ("float64", [WIDE])},
        ),
        1,
    ),
    "parts of one value": (
        graph(
            {"x": ("float64", [1])},
            [
                node("mul", V("x"), V("w"), out="y"),
                *(node("slice", V("y"), 1, i, i + 1, out=f"t{i}") for i in range(6)),
                node("cat", tuple(PARTS), 1, out="o"),
            ],
            "o",
            {"w": ("float64", [WIDE])},
        ),
        1,
    ),
    "a table used six times": (
        graph(
            {"x": ("int64", [1])},
            [
                *(node("embedding", V("w"), V("x"), out=f"t{i}") for i in range(6)),
                node("cat", tuple(PARTS), 2, out="c"),
                node("mean", V("c"), (1,), out="o"),
            ],
            "o",
            {"w": ("float32", [WIDE, 4])},
        ),
        2,
    ),
    "a large matrix": (
        graph(
            {"x": ("float32", [64])},
            [node("linear", V("x"), V("w"), out="o")],
            "o",
            {"w": ("float32", [64, 64])},
        ),
        2,
    ),
}


@pytest.mark.parametrize("name", HUNGRY)
def test_gradients_that_are_larger_than_what_they_are_of_stay_within_the_bound(name):
    made, rows = HUNGRY[name]
    checked = check(made)
    ready, draw = program(checked), torch.Generator().manual_seed(1)
    held = {one.name: numbers(checked.values[one.name], 1, draw).requires_grad_() for one in made.weights}
    inputs = {one.name: numbers(checked.values[one.name], rows, draw) for one in made.inputs}
    with Peak() as peak:
        output = forward(ready, held, inputs)
        torch.autograd.grad(output, list(held.values()), torch.ones_like(output))
    assert peak.peak <= memory(checked, rows)
    # It is more than two of every number that rows take: the weights' gradients count.
    assert peak.peak > 8 * 2 * (checked.floats * rows + checked.public)


def test_a_batch_beyond_the_bound_of_arithmetic_is_refused_before_anything_is_computed(monkeypatch):
    made, weights = ready(network("mlp"))
    need = BATCH * made.checked.flops
    forward(made, weights, given("mlp"), most_flops=need)
    monkeypatch.setattr("potluck.learning.graph.interpreter.run_step", lambda *_, **__: pytest.fail("it ran"))
    with pytest.raises(GraphError, match=f"24 rows may take {need} operations.*take fewer rows at once"):
        forward(made, weights, given("mlp"), most_flops=need - 1)


def test_a_part_costs_what_its_gradient_does():
    many = [node("expand", V("w"), (2**20,), out="e")]
    many += [node("slice", V("e"), 0, i, i + 1, out=f"t{i}") for i in range(6)]
    many += [node("cat", tuple(PARTS), 0, out="c"), node("add", V("x"), V("c"), out="o")]
    made = check(graph({"x": ("float32", [1])}, many, "o", {"w": ("float32", [1])}))
    assert made.flops >= 6 * 2**20


def test_a_batch_beyond_the_bound_is_refused_before_anything_is_computed(monkeypatch):
    made, weights = ready(network("resnet"))
    need = memory(made.checked, BATCH)
    forward(made, weights, given("resnet"), most_memory=need)
    monkeypatch.setattr("potluck.learning.graph.interpreter.run_step", lambda *_, **__: pytest.fail("it ran"))
    with pytest.raises(GraphError, match=f"24 rows may take {need} bytes.*take fewer rows at once"):
        forward(made, weights, given("resnet"), most_memory=need - 1)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda held: {}, "its inputs are others.*it takes ids, there"),
        (lambda held: {**held, "more": held["ids"]}, "its inputs are others"),
        (lambda held: {**held, "ids": held["ids"].float()}, r'"ids" is float32 \[24, 6\].*it takes int64 \[b, 6\]'),
        (lambda held: {**held, "there": held["there"][:, :5]}, r'"there" is float32 \[24, 5\]'),
        (lambda held: {**held, "there": held["there"][:5]}, r'"there" is float32 \[5, 6\]'),
        (lambda held: {**held, "there": held["there"][None]}, r'"there" is float32 \[1, 24, 6\]'),
    ],
)
def test_inputs_that_do_not_fit_are_refused(change, words):
    made, weights = ready(network("bert"))
    with pytest.raises(GraphError, match=words):
        forward(made, weights, change(given("bert")))


def test_a_word_beyond_the_table_is_refused_without_a_number_of_it():
    made, weights = ready(network("bert"))
    inputs = given("bert")
    inputs["ids"][3, 2] = 77_345
    with pytest.raises(GraphError, match=r"node \d+ \(embedding\): torch does not run it") as error:
        forward(made, weights, inputs)
    assert "77345" not in str(error.value)


def test_without_torch_the_one_command_is_said(monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name == "torch":
            raise ImportError(name)
        return real(name, *rest)

    made = network("mlp")
    monkeypatch.setattr(builtins, "__import__", without)
    for work in (steps.torch, lambda: program(check(made.graph))):
        with pytest.raises(GraphError, match=r"torch is missing. hint: pip install 'potluck\[networks\]'"):
            work()


def test_what_a_site_counts_is_what_pencil_and_paper_count():
    """[b, 5] through 5 -> 8, ReLU, dropout, 8 -> 8, tanh, 8 -> 1: numbers that stay, and two operations a product."""
    checked = network("mlp").checked
    assert checked.floats == 5 + 8 + 8 + 8 + 8 + 8 + 1
    assert checked.scratch == checked.public == 0
    products = 2 * 8 * (5 + 1) + 2 * 8 * (8 + 1) + 2 * 1 * (8 + 1)
    assert checked.flops == products + 4 * (8 + 8 + 8)
    assert case("mlp").inputs["features"].shape == (5,)
