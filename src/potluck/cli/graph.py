"""`potluck graph`: a network as data, made and shown."""

from pathlib import Path

import click

from potluck.api.graph.make import Sizes, named
from potluck.api.graph.make import graph as make_graph
from potluck.api.graph.show import show as show_graph
from potluck.cli.door import PATH, spoken, voice
from potluck.cli.verbs import Group
from potluck.core.errors import UsageError


@click.group("graph", cls=Group)
def command() -> None:
    """A network as data: one file of named operations and weights, and no code."""


@command.command("make")
@click.argument("module", metavar="MODULE:NAME")
@click.option("-o", "--output", type=PATH, required=True, help="Write the graph into this new file.")
@click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="NAME[=SIZES[:DTYPE]]",
    help="An input, in the order of the module's arguments: image=3,32,32 or ids=32:int64 (repeatable).",
)
@click.option(
    "--base", type=PATH, help="Frozen weights lie in this safetensors file; it is written where it is missing."
)
@spoken
def make(module: str, output: Path, inputs: tuple[str, ...], base: Path | None) -> None:
    """Make a graph of a torch module, on its author's machine: MODULE is imported and run.

    NAME is a module, or a function that gives one, or a module and its inputs.
    """
    found, beside = named(module)
    given = dict(_input(one, beside) for one in inputs) if inputs else beside
    made = make_graph(found, given, output, base=base)
    voice().lines({"file": str(output.absolute()), **made.document()}, [*made.lines(), "", f"written: {output}"])


def _input(text: str, beside: dict[str, Sizes]) -> tuple[str, Sizes]:
    """An input as --input says it. beside: shapes that stand beside the module."""
    name, told, shape = text.partition("=")
    if not told:
        if name not in beside:
            raise UsageError(f"the shape of {name!r} is missing", where="--input", hint=f"{name}=3,32,32")
        return name, beside[name]
    sizes, _, kind = shape.partition(":")
    try:
        numbers = [int(size) for size in sizes.split(",") if size]
    except ValueError:
        raise UsageError(f"{text!r} is no input", where="--input", hint="image=3,32,32 or ids=32:int64") from None
    return name, (kind or "float32", numbers)


@command.command("show")
@click.argument("file", type=PATH)
@click.option("--base", type=PATH, help="The safetensors file with its frozen weights, to be checked too.")
@spoken
def show(file: Path, base: Path | None) -> None:
    """What is in a graph's FILE: layers, what is trained, what it takes, what a row costs. Nothing of it runs.

    FILE may be a plan (.toml), too: then what it trains, layers as the graph that they would be.
    """
    found = show_graph(file, base)
    voice().lines({"file": str(file.absolute()), **found.document()}, found.lines())
