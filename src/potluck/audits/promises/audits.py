"""The table of audits, and an audit of a plan by all of them. A new audit: a file, and a line here."""

import time
from collections.abc import Callable, Sequence

from potluck.audits.extraction import canaries
from potluck.audits.promises import charged, clips, coins, neighbours, one_run, paired, parties, sigma
from potluck.audits.promises.made_up import NotMade, made_up, own
from potluck.audits.promises.promise import WRONG, Audit, Bound, Check, Effort, Finding
from potluck.audits.promises.resumed import Resumed
from potluck.audits.promises.scene import Scene
from potluck.core.plan import Plan
from potluck.core.seeded import generator
from potluck.learning.data.table import Table

UNITS = 12
"""Units that are tried."""
AUDITS: tuple[Audit, ...] = (
    Audit("noise", "chi-square test", sigma.findings, 0.1),
    Audit("sensitivity", "arXiv 1607.00133", neighbours.findings, 0.1),
    Audit("clip", "arXiv 1607.00133", clips.findings, 0.02),
    Audit("coins", "arXiv 1607.00133", coins.findings, 0.05),
    Audit("charges", "the ledger's own words", charged.findings, 0.05),
    Audit("parties", "chi-square test", parties.findings, 0.1),
    Audit("one run", "arXiv 2305.08846", one_run.findings, 0.15),
    Audit("paired", "arXiv 2302.07956", paired.findings, 0.45),
    Audit("extraction", "arXiv 1802.08232", canaries.findings, 0.2),
)


def scene(plan: Plan, seed: int, table: Table | None = None, until: float = float("inf")) -> Scene:
    """A plan as it is audited. table: an owner's own rows; None: rows are made up."""
    draw, public = generator(seed, "audit", "noise").bytes, generator(seed, "audit", "rows")
    try:
        if table is not None:
            return Scene(plan, seed, draw, table, own(plan, table, UNITS, public), until=until)
        return Scene(plan, seed, draw, *made_up(plan, UNITS, public), until=until)
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
    resumed: Resumed | None = None,
) -> tuple[list[Bound], list[Check]]:
    """(bounds of epsilon, other findings) of a plan that owes noise. What is left of one audit's time is the others'.
    All of them together are wrong at most as often as WRONG says. resumed: what an earlier call had finished."""
    begun, due = time.monotonic(), 0.0
    all_of_it = sum(one.weight for one in audits)
    looked = scene(plan, seed, table, begun + seconds * 0.2)
    found: list[Finding] = []
    for one in audits:
        before = resumed.before(one.name) if resumed else None
        due += one.weight
        if before is not None:
            found += before
            continue
        effort = Effort(WRONG / len(audits), begun + seconds * due / all_of_it, trials, tell)
        now = list(one.looked(looked, effort))
        found += now
        if resumed is not None:
            resumed.after(one.name, now)
    return [one for one in found if isinstance(one, Bound)], [one for one in found if isinstance(one, Check)]
