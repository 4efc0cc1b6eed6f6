"""Modules whose graph computes something else where nobody looks, and files that mislead: refused by name."""

import pytest
import torch
from torch import nn

from potluck.core.errors import GraphError
from potluck.learning.graph.interpreter import forward
from potluck.learning.graph.make.exported import InputShape
from potluck.learning.graph.make.make import made
from support.graph.running import ready

pytestmark = pytest.mark.torch
ROW = {"x": InputShape("float32", (4,))}


class Layer(nn.Module):
    """A function of the rows, a linear layer, and a function of what it gives."""

    def __init__(self, before=lambda x: x, after=lambda y: y):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last, self.before, self.after = nn.Linear(4, 4), nn.Linear(4, 1), before, after

    def forward(self, x):
        return self.after(self.last(self.before(self.first(x))))


def clipped_column(x):
    x = x.clone()
    x[:, 0].clamp_(max=90.0)
    return x


def filled_column(x):
    x = x.clone()
    column = x[:, 1]
    column.masked_fill_(column > 900, 0.0)
    return x


def clipped_base(x):
    x = x * 1.0
    view = x.view(-1, 2, 2)
    x.clamp_(max=50)
    return view.flatten(1)


def filled_mask(x):
    mask = torch.zeros(4)
    mask[1] = 1
    return x * mask


def written_to(x):
    mask = torch.zeros(4)
    torch.add(torch.ones(4), 1, out=mask)
    return x * mask


@pytest.mark.parametrize("change", [clipped_column, filled_column, clipped_base, filled_mask, written_to])
def test_a_change_in_place_under_another_name_is_refused(change):
    with pytest.raises(GraphError, match=r"changes in place what a view sees|writes into what it is given"):
        made(Layer(change), ROW)


def test_a_change_in_place_of_a_value_without_another_name_is_what_it_was_changed_to():
    def change(x):
        x = x.mul_(2).clamp_(max=1.5)
        return x.view(-1, 2, 2).relu_().flatten(1)

    module = Layer(change)
    program, weights = ready(made(module, ROW)[1])
    rows = 1000 * torch.randn(9, 4, generator=torch.Generator().manual_seed(1))
    assert torch.equal(forward(program, weights, {"x": rows}), module(rows))


def test_a_limit_that_only_large_numbers_meet_is_compared():
    class Limited(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1.0

        @staticmethod
        def backward(ctx, grad):
            return grad.clamp(-20, 20)

    with pytest.raises(GraphError, match="another gradient than the module"):
        made(Layer(lambda x: Limited.apply(x) * x), ROW)


class Slower(torch.autograd.Function):
    """A gradient that is not that of what it computes."""

    @staticmethod
    def forward(ctx, x):
        return x * 1.0

    @staticmethod
    def backward(ctx, grad):
        return grad * 0.1


@pytest.mark.parametrize("after", [lambda y: y, lambda y: torch.cat([y, -y], 1)], ids=["one", "two that cancel"])
def test_a_gradient_of_its_own_is_seen_where_the_sum_of_the_output_has_none(after):
    with pytest.raises(GraphError, match="another gradient than the module"):
        made(Layer(Slower.apply, after), ROW)
    made(Layer(lambda x: x * 1.0, after), ROW)


def test_a_module_that_treats_a_single_row_in_another_way_is_refused():
    def odd(x):
        return x * 2 if x.shape[0] < 2 else x

    with pytest.raises(GraphError, match="another output than the module"):
        made(Layer(odd), ROW)


@pytest.mark.parametrize("way", ["buffer", "part of it", "attribute"])
def test_a_constant_that_is_a_weight_in_memory_is_refused(way):
    class Shared(nn.Module):
        def __init__(self, trains):
            super().__init__()
            self.last = nn.Linear(4, 4)
            self.last.weight.requires_grad_(trains)
            held = self.last.weight.detach()
            if way == "attribute":
                self.held = held
            else:
                self.register_buffer("held", held if way == "buffer" else held[1:2])

        def forward(self, x):
            return self.last(x) + self.held.sum(0)

    with pytest.raises(GraphError, match=r"held shares its memory with last\.weight, which trains"):
        made(Shared(True), ROW)
    made(Shared(False), ROW)


class Odd(Exception):
    """An exception that torch does not know."""


@pytest.mark.parametrize("error", [Odd("\x1b[2J"), SystemExit(0), Odd()], ids=["screen", "exit", "plain"])
@pytest.mark.parametrize("alone", [False, True], ids=["always", "where it runs"])
def test_an_exception_of_the_module_is_said_to_be_its_own(error, alone):
    def fail(x):
        if not (alone and torch.compiler.is_exporting()):
            raise error
        return x

    with pytest.raises(GraphError, match=f"the module raised {type(error).__name__}") as said:
        made(Layer(fail), ROW)
    assert "\x1b" not in str(said.value)
