"""One node, ready to run: torch's operator in place of its word, and where its arguments come from.

torch is loaded here alone, when a graph is first run.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from potluck.core.errors import GraphError
from potluck.learning.graph.ops import OPS
from potluck.learning.graph.schema import Argument, Node, Special

if TYPE_CHECKING:
    from torch import Tensor

FAILURES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    NotImplementedError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What torch raises where a graph or a module asks for something that it does not do."""
INSTALL = "pip install 'potluck[networks]'"
Values = dict[str, "Tensor"]
_Ready = Callable[[Values, int], object]


def torch() -> Any:  # torch has no types that this program is checked with
    """torch. Raises GraphError: it is missing."""
    try:
        import torch as loaded
    except ImportError:
        raise GraphError("torch is missing", hint=INSTALL) from None
    return loaded


def device(card: bool) -> Any:
    """Where a graph is trained: torch's device, of this machine's processor or of its graphics card. card: whether its
    owner allows that; without it torch is not asked whether there is one. Raises GraphError: torch finds no card."""
    loaded = torch()
    if not card:
        return loaded.device("cpu")
    if not loaded.cuda.is_available():
        hint = "torch as built for the card, and its driver; or leave models.gpu out"
        raise GraphError("models.gpu is true, and torch finds no graphics card here", where="policy", hint=hint)
    return loaded.device("cuda")


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """where: the node, for messages; run: torch's operator; args, kw: how its arguments are found; evaluating: the
    argument that has another value where nothing is trained, its place (None: by name) and that value; out: names of
    its results; many: whether torch gives a list of them; done: values that nobody needs after it."""

    where: str
    run: Callable[..., object]
    args: tuple[_Ready, ...]
    kw: tuple[tuple[str, _Ready], ...]
    evaluating: tuple[str, int | None, bool | float] | None
    out: tuple[str, ...]
    many: bool
    done: tuple[str, ...]


def step_of(node: Node, where: str, done: tuple[str, ...] = ()) -> Step:
    """A node of a checked graph, ready. Raises GraphError: torch is missing."""
    loaded = torch()
    op = OPS.of(node.op)
    name, overload = op.run.split(".")
    evaluating = None
    if op.evaluating:
        key, value = op.evaluating
        place = op.arguments.index(key)
        evaluating = (key, place if place < len(node.args) else None, value)
    args = tuple(_ready(loaded, one) for one in node.args)
    kw = tuple((key, _ready(loaded, one)) for key, one in node.kw.items())
    run = getattr(getattr(loaded.ops.aten, name), overload)
    many = run._schema.returns[0].type.kind() == "ListType"
    run = _with_channels_last(run) if op.last else run
    return Step(where, run, args, kw, evaluating, node.out, many, done)


def _with_channels_last(run: Callable[..., object]) -> Callable[..., object]:
    """An operator of pictures [b, channels, height, width], which go in with channels last and come back as before."""
    last = torch().channels_last

    def turned(*given: Any, **more: object) -> object:
        if not given or not given[0].is_contiguous():
            return run(*given, **more)
        made: Any = run(given[0].contiguous(memory_format=last), *given[1:], **more)
        return made.contiguous()

    return turned


def _ready(loaded: Any, given: Argument) -> _Ready:
    """How an argument is found when the graph runs: from values by name, and the rows of the batch."""
    if isinstance(given, tuple):
        parts = [_ready(loaded, one) for one in given]
        if not any(isinstance(one, Special) for one in given):
            fixed = [one({}, 0) for one in parts]
            return lambda env, batch: fixed
        return lambda env, batch: [one(env, batch) for one in parts]
    if isinstance(given, Special):
        if given.v is not None:
            name = given.v
            return lambda env, batch: env[name]
        if given.b is not None:
            times = given.b
            return lambda env, batch: times * batch
        constant = getattr(loaded, given.d) if given.d is not None else given.t
        return lambda env, batch: constant
    return lambda env, batch: given


def run_step(step: Step, values: Values, batch: int, *, train: bool) -> None:
    """Add a step's results to the values. Raises GraphError: torch fails."""
    try:
        args = [one(values, batch) for one in step.args]
        kw = {key: one(values, batch) for key, one in step.kw}
        if step.evaluating and not train:
            key, place, value = step.evaluating
            if place is not None:
                args[place] = value
            elif key in kw:
                kw[key] = value
        result: Any = step.run(*args, **kw)
        values.update(zip(step.out, result if step.many else (result,), strict=True))
    except FAILURES as failure:
        said = str(failure).partition("\n")[0][:200]
        raise GraphError(f"torch does not run it: {said}", where=step.where) from None
