"""The graph of a plan's network: what of it does not fit the plan, and which of its weights train.

A plan names a graph's file by the SHA-256 of its bytes (`model.digest`), which enters the plan's hash. The graph was
checked by itself when its bytes were read (`learning.graph`); here are the rules between a graph and a plan.
"""

from collections.abc import Iterator, Sequence
from math import prod
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from potluck.core.errors import GraphError, PlanError, UsageError
from potluck.core.plan import Plan, required
from potluck.core.slices import Sliced, digest_of, whole
from potluck.core.visible import visible
from potluck.learning.data.encode import encoding
from potluck.learning.data.target import goal_of
from potluck.learning.data.texts import tokenizer
from potluck.learning.data.texts.worded import Tokenizers, Worded, tokenizers_of
from potluck.learning.data.units import most_rows
from potluck.learning.graph import chosen
from potluck.learning.graph.bases import FOLDER, LOOKED, base_in
from potluck.learning.graph.batches import rows_at_once
from potluck.learning.graph.file import Network, contents, parsed
from potluck.learning.graph.interpreter import MOST_FLOPS, MOST_MEMORY, memory, program
from potluck.learning.graph.per_row import foreseen
from potluck.learning.graph.schema import Weight
from potluck.learning.graph.steps import device
from potluck.learning.graph.value import FLOATS
from potluck.learning.models.carried import joined, named, stretches, with_tokenizers
from potluck.learning.models.fitted import training
from potluck.learning.models.graph_shapes import shape_faults
from potluck.learning.training.method import WIDEST, by_unit, held, method_of

ALL = ("*",)
LEAST_ROOM = 1 << 26
"""Bytes that every policy lets a batch have."""
FEWEST_AT_ONCE = 32
"""Rows of a sum of gradients that are gone through at a time, also where they take more than every policy lets: as many
as `average` has in a batch where a plan does not say. Of fewer, torch's operations take longer a row."""
NOT_HERE = 'model.graph: is not here. hint: graph = "net.graph", the file that `potluck graph make` wrote'


class Equipped(Worded, frozen=True, kw_only=True):
    """A plan whose graph and tokenizers are at hand: what no plan's JSON or TOML holds, since it names them by hashes.

    content: the bytes of the graph's file; network: what was read of them; card: whether the owner of these rows lets
    it train on the machine's graphics card.
    """

    content: bytes
    network: Network
    card: bool = False


def equipped(plan: Plan, content: bytes, network: Network, tokenizers: Tokenizers) -> Equipped:
    """The plan with its graph and tokenizers. Whoever calls has compared the hashes."""
    found = {name: getattr(plan, name) for name in Plan.__struct_fields__}
    return Equipped(**found, content=content, network=network, tokenizers=tokenizers)


def with_file(plan: Plan, folder: Path, where: str, start: bytes | None = None) -> Plan:
    """A plan with the graph and the tokenizers in the files that it names, and their hashes; as it is where it names no
    graph.

    start: the file of the same graph with other first weights: those of the model that the plan starts from.

    Raises UsageError: a file cannot be read; GraphError, DataError: it is no graph, or no tokenizer; PlanError: not the
    one of `model.digest`, or the model is of another graph.
    """
    model = plan.model
    if model is None or model.graph is None:
        return plan
    path = folder / model.graph
    content = contents(path)
    models = folder / FOLDER
    network = _parsed(content, str(path), models)
    if start is not None:
        content, before = start, network
        network = _parsed(content, "model.start", models)
        if network.digest != before.digest:
            hint = "the model of a run that trained this very graph"
            what = f"model.start: is of another graph than model.graph{_apart(network, before)}"
            raise PlanError(what, where=where, hint=hint)
    digest = digest_of(content)
    if model.digest not in (None, digest):
        of = "model.graph" if start is None else "model.start"
        raise PlanError(f"model.digest: is not that of {of}", where=where, hint=f"this file's is {digest}")
    named = msgspec.structs.replace(plan, model=msgspec.structs.replace(model, digest=digest))
    named, tokenizers = with_tokenizers(named, folder, where)
    return equipped(named, content, network, tokenizers)


def _apart(one: Network, other: Network) -> str:
    """The first weight that two graphs do not have alike; empty where all are."""
    ours, theirs = ({held.name: held for held in network.graph.weights} for network in (one, other))
    for name in [*theirs, *ours]:
        if ours.get(name) != theirs.get(name):
            shapes = (f"{list(held[name].shape)}" if name in held else "none" for held in (ours, theirs))
            return f": {visible(name)} is {' and '.join(shapes)}"
    return ""


