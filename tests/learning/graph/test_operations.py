"""The table of operations beside torch itself: arguments, types, shapes, and rows that stay apart in every one."""

from itertools import product

import pytest
import torch

from potluck.core.errors import GraphError
from potluck.learning.graph.bound import Bound
from potluck.learning.graph.check import check, made_by
from potluck.learning.graph.make.operators import OPERATORS
from potluck.learning.graph.ops import OPS
from potluck.learning.graph.steps import step_of
from support.docs.pages import DOCS, ticks
from support.graph.examples import EXAMPLES, v
from support.graph.running import graph, node, of_row, run_node, same

pytestmark = pytest.mark.torch
BATCH, ROW = 6, 2


def schema(word):
    name, overload = OPS.of(word).run.split(".")
    return getattr(getattr(torch.ops.aten, name), overload)._schema


@pytest.mark.parametrize("word", OPS.words())
def test_arguments_are_those_of_torch_in_its_order(word):
    op, found = OPS.of(word), schema(word).arguments
    by_place = [one.name for one in found if not one.kwarg_only]
    assert list(op.arguments) == by_place[: len(op.arguments)]
    assert set(op.keywords) <= {one.name for one in found if one.kwarg_only}
    assert op.required == sum(not one.has_default_value() for one in found[: len(op.arguments)]) or word in (
        "slice",  # a node says where it begins and ends
        "split",  # and along which axis parts, pads and joins go
        "cat",
        "unbind",
        *("amax", "amin", "var", "linalg_vector_norm", "glu"),
    )
    assert all(one.has_default_value() for one in found[len(op.arguments) :] if one.name not in op.keywords)
    for name, _ in [op.evaluating] if op.evaluating else []:
        assert name in op.arguments


def test_every_operation_has_an_example():
    assert {one.op for one in EXAMPLES.values()} == set(OPS.words())


@pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES)
def test_a_rule_looks_at_every_argument(example):
    op = OPS.of(example.op)
    bound = Bound(op.bound(example.node), example.known)
    made = op.rule(bound)
    op.cost(bound, made)
    assert bound.read >= set(op.arguments) | set(op.keywords)


@pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES)
def test_types_and_shapes_are_those_that_torch_makes_at_any_batch(example):
    _, _, made = made_by(example.node, example.known)
    for batch in (1, 3, 8) if example.op == "instance_norm" else (0, 1, 3, 8):  # of no row torch itself makes none
        given = example.given(batch, seed=1)
        for value, tensor in zip(made, run_node(example.node, given, batch), strict=True):
            assert tuple(tensor.shape) == value.of_batch(batch)
            assert str(tensor.dtype) == f"torch.{value.dtype}"


@pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES)
def test_a_row_of_the_result_keeps_its_bits_whatever_other_rows_are(example):
    _, _, made = made_by(example.node, example.known)
    first, second = example.given(BATCH, seed=1), example.given(BATCH, seed=2)
    mixed = {}
    for name, tensor in first.items():
        value = example.known[name]
        mixed[name] = tensor
        if value.rows:
            mixed[name] = second[name].clone()
            length = value.rows.outer * value.rows.inner * BATCH
            places = torch.tensor([i for i in range(length) if i // value.rows.inner % BATCH == ROW])
            mixed[name].index_copy_(value.rows.axis, places, tensor.index_select(value.rows.axis, places))
    before, after = run_node(example.node, first, BATCH), run_node(example.node, mixed, BATCH)
    for value, one, other in zip(made, before, after, strict=True):
        assert value.rows is not None
        assert same(of_row(one, value, BATCH, ROW), of_row(other, value, BATCH, ROW))
        # The control: another row does change, unless the result says nothing of the inputs' numbers.
        assert not same(of_row(one, value, BATCH, ROW + 1), of_row(other, value, BATCH, ROW + 1))


def test_every_operation_is_made_of_an_operator_of_torch():
    lowered = {name.partition(".")[0] for name in OPERATORS}
    elsewhere = {"cast": "to", "split": "split_with_sizes", "pad": "constant_pad_nd", "rsub": "rsub"}
    assert {elsewhere.get(word, word) for word in OPS.words()} <= lowered


def test_the_reference_lists_every_operation():
    page = (DOCS / "reference" / "graphs.md").read_text(encoding="utf-8").partition("\n## Operations")[2]
    listed = [word for line in page.splitlines() if line.startswith("|") for word in ticks(line)]
    assert sorted(listed) == sorted(OPS.words())


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_no_window_of_a_pool_lies_in_the_padding_alone(axes):
    """torch (2.13) goes back from such a window to a place outside of memory, and a graph comes from others."""
    seen = set()
    for kernel, step, gap, size, ceil in product((1, 2, 3), (1, 2), (1, 2, 3, 4), (1, 2, 3), (False, True)):
        for pad in range(kernel // 2 + 1):
            args = (v("x"), *((one,) * axes for one in (kernel, step, pad, gap)), ceil)
            pooled = graph({"x": ("float32", [1, *[size] * axes])}, [node(f"max_pool{axes}d", *args, out="y")], "y")
            try:
                wide = check(pooled).values["y"].shape[2]
            except GraphError as error:
                if "within the padding alone" in str(error):
                    seen.add("refused")
                    assert any(not real for real in windows(1, kernel, step, pad, gap, size))
                continue
            seen.add("made")
            assert all(windows(wide, kernel, step, pad, gap, size)), (kernel, step, pad, gap, size, ceil)
    assert seen == {"refused", "made"}


def windows(count, kernel, step, pad, gap, size):
    """Of each window, how many of its places are there."""
    starts = [step * i - pad for i in range(count)]
    return [sum(0 <= start + gap * j < size for j in range(kernel)) for start in starts]


def test_what_runs_with_channels_last_has_the_bits_that_it_has_otherwise():
    """Forward and back, with windows that overlap, with numbers that are equal, and with such as are none."""
    draw, quick = torch.Generator().manual_seed(5), [word for word in OPS.words() if OPS.of(word).last]
    assert quick == ["max_pool2d"]
    step, odd = step_of(node("max_pool2d", v("x"), (2,), out="y"), ""), (torch.nan, torch.inf)
    shapes = product((1, 3, 16, 17), (1, 2, 7), ([2, 1], [3, 3]), ([1, 1], [2, 3]), ([0, 0], [1, 0]))
    for channels, width, kernel, stride, padding in shapes:
        image = torch.randn((5, channels, 6, width + 2), generator=draw).mul(2).round()
        image.view(-1)[[3, 11]] = torch.tensor(odd)
        found = []
        for run in (step.run, torch.ops.aten.max_pool2d.default):
            given = image.clone().requires_grad_()
            made = run(given, kernel, stride, padding)
            assert made.is_contiguous()
            pull = torch.randn(made.shape, generator=torch.Generator().manual_seed(1))
            found.append((made.detach(), torch.autograd.grad(made, given, pull)[0]))
        for one, other in zip(*found, strict=True):
            assert torch.equal(one.view(torch.int32), other.view(torch.int32))
