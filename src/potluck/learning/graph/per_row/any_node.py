"""The gradient of any node for each row, laid out: the node once more, for every row alone, by torch's own derivative.

That is what the node does of a whole batch, since rows stay apart (`graph.value`), unless it draws: `uses` refuses a
node that draws and has no rule of its own. It takes as many numbers as rows have times the value.
"""

from typing import TYPE_CHECKING

from potluck.learning.graph.per_row.call import Call
from potluck.learning.graph.per_row.pieces import Laid, Piece
from potluck.learning.graph.schema import Special
from potluck.learning.graph.steps import run_step, torch

if TYPE_CHECKING:
    from torch import Tensor


def any_node(call: Call) -> Piece:
    """By vmap over rows."""
    loaded, asked = torch(), call.name(call.argument)
    public = {name: one for name, one in call.values.items() if call.known[name].rows is None}
    takes = [raw for raw in call.arguments if raw != call.argument and _with_rows(call, raw)]
    names = list(dict.fromkeys(call.name(raw) for raw in takes))
    rows = [call.rows(next(raw for raw in takes if call.name(raw) == name)) for name in names]

    def back(pulled: "Tensor", *given: "Tensor") -> "Tensor":
        def run(value: "Tensor") -> "Tensor":
            values = {**public, **dict(zip(names, given, strict=True)), asked: value}
            run_step(call.step, values, 1, train=call.train)
            return values[call.step.out[0]]

        found: Tensor = loaded.func.vjp(run, public[asked])[1](pulled)[0]
        return found

    return Laid(loaded.func.vmap(back)(call.pulled(), *rows))


def _with_rows(call: Call, argument: str) -> bool:
    raw = call.arguments[argument]
    return isinstance(raw, Special) and raw.v is not None and call.known[raw.v].rows is not None
