"""One node of a checked graph, as whoever says it in ONNX reads it: arguments by torch's names, values by ONNX's."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from potluck.learning.graph.bound import Bound
from potluck.learning.graph.schema import Special
from potluck.learning.graph.value import Value
from potluck.learning.onnx.writer import Writer


@dataclass(frozen=True, slots=True)
class Call:
    """writer: where it is said; bound: its arguments, checked; named: a value's name in the file; made: what it makes,
    as the walk has found it."""

    writer: Writer
    bound: Bound
    named: Mapping[str, str]
    made: tuple[Value, ...]

    def value(self, argument: str) -> Value:
        """Type, shape and rows of what an argument names."""
        return self.bound.value(argument)

    def name(self, argument: str) -> str:
        """What an argument names, in the file."""
        return self._of(self.bound.arguments.get(argument))

    def has(self, argument: str) -> bool:
        """Whether the node gives an argument."""
        return self.bound.arguments.get(argument) is not None

    def names(self, argument: str) -> list[str]:
        """What a list of values names."""
        raw = self.bound.arguments.get(argument)
        assert isinstance(raw, tuple)
        return [self._of(one) for one in raw]

    def operand(self, argument: str, like: Value) -> str:
        """A value, or a number of the type of another operand."""
        found = self.bound.operand(argument)
        return self.name(argument) if isinstance(found, Value) else self.writer.number(found, like.dtype)

    def _of(self, raw: object) -> str:
        assert isinstance(raw, Special)
        assert raw.v is not None
        return self.named[raw.v]


Say = Callable[[Call], Sequence[str]]
"""Adds a node's operation to the file; gives the names of what it makes, in the order of the node's."""
