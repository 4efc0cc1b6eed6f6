"""What came of a run, as far as the home of a site that took part knows it, for its owner.

Everything is read from the home: the model that the run released, which the site heard of when its rows were evaluated,
how it does on the site's own held-out rows, and what the coordinator said at the end. Nothing here reads a row.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import msgspec

from potluck.api.network.asked import Asked
from potluck.api.network.ledger import ledger_of
from potluck.core import private
from potluck.core.schema import readable
from potluck.members.home import SiteHome
from potluck.members.names import file_name
from potluck.parties.admission.over import MODEL
from potluck.report import comparison
from potluck.report.outcome import Measured, of_one
from potluck.tasks import own, predictions, released

Figure = tuple[str, str, str]
"""(of what, value, intervals), as a report has them."""


class _Beside(msgspec.Struct, frozen=True, kw_only=True):
    """What stands beside a model in a home, or was told of it."""

    metrics: Measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """What came of one run. folder: where its files are; model: the digest that the coordinator named at the end, empty
    where it named none; told: how that does on the held-out rows of all sites, in the coordinator's words; kept: the
    released model's file, empty where there is none; same: whether that is the one that was named (None: nothing to
    compare); here: how it does on this site's own held-out rows.

    own, own_here: the same of a model of the site's own; scores: of its rows, the file; empty where there is none."""

    folder: str
    model: str = ""
    told: tuple[Figure, ...] = ()
    kept: str = ""
    same: bool | None = None
    here: tuple[Figure, ...] = ()
    own: str = ""
    own_here: tuple[Figure, ...] = ()
    scores: str = ""


def came_of(folder: Path, asked: Asked) -> Came:
    """Of one run. Raises UsageError, Refused: a file of this home is not what it was."""
    home, run = SiteHome.at(folder), asked.request.run
    place = home.folder / own.FOLDER / file_name(run)
    with ledger_of(home) as ledger:
        said = ledger.fact(f"{MODEL}{run}")
    model = f"sha256:{said.hex()}" if said else ""
    kept, its = _digest(place / released.MODEL), _figures(place / released.METRICS)
    return Came(
        folder=str(place),
        model=model,
        told=_figures(place / released.TOLD, noised=asked.plan.noisy),
        kept=released.MODEL if kept else "",
        same=kept == model if kept and model else None,
        here=its,
        own=own.MODEL if (place / own.MODEL).is_file() else "",
        own_here=_figures(place / own.METRICS),
        scores=predictions.FILE if (place / predictions.FILE).is_file() else "",
    )


def _digest(path: Path) -> str:
    """Of a model's file; empty where it is not there."""
    try:
        return f"sha256:{hashlib.sha256(private.read(path, links=False)).hexdigest()}"
    except OSError:
        return ""


def _figures(path: Path, noised: bool = False) -> tuple[Figure, ...]:
    """What stands in a file of metrics; nothing where that is not there, or something else is. noised: so is the number
    of rows in it, which nobody is told without its interval, and here is none."""
    try:
        found = msgspec.json.decode(private.read(path, links=False), type=readable(_Beside)).metrics
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ()
    said = [comparison.figure(one) for one in of_one("", None, found)]
    rows = [("held-out rows", f"{found.rows:,.0f}", "")] if found.rows is not None and not noised else []
    return (*said, *rows)
