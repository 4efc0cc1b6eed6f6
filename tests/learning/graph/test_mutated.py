"""Files of graphs that somebody changed: each is refused by name, or runs within its bounds and keeps rows apart."""

import json
import re
import tracemalloc
from collections import Counter
from random import Random

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from potluck.core.errors import GraphError
from potluck.learning.graph.bound import Bound
from potluck.learning.graph.file import parsed
from potluck.learning.graph.interpreter import forward, memory, program, tensors
from support.graph.modules import CASES
from support.graph.mutations import mutated
from support.graph.rewirings import rewired
from support.graph.running import file, numbers, same, with_other_rows

pytestmark = pytest.mark.torch
BATCH, RAN = 5, "ran"
MOST_A_BYTE, BESIDE = 32, 2**16
"""Bytes that reading a file may take: for each of its own, and beside them."""


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
    """What becomes of one file: why it is refused, or RAN. Whatever else happens is a failure of the test."""
    try:
        network = within(MOST_A_BYTE * len(data) + BESIDE, data)
        ready = program(network.checked)
    except GraphError as error:
        assert error.what
        assert error.where
        return why(error)
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
        return why(error)
    assert sizes.bytes <= memory(network.checked, BATCH)
    assert same(before[row], after[row])
    return RAN


def within(most, data):
    """The graph in a file's bytes, read with so much memory at most. Raises GraphError."""
    tracemalloc.start()
    try:
        return parsed(data, "graph")
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak <= most


def why(error):
    """The reason without names, shapes and numbers."""
    return re.sub(r'"[^"]*"|\[[^\]]*\]|\d+|:.*', "", error.what)[:60]


def fuzz(begin, end, changed):
    """How often each thing became of the files of these seeds; a seed that fails is printed."""
    files = [file(case.name) for case in CASES]
    found = Counter()
    for seed in range(begin, end):
        random = Random(seed)
        try:
            found[looked_at(changed(random, *random.choice(files)), seed)] += 1
        except BaseException:
            print(f"seed {seed}, {changed.__name__}")
            raise
    print(f"seeds {begin} to {end - 1}, {changed.__name__}: {json.dumps(dict(found.most_common()))}")
    return found


def mutant(random, data, network):
    """Bytes and headers changed at random."""
    return mutated(random, data)


def rewiring(random, data, network):
    """Graphs that are still graphs."""
    return rewired(random, network)


def test_changed_files_are_refused_or_keep_rows_apart():
    found = fuzz(0, 250, mutant)
    assert found.total() - found[RAN] > 150
    assert found[RAN] > 5  # the control: changes that leave a graph a graph


def test_rewired_graphs_are_refused_or_keep_rows_apart():
    found = fuzz(0, 75, rewiring)
    assert found["mixes rows"] > 7
    assert found[RAN] > 12


@pytest.mark.slow
@pytest.mark.parametrize("part", range(20))
@pytest.mark.parametrize("changed", [mutant, rewiring], ids=["mutants", "rewirings"])
def test_a_hundred_thousand_changed_files_are_refused_or_keep_rows_apart(changed, part):
    begin = 10_000 + part * 2_500
    found = fuzz(begin, begin + 2_500, changed)
    assert found.total() - found[RAN] > 1_000
    assert found[RAN] > 50


def test_the_property_finds_a_rule_that_lets_rows_of_a_rewired_graph_mix(monkeypatch):
    """A seeded fault: a softmax that does not look where its rows are."""

    def rows_too(self, name, given):
        return self._raw(name)

    monkeypatch.setattr(Bound, "axis", rows_too)
    with pytest.raises(AssertionError):
        fuzz(0, 600, rewiring)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_file_that_nobody_changed_runs_within_its_bounds(case):
    assert looked_at(file(case.name)[0], 1) == RAN
