"""`potluck report`: one HTML file of a run."""

from __future__ import annotations

from pathlib import Path

import click

from potluck.api.results.outcome import write_report
from potluck.cli.door import spoken, voice


@click.command("report")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Where to write it (default: RUN/report.html).")
@spoken
def command(run: Path, output: Path | None) -> None:
    """Write one HTML file, that opens offline, of the run in folder RUN."""
    say = voice()
    path = write_report(run, output)
    say.data({"report": str(path)}, lambda out: out.say(str(path)))
