"""Texts into files that were not there: no file of a user is written over."""

from pathlib import Path

from potluck.core.errors import UsageError, unwritable


def create(text: str, path: Path) -> None:
    """A text into a new file. Raises UsageError: there is one, or it cannot be written."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError("is there already", where=str(path), hint="name a new file with -o") from None
    except OSError as error:
        raise unwritable(error, path, "name another file with -o") from None
