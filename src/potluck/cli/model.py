"""`potluck model`: what a trained model says of itself."""

from pathlib import Path

import click

from potluck.api.results.outcome import summary as summary_of
from potluck.cli.door import PATH, spoken, voice


@click.group("model")
def command() -> None:
    """What a trained model says of itself."""


@command.command("summary")
@click.argument("model", type=PATH)
@spoken
def summary(model: Path) -> None:
    """Coefficients of MODEL (model.json, or a run's folder) in the data's units, with standard errors.

    Linear and logistic models; odds ratios of the latter. Of a network that is a graph, what it is made of. Nothing
    leaves this machine.
    """
    found = summary_of(model)
    voice().lines(found.document(), str(found).split("\n"))