def _parsed(content: bytes, where: str, models: Path | None) -> Network:
    """A graph, with the frozen weights of its base where the folder holds that."""
    found = parsed(content, where)
    held = base_in(models, found.graph.base) if models is not None and found.graph.base is not None else None
    return found if held is None else parsed(content, where, held)


def with_bytes(plan: Plan, body: Sliced, models: Path | None = None) -> Equipped:
    """A plan with what a letter (`carried`) holds, which comes from elsewhere. Nothing is parsed before the hashes are
    right.

    models: the folder of frozen weights, where they are needed. Raises GraphError, DataError: it is not what the plan
    names, or no graph, or no tokenizer.
    """
    return taken(plan, stretches(plan, body), models)


def taken(plan: Plan, found: Sequence[Sliced], models: Path | None = None) -> Equipped:
    """The same of a letter's graph and tokenizers, whose hashes were compared. Raises GraphError, DataError: it is no
    graph, or no tokenizer."""
    graph, *some = found
    content = whole(graph)
    tokenizers = {digest: tokenizer.read(whole(one)) for digest, one in zip(named(plan), some, strict=True)}
    return equipped(plan, content, _parsed(content, "model.graph", models), tokenizers)


def network_of(plan: Plan) -> Network:
    """The graph that a plan names. Raises PlanError: it is not at hand."""
    if not isinstance(plan, Equipped):
        hint = 'graph = "net.graph": the file that `potluck graph make` wrote'
        raise PlanError("model.graph: the graph that the plan names is not here", where=plan.name, hint=hint)
    return plan.network


def on_card(plan: Plan, allowed: bool) -> Plan:
    """The plan as its rows' owner lets it be trained. Raises GraphError: on a graphics card, and there is none."""
    if not allowed or not isinstance(plan, Equipped):
        return plan
    device(card=True)
    return msgspec.structs.replace(plan, card=True)


def graph_of(plan: Plan) -> bytes:
    """A plan's graph and tokenizers as a letter (`carried`); empty where it names none, or they are not at hand."""
    return joined(plan.content, plan.tokenizers) if isinstance(plan, Equipped) else b""


def follow(plan: Plan) -> None:
    """Load torch and follow a plan's graph, where it names one, before a round's clock runs: loading takes seconds.

    Raises GraphError: torch is missing, or finds other shapes; UsageError: its base is not here.
    """
    if plan.drawn:
        network = network_of(plan)
        if network.missing:
            hint = f"put it into {FOLDER}/ beside the plan; {LOOKED}"
            raise UsageError("model.base: its frozen weights are not here", where=str(network.graph.base), hint=hint)
        program(network.checked)


def lacks_base(plan: Plan) -> str:
    """The base whose frozen weights a plan's graph lacks here; empty where nothing is missing."""
    return str(plan.network.graph.base) if isinstance(plan, Equipped) and plan.network.missing else ""


def trained_of(plan: Plan) -> tuple[Weight, ...]:
    """The weights that train and that sites share, in the graph's order."""
    return chosen.shared(network_of(plan).graph, required(plan.model))


def held_of(plan: Plan) -> tuple[Weight, ...]:
    """The weights that train at each site and stay there, in the graph's order."""
    return chosen.held(network_of(plan).graph, required(plan.model))


def moving_of(plan: Plan) -> tuple[Weight, ...]:
    """Both, in the graph's order."""
    return chosen.trains(network_of(plan).graph, required(plan.model))


def stays(plan: Plan) -> NDArray[np.bool_]:
    """[n] of all numbers that train, one after another in the graph's order: which stay at a site."""
    held = {one.name for one in held_of(plan)}
    each = [np.full(prod(one.shape), one.name in held) for one in moving_of(plan)]
    return np.concatenate([np.zeros(0, np.bool_), *each])


def length_of(plan: Plan) -> int:
    """How many numbers train that sites share."""
    return sum(prod(one.shape) for one in trained_of(plan))


def needed(plan: Plan) -> int | None:
    """Bytes that a batch of a plan's graph may take; None of a plan that has none at hand."""
    if not isinstance(plan, Equipped):
        return None
    if by_unit(plan):
        return microbatch(plan)[1]
    return memory(plan.network.checked, rows_held(plan))


def rows_held(plan: Plan) -> int:
    """How many rows of a plan's graph training goes through at a time: a batch where sites train by themselves, and a
    microbatch where units are clipped."""
    if by_unit(plan):
        return microbatch(plan)[0] * most_rows(plan)
    return training(plan).batch or 0 if method_of(plan).by_site else at_once(network_of(plan))


def microbatch(plan: Plan) -> tuple[int, int]:
    """Of a plan's graph: see `units_at_once`."""
    return units_at_once(network_of(plan), moving_of(plan), most_rows(plan))


