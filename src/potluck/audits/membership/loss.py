"""Whether the model's loss of a row is small: the weak baseline, which needs no model of the attacker's own.

A row that is hard for every model looks like one that did not train, and an easy one like one that did. So where this
fails, nothing is safe yet.
Reference: Yeom, Giacomelli, Fredrikson, Jha 2018, arXiv 1709.01604 (a threshold).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from potluck.audits.attack import Found, Scene, Sort, Until
from potluck.audits.membership.overfit import scenes
from potluck.audits.membership.scored import Named
from potluck.audits.membership.shadows import released, unasked
from potluck.audits.membership.signals import losses, surer
from potluck.audits.seen import Seen
from potluck.core.plan import required


@dataclass(frozen=True, slots=True)
class Loss:
    """See the module."""

    name: str = "loss"
    sort: Sort = Sort.MEMBERSHIP
    reference: str = "Yeom et al. 2018, arXiv 1709.01604"

    def fits(self, seen: Seen) -> str | None:
        """It needs a trained model, and rows that are here, of which a hash held some out."""
        return unasked(seen)

    def control(self, seen: Seen, until: Until) -> Sequence[Scene]:
        """A model that learns made-up rows by heart."""
        return scenes(seen, until)

    def tried(self, seen: Seen, until: Until) -> Sequence[Found]:
        """All candidates."""
        asked, model = required(seen.candidates), required(released(seen))
        rows = asked.rows
        values = asked.by_unit(-losses(model, surer(model, rows))[: asked.count])
        return [Named(asked, values, "by how wrong the released model is about a row, and nothing else", seen.plan)]


LOSS = Loss()
