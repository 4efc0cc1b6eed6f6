"""What a report shows of an outcome, as its task says it: in words, and as metrics. It names no task."""

from dataclasses import dataclass

import msgspec

from potluck.learning.evaluation.evaluate import Metrics
from potluck.learning.statistics.forms import AnyForm


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """An outcome that is neither a model nor statistics, in words. No row's value is in it.

    title: "Scores"; many: "Seven rows"; what: of them, "scored"; lines: (what, words) under it.
    did, left: a sentence of the summary each: what the parties did, and what left them.
    kind: what its rounds are called; cost: of the privacy budget; caveats: (what, words), what it does not protect
    from. Empty: as of sums without noise.
    """

    title: str
    many: str
    what: str
    lines: tuple[tuple[str, str], ...] = ()
    did: str
    left: str = ""
    kind: str = "rounds"
    cost: str = ""
    caveats: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """What a report shows of one thing that was asked, as statistics do. name: of it; asks: as a heading has it; unit:
    of its value; least: below which it cannot truly be."""

    name: str
    asks: str
    forms: tuple[AnyForm, ...]
    unit: str = ""
    least: float | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """What one model is worth on the held-out rows of `site`; None: of all sites. label: as `report.details.Score`."""

    label: str
    site: str | None
    metrics: Metrics
