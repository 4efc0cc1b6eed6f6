"""Options of verbs that make a card: what it says of its party."""

from collections.abc import Callable
from typing import TypeVar

import click

F = TypeVar("F", bound=Callable[..., object])
_KEPT = "potluck.telling."
_HELP = {
    "organisation": "What the card says: whose it is. An empty text: no more.",
    "country": "What the card says: the country.",
    "contact": "What the card says: whom to ask there. It changes without a new fingerprint.",
}


def telling(command: F) -> F:
    """`--organisation`, `--country`, `--contact`, whose texts `given` gives to the verb."""
    for name, words in reversed(_HELP.items()):
        command = click.option(f"--{name}", metavar="TEXT", expose_value=False, callback=_keep, help=words)(command)
    return command


def _keep(context: click.Context, option: click.Parameter, value: str | None) -> None:
    context.meta[_KEPT + str(option.name)] = value


def given() -> tuple[str | None, str | None, str | None]:
    """Organisation, country and contact as they were given to this call of a verb; None: not at all."""
    meta = click.get_current_context().meta
    return meta[_KEPT + "organisation"], meta[_KEPT + "country"], meta[_KEPT + "contact"]
