"""A federation as verbs and pages show it: its parties, their fingerprints, and what their cards say of them."""

from dataclasses import dataclass
from pathlib import Path

from potluck.core.party import Party
from potluck.members.about import NOTHING
from potluck.members.card import fingerprint
from potluck.members.federation import Federation
from potluck.members.tables import moment


@dataclass(frozen=True)
class Shown:
    """A federation as it is shown. file: where it lies; changed: names that this call added, removed or renewed."""

    federation: Federation
    file: Path
    expired: bool
    changed: tuple[str, ...] = ()

    @property
    def says(self) -> dict[str, object]:
        """What cards say of their parties, of those that say anything."""
        it = self.federation

        def of(parties: tuple[Party, ...]) -> dict[str, dict[str, str]]:
            return {one.name: it.cards[one].about.document() for one in parties if it.cards[one].about != NOTHING}

        return {"coordinator": it.coordinator.about.document(), "members": of(it.sites), "compute": of(it.computes)}

    def document(self) -> dict[str, object]:
        """The JSON."""
        it = self.federation
        return {
            "name": it.name,
            "id": it.id,
            "version": it.version,
            "issued": moment(it.issued).isoformat(),
            "expires": moment(it.expires).isoformat(),
            "expired": self.expired,
            "broker": it.broker,
            "digest": f"sha256:{it.digest.hex()}",
            "file": str(self.file),
            "coordinator": fingerprint(it.coordinator),
            "members": {party.name: fingerprint(it.cards[party]) for party in it.sites},
            "compute": {party.name: fingerprint(it.cards[party]) for party in it.computes},
            "says": self.says,
            "changed": list(self.changed),
        }
