"""`potluck model`: what a trained model says of itself, and the same model for other programs."""

from pathlib import Path

import click

from potluck.api.results.export import FORMS
from potluck.api.results.export import export as export_model
from potluck.api.results.outcome import summary as summary_of
from potluck.cli.door import PATH, spoken, voice
from potluck.cli.verbs import Group


@click.group("model", cls=Group)
def command() -> None:
    """What a trained model says of itself, and the same model for other programs."""


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


@command.command("export")
@click.argument("model", type=PATH)
@click.option("-o", "--output", type=PATH, required=True, help="Write into this new file.")
@click.option(
    "--to", type=click.Choice(list(FORMS)), required=True, help="ONNX, a graph that plans may name, layers, or trees."
)
@spoken
def export(model: Path, output: Path, to: str) -> None:
    """Write MODEL (model.json, or a run's folder) as a file for other programs.

    onnx: encoded features in, scores out. onnx-columns: raw columns in, so that onnxruntime alone scores rows.
    sklearn: a joblib file of scikit-learn's own classes, raw frames in; it is a pickle.
    graph: a linear or logistic model or a network of layers becomes a graph with its weights. layers: a graph that is
    nothing but layers becomes a model that is scored for others. xgboost: boosted trees or curves become JSON that
    XGBoost and treelite load. Nothing leaves this machine.
    """
    export_model(model, output, to=to)
    voice().lines({"file": str(output.absolute()), "to": to}, [f"written: {output}"])
