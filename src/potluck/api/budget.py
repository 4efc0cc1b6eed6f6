"""What each owner has spent and has left, and what a plan would spend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from potluck.api.ledgers import ledger_file, ledger_folder
from potluck.api.plan import Plan
from potluck.core.errors import UsageError
from potluck.core.plan import Plan as Spec
from potluck.dp.account import promise
from potluck.parties.budget import Budget


@dataclass(frozen=True)
class Owner:
    """One owner, over all runs. left: None where nothing caps it; would_spend: None without a plan."""

    spent: float
    delta: float
    left: float | None
    would_spend: float | None
    units: tuple[str, ...]

    def document(self) -> dict[str, object]:
        """One owner in the JSON."""
        return {
            "spent": self.spent,
            "delta": self.delta,
            "left": self.left,
            "would_spend": self.would_spend,
            "units": list(self.units),
        }


def _files(plan: Path | None, ledger: Path | None) -> Mapping[str, Path]:
    """Ledger files by owner: the plan's sites, or whatever lies in the folder."""
    if plan is not None:
        read = Plan.read(plan)
        folder = ledger or ledger_folder(read)
        return {name: ledger_file(folder, name) for name in read.spec.federation.sites}
    folder = ledger or Path("ledger")
    if not folder.is_dir():
        raise UsageError("no ledgers here", where=str(folder), hint="name a plan, or a folder with --ledger")
    return {path.stem: path for path in sorted(folder.glob("*.sqlite"))}


def budget(plan: Path | None, ledger: Path | None, settings: Sequence[str] = ()) -> Mapping[str, Owner]:
    """Every owner's budget. Raises UsageError, PlanError, or Refused (a file that is no ledger)."""
    would = promise(_spec(plan, settings)) if plan else None
    return {name: _owner(path, would) for name, path in _files(plan, ledger).items()}


def _spec(plan: Path, settings: Sequence[str]) -> Spec:
    read = Plan.read(plan, settings)
    read.require()
    return read.spec


def _owner(path: Path, would: float | None) -> Owner:
    if not path.exists():
        return Owner(0.0, 0.0, None, would, ())
    with Budget(path) as ledger:
        units = {row.unit for row in ledger.history() if row.unit}
        return Owner(ledger.spent(), ledger.delta(), ledger.left(), would, tuple(sorted(units)))


def settle(plan: Path | None, ledger: Path | None) -> list[str]:
    """After a crash: keep what was charged as spent. Gives the owners whose ledger had an open run."""
    return [name for name, path in _files(plan, ledger).items() if path.exists() and _settled(path)]


def _settled(path: Path) -> bool:
    with Budget(path) as ledger:
        return bool(ledger.settle())
