"""`potluck engine`: the workers that some protections need."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import click

from potluck.api.machine import engine as api
from potluck.api.machine.engine import State
from potluck.cli.door import PATH, spoken, voice
from potluck.cli.terminal import Terminal
from potluck.cli.verbs import Group


@click.group("engine", cls=Group)
def command() -> None:
    """The workers that some protections need.

    `he` is homomorphic encryption, by OpenFHE; `mpc` is computation on secret shares, by SPU.
    """


@command.command("install")
@click.argument("name", required=False)
@click.option("--from", "wheels", type=PATH, help="A folder that `engine download` filled: no network is used.")
@spoken
def install(name: str | None, wheels: Path | None) -> None:
    """Install the engine NAME (default: all of this version) in an environment of its own, and test it."""
    with busy():
        found = api.install(name, voice().say, wheels)
    tell(found)


@command.command("download")
@click.argument("name", required=False)
@click.option("-o", "--output", "folder", type=PATH, required=True, help="The folder to fill.")
@spoken
def download(name: str | None, folder: Path) -> None:
    """Fetch the packages of the engine NAME (default: all), for a machine without a network."""
    with busy():
        found = api.download(name, folder, voice().say)
    voice().lines({"folder": str(folder), "files": [path.name for path in found]}, map(str, found))


@command.command("status")
@click.argument("name", required=False)
@spoken
def status(name: str | None) -> None:
    """Whether the engine NAME (default: all) is installed and works: its self-test is run."""
    tell(api.status(name))


def busy() -> AbstractContextManager[object]:
    """A person sees meanwhile that something goes on."""
    say = voice()
    shown = not say.quiet and say.words.is_terminal
    return say.words.status("this takes a minute or two") if shown else nullcontext()


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
