"""`potluck model`: what a trained model says of itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from potluck.api.results.model import summary as summary_of
from potluck.cli.door import spoken, voice
from potluck.cli.terminal import Terminal
from potluck.learning.models.summary import Summary


def _printed(found: Summary) -> Callable[[Terminal], None]:
    def text(out: Terminal) -> None:
        for line in str(found).split("\n"):
            out.say(line)

    return text


@click.group("model")
def command() -> None:
    """What a trained model says of itself."""


@command.command("summary")
@click.argument("model", type=click.Path(path_type=Path))
@spoken
def summary(model: Path) -> None:
    """Coefficients of MODEL (model.json, or a run's folder) in the data's units, with standard errors.

    Linear and logistic models; odds ratios of the latter. Nothing leaves this machine.
    """
    found = summary_of(model)
    voice().data(found.document(), _printed(found))
