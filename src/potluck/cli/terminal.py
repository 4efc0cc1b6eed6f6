"""A terminal on which a text is a text: nothing in it is markup, and no letter of it acts.

Plans, files and other parties write much of what is printed. Every string that a verb prints, table cells and headings
included, passes `Terminal.render_str`. What has a style is given it as an argument, or is a `Text` of our own words.
"""

import os
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any

from rich.console import Console
from rich.text import Text

from potluck.core.visible import visible

PATIENCE = 2.0
"""Seconds without a word after which whoever sits at a terminal is told that something is done."""
_spoken = threading.Event()


class Terminal(Console):
    """Data to stdout, or words to stderr. Long lines are not broken: `print` is asked for a line at a time."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, highlight=False, markup=False, emoji=False)

    def render_str(self, text: str, **options: Any) -> Text:  # the keywords are rich's
        """A string as it is shown, whoever wrote it."""
        return super().render_str(visible(text), **{**options, "markup": False, "emoji": False})

    def print(self, *objects: Any, **options: Any) -> None:  # the keywords are rich's
        """As rich prints. From the first time on nobody waits for a word."""
        _spoken.set()
        super().print(*objects, **options)

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


@contextmanager
def waiting(what: str, seconds: float = PATIENCE) -> Iterator[None]:
    """While this lasts, a terminal is told once that `what` is at work, if nothing else was printed in so many seconds.
    Where words go elsewhere nothing is said: a service has its own."""
    if not sys.stderr.isatty():
        yield
        return
    _spoken.clear()

    def say() -> None:
        if not _spoken.is_set():
            sys.stderr.write(f"{visible(what)}: at work ...\n")

    timer = threading.Timer(seconds, say)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def discard_output(stream: IO[str]) -> None:
    """From now on what is written there goes nowhere, and no error comes of it, at the program's end either."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
