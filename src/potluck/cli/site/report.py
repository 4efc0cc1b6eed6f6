"""`potluck site report`: an owner's papers about a run, signed, and the look at others'."""

import getpass
import time
from datetime import UTC, datetime
from pathlib import Path

import click

from potluck.api.network import papers as api
from potluck.cli.door import PATH, spoken, voice


@click.command("report")
@click.argument("folder", type=PATH)
@click.argument("which", metavar="HASH|RUN", required=False)
@click.option("-o", "--output", type=PATH, help="A folder for them, with a folder a run (default: own/ in FOLDER).")
@click.option("--person", metavar="NAME", help="Who asks for them (default: the user who is logged in).")
@click.option("--verify", "papers", type=PATH, metavar="PAPERS", help="Verify these papers, and write none.")
@spoken
def command(folder: Path, which: str | None, output: Path | None, person: str | None, papers: Path | None) -> None:
    """Write and sign the permit annex of a run, or of every run of a plan, as FOLDER's site knows it.

    With --verify FOLDER may also be a coordinator's folder, or a federation file.
    """
    if papers is not None:
        if output is not None or person is not None:
            raise click.UsageError("--verify writes nothing, so it takes neither --output nor --person")
        if which is not None and not which.strip():
            raise click.UsageError("HASH|RUN is empty: name a run or a plan, or leave it out")
        found = api.verify(folder, papers, which or "", time.time())
        who = "the compute party " if found.role == "compute" else ""
        lines = [f"signed by {who}{found.site}: fingerprint {found.fingerprint}",
                 f"by version {found.version} of {found.federation}, whose coordinator is {found.coordinator}",
                 f"run {found.run} of {found.plan}: {found.state}, as of {found.made}"]  # fmt: skip
        if found.page:
            lines.append("annex.html is signed with it, and " + (
                "says what it says" if found.alike
                else "is not the page that this version makes of it: what annex.json says is what counts"
            ))  # fmt: skip
        if not found.spelt:
            lines.append("the plan's text does not have the plan's hash under this version of the program")
        voice().lines(found.document(), lines)
        return
    if not which:
        raise click.UsageError("name a run, or a plan by its hash")
    made = api.write(folder, which, datetime.now(UTC), person or getpass.getuser(), output)
    voice().lines({"papers": [one.document() for one in made]}, [f"{one.folder}: {one.state}" for one in made])
