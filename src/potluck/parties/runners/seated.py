"""What a site holds of one run that it takes part in: its part, the round in flight, and letters that came early."""

from collections import Counter
from dataclasses import dataclass, field

from potluck.core.desk import Desk
from potluck.core.party import Party
from potluck.core.rounds import Abort, Cause, Parcel, RoundId
from potluck.parties.admission.session import Proposal
from potluck.tasks.participation import Participation

LETTERS = 64
"""Letters of one partner in one round that are looked at: many times what a protocol takes."""
EARLY, EARLY_BYTES = 8, 1 << 26
"""Letters of one partner, and their bytes, that are kept of a round that the server has not begun here yet."""


@dataclass(slots=True)
class Seated:
    """This site's part in one run, and its half of the round in flight. proposal: the newest that was granted.

    tries: how many rounds of each step were begun here, since the owner was asked last; over: no round of it begins
    before it is proposed again, for its asker said that it does not go on.
    """

    part: Participation
    proposal: Proposal
    tries: Counter[str]
    number: int = 0
    desk: Desk[object] | None = None
    step: str = ""
    end: float = 0.0
    used: float = 0.0
    rested: bool = False
    over: bool = False
    partners: frozenset[Party] = frozenset()
    letters: Counter[Party] = field(default_factory=Counter)
    early: dict[Party, list[Parcel]] = field(default_factory=dict)

    @property
    def patience(self) -> float:
        """Seconds that a step of its plan may take."""
        return self.part.plan.federation.patience

    def cut(self) -> RoundId | None:
        """The round in flight ends here, whatever left in it; None: there is none."""
        desk, self.desk = self.desk, None
        if desk is None:
            return None
        desk.close()
        return desk.round

    def counts(self, sender: Party) -> bool:
        """Whether a partner's letter of the newest round is looked at. Raises Abort(REPLAY): it sent too many."""
        self.letters[sender] += 1
        if self.letters[sender] > LETTERS:
            raise Abort(Cause.REPLAY, party=sender, detail="more letters than a round takes")
        return self.desk is not None

    def keep(self, sender: Party, said: Parcel) -> None:
        """A partner's letter of a round that is still to begin: the first few of the newest such round."""
        mine = self.early.setdefault(sender, [])
        newest = max((one.label.round.number for one in mine), default=0)
        if said.label.round.number > newest:
            mine.clear()
        if said.label.round.number < newest or len(mine) >= EARLY:
            return
        if sum(len(one.body) for one in mine) + len(said.body) <= EARLY_BYTES:
            mine.append(said)

    def kept(self) -> list[tuple[Party, Parcel]]:
        """The letters of the round that begins now, no longer kept; older ones are forgotten."""
        found = [
            (who, one) for who, mine in self.early.items() for one in mine if one.label.round.number == self.number
        ]
        self.early = {
            who: [one for one in mine if one.label.round.number > self.number] for who, mine in self.early.items()
        }
        return found
