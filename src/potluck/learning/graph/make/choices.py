"""Masks and choices that have no word of their own: all are written with `where` of floats, and `gt`."""

from typing import Any

import numpy as np

from potluck.learning.graph.make.call import Call, Names
from potluck.learning.graph.make.exported import refused, size_of
from potluck.learning.graph.make.lowering import Lowered
from potluck.learning.graph.schema import Argument, Special


def masked_fill(call: Call) -> Names:
    """A number where a mask is true: a choice between a constant and the value."""
    return _where(call, "mask", "value", "self")


def where(call: Call) -> Names:
    """A choice of which one side or both are numbers."""
    return _where(call, "condition", "self", "other")


def _where(call: Call, asked: str, *sides: str) -> Names:
    return call.emit("where", call.given(call.arguments[asked]), *(_side(call, call.arguments[one]) for one in sides))


def _side(call: Call, raw: Any) -> Argument:
    if type(raw) in (bool, int, float):
        return _number(call, raw, _kind(call.node))
    given = call.given(raw)
    return given if _kind(raw) == _kind(call.node) else _made(call, "cast", given, Special(d=_kind(call.node)))


def like(number: float) -> Lowered:
    """torch's zeros_like and ones_like: a number, expanded to the shape."""

    def lowered(call: Call) -> Names:
        axis, sizes = size_of(call.node.meta["val"].shape, call.node)
        shape = tuple(Special(b=size) if i == axis else size for i, size in enumerate(sizes))
        return call.emit("expand", _number(call, number, _kind(call.node)), shape)

    return lowered


def _kind(value: Any) -> Any:
    """The type of a tensor's numbers, as a graph calls it; what no graph has is refused where it is used."""
    return str(value.meta["val"].dtype).removeprefix("torch.")


def _number(call: Call, number: float, word: str = "float32") -> Special:
    return Special(v=call.graph.constant("fill", np.array(number, dtype=word)))


def negated(call: Call) -> Names:
    """True where a mask is false."""
    return (str(_not(call, _mask(call, "self")).v),)


def both(call: Call) -> Names:
    """True where two masks are."""
    return (str(_both(call, _mask(call, "self"), _mask(call, "other")).v),)


def either(call: Call) -> Names:
    """True where one of two masks is."""
    first, second = _mask(call, "self"), _mask(call, "other")
    return (str(_true(call, first, _number(call, 1), _made(call, "cast", second, Special(d="float32"))).v),)


def _mask(call: Call, key: str) -> Special:
    raw = call.arguments[key]
    if _kind(raw) != "bool":
        raise refused(call.node, f"is of {_kind(raw)}", "of masks alone: compare first, as x > 0")
    return Special(v=call.name(raw))


def _not(call: Call, mask: Special) -> Special:
    return _true(call, mask, _number(call, 0), _number(call, 1))


def _both(call: Call, first: Special, second: Special) -> Special:
    return _true(call, first, _made(call, "cast", second, Special(d="float32")), _number(call, 0))


def _true(call: Call, asked: Special, first: Special, second: Special) -> Special:
    return _made(call, "gt", _made(call, "where", asked, first, second), 0)


def _made(call: Call, word: str, *args: Argument) -> Special:
    return Special(v=call.emit(word, *args)[0])
