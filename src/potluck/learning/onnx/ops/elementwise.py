"""Operations entry by entry."""

from collections.abc import Mapping

from potluck.learning.onnx.call import Call, Say


def _plain(op: str, argument: str = "self") -> Say:
    """One operator of ONNX with no more to say."""
    return lambda call: (call.writer.add(op, (call.name(argument),)),)


def _silu(call: Call) -> tuple[str]:
    value = call.name("self")
    return (call.writer.add("Mul", (value, call.writer.add("Sigmoid", (value,)))),)


def _elu(call: Call) -> tuple[str]:
    """scale * x above 0, else scale * alpha * (exp(input_scale * x) - 1)."""
    writer, value, kind = call.writer, call.name("self"), call.value("self").dtype
    alpha, scale, inside = (_given(call, name, 1.0) for name in ("alpha", "scale", "input_scale"))
    if scale == inside == 1:
        return (writer.add("Elu", (value,), {"alpha": float(alpha)}),)
    grown = writer.add("Exp", (writer.add("Mul", (value, writer.number(inside, kind))),))
    below = writer.add("Mul", (writer.add("Sub", (grown, writer.number(1.0, kind))), writer.number(alpha, kind)))
    joined = writer.add("Where", (writer.add("Greater", (value, writer.number(0.0, kind))), value, below))
    return (writer.add("Mul", (joined, writer.number(scale, kind))),)


def _softplus(call: Call) -> tuple[str]:
    """log(1 + exp(beta * x)) / beta, and x itself where beta * x is above the threshold."""
    writer, value, kind = call.writer, call.name("self"), call.value("self").dtype
    beta, most = writer.number(_given(call, "beta", 1.0), kind), writer.number(_given(call, "threshold", 20.0), kind)
    inside = writer.add("Mul", (value, beta))
    smooth = writer.add("Div", (writer.add("Softplus", (inside,)), beta))
    return (writer.add("Where", (writer.add("Greater", (inside, most)), value, smooth)),)


def _leaky(call: Call) -> tuple[str]:
    return (call.writer.add("LeakyRelu", (call.name("self"),), {"alpha": float(_given(call, "negative_slope", 0.01))}),)


def _between(low: str, high: str, least: float | None, most: float | None) -> Say:
    """Entries within two numbers, of which one may be missing."""

    def say(call: Call) -> tuple[str]:
        kind, found = call.value("self").dtype, []
        for name, default in ((low, least), (high, most)):
            given = call.bound.maybe_number(name)
            bound = default if given is None else given
            found.append("" if bound is None else call.writer.number(bound, kind))
        return (call.writer.add("Clip", (call.name("self"), *found)),)

    return say


def _hardsigmoid(call: Call) -> tuple[str]:
    return (call.writer.add("HardSigmoid", (call.name("self"),), {"alpha": 1 / 6, "beta": 0.5}),)


def _rsqrt(call: Call) -> tuple[str]:
    return (call.writer.add("Reciprocal", (call.writer.add("Sqrt", (call.name("self"),)),)),)


def _gelu(call: Call) -> tuple[str]:
    how = call.bound.word("approximate", ("none", "tanh"))
    return (call.writer.add("Gelu", (call.name("self"),), {"approximate": how}),)


def _added(op: str) -> Say:
    """self and alpha times other."""

    def say(call: Call) -> tuple[str]:
        first = call.value("self")
        return (call.writer.add(op, (call.name("self"), _times(call, call.operand("other", first)))),)

    return say


def _times(call: Call, name: str) -> str:
    alpha = call.bound.number("alpha", 1)
    return name if alpha == 1 else call.writer.add("Mul", (name, call.writer.number(alpha, call.value("self").dtype)))


def _reversed(call: Call) -> tuple[str]:
    other = call.writer.number(call.bound.number("other"), call.value("self").dtype)
    return (call.writer.add("Sub", (other, _times(call, call.name("self")))),)


def _joined(op: str) -> Say:
    return lambda call: (call.writer.add(op, (call.name("self"), call.operand("other", call.value("self")))),)


def _power(call: Call) -> tuple[str]:
    exponent = call.writer.number(call.bound.number("exponent"), call.value("self").dtype)
    return (call.writer.add("Pow", (call.name("self"), exponent)),)


def _compared(op: str, *, turned: bool = False) -> Say:
    """torch compares whole numbers with a fraction as float32, and truth values as numbers. turned: what it is not."""

    def say(call: Call) -> tuple[str]:
        value, other = call.value("self"), call.bound.number("other")
        name, kind = call.name("self"), value.dtype
        if kind == "bool" or (kind == "int64" and isinstance(other, float)):
            name, kind = call.writer.cast(name, "float32"), "float32"
        found = call.writer.add(op, (name, call.writer.number(other, kind)))
        return (call.writer.add("Not", (found,)) if turned else found,)

    return say


def _log1p(call: Call) -> tuple[str]:
    one = call.writer.number(1.0, call.value("self").dtype)
    return (call.writer.add("Log", (call.writer.add("Add", (call.name("self"), one)),)),)


def _parametric(call: Call) -> tuple[str]:
    """A slope a channel stands along the second axis."""
    value, slope = call.value("self"), call.name("weight")
    if call.value("weight").shape != (1,):
        slope = call.writer.shaped(slope, (-1, *(1,) * (value.rank - 2)))
    return (call.writer.add("PRelu", (call.name("self"), slope)),)


def _where(call: Call) -> tuple[str]:
    return (call.writer.add("Where", [call.name(one) for one in ("condition", "self", "other")]),)


def _cast(call: Call) -> tuple[str]:
    return (call.writer.cast(call.name("self"), call.made[0].dtype),)


def _given(call: Call, name: str, default: float) -> float:
    found = call.bound.maybe_number(name)
    return default if found is None else found


SAID: Mapping[str, Say] = {
    "relu": _plain("Relu"),
    "silu": _silu,
    "tanh": _plain("Tanh"),
    "sigmoid": _plain("Sigmoid"),
    "elu": _elu,
    "leaky_relu": _leaky,
    "softplus": _softplus,
    "hardtanh": _between("min_val", "max_val", -1.0, 1.0),
    "hardswish": _plain("HardSwish"),
    "hardsigmoid": _hardsigmoid,
    "mish": _plain("Mish"),
    "exp": _plain("Exp"),
    "log": _plain("Log"),
    "log1p": _log1p,
    "erf": _plain("Erf"),
    "sin": _plain("Sin"),
    "cos": _plain("Cos"),
    "sqrt": _plain("Sqrt"),
    "rsqrt": _rsqrt,
    "reciprocal": _plain("Reciprocal"),
    "abs": _plain("Abs"),
    "neg": _plain("Neg"),
    "gelu": _gelu,
    "clamp": _between("min", "max", None, None),
    "add": _added("Add"),
    "sub": _added("Sub"),
    "rsub": _reversed,
    "mul": _joined("Mul"),
    "div": _joined("Div"),
    "pow": _power,
    "maximum": _joined("Max"),
    "minimum": _joined("Min"),
    "prelu": _parametric,
    "gt": _compared("Greater"),
    "ge": _compared("GreaterOrEqual"),
    "lt": _compared("Less"),
    "le": _compared("LessOrEqual"),
    "eq": _compared("Equal"),
    "ne": _compared("Equal", turned=True),
    "where": _where,
    "cast": _cast,
    "dropout": lambda call: (call.name("input"),),
}
