"""Each row's gradient of a batch, clipped and added up, by one pass forward and one back.

Weights ask for no gradient: the pass back stops at what the nodes make that take them, and each row's gradient is then
a product of what entered such a node and what came back to it (`pieces`). So no gradient is laid out but small ones,
and there is no second pass: the weighted sum is one product more. What is made of weights alone (a transpose, a product
of two) is followed back for all rows at once.

Rows of one unit stand one after another. A unit with a row that is not finite counts as zero: zeros stand on both sides
of its products, for zero times what is no number is none. It does NOT keep anyone from seeing factors or norms: they
stay here.
References: Goodfellow 2015, arXiv 1510.01799; Lee and Kifer 2021, arXiv 2009.03106; Bu et al. 2022, arXiv 2210.00038
(one pass back).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from math import prod
from typing import TYPE_CHECKING, Any

from potluck.core.errors import GraphError
from potluck.learning.graph.interpreter import admitted
from potluck.learning.graph.per_row.call import Call
from potluck.learning.graph.per_row.pieces import (
    LARGEST,
    WIDER,
    Laid,
    Piece,
    Sizes,
    compact,
    gamma,
    sizes,
    together,
    unit,
)
from potluck.learning.graph.per_row.uses import Uses
from potluck.learning.graph.steps import FAILURES, Values, run_step, torch

if TYPE_CHECKING:
    from torch import Tensor

MOST_LAID = 2**25
"""Numbers of gradients of one weight that are laid out, of all rows of a batch."""
DEAR = 0.01
"""Where rounding would take a larger part of the clip, a sum is added up in float64."""
SPREAD = 16.0
"""How many times the clip a unit's reach may be, where a row has several products. That of networks is 1 to 8 times its
norm, and the larger this is, the more of the clip is kept for rounding."""
Lost = Callable[["Tensor"], "Tensor"]
"""The output [b, ...] -> the loss of each row [b], which depends on that row alone."""


@dataclass(frozen=True, eq=False)
class Gradients:
    """Of units, not yet clipped. pieces: by weight; there [units]: whether a unit has a row."""

    pieces: Mapping[str, Piece] = field(repr=False)
    there: "Tensor" = field(repr=False)

    @cached_property
    def terms(self) -> int:
        """At most so many products of a unit are added up in an entry."""
        return max((one.terms for one in self.pieces.values()), default=1)

    @property
    def deep(self) -> int:
        """At most so many roundings a product goes through: of a sum in whatever order, of a factor's own product, and
        of what is too small for a float."""
        return len(self.there) * self.terms + 2

    @cached_property
    def unit(self) -> float:
        """By how much of itself an operation in the types of these gradients may be off."""
        return max((unit(one) for one in {_numbers(one).dtype for one in self.pieces.values()}), default=0.0)

    @property
    def spread(self) -> float:
        """R: how many times its clip a unit's reach may be. 1 where reaches are norms."""
        return SPREAD if self.terms > 1 else 1.0

    @cached_property
    def _sizes(self) -> Sizes:
        if not self.pieces:
            nothing = torch().zeros(len(self.there), device=self.there.device).double()
            return Sizes(nothing, nothing, nothing)
        return sizes(list(self.pieces.values()))

    @cached_property
    def sound(self) -> "Tensor":
        """[units] whether all numbers of a unit are finite, and none too large."""
        found: Tensor = self._sizes.factor <= LARGEST**2  # not so of what is no number
        return found

    @property
    def norms(self) -> "Tensor":
        """[units] in float64: no unit's norm is larger."""
        return self._sizes.norm.sqrt() * WIDER

    @property
    def reaches(self) -> "Tensor":
        """[units] in float64: no unit's reach is larger."""
        return self._sizes.reach.sqrt() * WIDER

    @cached_property
    def dear(self) -> bool:
        """Whether sums are added up in float64. It follows from the graph, how many units there are, and the type."""
        return self.deep * self.unit > DEAR or 2 * self.error(1.0, double=False) > DEAR

    def error(self, clip: float, *, double: bool) -> float:
        """E: no sum of all units is farther from the sum in real numbers than this, in L2 norm, in whatever order they
        are added up: gamma(n) of the sum of reaches, of which each is at most R clip (n: `deep`)."""
        return gamma(self.deep, 2.0**-53 if double else self.unit) * len(self.there) * self.spread * clip

    def factors(self, clip: float, *, double: bool) -> "Tensor":
        """[units] min(1, clip / N, R clip / A), rounded down, in float64 or float32; 0 for a unit that is not there, or
        is not sound. A unit's has the same bits whatever the others are."""
        found, down = self._sizes, 1.0 if double else 1 - 2.0**-23  # what a float32 rounds up is less
        wide: Tensor = found.norm.rsqrt() * (down * clip / WIDER**2)
        if found.reach is not found.norm:
            wide = torch().minimum(wide, found.reach.rsqrt() * (down * self.spread * clip / WIDER**2))
        wide = wide.clamp(max=down).masked_fill(~(self.there & self.sound), 0.0)
        return wide if double else wide.float()

    def clipped(self, clip: float, *, double: bool = False) -> "dict[str, Tensor]":
        """By weight: the sum of units, each of norm at most `clip` (in real numbers; see `error`). double: it is added
        up in float64."""
        factors, sound = self.factors(clip, double=double), self.sound
        any_lost = sound.is_meta or not bool(sound.all())
        found: dict[str, Tensor] = {}
        # A bias stands behind its weight, and is a factor of it: first, it is at hand when the weight's turn comes.
        for name, one in reversed(list(self.pieces.items())):
            kept = one.without(~sound) if any_lost else one
            found[name] = kept.total(factors if double else factors.to(_numbers(one).dtype))
        return {name: found[name] for name in self.pieces}


