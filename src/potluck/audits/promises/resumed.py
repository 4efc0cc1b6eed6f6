"""What an interrupted call of audits had finished: a file that the next call takes over.

It says what it is about: the plan's hash, the program's own files, seed and time. A call about anything else refuses
it. It is written anew after each audit and put in place of the one before, so that no crash leaves half of it. Nothing
of a row is in it, and none is kept of an owner's own rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import msgspec

from potluck.audits.promises.promise import Bound, Check, Finding
from potluck.core import private
from potluck.core.errors import UsageError, reason
from potluck.core.schema import readable

PROGRAM = Path(__file__).parents[2]
HINT = "another file, or remove it to begin again"


class Line(msgspec.Struct, frozen=True):
    """One audit that was finished."""

    audit: str
    bounds: tuple[Bound, ...]
    checks: tuple[Check, ...]


class Finished(msgspec.Struct, frozen=True):
    """The file."""

    about: str
    audits: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Resumed:
    """path: of the file, made where there is none; about: see `subject`."""

    path: Path
    about: str

    def before(self, audit: str) -> Sequence[Finding] | None:
        """What this audit found in an earlier call; None: it was not finished. Raises UsageError: the file is about
        something else, or cannot be read."""
        found = [line for line in self._lines() if line.audit == audit]
        return [*found[-1].bounds, *found[-1].checks] if found else None

    def after(self, audit: str, found: Sequence[Finding]) -> None:
        """This audit is finished. Raises UsageError: it cannot be written."""
        bounds = tuple(one for one in found if isinstance(one, Bound))
        checks = tuple(one for one in found if isinstance(one, Check))
        every = (*self._lines(), Line(audit, bounds, checks))
        try:  # another file, and then in its place: what is there is whole
            fresh = self.path.with_name(f"{self.path.name}.new")
            private.write(fresh, msgspec.json.encode(Finished(self.about, every)))
            fresh.replace(self.path)
        except OSError as error:
            raise UsageError(f"cannot be written ({reason(error)})", where=str(self.path)) from None

    def _lines(self) -> tuple[Line, ...]:
        try:
            found = msgspec.json.decode(self.path.read_bytes(), type=readable(Finished))
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise UsageError(f"cannot be read ({reason(error)})", where=str(self.path)) from None
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise UsageError("is not what an audit keeps", where=str(self.path), hint=HINT) from None
        if found.about != self.about:
            what = "is about another plan, seed or time, or was kept by another version of the program"
            raise UsageError(what, where=str(self.path), hint=HINT)
        return found.audits


def subject(plan_hash: str, seed: int, minutes: float) -> str:
    """What a call's audits follow from: these, and the program's own files."""
    state = sha256(f"{plan_hash} {seed} {minutes!r}\n".encode())
    for path in sorted(PROGRAM.rglob("*.py")):
        state.update(sha256(path.read_bytes()).digest())
    return state.hexdigest()
