"""A change of the policy that waits for a second person: one file in the home, 0600, replaced whole.

It holds what was typed into the form and the digest of the policy that it was typed about: of any other policy it is
void. It does NOT say who may confirm it (`api.network.policy.amend`).
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from potluck.core.errors import UsageError
from potluck.core.schema import readable
from potluck.members import files


class Amendment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """policy: hex digest of the file that it changes; fields: of the form; person, handle: who proposed it, as pages
    know them; when: seconds since 1970; reason: why, in that person's words."""

    version: Literal[1] = 1
    policy: str
    fields: dict[str, str]
    person: str
    handle: str
    when: float
    reason: str = ""

    @property
    def digest(self) -> str:
        """Of all that it says: what a second person looked at."""
        return hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()


@dataclass(frozen=True, slots=True)
class Waiting:
    """The file of a home."""

    path: Path

    def read(self) -> Amendment | None:
        """What waits; None: nothing. Raises UsageError: damaged; Refused: others can reach the file."""
        if not self.path.exists():
            return None
        try:
            return msgspec.json.decode(files.private(self.path), type=readable(Amendment))
        except (msgspec.DecodeError, UnicodeDecodeError):
            hint = "remove it, and propose the change again"
            raise UsageError("is damaged", where=str(self.path), hint=hint) from None

    def write(self, amendment: Amendment) -> None:
        """This one waits now, durably; what waited before does not any more. Raises UsageError: a full disk."""
        files.replace(self.path, msgspec.json.encode(amendment), files.PRIVATE)

    def remove(self) -> None:
        """Nothing waits any more."""
        self.path.unlink(missing_ok=True)
        files.settle(self.path.parent)
