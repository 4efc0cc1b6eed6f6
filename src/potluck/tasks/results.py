"""Results that a party keeps in its home for its owner alone: of each run a file, and what is known of it as JSON."""

from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from potluck.core.errors import UsageError
from potluck.core.schema import readable
from potluck.members.files import PRIVATE, folder, replace
from potluck.members.names import file_name

K = TypeVar("K", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Results(Generic[K]):
    """Results of one kind. folder: in the home; known: what is known of one; none: words for where there is none;
    endings: of the names of the two files; once: a run has one result, which no later round replaces."""

    folder: str
    known: type[K]
    none: str
    endings: tuple[str, str] = (".csv", ".json")
    once: bool = False

    def keep(self, home: Path, run: str, known: K, result: bytes | None) -> None:
        """Write both files, or, without a result, what is known alone.

        Raises UsageError: they cannot be written, or the run has another result already.
        """
        path, beside = self._paths(home, run)
        if self.once and path.is_file() and path.read_bytes() != result:
            raise UsageError("has another result of this run", where=str(path), hint="who answers answers once a run")
        if not path.parent.is_dir():
            folder(path.parent)
        if result is not None:
            replace(path, result, PRIVATE)
        replace(beside, msgspec.json.encode(known), PRIVATE)

    def find(self, home: Path, run: str) -> tuple[Path, K] | None:
        """(the result's file, which is not there where there was none; what is known of it). None: nothing was kept."""
        path, beside = self._paths(home, run)
        return (path, msgspec.json.decode(beside.read_bytes(), type=readable(self.known))) if beside.is_file() else None

    def read(self, home: Path, run: str) -> tuple[Path, K]:
        """The same. Raises UsageError: nothing was kept."""
        found = self.find(home, run)
        if found is None:
            raise UsageError(self.none, where=str(home), hint="run it again")
        return found

    def _paths(self, home: Path, run: str) -> tuple[Path, Path]:
        first, second = (home / self.folder / f"{file_name(run)}{ending}" for ending in self.endings)
        return first, second
