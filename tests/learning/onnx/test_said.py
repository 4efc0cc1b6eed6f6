"""What ONNX files compute is what the interpreter computes: by onnxruntime, operation by operation, and whole."""

import numpy as np
import pytest
import torch

from potluck.core.errors import GraphError, UsageError
from potluck.learning.graph.check import made_by
from potluck.learning.graph.interpreter import forward
from potluck.learning.graph.ops import OPS
from potluck.learning.onnx import network as of_network
from potluck.learning.onnx import ops, writer
from potluck.learning.onnx.call import Call
from potluck.learning.onnx.network import said
from potluck.learning.onnx.ops import SAID
from potluck.learning.onnx.writer import Writer, onnx
from support.graph.examples import EXAMPLES, rows
from support.graph.modules import CASES
from support.graph.running import network, ready, run_node
from support.onnx.running import file, run

pytestmark = pytest.mark.torch
BATCH = "batch/rows"


def test_every_operation_of_graphs_is_said():
    assert set(SAID) == set(OPS.words())


@pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES)
def test_an_operation_gives_what_torch_gives(example):
    _, bound, made = made_by(example.node, example.known)
    for batch in (1, 3):
        given = example.given(batch, seed=2)
        wanted = run_node(example.node, given, batch)
        into = Writer(onnx(), BATCH)
        names = SAID[example.op](Call(into, bound, {name: name for name in example.known}, made))
        values = {BATCH: rows(1), **example.known}
        if names[0] in example.known:  # it leaves its input as it is
            names = [into.add("Identity", names)]
        content = file(into, values, dict(zip(names, made, strict=True)))
        arrays = {BATCH: np.zeros((batch, 1), np.float32)} | {name: one.numpy() for name, one in given.items()}
        for found, one in zip(run(content, arrays), wanted, strict=True):
            assert found.shape == tuple(one.shape)
            np.testing.assert_allclose(found, one.numpy(), rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_whole_network_gives_what_the_interpreter_gives_on_rows_that_nobody_trained_on(case):
    """Within 1e-6 of the largest number, or of twice what float32 itself is off where a deep stack of norms is."""
    net = network(case.name)
    into = Writer(onnx(), net.graph.inputs[0].name)
    output = net.checked.values[net.graph.output]
    last = said(net, into)
    values = {one.name: net.checked.values[one.name] for one in net.graph.inputs}
    content = file(into, values, {last: output})
    draw = torch.Generator().manual_seed(5)
    given = {
        name: torch.randint(0, 12, (7, *one.shape), generator=draw)
        if one.dtype == "int64"
        else torch.randn((7, *one.shape), generator=draw)
        for name, one in case.inputs.items()
    }
    program, weights = ready(net)
    with torch.no_grad():
        ours = forward(program, weights, given).numpy()
        module = case.make().eval().double()
        exact = module(*(one.double() if one.is_floating_point() else one for one in given.values())).numpy()
    (theirs,) = run(content, {name: one.numpy() for name, one in given.items()})
    assert theirs.shape == ours.shape
    largest = np.abs(exact).max()
    assert np.abs(theirs - ours).max() <= max(1e-6 * largest, 3 * np.abs(ours - exact).max())
    assert np.abs(theirs - exact).max() <= 5e-6 * largest


def test_an_operation_without_words_is_refused_by_name(monkeypatch):
    monkeypatch.setattr(of_network, "SAID", {word: say for word, say in ops.SAID.items() if word != "tanh"})
    with pytest.raises(GraphError, match=r"node \d+ \(tanh\): ONNX files cannot say this operation. hint: --to graph"):
        said(network("mlp"), Writer(onnx(), "features"))


def test_without_the_package_the_one_command_is_said(monkeypatch):
    real = __import__

    def without(name, *rest):
        if name == "onnx":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr("builtins.__import__", without)
    with pytest.raises(UsageError, match=r"the package onnx is missing. hint: pip install 'potluck\[onnx\]'"):
        writer.onnx()
