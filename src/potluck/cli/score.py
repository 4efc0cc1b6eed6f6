"""`potluck score`: plain local scoring of new rows with a model that one holds."""

from pathlib import Path

import click

from potluck.api.local.score import score
from potluck.cli.door import PATH, spoken, voice
from potluck.learning.data.tally_words import words


@click.command("score")
@click.argument("model", type=PATH)
@click.argument("csv", type=PATH)
@click.option("-o", "--output", type=PATH, help="Write the scores (CSV) here.")
@click.option("--id", "known_by", metavar="COLUMN", help="Name rows by this column of CSV, in place of numbers.")
@spoken
def command(model: Path, csv: Path, output: Path | None, known_by: str | None) -> None:
    """Score the rows of CSV (with a header) with MODEL (model.json, or a run's folder). Nothing leaves this machine.

    The scores are printed, or written into the file that -o names.
    """
    say = voice()
    scored = score(model, csv, output, known_by)
    document: dict[str, object] = {
        "rows": scored.rows,
        "columns": list(scored.columns),
        "predictions": scored.path or None,
        "data": scored.tally.document(),
    }
    if scored.simulated:
        document["simulated"] = True
        say.warn(["the model is of a simulation, and of no run"])
    say.warn(words(scored.tally))
    if scored.ids:
        document["id"] = scored.ids.document()
        say.warn(scored.ids.words())
    if not output:
        document["scores"] = scored.values()
        if scored.ids:
            document["ids"] = list(scored.ids.texts)
    say.data(document, lambda out: None if output else click.echo(scored.text(), nl=False))
