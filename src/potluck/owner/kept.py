"""What a site keeps of its runs between their rounds, on its disk: a folder a run, in it a file a step, both its own.

A file says which run and step it is of, at which announced model, and ends in a digest of itself. What is damaged, cut
off, or was put there from another run or step is not taken for what is looked for. It does NOT protect against whoever
may write the owner's files. Reference: `learning.kept`.
"""

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from potluck.core.errors import UsageError, reason
from potluck.core.stages import Floats
from potluck.learning.kept import STEPS, missing, other_model
from potluck.members.files import PRIVATE, kept_folder, replace
from potluck.members.names import file_name

FOLDER = "rounds"
"""Its name, in a site's home."""
_HEAD, _LAST = b"potluck kept 1\n", b"potluck last 1\n"
_SIZE = 32
_ENDS = ".kept"
_MODEL = "last.model"
"""The model that was announced last, which is the run's, where its owner wants it."""


@dataclass(frozen=True, slots=True)
class KeptFiles:
    """One owner's. folder: made with the first run's."""

    folder: Path

    def of(self, run: str, plan: bytes) -> "KeptInFiles":
        """Those of a run. plan: its digest."""
        return KeptInFiles(self.at(run), hashlib.sha256(plan + run.encode()).digest())

    def any(self, run: str) -> bool:
        """Whether there are any of a run."""
        return self.at(run).is_dir()

    def at(self, run: str) -> Path:
        """The folder of a run's."""
        return self.folder / file_name(run)

    def forget(self, run: str) -> None:
        """The run is over. Raises UsageError: they cannot be removed."""
        path = self.at(run)
        try:
            shutil.rmtree(path)
        except FileNotFoundError:
            return
        except OSError as error:
            raise UsageError(f"cannot be removed ({reason(error)})", where=str(path)) from None


@dataclass(frozen=True, slots=True)
class KeptInFiles:
    """See `learning.kept.Kept`. run: a digest of its name and plan."""

    folder: Path
    run: bytes

    def before(self, step: int) -> Floats | None:
        """See `Kept`."""
        return None if step == 0 else self._read(step - 1)[1]

    def keep(self, step: int, asked: bytes, values: Floats) -> None:
        """See `Kept`. The file of a step that is done again is written again."""
        path = self._path(step)
        if path.exists() and self._read(step)[0] != asked:
            raise other_model(step)
        self._write(path, self._head(step) + asked, values)
        here = {self._path(one).name for one in range(step - STEPS + 1, step + 1)}
        for name in os.listdir(self.folder):
            if name not in here:  # of an older step, or of a process that was killed while it wrote
                (self.folder / name).unlink(missing_ok=True)

    def last(self) -> Floats | None:
        """See `Kept`."""
        steps = self._steps()
        return self._read(max(steps))[1] if steps else None

    def keep_model(self, weights: Floats) -> None:
        """The model that the run ends with. Raises UsageError: it cannot be written."""
        self._write(self.folder / _MODEL, _LAST + self.run, weights)

    def model(self) -> Floats | None:
        """The same; None: it is not there, or something else is."""
        found = _sound(self.folder / _MODEL, _LAST + self.run)
        return None if found is None else _numbers(found)

    def _read(self, step: int) -> tuple[bytes, Floats]:
        """(at which model, what the step left). Raises Abort(KEPT): it is not there, or something else is."""
        found = _sound(self._path(step), self._head(step))
        if found is None or len(found) < _SIZE:
            raise missing(step)
        return bytes(found[:_SIZE]), _numbers(found[_SIZE:])

    def _write(self, path: Path, head: bytes, values: Floats) -> None:
        """See `_sound`."""
        kept_folder(self.folder.parent)
        kept_folder(self.folder)
        body = b"".join([head, values.astype("<f8", copy=False).tobytes()])
        replace(path, body + hashlib.sha256(body).digest(), PRIVATE)

    def _head(self, step: int) -> bytes:
        return _HEAD + self.run + step.to_bytes(8, "little")

    def _steps(self) -> list[int]:
        """Those that are there."""
        try:
            names = [name.removesuffix(_ENDS) for name in os.listdir(self.folder) if name.endswith(_ENDS)]
        except FileNotFoundError:
            return []
        return [int(name) for name in names if name.isdecimal()]

    def _path(self, step: int) -> Path:
        return self.folder / f"{step}{_ENDS}"


def _sound(path: Path, head: bytes) -> memoryview | None:
    """What a file holds between this head and its digest, in whole numbers; None: it is not there, or something else
    is."""
    try:
        data = memoryview(path.read_bytes())
    except OSError:
        return None
    start, end = len(head), len(data) - _SIZE
    sound = start <= end and (end - start) % 8 == 0 and data[:start] == head
    return data[start:end] if sound and hashlib.sha256(data[:end]).digest() == data[end:] else None


def _numbers(data: memoryview) -> Floats:
    return np.frombuffer(data, "<f8").astype(np.float64)
