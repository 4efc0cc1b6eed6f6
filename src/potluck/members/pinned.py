"""The federation files that count in a site's process: the one in force, and earlier ones under which runs are open.

One object for all who ask; it changes when the home does, between two letters. It reads the home and pins nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from potluck.core.errors import Refused
from potluck.members.change import Change
from potluck.members.federation import Federation
from potluck.members.home import Membership, SiteHome


@dataclass(slots=True)
class Pinned:
    """home: whose; current: the file in force and the keys that it lists; digest: its own; earlier: by digest, those
    before it."""

    home: SiteHome
    current: Membership
    earlier: Mapping[bytes, Membership] = field(default_factory=dict)
    digest: bytes = field(init=False)

    def __post_init__(self) -> None:
        self.digest = self.current.federation.digest

    @classmethod
    def at(cls, home: SiteHome) -> "Pinned":
        """As the home has it, expired or not. Raises UsageError: not joined, or damaged. Refused: forged, open keys."""
        it = home.pinned()
        current = Membership(home.me, home.held(it), it)
        return cls(home, current, _before(home, current))

    @property
    def federation(self) -> Federation:
        """The file in force."""
        return self.current.federation

    def under(self, digest: bytes) -> Membership | None:
        """By the file of that digest; None: it does not count here, or no more."""
        return self.current if digest == self.digest else self.earlier.get(digest)

    def reload(self) -> Change | None:
        """Look at the home again; what changed, None: nothing. Raises UsageError, Refused: it cannot be used; then all
        is as it was."""
        it = self.home.pinned()
        change = Change(self.federation, it)
        current = Membership(self.home.me, self.home.held(it), it)
        before, self.digest = self.digest, it.digest
        self.current, self.earlier = current, _before(self.home, current)
        return None if before == self.digest else change


def _before(home: SiteHome, current: Membership) -> dict[bytes, Membership]:
    found = {}
    for it in home.earlier.all():
        if it.version < current.federation.oldest:
            continue
        try:
            found[it.digest] = Membership(home.me, home.earlier.held(it, current.keys), it)
        except Refused:
            continue
    return found
