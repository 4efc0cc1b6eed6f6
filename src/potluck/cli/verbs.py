"""Verbs, a file each, loaded when its verb is asked for: so --help is quick, and so are verbs that need little."""

import importlib
from collections.abc import Mapping

import click


class Group(click.Group):
    """A verb that has verbs of its own, which --help lists under the heading of all others."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in --help."""
        with formatter.section("Verbs"):
            formatter.write_dl([(name, one.get_short_help_str(78)) for name, one in self.commands.items()])


class Verbs(click.Group):
    """name: as it is typed. room: the package of the files, each of which has its verb as `command`. words: what
    --help says of each verb, in this order; said: what it says of all."""

    def __init__(self, name: str, room: str, words: Mapping[str, str], said: str) -> None:
        super().__init__(name, help=said, context_settings={"help_option_names": ["-h", "--help"]})
        self.room, self.words = room, words

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs, in the order of use."""
        return list(self.words)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """One verb."""
        if name not in self.words:
            return None
        command: click.Command = importlib.import_module(f"{self.room}.{name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in --help, without loading any verb."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(self.words.items()))
