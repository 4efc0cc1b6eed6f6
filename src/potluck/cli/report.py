"""`potluck report`: one HTML file of a run."""

from pathlib import Path

import click

from potluck.api.results.outcome import write_report
from potluck.cli.door import PATH, spoken, voice


@click.command("report")
@click.argument("run", type=PATH)
@click.option("-o", "--output", type=PATH, help="Where to write it (default: RUN/report.html).")
@spoken
def command(run: Path, output: Path | None) -> None:
    """Write one HTML file, that opens offline, of the run in folder RUN."""
    path = str(write_report(run, output))
    voice().lines({"report": path}, [path])
