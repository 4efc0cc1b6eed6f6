"""What one party is to all others: its long-term keys, and everybody's pinned public ones."""

from dataclasses import dataclass, field, replace

from potluck.core.party import SERVER, Draw, Party, Role
from potluck.core.rounds import Credentials, Parcel, RoundId
from potluck.core.slices import Sliced
from potluck.members.home import Membership
from potluck.secret import envelope
from potluck.secret.box import PublicBoxKey
from potluck.secret.context import Receivers, Senders
from potluck.secret.keys import Roster, SigningKey


@dataclass(frozen=True, slots=True)
class Identity:
    """One party in one federation. federation: 16 bytes, the same in every version of the federation file; file: the
    digest of the version that this party goes by."""

    party: Party
    federation: bytes
    file: bytes
    key: SigningKey = field(repr=False)
    roster: Roster = field(repr=False)
    senders: Senders = field(repr=False)
    receivers: Receivers = field(repr=False)

    def close(self, to: Party, parcel: Parcel) -> Sliced:
        """A letter that only `to` can read. Raises KeyError: nobody I write to."""
        return envelope.close(self.key, self.senders, self.bound(parcel.label.round), self.party, to, parcel)

    def disclose(self, letter: Sliced) -> tuple[Party, Parcel]:
        """The verified (sender, parcel) of a letter to me. Raises Abort: forged, altered, not for me, or of a round
        and from a party that goes by another file."""
        return envelope.disclose(self.roster, self.receivers, self.bound, self.party, letter)

    def sender(self, letter: Sliced) -> Party:
        """Who signed a letter to me, which is not opened. Raises Abort: as `disclose`, but for what is in it."""
        return envelope.sender_of(self.roster, self.bound, self.party, letter)

    def apart(self) -> "Identity":
        """The same party for another run: no key with which letters are sealed or opened is shared with this one, so
        what one run forgets the other still has."""
        return replace(self, senders=self.senders.apart(), receivers=self.receivers.apart())

    def forget(self) -> None:
        """A round is over: no key with which its letters were sealed is kept."""
        self.senders.forget()

    def bound(self, round_: RoundId) -> bytes:
        """What a letter is bound to: the federation, and in a round the very file. Words around a run name no file, so
        that parties with different ones can say so to each other."""
        return self.federation + self.file if round_.number > 0 else self.federation

    def seat(self, draw: Draw) -> Credentials:
        """My seat in a round."""
        return Credentials(self.party, draw, self.key.sign, self.roster.verify, self.roster.public, self.file)


def identity(membership: Membership) -> Identity:
    """A member as the others know it."""
    it = membership.federation
    # A site writes to the server and to who computes: parsed keys of all others would cost it 10 KB each.
    partners = {SERVER, *it.computes} if membership.me.role is Role.SITE else it.cards.keys() - {membership.me}
    boxes = {party: PublicBoxKey(raw) for party, raw in it.boxes().items() if party in partners}
    keys = membership.keys
    ends = Senders(boxes), Receivers(keys.box)
    return Identity(membership.me, bytes.fromhex(it.id), it.digest, keys.signing, it.roster(), *ends)
