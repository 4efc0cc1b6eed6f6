"""Whether the released model favours a row more, beside what models favour it on average, than it favours other rows.

The ratio of a row is (its likelihood by the released model) / (its mean likelihood by the attacker's models, half of it
with the row). The score is the share of the other candidates whose ratio is smaller: with gamma = 1 all that the order
of rows needs. Reference: Zarifzadeh, Liu, Shokri 2024, arXiv 2312.03262, equations 2 and 3 (online).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from potluck.audits.attack import Found, Scene, Sort, Until
from potluck.audits.membership.lira import said, stacked
from potluck.audits.membership.overfit import scenes
from potluck.audits.membership.scored import Named
from potluck.audits.membership.shadows import LEAST, grown, obstacle, released, short, unasked
from potluck.audits.membership.signals import losses
from potluck.audits.seen import Seen
from potluck.core.plan import required


@dataclass(frozen=True, slots=True)
class Rmia:
    """See the module."""

    name: str = "rmia"
    sort: Sort = Sort.MEMBERSHIP
    reference: str = "Zarifzadeh, Liu, Shokri 2024, arXiv 2312.03262"

    def fits(self, seen: Seen) -> str | None:
        """As `lira`."""
        return unasked(seen) or obstacle(seen)

    def control(self, seen: Seen, until: Until) -> Sequence[Scene]:
        """A model that learns made-up rows by heart."""
        return scenes(seen, until)

    def tried(self, seen: Seen, until: Until) -> Sequence[Found]:
        """All candidates."""
        asked, shadows = required(seen.candidates), grown(seen, until)
        if len(shadows) < LEAST:
            return [short(asked, shadows)]
        model, (each, inside) = required(released(seen)), stacked(shadows)
        likely = np.exp(-np.stack([losses(model, one) for one in each]))
        apart = [(likely * some).sum(axis=0) / some.sum(axis=0) for some in (inside, 1 - inside)]
        mean = np.maximum((apart[0] + apart[1]) / 2, np.finfo(np.float64).tiny)
        ratio = asked.by_unit(np.exp(-losses(model, said(seen))) / mean)
        others = np.sort(ratio)
        shares = np.searchsorted(others, ratio, side="left") / (len(ratio) - 1)
        how = f"by its likelihood beside that by {len(shadows)} models that the attacker trained as the plan says"
        return [Named(asked, shares, how, seen.plan)]


RMIA = Rmia()
