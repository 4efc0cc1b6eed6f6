"""Long lists: a hundred lines a page, and only those that have a text in them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import urlencode

from potluck.console.shell import Visit
from potluck.core.errors import UsageError

LINES = 100
"""Lines of a page."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Part(Generic[T]):
    """Some lines of many. count: of all that were asked for; page, pages: from 1; about: the text they have; path:
    where they are shown."""

    found: Sequence[T]
    count: int
    page: int
    pages: int
    about: str
    path: str

    def address(self, page: int) -> str:
        """Another page of the same lines."""
        return address(self.path, {"about": self.about}, page)


def part(visit: Visit, every: Sequence[T], said: Callable[[T], Sequence[str]] | None = None) -> Part[T]:
    """The page that the address asks for. said: what a line says, where it is searched. Raises UsageError: there is no
    such page."""
    about = visit.query.get("about", "").strip()
    if said is not None and about:
        every = [one for one in every if mentions(about, said(one))]
    pages = max(1, -(-len(every) // LINES))
    number = visit.query.get("page", "1")
    if not number.isascii() or not number.isdecimal() or not 1 <= int(number[:9]) <= pages:
        raise UsageError(f"there are {pages} pages of these lines", hint="follow the links below the lines")
    page = int(number)
    return Part(every[(page - 1) * LINES : page * LINES], len(every), page, pages, about, visit.path)


def mentions(about: str, said: Sequence[str]) -> bool:
    """Whether one of these texts has another in it, whatever the case of its letters."""
    wanted = about.casefold()
    return not wanted or any(wanted in text.casefold() for text in said)


def address(path: str, asked: dict[str, str], page: int = 1) -> str:
    """Where a page of lines is. asked: which lines."""
    query = urlencode({name: value for name, value in asked.items() if value} | ({"page": page} if page > 1 else {}))
    return f"{path}?{query}" if query else path
