"""A terminal on which a text is a text: nothing in it is markup, and no letter of it acts.

Plans, files and other parties write much of what is printed. Every string that a verb prints, table cells and headings
included, passes `Terminal.render_str`. What has a style is given it as an argument, or is a `Text` of our own words.
"""

from __future__ import annotations

import json
from typing import Any

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

    def say(self, text: str, style: str = "") -> None:
        """One line, however long."""
        self.print(text, style=style or None, soft_wrap=True)


def json_text(document: object) -> str:
    """One JSON document, in which what is not printable stands as its number: JSON leaves half of it as it is."""
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text) + "\n"
