"""Who could see what of a plan, as tables with marks: what a request's page shows, and a new plan's."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from potluck.core.party import BROKER
from potluck.report import matrix
from potluck.report.details import Seen


@dataclass(frozen=True, slots=True)
class Pictures:
    """Who could see what: by role without its conditions, by role with them, and by name where that can be read."""

    plain: matrix.Matrix
    short: matrix.Matrix
    full: matrix.Matrix | None

    @property
    def named(self) -> matrix.Matrix | None:
        """By name without its conditions, where roles do not say it: sites see different things."""
        differ = any(claim.times for _, cells in self.plain.rows for cell in cells for claim in cell)
        return _bare(self.full) if differ and self.full else None


def pictures(views: Sequence[Seen], sites: Sequence[str]) -> Pictures:
    """Of a plan's claims. The broker, which carries sealed letters, has a column in the last alone."""
    short = matrix.short([view for view in views if view.party != BROKER.name] or views, sites)
    return Pictures(_bare(short), short, matrix.full(views, sites))


def _bare(table: matrix.Matrix) -> matrix.Matrix:
    rows = tuple(
        (thing, tuple(tuple(replace(claim, notes=()) for claim in cell) for cell in cells))
        for thing, cells in table.rows
    )
    return replace(table, rows=rows, notes=())