def gradients(
    uses: Uses,
    weights: "Mapping[str, Tensor]",
    inputs: "Mapping[str, Tensor]",
    lost: Lost,
    there: "Tensor",
    *,
    each: int = 1,
    train: bool = True,
    most: int = MOST_LAID,
) -> Gradients:
    """Of a batch of b rows. weights: and constants, by name; inputs [b, ...], by name; there [b]: whether a row counts:
    what stands elsewhere is any row, as zeros; each: so many rows after another are one unit; most: numbers that are
    laid out of one weight. Raises GraphError: torch fails, a bound of a batch is broken, or more would be laid out."""
    loaded, graph, batch = torch(), uses.program.graph, admitted(uses.program, inputs)
    values: Values = {name: _still(one) for name, one in weights.items()}
    leaves = {name: values[name].detach().requires_grad_() for name in uses.trained} if uses.made else {}
    public = values | leaves
    for place in uses.public:
        run_step(uses.program.steps[place], public, batch, train=train)
    pieces: dict[str, list[Piece]] = {name: [] for name in (*uses.trained, *uses.made)}
    known = uses.program.checked.values

    def back(place: int, given: Values, came: "Tensor") -> None:
        step, out = uses.program.steps[place], known[graph.nodes[place].out[0]]
        with loaded.no_grad():
            for use in uses.at[place]:
                call = Call(step, use.argument, use.arguments, known, given, out, came, batch, train, most)
                piece = use.rule(call)
                pieces[use.name].append(compact(piece, most) if use.name in uses.once else piece)
        given.clear()

    values |= {name: _still(one) for name, one in public.items() if name not in values} | dict(inputs)
    ends = _forward(uses, values, batch, back, train=train)
    losses = lost(values.pop(graph.output))
    values.clear()
    if losses.requires_grad:
        loaded.autograd.grad(losses, ends, there.to(losses.dtype), allow_unused=True)
    with loaded.no_grad():
        _followed(uses, pieces, public, leaves, batch, most)
        whole = {name: compact(_one(pieces[name], weights[name], batch), most) for name in uses.trained}
        units = there if each == 1 else there.reshape(-1, each).any(1)
        return Gradients({name: one.joined(each) for name, one in whole.items()}, units)


def _forward(
    uses: Uses, values: Values, batch: int, back: "Callable[[int, Values, Tensor], None]", *, train: bool
) -> "list[Tensor]":
    """Every node with rows. Of those that take a weight `back` hears the place, what they took, and, on the way back,
    the gradient of the result: as soon as that is there, so that nothing is kept for longer. What stands in `values`
    afterwards is the output, and what nobody has let go. Returns where the way back ends."""
    ends = []
    for place in uses.with_rows:
        step, node = uses.program.steps[place], uses.program.graph.nodes[place]
        given = {name: _still(values[name]) for name in node.takes} if place in uses.at else {}
        run_step(step, values, batch, train=train)
        if place in uses.at:
            made: Any = values[node.out[0]]  # torch says no types of hooks
            if not made.requires_grad:
                ends.append(made.requires_grad_())
            made.register_hook(partial(back, place, given))
        for name in step.done:
            values.pop(name, None)
    return ends


def _followed(
    uses: Uses,
    pieces: dict[str, list[Piece]],
    public: Values,
    leaves: "Mapping[str, Tensor]",
    batch: int,
    most: int,
) -> None:
    """Back from values that are made of weights alone to these weights, for all rows at once: what is made is the same
    for every row, so its derivative is."""
    made = [name for name in uses.made if public[name].requires_grad]
    if not made:
        return
    numbers = batch * max(prod(public[name].shape) for name in (*made, *leaves))
    if numbers > most:
        hint = "fewer rows at once, or weights that nodes take as they are"
        raise GraphError(f"{numbers} numbers of gradients would be laid out", where="graph", hint=hint)
    each = [together(pieces[name]).laid().each for name in made]
    names, loaded = list(leaves), torch()
    try:
        found = loaded.autograd.grad(
            [public[name] for name in made], [leaves[name] for name in names], each, is_grads_batched=True,
            allow_unused=True,
        )  # fmt: skip
    except FAILURES as failure:
        said = str(failure).partition("\n")[0][:200]
        raise GraphError(f"torch does not derive what is made of weights alone: {said}", where="graph") from None
    for name, one in zip(names, found, strict=True):
        if one is not None:
            pieces[name].append(Laid(one))


def _one(pieces: Sequence[Piece], weight: "Tensor", batch: int) -> Piece:
    """The gradient of one weight; zeros where nothing of a row depends on it."""
    return together(pieces) if pieces else Laid(weight.new_zeros(1, *weight.shape).expand(batch, *weight.shape))


def _still(one: "Tensor") -> "Tensor":
    """The same numbers, and no gradient is asked."""
    return one.detach() if one.requires_grad else one


def _numbers(piece: Piece) -> "Tensor":
    return piece.each if isinstance(piece, Laid) else piece.right
