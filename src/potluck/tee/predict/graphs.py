"""What an enclave needs to score by graphs: an interpreter, which is handed in from above where its process begins."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from potluck.core.predicting import Columns
from potluck.core.stages import Floats


@dataclass(frozen=True, slots=True)
class Graphs:
    """prepared: a graph's file and the rows that it is for -> what computes their margins [n, outputs]; it reads no
    number of the rows, and raises GraphError where the graph is none, is beyond a bound or takes other columns, before
    it makes room for anything. ready: runs once, so that nothing is left to load, and gives what it runs on, "name
    version" each; raises OpError where it is missing or wrong."""

    prepared: Callable[[bytes, Columns], Callable[[], Floats]]
    ready: Callable[[], Sequence[str]]
