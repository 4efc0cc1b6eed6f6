"""Operators of torch that move, repeat or join entries, written with reshapes, permutations, expands and products."""

from typing import Any

from potluck.learning.graph.make.call import Call, Names
from potluck.learning.graph.make.exported import refused, size_of
from potluck.learning.graph.schema import Argument, Special


def _as(call: Call, word: str, value: Argument, dims: list[Any]) -> Special:
    """A reshape or an expand to sizes as torch has them."""
    axis, sizes = size_of(dims, call.node)
    shape = tuple(Special(b=size) if i == axis else size for i, size in enumerate(sizes))
    return Special(v=call.emit(word, value, shape)[0])


def _turned(call: Call, value: Argument, order: list[int]) -> Argument:
    return value if order == sorted(order) else Special(v=call.emit("permute", value, tuple(order))[0])


def _named(value: Argument) -> Names:
    assert isinstance(value, Special)
    return (str(value.v),)


def stacked(call: Call) -> Names:
    """Values beside each other along a new axis."""
    made = call.node.meta["val"].shape
    axis = call.arguments["dim"] % len(made)
    one = [1 if i == axis else size for i, size in enumerate(made)]
    parts = tuple(_as(call, "reshape", call.given(part), one) for part in call.arguments["tensors"])
    return call.emit("cat", parts, axis)


def repeated(call: Call) -> Names:
    """The value again and again along its axes."""
    shape = [*call.shape("self")]
    times = [*(call.arguments["repeats"] if "repeats" in call.arguments else call.arguments["dims"])]
    shape = [1] * (len(times) - len(shape)) + shape
    times = [1] * (len(shape) - len(times)) + times
    value = _as(call, "reshape", call.given(call.arguments["self"]), shape)
    for axis in range(len(shape)):
        many = times[axis]
        if type(many) is int and many > 1:
            value = Special(v=call.emit("cat", (value,) * many, axis)[0])
        elif type(many) is not int and shape[axis] != 1:
            raise refused(call.node, "repeats rows")
    if any(type(many) is not int for many in times):
        value = _as(call, "expand", value, [*call.node.meta["val"].shape])
    return _named(value)


def stretched(call: Call) -> Names:
    """Each entry so many times, along an axis that is named."""
    shape, dim, many = [*call.shape("self")], call.arguments["dim"], call.arguments["repeats"]
    if dim is None or type(many) is not int:
        raise refused(call.node, "repeats across all axes", "name the axis, and a number of times")
    at = dim % len(shape) + 1
    value = _as(call, "reshape", call.given(call.arguments["self"]), [*shape[:at], 1, *shape[at:]])
    value = _as(call, "expand", value, [*shape[:at], many, *shape[at:]])
    return _named(_as(call, "reshape", value, [*call.node.meta["val"].shape]))


def axes_moved(call: Call) -> Names:
    """Some axes in other places."""
    rank = len(call.shape("self"))
    before, after = (
        [one % rank for one in ([raw] if isinstance(raw, int) else raw)]
        for raw in (call.arguments["source"], call.arguments["destination"])
    )
    order = [one for one in range(rank) if one not in before]
    for to, source in sorted(zip(after, before, strict=True)):
        order.insert(to, source)
    return _named(_turned(call, call.given(call.arguments["self"]), order))


def pixels(call: Call) -> Names:
    """Channels become finer pixels."""
    (*first, channels, high, wide), by = call.shape("self"), call.arguments["upscale_factor"]
    n = len(first)
    value = _as(call, "reshape", call.given(call.arguments["self"]), [*first, channels // by**2, by, by, high, wide])
    turned = _turned(call, value, [*range(n + 1), n + 3, n + 1, n + 4, n + 2])
    return _named(_as(call, "reshape", turned, [*call.node.meta["val"].shape]))


def einsum(call: Call) -> Names:
    """A sum over products of two values that shares no letter within one: a product of matrices."""
    said = call.arguments["equation"].replace(" ", "")
    given, arrow, out = said.partition("->")
    parts, values = given.split(","), call.arguments["tensors"]
    alone = [set(one) for one in (*parts, out)]
    if (
        len(parts) != 2
        or not arrow
        or "." in said
        or any(len(a) < len(b) for a, b in zip(alone, (*parts, out), strict=True))
    ):
        raise refused(call.node, "is of a form that no graph has", "two values, each letter once in each, and ->")
    first, second = parts
    both = [one for one in first if one in second]
    if any(one not in second and one not in out for one in first) or any(
        one not in first and one not in out for one in second
    ):
        raise refused(call.node, "sums over a letter of one value alone", "sum over it before")
    size = {one: dim for part, value in zip(parts, values, strict=True)
            for one, dim in zip(part, value.meta["val"].shape, strict=True)}  # fmt: skip
    kept, summed = [one for one in both if one in out], [one for one in both if one not in out]
    left, right = ([one for one in part if one not in both] for part in parts)
    a, b = (
        _grouped(call, call.given(value), part, (kept, *order), size)
        for value, part, order in zip(values, parts, ((left, summed), (summed, right)), strict=True)
    )
    product = Special(v=call.emit("matmul", a, b)[0])
    letters = [*kept, *left, *right]
    flat = [*(size[one] for one in kept), _times(left, size), _times(right, size)]
    wide = [size[one] for one in letters]
    value = product if len(flat) == len(wide) and len(left) == len(right) == 1 else _as(call, "reshape", product, wide)
    return _named(_turned(call, value, [letters.index(one) for one in out]))


def _grouped(call: Call, value: Argument, part: str, groups: tuple[list[str], ...], size: dict[str, Any]) -> Argument:
    """The value with its axes in groups, those after the first made one axis each."""
    order = [part.index(one) for group in groups for one in group]
    turned = _turned(call, value, order)
    if all(len(group) == 1 for group in groups[1:]):
        return turned
    return _as(call, "reshape", turned, [*(size[one] for one in groups[0]), *(_times(one, size) for one in groups[1:])])


def _times(letters: list[str], size: dict[str, Any]) -> Any:
    found: Any = 1
    for one in letters:
        found = found * size[one]
    return found
