"""`potluck site log`: every request, round and decision."""

from pathlib import Path

import click
import msgspec

from potluck.api.network import access
from potluck.cli.door import PATH, spoken, voice
from potluck.cli.terminal import Terminal
from potluck.owner.access import IN_FILE


@click.command("log")
@click.argument("folder", type=PATH)
@spoken
def command(folder: Path) -> None:
    """Every request, granted or not, every round and every decision at FOLDER's site."""
    entries, damaged = access.log(folder)
    rows = [msgspec.to_builtins(one) for one in entries]
    speaker = voice()
    if damaged:
        speaker.warn([f"lines that cannot be read: {', '.join(map(str, damaged))}"])

    def text(out: Terminal) -> None:
        for row in rows:
            said = [str(row[name]) for name in ("when", "event", "outcome", "plan", "person") if row[name]]
            about = [f"round {row['round']}"] if row["round"] is not None else []
            about += [f"by {row['file']}"] if row["file"] else []
            about += [IN_FILE] if row["event"] == "policy" and not row["person"] else []
            out.say("  ".join([*said, *about, ", ".join(row["why"]), row["reason"]]).rstrip())

    speaker.data({"entries": rows}, text)
