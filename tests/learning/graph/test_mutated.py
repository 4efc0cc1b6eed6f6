"""Files of graphs that somebody changed: each is refused by name, or runs within its bounds and keeps rows apart."""

from random import Random

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from potluck.core.errors import GraphError
from potluck.learning.graph.file import parsed
from potluck.learning.graph.interpreter import forward, memory, program, tensors
from support.graph.modules import CASES
from support.graph.mutations import mutated
from support.graph.running import file, numbers, same, with_other_rows

pytestmark = pytest.mark.torch
BATCH = 5


class Sizes(TorchDispatchMode):
    """Counts the bytes of everything that torch makes."""

    def __init__(self):
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for one in result if isinstance(result, tuple | list) else (result,):
            if isinstance(one, torch.Tensor):
                self.bytes += one.numel() * one.element_size()
        return result


def looked_at(data, seed):
    """What becomes of one file: "refused", or "ran". Whatever else happens is a failure of the test."""
    try:
        network = parsed(data, "graph")
        ready = program(network.checked)
    except GraphError as error:
        assert error.what
        assert error.where
        return "refused"
    held, draw = tensors(network), torch.Generator().manual_seed(seed)
    row = seed % BATCH
    given = {}
    for one in network.graph.inputs:
        value = network.checked.values[one.name]
        first, second = (numbers(value, BATCH, draw) for _ in range(2))
        given[one.name] = (first, with_other_rows(first, second, row, torch.randperm(BATCH, generator=draw)))
    try:
        with torch.no_grad(), Sizes() as sizes:
            before = forward(ready, held, {name: pair[0] for name, pair in given.items()})
        with torch.no_grad():
            after = forward(ready, held, {name: pair[1] for name, pair in given.items()})
    except GraphError as error:  # an index that is beyond its table, or more memory than a batch may take
        assert "torch does not run it" in error.what or "may take" in error.what
        return "refused"
    assert sizes.bytes <= memory(network.checked, BATCH)
    assert same(before[row], after[row])
    return "ran"


def fuzz(begin, end):
    files = [file(case.name)[0] for case in CASES]
    found = {"refused": 0, "ran": 0}
    for seed in range(begin, end):
        random = Random(seed)
        found[looked_at(mutated(random, random.choice(files)), seed)] += 1
    return found


def test_thousands_of_changed_files_are_refused_or_keep_rows_apart():
    found = fuzz(0, 3_000)
    assert found["refused"] > 2_000
    assert found["ran"] > 50  # the control: changes that leave a graph a graph


@pytest.mark.slow
@pytest.mark.parametrize("part", range(20))
def test_a_hundred_thousand_changed_files_are_refused_or_keep_rows_apart(part):
    begin = 10_000 + part * 5_000
    assert fuzz(begin, begin + 5_000)["refused"] > 3_000


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_file_that_nobody_changed_runs_within_its_bounds(case):
    assert looked_at(file(case.name)[0], 1) == "ran"
