"""What each owner has spent and has left, and what a plan would spend and leave."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from potluck.api.local.ledgers import folder_of, ledger_file
from potluck.api.network.composed import Composed, composed
from potluck.api.plan.plan import Plan
from potluck.core.errors import UsageError
from potluck.core.plan import Plan as Spec
from potluck.dp.account import promise
from potluck.owner.budget import Budget
from potluck.owner.scored import totals


@dataclass(frozen=True)
class Owner:
    """One owner, over all runs. left: None where nothing caps it; would_spend: None without a plan, or in one in which
    the owner has no part; together: composed.

    cut_off: a run was killed after it had charged; until it is settled nothing more is charged. scored: by model and
    client, how many rows this owner's models have scored.
    """

    spent: float
    delta: float
    left: float | None
    would_spend: float | None
    together: Composed
    units: tuple[str, ...]
    cut_off: bool = False
    scored: Sequence[Mapping[str, object]] = ()

    def document(self) -> dict[str, object]:
        """One owner in the JSON."""
        return {
            "spent": self.spent,
            "delta": self.delta,
            "left": self.left,
            "would_spend": self.would_spend,
            **self.together.document(),
            "units": list(self.units),
            "settle": self.cut_off,
            "scored": [dict(one) for one in self.scored],
        }


def budget(
    plan: Path | None, ledger: Path | None, settings: Sequence[str] = (), what_if: Path | None = None
) -> Mapping[str, Owner]:
    """Every owner's budget. what_if: a plan to reckon with in the place of `plan`, whose owners and ledgers they are;
    without one its own. settings: over the plan that is reckoned with. Nothing is charged, nor written.

    Raises UsageError, PlanError, or Refused (a file that is no ledger).
    """
    reckoned = what_if or plan
    read = Plan.read(reckoned, settings) if reckoned else None
    if read:
        read.require()
    spec = read.spec if read else None
    whose = Plan.read(plan) if plan and what_if else read
    return {
        name: _owner(path, spec if spec and name in spec.federation.sites else None)
        for name, path in _files(whose, ledger).items()
    }


def settle(plan: Path | None, ledger: Path | None) -> list[str]:
    """After a crash: keep what was charged as spent. Gives the owners whose ledger had an open run."""
    files = _files(Plan.read(plan) if plan else None, ledger)
    return [name for name, path in files.items() if path.exists() and _settled(path)]


def _files(plan: Plan | None, ledger: Path | None) -> Mapping[str, Path]:
    """Ledger files by owner: the plan's sites, or whatever lies in the folder."""
    folder = folder_of(plan, ledger)
    if plan is not None:
        return {name: ledger_file(folder, name) for name in plan.spec.federation.sites}
    if not folder.is_dir():
        raise UsageError("no ledgers here", where=str(folder), hint="name a plan, or a folder with --ledger")
    return {path.stem: path for path in sorted(folder.glob("*.sqlite"))}


def _owner(path: Path, spec: Spec | None) -> Owner:
    would, together = promise(spec) if spec else None, composed(path, plan=spec)
    if not path.exists():
        return Owner(0.0, 0.0, None, would, together, ())
    with Budget(path) as ledger:
        units = tuple(sorted({row.unit for row in ledger.history() if row.unit}))
        cut_off = bool(ledger.cut_off())
        scored = totals(ledger.scored())
        return Owner(ledger.spent(), ledger.delta(), ledger.left(), would, together, units, cut_off, scored)


def _settled(path: Path) -> bool:
    with Budget(path) as ledger:
        return bool(ledger.settle())
