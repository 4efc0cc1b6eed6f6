"""A torch module becomes a graph's file, on the machine of whoever wrote the module."""

import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from potluck.core.errors import UsageError
from potluck.core.visible import visible
from potluck.learning.graph.file import contents, write
from potluck.learning.graph.make.exported import InputShape
from potluck.learning.graph.make.make import frozen, made
from potluck.learning.graph.outline import Outline, outline
from potluck.learning.graph.steps import torch
from potluck.learning.graph.value import DType

if TYPE_CHECKING:
    from torch.nn import Module

Sizes = Sequence[int] | tuple[str, Sequence[int]]
"""A row's shape of floats, or the type of its entries and its shape."""


def graph(
    module: "Module", inputs: Mapping[str, Sizes], path: Path | str, *, base: Path | str | None = None
) -> Outline:
    """Write the graph of a torch module into a new file, and say what is in it: operations and weights, no code.

    Args:
        module: of torch. It needs `pip install 'potluck[networks]'`.
        inputs: by name, in the order of the module's arguments, the shape of one row: `{"features": [13]}`,
            `{"ids": ("int64", [32])}`.
        path: of the new file.
        base: a safetensors file. Frozen weights (`requires_grad_(False)`) that it holds are left out of the graph's
            file; where it is not there yet, it is written with all of them.

    Returns:
        What the graph is made of: inputs, outputs, layers, parameters trained and frozen.

    Raises:
        GraphError: the module does what no graph may do, or its graph does not compute the same bits.
        UsageError: a file is there already, or cannot be read or written.

    Examples:
        >>> import potluck
        >>> from torch import nn
        >>> module = nn.Sequential(nn.Linear(13, 4), nn.Tanh(), nn.Linear(4, 1))
        >>> outline = potluck.graph(module, inputs={"features": [13]}, path="net.graph")
        >>> print(outline.lines()[0])
        takes   features: float32 [b, 13]
    """
    shapes = {name: _shape(name, one) for name, one in inputs.items()}
    if not shapes:
        raise UsageError(
            "a graph has to have an input", hint='--input features=13, or in Python inputs={"features": [13]}'
        )
    new, held = None, None
    if base is not None:
        held = contents(Path(base)) if os.path.lexists(base) else None
        new = None if held is not None else frozen(module)
    data, network = made(module, shapes, held if new is None else new)
    if base is not None and new is not None:
        write(Path(base), new)
    write(Path(path), data)
    return outline(network)


def _shape(name: str, given: Sizes) -> InputShape:
    kind: object = "float32"
    if len(given) == 2 and isinstance(given[0], str):
        kind, given = given[0], given[1]  # type: ignore[assignment]  # what stands there is looked at below
    sizes = tuple(given) if isinstance(given, list | tuple) else ()
    known = {str(one): one for one in get_args(DType)}
    if kind not in known or not all(type(size) is int and size > 0 for size in sizes):
        hint = f"[13], or (dtype, [32]) with {', '.join(known)}"
        raise UsageError(f'the input "{name}" is no shape of a row', hint=hint)
    return InputShape(known[str(kind)], tuple(int(str(size)) for size in sizes))


def named(where: str) -> "tuple[Module, dict[str, Sizes]]":
    """The torch module at MODULE:NAME, and the inputs that stand beside it.

    NAME is a torch module, or something to call without arguments that gives one, or a pair of one and its inputs. The
    working directory is looked in first. Raises UsageError: there is none.
    """
    loaded = torch()
    place, _, name = where.partition(":")
    if not place or not name:
        raise UsageError(f"{where!r} is not MODULE:NAME", hint="such as networks:make_resnet")
    sys.path.insert(0, "")
    try:
        found = getattr(importlib.import_module(place), name)
        if not isinstance(found, loaded.nn.Module) and callable(found):
            found = found()
    except (Exception, SystemExit) as error:  # what runs here is code of its author's
        raise UsageError(f"{type(error).__name__} in it: {visible(str(error)[:200])}", where=where) from None
    finally:
        if "" in sys.path:
            sys.path.remove("")
    inputs: dict[str, Sizes] = {}
    if isinstance(found, tuple) and len(found) == 2 and isinstance(found[1], dict):
        found, inputs = found
    if not isinstance(found, loaded.nn.Module):
        raise UsageError(f"gives a {type(found).__name__}", where=where, hint="it has to give a torch.nn.Module")
    return found, inputs
