"""Engines: install the workers that some protections need, and say whether they work."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from potluck.core.errors import UsageError
from potluck.engines import environment
from potluck.engines.environment import PACKAGES, Installed
from potluck.engines.install import checked
from potluck.engines.install import download as fetch
from potluck.engines.install import install as make


@dataclass(frozen=True)
class State:
    """One engine. found: its environment, if there is one; problem: why it does not work, in words, or None."""

    name: str
    found: Installed | None
    problem: str | None

    def document(self) -> dict[str, object]:
        """The JSON of one engine."""
        about: dict[str, object] = dict.fromkeys(("folder", "python", "interpreter", "source", "packages"))
        if self.found is not None:
            mark = self.found.mark
            about = {
                "folder": str(self.found.folder),
                "python": mark.python,
                "interpreter": mark.interpreter,
                "source": mark.source,
                "packages": dict(mark.packages),
            }
        return {"installed": self.found is not None, "works": self.problem is None, "problem": self.problem, **about}


def status(name: str | None = None) -> Mapping[str, State]:
    """Every engine, or `name`: where it is, what it is made of, and whether it passes its self-test, which is run.

    Raises UsageError: the engine that was asked for by name is unknown, not installed, or fails its self-test.
    """
    if name is None:
        return {one: _state(one) for one in PACKAGES}
    found = environment.require(name)
    checked(name, found.folder)
    return {name: State(name, found, None)}


def install(name: str | None, say: Callable[[str], None], wheels: Path | None = None) -> Mapping[str, State]:
    """Install every engine of this version, or `name`, and test it; one that works is left as it is.

    wheels: a folder that `download` filled, from which alone packages come. None: from pip's index.
    Raises UsageError: unknown, no Python for it, its packages cannot be had, or it fails its self-test. Raises Refused:
    another installation is going on.
    """
    return {one: State(one, make(one, say, wheels=wheels), None) for one in _names(name)}


def download(name: str | None, folder: Path, say: Callable[[str], None]) -> tuple[Path, ...]:
    """The packages of every engine, or of `name`, as files in `folder`, for a machine without a network.

    Raises UsageError: unknown, no Python for it, the folder cannot be written, or its packages cannot be had.
    """
    found = {path for one in _names(name) for path in fetch(one, folder, say)}
    return tuple(sorted(found))


def _names(name: str | None) -> tuple[str, ...]:
    return tuple(PACKAGES) if name is None else (name,)


def _state(name: str) -> State:
    found = None
    try:
        found = environment.require(name)
        checked(name, found.folder)
    except UsageError as error:
        return State(name, found, f"{error.what} ({error.hint})")
    return State(name, found, None)
