"""`potluck report`: one HTML file of a run."""

from pathlib import Path

import click

from potluck.api.results.outcome import write_report
from potluck.cli.door import PATH, spoken, voice


@click.command("report")
@click.argument("run", type=PATH)
@click.option("-o", "--output", type=PATH, help="Where to write it (default: RUN/report.html).")
@click.option("--full", is_flag=True, help="Printed, it has everything, and not two pages.")
@spoken
def command(run: Path, output: Path | None, full: bool) -> None:
    """Write one HTML file, that opens offline, of the run in folder RUN."""
    path = str(write_report(run, output, full=full))
    voice().lines({"report": path}, [path])
