"""How the site is, in words, for whoever has no terminal. What takes long is looked at when somebody asks."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from starlette.responses import Response

from potluck.api.network.doctor import Finding, State, examine
from potluck.console.shell import Busy, Visit

LOOK = "/health/look"
WORDS: dict[State, tuple[str, str]] = {
    "bad": ("✗", "wrong"),
    "look": ("!", "worth a look"),
    "unknown": ("?", "could not be looked at"),
    "good": ("✓", "well"),
}
"""By state, the worst first: its sign and its word, since a color alone says nothing to many."""


@dataclass(frozen=True, slots=True)
class Group:
    """Findings of one state."""

    state: State
    sign: str
    word: str
    found: tuple[Finding, ...]


class Health:
    """The page of the home in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._one = folder, threading.Lock()

    def shown(self, visit: Visit) -> Response:
        """What is known at once."""
        return self._page(visit, examine(self._folder, quick=True), whole=False)

    def looked(self, visit: Visit) -> Response:
        """All of it, which takes seconds: one such look at a time. Raises Busy: another goes on."""
        visit.take(LOOK)
        if not self._one.acquire(blocking=False):
            raise Busy("somebody else is having everything looked at", hint="try again in a minute")
        try:
            found = examine(self._folder, person=visit.person)
        finally:
            self._one.release()
        return self._page(visit, found, whole=True)

    def _page(self, visit: Visit, found: Sequence[Finding], whole: bool) -> Response:
        return visit.page("health.html", "Health", groups=groups(found), whole=whole, form=visit.form(LOOK))


def groups(found: Sequence[Finding]) -> list[Group]:
    """By state, the worst first; within one in the order in which one would look."""
    every = [Group(state, *words, tuple(one for one in found if one.state == state)) for state, words in WORDS.items()]
    return [one for one in every if one.found]
