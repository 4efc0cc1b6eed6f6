"""A graph computes what its module computes: outputs and gradients, bit for bit, training and not."""

import pytest
import torch

from potluck.learning.graph.interpreter import forward
from support.graph.modules import CASES, SOME_SLOW, Case
from support.graph.running import network, ready, same

pytestmark = pytest.mark.torch


def rows(case: Case, batch: int) -> list[torch.Tensor]:
    draw = torch.Generator().manual_seed(batch)
    found = []
    for one in case.inputs.values():
        shape = (batch, *one.shape)
        whole = one.dtype == "int64"
        found.append(torch.randint(0, 12, shape, generator=draw) if whole else torch.randn(shape, generator=draw))
    return found


def gradients(output, weights, seed):
    pull = torch.randn(output.shape, generator=torch.Generator().manual_seed(seed))
    return torch.autograd.grad(output, weights, pull)


TRAINING = [pytest.param(one, True, id=f"training-{one.name}") for one in CASES]
EVALUATING = [pytest.param(*one.values, False, id=f"evaluating-{one.id}", marks=one.marks) for one in SOME_SLOW]


@pytest.mark.parametrize(("case", "train"), TRAINING + EVALUATING)
def test_outputs_and_gradients_are_those_of_eager_torch(case, train):
    module = case.make().train(train)
    program, weights = ready(network(case.name))
    given = rows(case, 6)
    parameters = dict(module.named_parameters())
    trained = [one.name for one in program.graph.weights if one.train]
    assert {name for name, one in parameters.items() if one.requires_grad} == set(trained)
    # torch takes a short cut in its own encoder where nothing trains: no operator, and other bits.
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        torch.manual_seed(9)
        theirs = module(*given)
    finally:
        torch.backends.mha.set_fastpath_enabled(True)
    torch.manual_seed(9)
    ours = forward(program, weights, dict(zip(case.inputs, given, strict=True)), train=train)
    assert (ours - theirs).abs().max() == 0.0
    assert same(ours, theirs)
    wanted = gradients(theirs, [parameters[name] for name in trained], 3)
    for name, one, other in zip(trained, gradients(ours, [weights[name] for name in trained], 3), wanted, strict=True):
        assert same(one, other), name
        assert one.abs().sum() > 0 or "in_proj_bias" in name, name  # a bias of keys moves nothing


@pytest.mark.parametrize("batch", [0, 1, 37])
@pytest.mark.parametrize("name", ["mlp", "resnet", "vit", "bert"])
def test_a_batch_of_any_size_runs(name, batch):
    program, weights = ready(network(name))
    case = next(one for one in CASES if one.name == name)
    given = dict(zip(case.inputs, rows(case, batch), strict=True))
    output = forward(program, weights, given)
    assert output.shape[0] == batch
    assert torch.isfinite(output).all()


def test_dropout_draws_where_a_graph_trains_and_nowhere_else():
    case = next(one for one in CASES if one.name == "vit")
    program, weights = ready(network("vit"))
    given = dict(zip(case.inputs, rows(case, 4), strict=True))
    torch.manual_seed(1)
    still = forward(program, weights, given)
    assert same(still, forward(program, weights, given))
    assert not same(forward(program, weights, given, train=True), forward(program, weights, given, train=True))


def test_tied_weights_are_one_and_get_the_gradient_of_both_uses():
    names = [one.name for one in network("gpt2").graph.weights]
    assert "words.weight" in names
    assert "head.weight" not in names


def test_a_frozen_base_does_not_train():
    frozen = {one.name for one in network("lora").graph.weights if not one.train}
    assert frozen == {"0.base.weight", "0.base.bias", "2.base.weight", "2.base.bias"}
