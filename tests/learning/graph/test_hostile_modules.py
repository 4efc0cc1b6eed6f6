"""Modules that mix rows, draw, branch, or use what no graph has: refused by the name of what it does, and where."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from potluck.core.errors import GraphError
from potluck.learning.graph.make.exported import InputShape
from potluck.learning.graph.make.make import made

pytestmark = pytest.mark.torch
ROW = {"x": InputShape("float32", (4,))}
IMAGE = {"x": InputShape("float32", (3, 4, 4))}
WORDS = {"x": InputShape("int64", (2,))}


class Layer(nn.Module):
    """A linear layer after a function of the rows."""

    def __init__(self, function, *more):
        super().__init__()
        self.function, self.last, self.more = function, nn.Linear(4, 2), nn.ModuleList(more)

    def forward(self, x):
        return self.last(self.function(x, *self.more))


class Counting(nn.Module):
    def __init__(self):
        super().__init__()
        self.last = nn.Linear(4, 2)
        self.register_buffer("seen", torch.zeros(4))

    def forward(self, x):
        self.seen.add_(x.sum(1).sum(0))
        return self.last(x + self.seen)


class Gives(nn.Module):
    """What a function makes of the last layer's output."""

    def __init__(self, function):
        super().__init__()
        self.function, self.last = function, nn.Linear(4, 2)

    def forward(self, x):
        return self.function(self.last(x))


def branch(x):
    return torch.cond(x[0, 0] > 0, lambda x: x * 2, lambda x: x * 3, (x,))


def mixed_norm(x, norm):
    return norm(x.T.unsqueeze(0)).squeeze(0).T


MIXING = {
    "batch norm": (nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)), ROW, "batch_norm"),
    "batch norm of images": (nn.Sequential(nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(48, 2)), IMAGE, "batch_norm"),
    "statistics of the batch": (nn.Sequential(nn.BatchNorm1d(4, track_running_stats=False)).eval(), ROW, "batch_norm"),
    "mean over rows": (Layer(lambda x: x - x.mean(0)), ROW, "mean"),
    "mean over rows, kept": (Layer(lambda x: x - x.mean(0, keepdim=True)), ROW, "mean"),
    "mean over everything": (Layer(lambda x: x - x.mean()), ROW, "mean"),
    "sum over rows": (Layer(lambda x: x + x.sum(0)), ROW, "sum"),
    "softmax over rows": (Layer(lambda x: x.softmax(0)), ROW, "softmax"),
    "rows times rows": (Layer(lambda x: (x @ x.T) @ x), ROW, "matmul"),
    "rows times rows, summed": (Layer(lambda x: x @ (x.T @ x)), ROW, "matmul"),
    "the first row": (Layer(lambda x: x + x[0]), ROW, "select"),
    "the first rows": (Layer(lambda x: x + x[:1]), ROW, "slice"),
    "rows twice": (Layer(lambda x: torch.cat([x, x], 0)[: x.shape[0]]), ROW, "cat"),
    "rows in another order": (Layer(lambda x: x.flip(0)), ROW, "flip"),
    "the next row": (Layer(lambda x: x.roll(1, 0)), ROW, "roll"),
    "sorted rows": (Layer(lambda x: x.sort(0).values), ROW, "sort"),
    "sums of rows": (Layer(lambda x: x.cumsum(0)), ROW, "cumsum"),
    "reshape over the batch": (Layer(lambda x: x.T.flatten().view(-1, 4)), ROW, "reshape"),
    "attention among rows": (
        Layer(lambda x: F.scaled_dot_product_attention(x[None], x[None], x[None])[0]),
        ROW,
        "atten",
    ),
    "convolution over rows": (Layer(mixed_norm, nn.Conv1d(4, 4, 3, padding=1)), ROW, "conv1d"),
    "a pool over rows": (Layer(mixed_norm, nn.AvgPool1d(3, 1, 1)), ROW, "avg_pool1d"),
    "a group norm over rows": (Layer(mixed_norm, nn.GroupNorm(2, 4)), ROW, "group_norm"),
    "a layer norm over rows": (Layer(lambda x: F.layer_norm(x.T, (x.shape[0],)).T), ROW, "layer_norm"),
    "gradients by how often a word is there": (
        nn.Sequential(nn.Embedding(5, 4, scale_grad_by_freq=True), nn.Flatten(), nn.Linear(8, 2)),
        *(WORDS, "embedding"),
    ),
    "the size of the batch as a number": (Layer(lambda x: x * x.shape[0]), ROW, "mul"),
    "divided by the size of the batch": (Layer(lambda x: x / x.shape[0]), ROW, "div"),
    "a buffer that remembers rows": (Counting(), ROW, "sum"),
}
OTHERS = {
    "a draw": (Layer(lambda x: x + torch.rand(4)), ROW, "rand"),
    "a draw for each row": (Layer(torch.bernoulli), ROW, "bernoulli"),
    "a branch on data": (Layer(lambda x: x if x[0, 0] > 0 else x * 2), ROW, "data-dependent"),
    "a branch as an operator": (Layer(branch), ROW, "select"),
    "no gradients": (Layer(torch.no_grad()(lambda x: x * 2)), ROW, "wrap_with_set_grad_enabled"),
    "a number of the data": (Layer(lambda x: x * x.max().item()), ROW, "max"),
    "rows that are chosen": (Layer(lambda x: x[x[:, 0] > 0]), ROW, "index"),
    "rows by their places": (Layer(lambda x: x[torch.tensor([0, 1])]), ROW, "embedding"),
    "detached": (Layer(lambda x: x.detach()), ROW, "detach"),
    "fourier": (Layer(lambda x: torch.fft.fft(x).real), ROW, "fft"),
    "half precision": (Layer(lambda x: x.half().float()), ROW, "float16"),
    "recurrent": (Layer(lambda x, net: net(x[:, None])[0][:, 0], nn.LSTM(4, 4, batch_first=True)), ROW, "zeros"),
    "two outputs": (Gives(lambda y: (y, y * 2)), ROW, "several values"),
    "a table of outputs": (Gives(lambda y: {"logits": y}), ROW, "dict"),
    "no axis for classes": (Gives(lambda y: y.sum(1)), ROW, "output"),
    "the batch fixed": (Gives(lambda y: y.view(4, 2)), ROW, "size of the batch"),
    "its own bug": (Gives(lambda y: y.nope), ROW, "nope"),
    "a hidden bug": (Layer(lambda x: x[:, :3]), ROW, "does not export"),
    "an input that is not used": (Layer(lambda x: torch.zeros(4, 4)), ROW, 'nothing uses "x"'),
    "weights in half precision": (Gives(lambda y: y).half(), ROW, "last.weight: a tensor is of float16"),
    "everything in half precision": (
        Gives(lambda y: y).to(torch.bfloat16),
        ROW,
        "last.weight: a tensor is of bfloat16",
    ),
}


