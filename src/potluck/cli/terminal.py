"""A terminal on which a text is a text: nothing in it is markup, and no letter of it acts.

Plans, files and other parties write much of what is printed. Every string that a verb prints, table cells and headings
included, passes `Terminal.render_str`. What has a style is given it as an argument, or is a `Text` of our own words.
"""

import os
from collections.abc import Iterable
from typing import IO, Any

from rich.console import Console
from rich.text import Text

from potluck.core.visible import visible


class Terminal(Console):
    """Data to stdout, or words to stderr. Long lines are not broken: `print` is asked for a line at a time."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, highlight=False, markup=False, emoji=False)

    def render_str(self, text: str, **options: Any) -> Text:  # the keywords are rich's
        """A string as it is shown, whoever wrote it."""
        return super().render_str(visible(text), **{**options, "markup": False, "emoji": False})

    def on_broken_pipe(self) -> None:
        """Who reads has read enough: the verb goes on, and ends as its work does. rich would end it as failed."""
        discard_output(self.file)

    def say(self, text: str, style: str = "") -> None:
        """One line, however long."""
        self.print(text, style=style or None, soft_wrap=True)

    def lines(self, lines: Iterable[str]) -> None:
        """One after the other."""
        for line in lines:
            self.say(line)


def discard_output(stream: IO[str]) -> None:
    """From now on what is written there goes nowhere, and no error comes of it, at the program's end either."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
