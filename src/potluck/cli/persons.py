"""Who signs in at a home's pages: the same verbs for a site's and for the coordinator's."""

from pathlib import Path

import click
import msgspec

from potluck.api.network import persons as api
from potluck.cli.door import PATH, spoken, voice
from potluck.cli.verbs import Group


def group(verb: str, whose: str, port: int) -> click.Group:
    """The verbs `VERB person ...`. whose: pages; port: where `VERB web` has them."""

    @click.group(
        "person", cls=Group, help=f"Who signs in at {whose} pages, each with a passkey or password of their own."
    )
    def command() -> None:
        pass

    @command.command("add")
    @click.argument("folder", type=PATH)
    @click.argument("name")
    @click.option("--origin", metavar="URL",
                  help=f"Where the pages are (default: where `{verb} web` showed them last).")  # fmt: skip
    @spoken
    def add(folder: Path, name: str, origin: str | None) -> None:
        """Invite NAME, or let NAME choose anew: prints an address that is good once, for three days, for NAME alone."""
        from potluck.console.origin import Origin
        from potluck.console.whereabouts import remembered

        place = Origin.named(origin.rstrip("/")) if origin else remembered(folder)
        made = api.invite(folder, name, (place or Origin.here(port)).text)
        speaker = voice()
        if place is None:
            where = f"it begins with port {port}: if `{verb} web` prints another, put that in, or add --origin"
            speaker.say(f"the pages were not shown here yet, so {where}")
        speaker.say(f"give this address to {name} and nobody else: whoever opens it decides under this name")
        speaker.lines(msgspec.to_builtins(made), [made.address])

    @command.command("remove")
    @click.argument("folder", type=PATH)
    @click.argument("name")
    @spoken
    def remove(folder: Path, name: str) -> None:
        """NAME signs in no more, and is signed out."""
        api.remove(folder, name)
        voice().lines({"name": name, "removed": True}, [f"{name} is removed"])

    @command.command("list")
    @click.argument("folder", type=PATH)
    @spoken
    def show(folder: Path) -> None:
        """Who there is."""
        found = api.persons(folder)
        voice().lines({"persons": found}, [_line(one) for one in found] or ["nobody was invited"])

    return command


def _line(one: dict[str, object]) -> str:
    ways = ["password"] if one["password"] else []
    ways += [f"passkeys: {one['passkeys']}"] if one["passkeys"] else []
    ways += ["invited"] if one["invited"] else []
    return f"{one['name']}: {', '.join(ways)}"
