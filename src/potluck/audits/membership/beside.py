"""An attack on members by what the released model says of a row, beside what models of the attacker's own say of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from potluck.audits.attack import Found, Scene, Sort, Until
from potluck.audits.membership.overfit import scenes
from potluck.audits.membership.scored import Named
from potluck.audits.membership.shadows import LEAST, grown, obstacle, released, short, unasked
from potluck.audits.membership.signals import surer
from potluck.audits.seen import Seen, Shadow
from potluck.core.plan import required
from potluck.core.stages import Floats


@dataclass(frozen=True, slots=True)
class Beside:
    """how: what its scores are, in words, where {models} stands for how many models; scores: [units] of the candidates,
    larger where a member is likelier."""

    name: str
    reference: str
    how: str
    scores: Callable[[Seen, Sequence[Shadow]], Floats]
    sort: Sort = Sort.MEMBERSHIP

    def fits(self, seen: Seen) -> str | None:
        """It needs a trained model, rows that are here, of which a hash held some out, and sums that are simulated."""
        return unasked(seen) or obstacle(seen)

    def control(self, seen: Seen, until: Until) -> Sequence[Scene]:
        """A model that learns made-up rows by heart."""
        return scenes(seen, until)

    def tried(self, seen: Seen, until: Until) -> Sequence[Found]:
        """All candidates."""
        asked, shadows = required(seen.candidates), grown(seen, until)
        if len(shadows) < LEAST:
            return [short(asked, shadows)]
        return [Named(asked, self.scores(seen, shadows), self.how.format(models=len(shadows)), seen.plan)]


def said(seen: Seen) -> Floats:
    """[n, k] what the released model says of the candidates."""
    asked = required(seen.candidates)
    return surer(required(released(seen)), asked.rows)[: asked.count]


def stacked(shadows: Sequence[Shadow]) -> tuple[Floats, Floats]:
    """[s, n, k] what the attacker's models say; [s, n] 1 where the row is in."""
    inside = np.stack([one.inside for one in shadows])
    return np.stack([one.surer for one in shadows]), inside.astype(np.float64)
