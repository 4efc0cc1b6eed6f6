"""`potluck engine`: the workers that some protections need."""

from collections.abc import Mapping
from contextlib import nullcontext

import click

from potluck.api.machine import engine as api
from potluck.api.machine.engine import State
from potluck.cli.door import spoken, voice
from potluck.cli.terminal import Terminal


@click.group("engine")
def command() -> None:
    """The workers that some protections need.

    `he` is homomorphic encryption, by OpenFHE; `mpc` is computation on secret shares, by SPU.
    """


@command.command("install")
@click.argument("name", required=False)
@spoken
def install(name: str | None) -> None:
    """Install the engine NAME (default: all of this version) in an environment of its own, and test it."""
    say = voice()
    shown = not say.quiet and say.words.is_terminal
    with say.words.status("this takes a minute or two") if shown else nullcontext():
        found = api.install(name, say.say)
    tell(found)


@command.command("status")
@click.argument("name", required=False)
@spoken
def status(name: str | None) -> None:
    """Whether the engine NAME (default: all) is installed and works: its self-test is run."""
    tell(api.status(name))


def tell(states: Mapping[str, State]) -> None:
    """Print engines."""

    def text(out: Terminal) -> None:
        for one in states.values():
            out.say(f"{one.name}: {one.problem or 'works'}")
            if one.found is not None:
                mark = one.found.mark
                parts = ", ".join(f"{package} {version}" for package, version in mark.packages.items())
                out.say(f"  {parts}, on Python {mark.python} from {mark.source} ({mark.interpreter})")
                out.say(f"  {one.found.folder}")

    voice().data({"engines": {name: one.document() for name, one in states.items()}}, text)
