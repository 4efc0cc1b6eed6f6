"""Where the owners' ledgers of an in-process run lie, and opening them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from potluck.api.plan import Plan, file_name
from potluck.core.party import Party
from potluck.core.plan import Plan as Spec
from potluck.parties.budget import Budget


def ledger_folder(plan: Plan) -> Path:
    """The folder `ledger` beside the plan."""
    return plan.folder / "ledger"


def ledger_file(folder: Path, site: str) -> Path:
    """One site's ledger."""
    return folder / f"{file_name(site)}.sqlite"


def open_ledgers(spec: Spec, folder: Path) -> Mapping[Party, Budget]:
    """Every site's ledger, made where there is none. Raises UsageError or Refused: unwritable, or not a ledger."""
    return {site: Budget(ledger_file(folder, site.name)) for site in spec.sites}
