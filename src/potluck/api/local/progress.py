"""How far a run is, as a line in a notebook: written once, and then changed in place.

A notebook is known by its kernel, which is asked for nothing but to show a few words and a bar; where IPython runs in
a terminal, or not at all, nothing is shown. There is no widget, and so nothing to install.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from typing import Protocol

from potluck.core.asks import Ask
from potluck.core.plan import Plan
from potluck.core.prose import agree
from potluck.drivers.sums import Progress

EVERY = 0.2
"""Seconds between two changes of the line, at least: a notebook keeps up with no more."""


class _Handle(Protocol):
    """What IPython gives back for something that it shows."""

    def update(self, shown: object, *, raw: bool) -> None: ...


def quietly(ask: Ask) -> None:
    """No progress."""


@contextmanager
def progress(plan: Plan, given: Progress | None, *, quiet: bool) -> Iterator[Progress]:
    """What to tell of each sum as it begins: `given`, or without one a line in a notebook; quiet: no line."""
    show = None if quiet or given is not None else _notebook()
    if show is None:
        yield given or quietly
        return
    line = _Line(show, plan)
    try:
        yield line.begin
    except BaseException:
        line.end("stopped after")
        raise
    line.end("done:")


@contextmanager
def in_words(what: str, given: Callable[[str], None] | None, *, quiet: bool) -> Iterator[Callable[[str], None]]:
    """What to tell, in words, how far something is that has no rounds: `given`, or without one a line in a notebook.
    what: it is; quiet: no line."""
    show = None if quiet or given is not None else _notebook()
    if show is None:
        yield given or (lambda said: None)
        return
    handle = show(_shown(f"{what} begins", ""))
    try:
        yield lambda said: handle.update(_shown(f"{what}: {said}", ""), raw=True)
    except BaseException:
        handle.update(_shown(f"{what} was stopped", ""), raw=True)
        raise
    handle.update(_shown(f"{what} is done", ""), raw=True)


def most(plan: Plan) -> int:
    """How many rounds are told of, at most."""
    return plan.steps + plan.looks + plan.traits.trains * plan.trainings


class _Line:
    """The line of one run. It says only what the plan says, and which sum has begun."""

    def __init__(self, show: Callable[[object], _Handle], plan: Plan) -> None:
        count = len(plan.federation.sites)
        self._most, self._sites = most(plan), f"{count} {agree(count, 'site', 'sites')}"
        self._begun, self._next = 0, 0.0
        self._handle = show(self._bar("begins"))

    def begin(self, ask: Ask) -> None:
        """Another sum begins."""
        self._begun += 1
        now = time.monotonic()
        if now >= self._next:
            self._next = now + EVERY
            self._handle.update(self._bar(f"{ask.kind.value} {ask.step + 1}"), raw=True)

    def end(self, how: str) -> None:
        """Nothing more begins."""
        said = f"{how} {self._begun} {agree(self._begun, 'round', 'rounds')}, {self._sites}"
        self._handle.update(_shown(said, ""), raw=True)

    def _bar(self, what: str) -> dict[str, str]:
        said = f"{what}: round {max(self._begun, 1)} of at most {self._most}, {self._sites}"
        return _shown(said, f'<progress value="{max(self._begun - 1, 0)}" max="{self._most}"></progress> ')


def _shown(said: str, bar: str) -> dict[str, str]:
    """In HTML, and in words for a notebook that shows none."""
    return {"text/plain": said, "text/html": f"<small>{bar}{escape(said)}</small>"}


def _notebook() -> Callable[[object], _Handle] | None:
    """Shows something in the notebook that this process serves, to be changed later; None: it serves none."""
    if "IPython" not in sys.modules:
        return None
    from IPython import get_ipython  # type: ignore[import-not-found,unused-ignore]
    from IPython.display import display  # type: ignore[import-not-found,unused-ignore]

    if getattr(get_ipython(), "kernel", None) is None:
        return None
    return lambda shown: display(shown, raw=True, display_id=True)