def units_at_once(network: Network, trained: tuple[Weight, ...], each: int) -> tuple[int, int]:
    """(units of a microbatch, of so many rows each; bytes it may take). Raises GraphError: units' gradients cannot be
    told apart."""
    return foreseen.at_once(network.checked, tuple(one.name for one in trained), each, LEAST_ROOM)


def at_once(network: Network) -> int:
    """How many rows a sum of gradients goes through at a time: what every policy lets, or FEWEST_AT_ONCE if a graph's
    bounds let those."""
    return max(rows_at_once(network, LEAST_ROOM), min(FEWEST_AT_ONCE, rows_at_once(network, MOST_MEMORY)))


def most_to_score(plan: Plan) -> int:
    """Bytes that its rows may take while they are scored, by a bound that counts gradients, too: as many rows at a time
    as training goes through, about which an owner's policy was asked."""
    asked = memory(plan.network.checked, rows_held(plan)) if isinstance(plan, Equipped) else 0
    return max(asked, LEAST_ROOM)


def faults(plan: Plan) -> Iterator[str]:
    """What of a plan with a graph does not fit it. Lines as `check` makes them."""
    model = required(plan.model)
    if many := [*chosen.too_many(model)]:  # nothing is compared with them
        yield from many
        return
    if not isinstance(plan, Equipped):
        yield NOT_HERE
        return
    if (model.layers, model.activation, model.seed) != (type(model)().layers, "relu", 0):
        keys = "model.layers, model.activation and model.seed"
        yield f"model.graph: stands instead of layers. hint: leave out {keys}"
    yield from _named(plan)
    yield from _cut_off(plan)
    if not patterned(plan):
        yield from fits(plan)
    try:
        yield from _bounded(plan)
    except GraphError as error:
        yield f"model.graph: {error.where}: {error.what}. hint: {error.hint}"


def patterned(plan: Plan) -> bool:
    """Whether a column may be a pattern: then nobody knows the plan's columns before files are read."""
    return any("*" in name for name in plan.data.columns)


def fits(plan: Plan) -> Iterator[str]:
    """What of a plan's graph does not fit its columns, which are known, and its target."""
    yield from shape_faults(network_of(plan), encoding(plan), goal_of(plan), tokenizers_of(plan))


def _named(plan: Plan) -> Iterator[str]:
    network = network_of(plan)
    base, named = network.graph.base, required(plan.model).base
    if base != named:
        what = f"the graph's is {base}" if base is not None else "the graph has none"
        hint = f'base = "{base}"' if base is not None else "leave it out"
        yield f"model.base: {what}. hint: {hint}"
    if network.missing and plan.noisy and plan.data.split is not None:
        what = "with noise the bins of scores are laid out with it, and it is not here"
        yield f"model.base: {what}. hint: put the file into {FOLDER}/ beside the plan"
    yield from chosen.faults(network.graph, required(plan.model))


def _cut_off(plan: Plan) -> Iterator[str]:
    """A gradient comes to floats alone: a comparison or a cast to whole numbers lets none through."""
    network = network_of(plan)
    moved = {one.name for one in chosen.trains(network.graph, required(plan.model))}
    if not moved:
        return
    for node in network.graph.nodes:
        if not moved.isdisjoint(node.takes):
            moved.update(name for name in node.out if network.checked.values[name].dtype in FLOATS)
    if network.graph.output not in moved:
        what = "no gradient comes to what it names: comparisons stand between it and the output"
        yield f"model.trainable: {what}. hint: name weights that the output depends on smoothly"


def _bounded(plan: Plan) -> Iterator[str]:
    network, rows = network_of(plan), rows_held(plan)
    need, work = memory(network.checked, rows), network.checked.flops * rows
    if need > MOST_MEMORY:
        what = f"a batch of {rows} rows may take {need} bytes, {MOST_MEMORY} are the most"
        yield f"model.graph: {what}. hint: a smaller training.batch"
    if work > MOST_FLOPS:
        what = f"a batch of {rows} rows may take {work} operations, {MOST_FLOPS} are the most"
        yield f"model.graph: {what}. hint: a smaller training.batch"
    narrow = held(plan)
    reach = training(plan).range if narrow else WIDEST
    for one in trained_of(plan):
        array = network.tensors.get(one.name)
        if (narrow or not plan.noisy) and array is not None and not (np.abs(array) <= reach).all():
            bound = "training.range" if narrow else "what a weight may be"
            what = f"{one.name} begins beyond {bound} ({reach:g})"
            hint = "a larger training.range, or other initial weights" if narrow else "other ones"
            yield f"model.graph: {what}. hint: {hint}"
            return
