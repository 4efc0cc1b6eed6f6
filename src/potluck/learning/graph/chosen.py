"""Which weights of a graph train, by a plan's names and patterns, and which of them stay at each site."""

from collections.abc import Iterator
from fnmatch import fnmatchcase

from potluck.core.plan import Model
from potluck.core.tables.derived import Names
from potluck.core.visible import visible
from potluck.learning.graph.schema import Graph, Weight

MOST_PATTERNS = 32
"""Patterns of what trains: each is compared with each of a graph's weights, of which there may be tens of thousands."""


def trains(graph: Graph, model: Model) -> tuple[Weight, ...]:
    """Those that the graph lets train and the plan names, in the graph's order."""
    named = _matched(graph, model.trainable)
    return tuple(one for one in graph.weights if one.train and one.name in named)


def shared(graph: Graph, model: Model) -> tuple[Weight, ...]:
    """Of these, those that sites share."""
    own = _matched(graph, model.local)
    return tuple(one for one in trains(graph, model) if one.name not in own)


def held(graph: Graph, model: Model) -> tuple[Weight, ...]:
    """Of these, those that stay at each site."""
    own = _matched(graph, model.local)
    return tuple(one for one in trains(graph, model) if one.name in own)


def too_many(model: Model) -> Iterator[str]:
    """Lists with more patterns than are compared with weights. Lines as `check` makes them."""
    for key, given in (("trainable", model.trainable), ("local", model.local)):
        patterns = len(_patterns(given))
        if patterns > MOST_PATTERNS:
            what = f"has {patterns} patterns, {MOST_PATTERNS} are the most"
            yield f"model.{key}: {what}. hint: name weights as they are called, or fewer patterns"


def faults(graph: Graph, model: Model) -> Iterator[str]:
    """What of the plan's lists does not fit the graph, likewise."""
    if not model.trainable:
        yield 'model.trainable: names nothing. hint: ["*"] is all that the graph lets train'
    patterns, by_name = set(_patterns(model.trainable)), {one.name: one for one in graph.weights}
    names = ", ".join(one.name for one in graph.weights if one.train)[:400]
    for pattern in model.trainable:
        among = by_name.values() if pattern in patterns else filter(None, [by_name.get(pattern)])
        found = [one for one in among if fnmatchcase(one.name, pattern)]
        if not found:
            hint = f"it has {names}" if names else "nothing of it trains"
            yield f'model.trainable: "{visible(pattern[:80])}" matches no weight of the graph. hint: {hint}'
        elif not any(one.train for one in found):
            what = f'"{visible(pattern[:80])}" matches frozen weights alone, such as {found[0].name}'
            yield f"model.trainable: {what}. hint: let them require gradients when the graph is made"
    yield from _local(graph, model)


def _local(graph: Graph, model: Model) -> Iterator[str]:
    """What stays at each site: some of what trains, and not all of it."""
    moving = [one.name for one in trains(graph, model)]
    for pattern in model.local:
        if _matched(graph, (pattern,)).isdisjoint(moving):
            hint = f"of what trains: {', '.join(moving)[:400]}"
            yield f'model.local: "{visible(pattern[:80])}" matches nothing that trains. hint: {hint}'
    if model.local and moving and not shared(graph, model):
        yield "model.local: names all that trains, so that nothing is learnt together. hint: leave some of it out"


def _patterns(given: Names) -> list[str]:
    """What is no plain name."""
    return [one for one in given if not set("*?[").isdisjoint(one)]


def _matched(graph: Graph, given: Names) -> set[str]:
    """Names that a plan's list has, and those that its patterns match."""
    patterns = _patterns(given)
    return set(given).union(
        one.name for one in graph.weights if any(fnmatchcase(one.name, pattern) for pattern in patterns)
    )
