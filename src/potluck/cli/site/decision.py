"""What the verbs of an owner's three decisions have in common: all but the verdict."""

import getpass
from pathlib import Path

import click

from potluck.api.network.inbox import Seen, decide
from potluck.cli.door import PATH, spoken, voice
from potluck.cli.terminal import Terminal
from potluck.owner.access import Event
from potluck.owner.requests import State


def decision(verdict: Event, words: str) -> click.Command:
    """The verb of one verdict: the same but for the verdict."""

    @click.command(verdict, help=words)
    @click.argument("folder", type=PATH)
    @click.argument("hash")
    @click.option("--person", metavar="NAME", help="Who decides (default: the user who is logged in).")
    @click.option("--reason", default="", metavar="TEXT", help="Why, for this site's access log; it is sent to nobody.")
    @spoken
    def act(
        folder: Path, hash: str, person: str | None, reason: str, member: tuple[str, ...] = (), anyway: bool = False
    ) -> None:
        if verdict == "approve" and not anyway:
            from potluck.api.network.doctor.fits import require_fitting  # with it comes all that reads rows for plans

            require_fitting(folder, hash, person or getpass.getuser())
        seen = Seen(new=tuple(one.strip().upper() for one in member))
        who, done = decide(folder, verdict, hash, person, reason, seen=seen)
        newest = done.newest
        withdrawn = newest.run if newest and newest.state is State.WITHDRAWN else None
        document = {
            "hash": f"sha256:{done.hash}",
            "verdict": verdict,
            "person": who,
            "reason": reason,
            "missing": done.missing,
            "runs": {one.run: one.state.value for one in done.changed},
            "withdrawn": withdrawn,
        }

        def text(out: Terminal) -> None:
            out.say(f"sha256:{done.hash}: {verdict} by {who}")
            out.lines(f"run {one.run[:12]} is {one.state.value}" for one in done.changed)
            if withdrawn and verdict == "approve":
                out.say(f"run {withdrawn[:12]} was withdrawn by its asker: this approval serves the plan's next run")
            if done.missing and not done.changed:
                out.say(f"{done.missing} more must approve")

        voice().data(document, text)

    if verdict == "approve":
        words = "A member that is new here: you compared this fingerprint by voice. Once for each."
        act.params.append(click.Option(["--member"], multiple=True, metavar="FINGERPRINT", help=words))
        words = "Yes all the same, without a look whether the rows fit the plan, or where they do not."
        act.params.append(click.Option(["--anyway"], is_flag=True, help=words))
    return act
