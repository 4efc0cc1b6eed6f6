"""A torch module as torch.export sees it: its operators, with the size of the batch left open.

It runs the module's own code, so it belongs on the machine of whoever wrote that. Sites never do this.
"""

import inspect
import logging
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from potluck.core.errors import GraphError
from potluck.core.visible import visible
from potluck.learning.graph.steps import FAILURES, torch
from potluck.learning.graph.value import DType

if TYPE_CHECKING:
    from torch import Tensor
    from torch.fx import Node
    from torch.nn import Module

BATCH = 4
"""Rows of the batch that is exported; any number of at least two does."""
MOST_BATCH = 2**20


@dataclass(frozen=True, slots=True)
class InputShape:
    """What the module takes: type, and the shape of one row."""

    dtype: DType
    shape: tuple[int, ...]


@contextmanager
def as_written(module: "Module") -> Iterator[None]:
    """Every submodule trains or not as it did before, and torch takes no short cut that is no operator."""
    loaded = torch()
    modes = [(one, one.training) for one in module.modules()]
    fast = loaded.backends.mha.get_fastpath_enabled()
    quiet = logging.root.manager.disable
    loaded.backends.mha.set_fastpath_enabled(False)
    logging.disable(logging.CRITICAL)  # what torch has to say is in its errors
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(quiet)
        loaded.backends.mha.set_fastpath_enabled(fast)
        for one, training in modes:
            one.training = training


def examples(inputs: Mapping[str, InputShape], batch: int, most: Mapping[str, int], seed: int) -> list["Tensor"]:
    """Public random inputs, in their order. most: by name of an input of whole numbers, what they stay below."""
    loaded = torch()
    draw = loaded.Generator().manual_seed(seed)
    found = []
    for name, one in inputs.items():
        shape = (batch, *one.shape)
        if one.dtype.startswith("float"):
            found.append(loaded.randn(shape, generator=draw, dtype=getattr(loaded, one.dtype)))
        else:
            high = most.get(name, 2)
            found.append(loaded.randint(0, high, shape, generator=draw).to(getattr(loaded, one.dtype)))
    return found


def exported(module: "Module", inputs: Mapping[str, InputShape]) -> Any:
    """torch's ExportedProgram. Raises GraphError: the module cannot be exported, or depends on the batch's size."""
    loaded = torch()
    rows = loaded.export.Dim("rows", min=2, max=MOST_BATCH)
    shapes: tuple[Any, ...] = tuple({0: rows} for _ in inputs)
    kinds = [one.kind for one in inspect.signature(module.forward).parameters.values()]
    if inspect.Parameter.VAR_POSITIONAL in kinds:  # torch sees such inputs as one tuple
        before = kinds.index(inspect.Parameter.VAR_POSITIONAL)
        shapes = (*shapes[:before], shapes[before:])
    try:
        given = tuple(examples(inputs, BATCH, {}, 0))
        # With the package opt_einsum torch would take einsum apart by the sizes of the example.
        with loaded.backends.opt_einsum.flags(enabled=False):
            return loaded.export.export(module, given, dynamic_shapes=shapes, strict=False)
    except FAILURES as error:
        raise _refusal(error) from None
    except (Exception, SystemExit) as error:  # the module is code of its author's
        raise raised(error) from None


def raised(error: BaseException) -> GraphError:
    """What is said where the module's own code ends in an error."""
    return GraphError(f"the module raised {type(error).__name__}: {visible(str(error)[:200])}")


def _refusal(error: Exception) -> GraphError:
    """What is said of a module that torch does not export."""
    said = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip()
    line = next((one.strip() for one in said.splitlines() if one.strip()), type(error).__name__)[:300]
    where = place(said)
    if "rows" in said and ("specialized" in said or "Constraints violated" in said):
        return GraphError(
            "the module fixes the size of the batch", where=where, hint="take it from x.shape[0], in shapes alone"
        )
    hint = "does it run on inputs of the shapes that are given, behind an axis of rows? else see torch.export"
    return GraphError(f"torch does not export the module: {line.rstrip('.')}", where=where, hint=hint)


def place(text: str | None) -> str:
    """The last line of code that a trace of torch names, outside of torch itself; empty where it names none."""
    found = re.findall(r'File "([^"]+)", line (\d+)', text or "")
    own = [one for one in found if "/torch/" not in one[0]] or found
    return f"{own[-1][0]}:{own[-1][1]}" if own else ""


def size_of(dims: Sequence[Any], node: "Node") -> tuple[int | None, tuple[int, ...]]:
    """A shape that torch found: which axis holds rows (None: none), and sizes for one row of a batch.

    Raises GraphError: it depends on the batch in another way than by a multiple.
    """
    axes, sizes = [], []
    for axis, dim in enumerate(dims):
        times, open_ = _times(dim, node)
        axes += [axis] if open_ else []
        sizes.append(times)
    if len(axes) > 1:
        raise refused(node, "makes a shape with two axes of rows")
    return (axes[0] if axes else None), tuple(sizes)


def _times(dim: Any, node: "Node") -> tuple[int, bool]:
    if isinstance(dim, int):
        return dim, False
    expression = dim.node.expr
    if not expression.free_symbols:
        return int(expression), False
    (symbol, *more) = expression.free_symbols
    at: list[Any] = [] if more else [expression.subs(symbol, k) for k in (0, 1, 2)]
    if not at or at[0] != 0 or at[2] != 2 * at[1] or not at[1].is_integer:
        raise refused(node, "makes a size that is no multiple of the batch's")
    return int(at[1]), True


def refused(node: "Node", what: str, hint: str = "") -> GraphError:
    """A refusal of torch's operator, by its name and the line of code that asks for it."""
    where = place(node.meta.get("stack_trace"))
    if not where or "/torch/" in where:  # torch's own code: say which of its modules
        held = list(node.meta.get("nn_module_stack", {}).values())
        where = f"module {held[-1][0] or 'itself'} ({str(held[-1][1]).rpartition('.')[2]})" if held else where
    return GraphError(f"{name_of(node)} {what}", where=where, hint=hint)


def name_of(node: "Node") -> str:
    """What torch calls an operator, such as aten.linear.default."""
    target: Any = node.target
    return str(target) if isinstance(target, str) else str(getattr(target, "_name", target)).replace("::", ".")
