"""A secret of each run that an owner takes part in, in a file of its own, 0600, until the run is over.

From it comes what the owner draws for its keys, so that a round that is done again after a crash says the same again.
Whoever reads it, and what crossed, can test guesses at this owner's keys: it is as private as the rows beside it.
"""

from dataclasses import dataclass
from pathlib import Path

from potluck.core.errors import UsageError, reason
from potluck.core.party import Draw
from potluck.members.files import kept_folder, kept_secret
from potluck.members.names import file_name
from potluck.secret.container import Secret

FOLDER = "secrets"
SIZE = 32


@dataclass(frozen=True, slots=True)
class RunSecrets:
    """One owner's. folder: made with the first."""

    folder: Path

    def of(self, run: str, draw: Draw) -> Secret:
        """The run's secret, drawn where there is none yet, on the disk when this returns.

        Raises UsageError: it cannot be read or written, or is damaged. Refused: others can read it.
        """
        kept_folder(self.folder)
        return kept_secret(self._path(run), SIZE, draw)

    def forget(self, run: str) -> None:
        """The run is over. Raises UsageError: it cannot be removed."""
        path = self._path(run)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise UsageError(f"cannot be removed ({reason(error)})", where=str(path)) from None

    def _path(self, run: str) -> Path:
        return self.folder / f"{file_name(run)}.secret"
