"""What is said of a copy of a home, made or put back."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from potluck.cli.door import PATH, voice

if TYPE_CHECKING:
    from potluck.api.machine.backup import Backup

OUTPUT = click.option(
    "-o",
    "--output",
    type=PATH,
    required=True,
    metavar="FILE",
    help="A new file; a folder: one in it, named by the time; - for a pipe.",
)
"""Where a copy is to go."""


def made(copy: "Backup", words: str) -> None:
    """A copy was written: nothing of it where it went down a pipe. words: of what is in it."""
    voice().say(words)
    if not copy.piped:
        _shown(copy, str(copy.file))


def put_back(copy: "Backup", more: Mapping[str, object], *words: str) -> None:
    """A home was made of one. more: of the JSON; words: what its owner has to know."""
    for one in words:
        voice().say(one)
    _shown(copy, f"in {copy.folder}", more)


def _shown(copy: "Backup", where: str, more: Mapping[str, object] | None = None) -> None:
    it = copy.copied
    voice().lines(copy.document() | dict(more or {}), [f"{it.name}: {len(it.files)} files of {copy.made}, {where}"])