@pytest.mark.parametrize("name", MIXING)
def test_a_module_that_mixes_rows_is_refused_by_name(name):
    module, inputs, word = MIXING[name]
    with pytest.raises(GraphError) as error:
        made(module, inputs)
    assert word in str(error.value)


@pytest.mark.parametrize("name", OTHERS)
def test_what_no_graph_has_is_refused_by_name(name):
    module, inputs, word = OTHERS[name]
    with pytest.raises(GraphError) as error:
        made(module, inputs)
    assert word in str(error.value)


def test_the_line_of_the_module_is_named():
    with pytest.raises(GraphError, match=r"test_hostile_modules\.py:\d+: aten\.mean\.dim \(mean\) mixes rows"):
        made(Layer(lambda x: x - x.mean(0)), ROW)


def test_batch_norm_says_what_to_do_and_runs_once_it_is_frozen():
    module = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    with pytest.raises(GraphError, match=r"module 1 \(BatchNorm1d\).*use GroupNorm, or call eval"):
        made(module, ROW)
    _, network = made(module.eval(), ROW)
    assert [one.op for one in network.graph.nodes] == ["linear", "batch_norm", "linear"]


def test_a_table_that_is_indexed_is_an_embedding():
    class Biased(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Parameter(torch.randn(5, 2))
            self.register_buffer("places", torch.tensor([0, 4, 4, 1]))

        def forward(self, x):
            return x @ self.table[self.places]

    assert [one.op for one in made(Biased(), ROW)[1].graph.nodes] == ["embedding", "matmul"]


def test_a_roll_within_a_row_is_two_slices_and_one_over_rows_is_refused():
    graph = made(Layer(lambda x: x.roll((1, 0, -3), (1, 1, 1))), ROW)[1].graph
    assert [one.op for one in graph.nodes] == ["slice", "slice", "cat", "slice", "slice", "cat", "linear"]
    for mixing in (lambda x: x.roll(1, 0), lambda x: x.roll(1)):
        with pytest.raises(GraphError, match=r"aten\.roll .*mixes rows"):
            made(Layer(mixing), ROW)


def test_a_module_may_take_its_inputs_as_they_come():
    class Any(nn.Module):
        def __init__(self):
            super().__init__()
            self.last = nn.Linear(4, 2)

        def forward(self, *inputs):
            return self.last(inputs[0] + inputs[1])

    inputs = {"first": InputShape("float32", (4,)), "second": InputShape("float32", (4,))}
    assert [one.op for one in made(Any(), inputs)[1].graph.nodes] == ["add", "linear"]


def test_a_part_that_does_not_train_drops_nothing_out_where_the_rest_does():
    parts = nn.Sequential(nn.Dropout(0.5), nn.Linear(4, 4), nn.Dropout(0.5), nn.Linear(4, 2))
    parts[0].eval()
    assert [one.op for one in made(parts, ROW)[1].graph.nodes] == ["linear", "dropout", "linear"]
    whole = [one.op for one in made(parts.eval(), ROW)[1].graph.nodes]
    assert whole == ["dropout", "linear", "dropout", "linear"]


def test_a_module_is_left_as_it_was():
    module = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5), nn.Linear(4, 2).eval())
    torch.manual_seed(3)
    before, drawn = [one.training for one in module.modules()], torch.get_rng_state()
    made(module, ROW)
    assert [one.training for one in module.modules()] == before
    assert torch.equal(torch.get_rng_state(), drawn)
    assert all(one.grad is None for one in module.parameters())


def test_a_change_in_place_that_a_view_sees_is_not_written_as_something_else():
    def change(x):
        y = x * 1.0
        view = y[:, :2]
        y.relu_()
        return torch.cat([view, view], 1)

    with pytest.raises(GraphError, match="changes in place what a view sees"):
        made(Layer(change), ROW)


def test_a_module_that_does_something_else_when_it_trains_is_refused():
    class Other(nn.Module):
        def __init__(self):
            super().__init__()
            self.last = nn.Linear(4, 2)

        def forward(self, x):
            return self.last(x * (2.0 if self.training else 1.0))

    with pytest.raises(GraphError, match=r"another output than the module \(not training\)"):
        made(Other(), ROW)


def test_what_a_module_computes_and_does_not_use_is_left_out():
    def unused(x):
        x.sort(0)
        x.flip(0)
        return x

    _, network = made(Layer(unused), ROW)
    assert [one.op for one in network.graph.nodes] == ["linear"]
