"""Where a home's pages were shown last, so that invitations lead to the right address: a line in the home."""

from pathlib import Path

from potluck.console.origin import Origin
from potluck.core import private
from potluck.core.errors import UsageError
from potluck.members import files

NAME = "pages.origin"
_MOST = 300


def remember(folder: Path, origin: Origin) -> None:
    """The pages of the home in `folder` are at `origin` from here on. Raises UsageError: it cannot be written."""
    files.replace(folder.absolute() / NAME, f"{origin.text}\n".encode(), files.PRIVATE)


def remembered(folder: Path) -> Origin | None:
    """Where they were shown last; None: they never were, or nobody can read where."""
    try:
        with private.regular(folder.absolute() / NAME) as file:
            return Origin.named(file.read(_MOST).decode("ascii").strip())
    except (OSError, UnicodeDecodeError, UsageError):
        return None
