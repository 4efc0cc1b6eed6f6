"""One operator as torch has traced it, and how what it takes is written in a graph."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from potluck.learning.graph.make.exported import refused, size_of
from potluck.learning.graph.make.written import Growing
from potluck.learning.graph.schema import Argument, Special
from potluck.learning.graph.value import WIDTHS

if TYPE_CHECKING:
    from torch.fx import Node

Names = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """One operator as torch has traced it. arguments: by torch's names, with its defaults; name: how what it takes is
    called in the graph."""

    node: "Node"
    arguments: dict[str, Any]
    graph: Growing
    name: Callable[[object], str]

    def shape(self, key: str) -> Sequence[Any]:
        """The shape of what an argument is."""
        found: Sequence[Any] = self.arguments[key].meta["val"].shape
        return found

    def axis(self, key: str, of: str) -> int:
        """An axis, counted from 0."""
        axis: int = self.arguments[key]
        return axis % max(len(self.shape(of)), 1)

    def given(self, raw: object) -> Argument:
        """An argument as a graph writes it."""
        if isinstance(raw, list | tuple):
            return tuple(self._one(one) for one in raw)
        return self._one(raw)

    def _one(self, raw: object) -> Special | bool | int | float | None:
        if raw is None or type(raw) in (bool, int, float):
            return raw  # type: ignore[return-value]  # its type is looked at just before
        if isinstance(raw, str):
            return Special(t=raw)
        if type(raw).__name__ == "dtype":
            kind = next((one for one in WIDTHS if str(raw) == f"torch.{one}"), None)
            if kind is None:
                raise refused(self.node, f"makes {str(raw).removeprefix('torch.')}", f"known: {', '.join(WIDTHS)}")
            return Special(d=kind)
        if type(getattr(raw, "meta", {}).get("val")).__name__.startswith("Sym"):
            raise refused(self.node, "takes the size of the batch as a number", "only shapes may depend on it")
        return Special(v=self.name(raw))

    def emit(self, word: str, *args: Argument, many: int = 1) -> Names:
        """A node."""
        return self.graph.node(self.node, word, args, many=many)

    def shaped(self, word: str, key: str) -> Names:
        """A node that brings the argument `key` into the shape that torch has found; nothing where it has it."""
        want = self.node.meta["val"].shape
        if tuple(map(str, want)) == tuple(map(str, self.shape(key))):
            return (self.name(self.arguments[key]),)
        axis, sizes = size_of(want, self.node)
        shape = tuple(Special(b=size) if i == axis else size for i, size in enumerate(sizes))
        return self.emit(word, self.given(self.arguments[key]), shape)
