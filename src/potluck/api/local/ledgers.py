"""Where the owners' ledgers of an in-process run lie, and opening them."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path

from potluck.api.plan.plan import Plan
from potluck.core.errors import UsageError
from potluck.core.party import Party
from potluck.core.plan import Plan as Spec
from potluck.core.plan import digest
from potluck.members.names import file_name
from potluck.owner.budget import Budget


def folder_of(plan: Plan | None, chosen: Path | None) -> Path:
    """The folder chosen, or `ledger` beside the plan (in the working directory without one).

    Raises UsageError: there is something there that is no folder.
    """
    folder = chosen or (plan.folder if plan else Path()) / "ledger"
    if folder.exists() and not folder.is_dir():
        raise UsageError("is no folder", where=str(folder), hint="name a folder for the ledgers with --ledger")
    return folder


def ledger_file(folder: Path, site: str) -> Path:
    """One site's ledger."""
    return folder / f"{file_name(site)}.sqlite"


@contextmanager
def open_ledgers(keepers: Iterable[Party], folder: Path) -> Iterator[Mapping[Party, Budget]]:
    """The ledgers of these sites, made where there are none.

    Raises UsageError or Refused: unwritable, or not a ledger.
    """
    with ExitStack() as stack:
        yield {site: stack.enter_context(Budget(ledger_file(folder, site.name))) for site in keepers}


@contextmanager
def charging(ledgers: Mapping[Party, Budget], spec: Spec, run: str, now: datetime) -> Iterator[None]:
    """The run is begun and finished in every ledger. One that ends in an error is finished too: its charges stand.

    Only a killed process leaves a run open. Raises Refused: an earlier run was cut off and is not settled.
    """
    begun: list[Budget] = []
    try:
        for ledger in ledgers.values():
            ledger.begin(run, spec.name, digest(spec), spec.privacy.unit, spec.privacy.delta, now.timestamp())
            begun.append(ledger)
        yield
    finally:
        for ledger in begun:
            ledger.finish(run)
