"""A browser is sent to the pages by a file that its user alone can read: an address on a command line all users see."""

import html
import webbrowser
from pathlib import Path

from potluck.core import private
from potluck.core.errors import unwritable

NAME = "pages.html"
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Potluck</title>
<meta http-equiv="refresh" content="0; url={0}"><p><a href="{0}">To the pages</a></p></html>
"""


def opening(folder: Path, address: str) -> bool:
    """Whether a browser was found. The file stays in the home until `closed`. Raises UsageError."""
    path = folder.absolute() / NAME
    try:
        closed(folder)  # one that others could read would keep its mode
        private.write(path, _PAGE.format(html.escape(address)))
    except OSError as error:
        raise unwritable(error, path, "is the disk full?") from None
    return webbrowser.open(path.as_uri())


def closed(folder: Path) -> None:
    """No such file is left in the home: asked as the pages end and as they begin, since one may be left of a process
    that was killed. Raises OSError."""
    (folder.absolute() / NAME).unlink(missing_ok=True)
