"""The round in flight, as the coordinator has it: the server's half, who takes part, and what came of it."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from potluck.core.asks import Answer, Kind
from potluck.core.desk import Desk
from potluck.core.party import Party
from potluck.core.rounds import Abort, Cause
from potluck.drivers.attempt import Attempt, named, quarrel, root_cause
from potluck.drivers.transcript import Traffic

SKEW = 3
"""Patiences between the first and the last compute party in one step: one waits for two more for sites to confirm."""
GRACE = 0.2
"""Patiences that a round still has when a compute party was started again: its last words may be on their way."""


@dataclass(slots=True)
class RoundInFlight:
    """seen: which process of each party takes part in it; sites, computes: the plan's; restarted: compute parties that
    have another process since, so that nothing can come of it."""

    desk: Desk[object]
    kind: Kind
    seen: Mapping[Party, bytes]
    sites: frozenset[Party]
    computes: frozenset[Party]
    paid: set[Party] = field(default_factory=set)
    letters: Counter[Party] = field(default_factory=Counter)
    noted: bool = False
    restarted: list[Party] = field(default_factory=list)
    agreed: frozenset[Party] = frozenset()

    @property
    def left(self) -> bool:
        """Whether contributions may have left their sites: they are awaited."""
        return bool(self.desk.contributing)

    def more(self, patience: float) -> float:
        """Seconds that a wait may go on, by what is known of compute parties, which keep step with each other."""
        if self.desk.hopeless:  # others may still say why, where it is not known
            return 0.0 if self.restarted else patience
        if self.restarted and self.desk.awaited() <= self.sites:
            return GRACE * patience  # the restarted party has forgotten the round, so wait only briefly
        if self.desk.answered & self.computes and self.desk.awaited() <= self.computes:
            return SKEW * patience
        return math.inf

    def attempt(self, traffic: Traffic, away: Mapping[Party, Cause], parties: frozenset[Party]) -> Attempt:
        """How it ended. away: who took no part, and why; parties: all of the run."""
        desk = self.desk
        answer = desk.result
        assert answer is None or isinstance(answer, Answer)
        givers = answer.release.givers if answer else frozenset()
        said = {who: cause for who, cause, _ in desk.notices}
        reasons = {who: Abort(cause, party=accused) for who, cause, accused in desk.notices}
        found = answer.refused.items() if answer else ()
        refused = {site: Cause(why) for site, why in found if site not in away}
        taken = self.sites if answer else self.sites | self.computes
        causes = {**dict.fromkeys(parties, Cause.SILENT), **away, **desk.lost, **said, **refused}
        return Attempt(
            answer=answer,
            abort=named(root_cause(desk.abort, reasons), self.restarted) if desk.abort else None,
            traffic=traffic,
            lost={party: cause for party, cause in causes.items() if party in taken - givers},
            accused=quarrel(desk, self.sites & self.seen.keys()),
            paid=frozenset(self.paid),
            left=self.left,
            agreed=self.agreed,
        )
