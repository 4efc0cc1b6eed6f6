"""Operations that take their operands entry by entry: rows stay where they are, and nothing crosses between entries."""

from potluck.learning.graph.bound import Bound
from potluck.learning.graph.op import Op, Outputs, batch_first, floating, public
from potluck.learning.graph.value import FLOATS, Misfit, Value, broadcast


def _function(run: str, *numbers: str) -> Op:
    """A function of each entry. numbers: arguments that are numbers, in torch's order."""

    def rule(bound: Bound) -> Outputs:
        value = floating(bound.value("self"), "self")
        for name in numbers:
            bound.maybe_number(name)
        return (value,)

    return Op(run, ("self", *numbers), 1, rule)


def _gelu(bound: Bound) -> Outputs:
    bound.word("approximate", ("none", "tanh"))
    return (floating(bound.value("self"), "self"),)


def _clamp(bound: Bound) -> Outputs:
    if bound.maybe_number("min") is None and bound.maybe_number("max") is None:
        raise Misfit("has neither min nor max")
    bound.maybe_number("max")
    return (floating(bound.value("self"), "self"),)


def _joined(bound: Bound, first: Value, name: str, *, whole: bool) -> Value:
    """The result of two operands, of which the second may be a number. whole: int64 is allowed too."""
    if first.dtype not in FLOATS and not (whole and first.dtype == "int64"):
        raise Misfit(f"cannot compute with {first.dtype}", "cast it first")
    other = bound.operand(name)
    if not isinstance(other, Value):
        if first.dtype == "int64" and type(other) is not int:
            raise Misfit("whole numbers take a whole number", "cast them first")
        return first
    if other.dtype != first.dtype:
        raise Misfit(f"joins {first.dtype} and {other.dtype}", "cast one of them first")
    shape, rows = broadcast((first, other))
    return Value(first.dtype, shape, rows)


def _add(bound: Bound) -> Outputs:
    first = bound.value("self")
    if first.dtype == "int64" and type(bound.number("alpha", 1)) is not int:
        raise Misfit("whole numbers take a whole alpha")
    bound.number("alpha", 1)
    return (_joined(bound, first, "other", whole=True),)


def _reversed(bound: Bound) -> Outputs:
    bound.number("other")
    bound.number("alpha", 1)
    return (floating(bound.value("self"), "self"),)


def _multiply(bound: Bound) -> Outputs:
    return (_joined(bound, bound.value("self"), "other", whole=True),)


def _divide(bound: Bound) -> Outputs:
    return (_joined(bound, bound.value("self"), "other", whole=False),)


def _larger(bound: Bound) -> Outputs:
    bound.value("other")
    return (_joined(bound, bound.value("self"), "other", whole=False),)


def _power(bound: Bound) -> Outputs:
    bound.number("exponent")
    return (floating(bound.value("self"), "self"),)


def _compared(word: str) -> Op:
    """Each entry beside a number."""

    def rule(bound: Bound) -> Outputs:
        value = bound.value("self")
        bound.number("other")
        return (Value("bool", value.shape, value.rows),)

    return Op(f"{word}.Scalar", ("self", "other"), 2, rule)


def _parametric(bound: Bound) -> Outputs:
    value, weight = floating(bound.value("self"), "self"), bound.value("weight")
    if value.rank < 2 and weight.shape != (1,):
        raise Misfit("self has no axis of channels")
    public(weight, (1,) if weight.shape == (1,) else (value.shape[1],), value, "weight")
    return (value if value.rank < 2 or weight.shape == (1,) else batch_first(value, value.rank, "self"),)


def _where(bound: Bound) -> Outputs:
    asked, first, second = bound.value("condition"), bound.value("self"), bound.value("other")
    if asked.dtype != "bool":
        raise Misfit("condition has to be of bools", "compare first")
    if floating(first, "self").dtype != second.dtype:
        raise Misfit(f"joins {first.dtype} and {second.dtype}", "cast one of them first")
    shape, rows = broadcast((asked, first, second))
    return (Value(first.dtype, shape, rows),)


def _cast(bound: Bound) -> Outputs:
    value = bound.value("self")
    return (Value(bound.dtype("dtype"), value.shape, value.rows),)


def _dropout(bound: Bound) -> Outputs:
    if not 0 <= bound.number("p") < 1:
        raise Misfit("p has to be at least 0 and below 1")
    bound.fixed("train", True, "whoever runs the graph says whether it trains")
    return (floating(bound.value("input")),)


RELU = _function("relu.default")
SILU = _function("silu.default")
TANH = _function("tanh.default")
SIGMOID = _function("sigmoid.default")
ELU = _function("elu.default", "alpha", "scale", "input_scale")
LEAKY_RELU = _function("leaky_relu.default", "negative_slope")
SOFTPLUS = _function("softplus.default", "beta", "threshold")
HARDTANH = _function("hardtanh.default", "min_val", "max_val")
HARDSWISH = _function("hardswish.default")
HARDSIGMOID = _function("hardsigmoid.default")
MISH = _function("mish.default")
EXP = _function("exp.default")
LOG = _function("log.default")
LOG1P = _function("log1p.default")
ERF = _function("erf.default")
SIN = _function("sin.default")
COS = _function("cos.default")
SQRT = _function("sqrt.default")
RSQRT = _function("rsqrt.default")
RECIPROCAL = _function("reciprocal.default")
ABS = _function("abs.default")
NEG = _function("neg.default")
GELU = Op("gelu.default", ("self",), 1, _gelu, keywords=("approximate",))
CLAMP = Op("clamp.default", ("self", "min", "max"), 1, _clamp)
ADD = Op("add.Tensor", ("self", "other"), 2, _add, keywords=("alpha",))
SUB = Op("sub.Tensor", ("self", "other"), 2, _add, keywords=("alpha",))
RSUB = Op("rsub.Scalar", ("self", "other", "alpha"), 2, _reversed)
MUL = Op("mul.Tensor", ("self", "other"), 2, _multiply)
DIV = Op("div.Tensor", ("self", "other"), 2, _divide)
POW = Op("pow.Tensor_Scalar", ("self", "exponent"), 2, _power)
MAXIMUM = Op("maximum.default", ("self", "other"), 2, _larger)
MINIMUM = Op("minimum.default", ("self", "other"), 2, _larger)
PRELU = Op("prelu.default", ("self", "weight"), 2, _parametric)
GT, GE, LT, LE, EQ, NE = (_compared(word) for word in ("gt", "ge", "lt", "le", "eq", "ne"))
WHERE = Op("where.self", ("condition", "self", "other"), 3, _where)
CAST = Op("to.dtype", ("self", "dtype"), 2, _cast)
DROPOUT = Op("dropout.default", ("input", "p", "train"), 3, _dropout, evaluating=("train", False))
