"""The table of audits, and an audit of a plan by all of them. A new audit: a file, and a line here."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from potluck.audits.extraction import canaries
from potluck.audits.promises import (
    charged,
    clips,
    coins,
    disk,
    entropy,
    neighbours,
    one_run,
    paired,
    parties,
    redone,
    sigma,
)
from potluck.audits.promises.made_up import NotMade, made_up, own
from potluck.audits.promises.promise import WRONG, Audit, Bound, Check, Effort
from potluck.audits.promises.scene import Scene
from potluck.audits.resumed import Resumed
from potluck.core.plan import Plan
from potluck.core.seeded import generator, stream
from potluck.learning.data.table import Table

UNITS, VALUES = 12, 128
"""Units that are tried: of made-up ones as many as a column has values, up to so many, each of which is in one."""
AUDITS: tuple[Audit, ...] = (
    Audit("noise", "chi-square test", sigma.findings, 0.1),
    Audit("sensitivity", "arXiv 1607.00133", neighbours.findings, 0.1),
    Audit("clip", "arXiv 1607.00133", clips.findings, 0.02),
    Audit("coins", "arXiv 1607.00133", coins.findings, 0.05),
    Audit("charges", "the ledger's own words", charged.findings, 0.05),
    Audit("redone", "the ledger's own words", redone.findings, 0.02),
    Audit("ledger", "the ledger's own words", disk.findings, 0.03),
    Audit("randomness", "two runs", entropy.findings, 0.02),
    Audit("parties", "chi-square test", parties.findings, 0.1),
    Audit("one run", "arXiv 2305.08846", one_run.findings, 0.15),
    Audit("paired", "arXiv 2302.07956", paired.findings, 0.45),
    Audit("extraction", "arXiv 1802.08232", canaries.findings, 0.2),
)


@dataclass(frozen=True, slots=True)
class Looked:
    """What one audit came to, as it is kept."""

    bounds: tuple[Bound, ...]
    checks: tuple[Check, ...]


def scene(plan: Plan, seed: int, table: Table | None = None, until: float = float("inf")) -> Scene:
    """A plan as it is audited. table: an owner's own rows; None: rows are made up."""
    draw, public = stream(seed, "audit", "noise"), generator(seed, "audit", "rows")
    try:
        if table is not None:
            return Scene(plan, seed, draw, table, own(plan, table, UNITS, public), until=until)
        values = max((len(column.values) for column in plan.data.columns.values()), default=0)
        units = max(UNITS, min(VALUES, values))
        return Scene(plan, seed, draw, *made_up(plan, units, public), until=until)
    except NotMade as why:
        hint = "" if table is not None else ". hint: --data, with an owner's own rows"
        return Scene(plan, seed, draw, why=f"{why}{hint}")


def audited(
    plan: Plan,
    *,
    seed: int,
    seconds: float,
    table: Table | None = None,
    trials: int = 10_000,
    tell: Callable[[str], None] = lambda words: None,
    audits: Sequence[Audit] = AUDITS,
    resumed: Resumed[Looked] | None = None,
) -> tuple[list[Bound], list[Check]]:
    """(bounds of epsilon, other findings) of a plan that owes noise. What is left of one audit's time is the others'.
    All of them together are wrong at most as often as WRONG says. resumed: what an earlier call had finished."""
    begun, due = time.monotonic(), 0.0
    all_of_it = sum(one.weight for one in audits)
    looked = scene(plan, seed, table, begun + seconds * 0.2)
    bounds, checks = list[Bound](), list[Check]()
    for one in audits:
        due += one.weight
        found = resumed.before(one.name) if resumed else None
        if found is None:
            found = _looked(one, looked, Effort(WRONG / len(audits), begun + seconds * due / all_of_it, trials, tell))
            if resumed is not None:
                resumed.after(one.name, found)
        bounds += found.bounds
        checks += found.checks
    return bounds, checks


def _looked(audit: Audit, scene: Scene, effort: Effort) -> Looked:
    found = list(audit.looked(scene, effort))
    bounds = tuple(one for one in found if isinstance(one, Bound))
    return Looked(bounds, tuple(one for one in found if isinstance(one, Check)))
