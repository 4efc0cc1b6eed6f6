"""What an owner's runs come to, composed: as they stand, and with all of the runs of some plans."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from potluck.core.errors import PlanError
from potluck.core.plan import Plan as Spec
from potluck.dp.composition import together
from potluck.owner.budget import YEAR, Budget
from potluck.owner.policy import DELTA
from potluck.tasks.catalog import planned


@dataclass(frozen=True)
class Composed:
    """Epsilons at `delta`. now: of the runs charged; then: with all of the plans' runs (None: no plan, no noise)."""

    now: float = 0.0
    then: float | None = None
    delta: float = DELTA

    def document(self) -> Mapping[str, object]:
        """Its part of the JSON."""
        return {"composed": self.now, "composed_delta": self.delta, "would_compose": self.then}


def composed(ledger: Path, plans: Sequence[Spec] = ()) -> Composed:
    """Of all runs, by the ledger in a file, which need not be there yet. Raises Refused: it is none, or was edited."""
    with opened(ledger) as budget:
        return would(budget, plans)


@contextmanager
def opened(ledger: Path, delta: float = DELTA) -> Iterator[Budget | None]:
    """The ledger in a file; None where there is none yet."""
    if not ledger.exists():
        yield None
        return
    with Budget(ledger, delta=delta) as budget:
        yield budget


def would(
    ledger: Budget | None, plans: Sequence[Spec], run: str = "", delta: float = DELTA, yearly: bool = False
) -> Composed:
    """What a ledger opened at `delta` comes to with all of the runs of some plans. run: the one that would be the
    plan's; yearly: of the last year's runs, not of all."""
    try:
        runs = [whole for plan in plans if (whole := planned(plan)) is not None]
    except PlanError:
        runs = []  # nobody can run it: the site says so when it is asked
    if ledger is None:
        return Composed(0.0, together(runs, delta) if runs else None, delta)
    since = time.time() - YEAR if yearly else None
    then = ledger.composed(since, run, runs) if runs else None
    return Composed(ledger.composed(since), then, delta)
