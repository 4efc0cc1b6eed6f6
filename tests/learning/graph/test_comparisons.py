"""Comparisons, masks and choices for which a graph has no word are written in those it has, and say what torch says."""

import pytest
import torch
from torch import nn

from potluck.core.errors import GraphError
from potluck.learning.graph.interpreter import forward
from potluck.learning.graph.make.exported import InputShape
from potluck.learning.graph.make.make import made
from support.graph.running import ready

pytestmark = pytest.mark.torch
NUMBERS = (-3, 0, 1, 7)
FLOATS = (-float("inf"), -3.0, -1e-45, -0.0, 0.0, 1e-45, 0.1, 1.0, 1.0000001, 7.0, float("inf"), float("nan"))
WHOLE = (-(2**63), -4, -3, -2, -1, 0, 1, 2, 6, 7, 8, 2**63 - 1)


class Said(nn.Module):
    """What every comparison with every number says of a row, as 0 and 1, times a weight."""

    def __init__(self, numbers):
        super().__init__()
        self.scale, self.numbers = nn.Parameter(torch.ones(1)), numbers

    def forward(self, x):
        found = []
        for c in self.numbers:
            found += [x == c, x != c, x < c, x <= c, x > c, x >= c]
        found += [~(x > 0), torch.logical_not(x > 1), (x > 0) & (x < 7), (x < 0) | (x > 1)]
        return torch.cat([one.to(self.scale.dtype) for one in found], 1) * self.scale


class Padded(nn.Module):
    """Attention over tokens, as torch's own encoder has it: a mask is true where a token is not to be looked at."""

    def __init__(self, mask):
        super().__init__()
        torch.manual_seed(0)
        self.table, self.mask = nn.Embedding(12, 8), mask
        self.layer, self.last = nn.TransformerEncoderLayer(8, 2, 8, 0.0, batch_first=True), nn.Linear(8, 2)

    def forward(self, note, mask):
        return self.last(self.layer(self.table(note), src_key_padding_mask=self.mask(mask))[:, 0])


@pytest.mark.parametrize(
    ("dtype", "numbers", "entries"),
    [("float32", (*NUMBERS, 0.1), FLOATS), ("float64", (*NUMBERS, 0.1), FLOATS), ("int64", NUMBERS, WHOLE)],
    ids=["float32", "float64", "int64"],
)
def test_a_comparison_says_what_torch_says_at_every_edge(dtype, numbers, entries):
    module = Said(numbers)
    program, weights = ready(made(module, {"x": InputShape(dtype, (3,))})[1])
    rows = torch.tensor(entries, dtype=getattr(torch, dtype)).reshape(-1, 3)
    said = forward(program, weights, {"x": rows})
    assert torch.equal(said, module(rows))
    assert 0 < said.sum() < said.numel()


@pytest.mark.parametrize(
    "mask",
    [
        lambda m: m == 0,
        pytest.param(lambda m: m < 1, marks=pytest.mark.slow),
        pytest.param(lambda m: ~(m > 0), marks=pytest.mark.slow),
        pytest.param(lambda m: ~m.bool(), marks=pytest.mark.slow),
    ],
)
def test_padding_is_masked_in_the_usual_spellings(mask):
    module = Padded(mask).eval()
    whole = InputShape("int64", (4,))
    program, weights = ready(made(module, {"note": whole, "mask": whole})[1])
    note, held = torch.tensor([[3, 4, 0, 0], [5, 6, 7, 8]]), torch.tensor([[1, 1, 0, 0], [1, 1, 1, 1]])
    said = forward(program, weights, {"note": note, "mask": held})
    other = forward(program, weights, {"note": torch.tensor([[3, 4, 9, 1], [5, 6, 7, 2]]), "mask": held})
    assert torch.equal(said[0], other[0])  # behind the mask
    assert not torch.equal(said[1], other[1])
    torch.testing.assert_close(said, module(note, held), rtol=0, atol=1e-6)


@pytest.mark.parametrize("choice", [lambda x: torch.where(x > 0, x, 0.5), lambda x: torch.where(x > 0, -1.0, x)])
def test_a_choice_may_have_a_number(choice):
    class Chosen(nn.Module):
        def __init__(self):
            super().__init__()
            self.last = nn.Linear(3, 1)

        def forward(self, x):
            return self.last(choice(x))

    module = Chosen()
    program, weights = ready(made(module, {"x": InputShape("float32", (3,))})[1])
    rows = torch.tensor([[-2.0, 0.0, 2.0]])
    assert torch.equal(forward(program, weights, {"x": rows}), module(rows))


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda x: torch.logical_not(x), "of masks alone"),
        (lambda x: x & (x > 0), "of masks alone|bitwise_and"),
    ],
    ids=["no mask", "no two masks"],
)
def test_what_is_not_written_so_is_refused_by_name(function, said):
    class Asked(nn.Module):
        def __init__(self):
            super().__init__()
            self.last = nn.Linear(3, 1)

        def forward(self, x):
            return self.last(function(x).float())

    with pytest.raises(GraphError, match=said):
        made(Asked(), {"x": InputShape("float32", (3,))})
