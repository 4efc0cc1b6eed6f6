"""Rules on what exact sums may say of few rows: `allow.min_cell`, `allow.dominance`, `allow.max_parameters_per_row`.

What counts as a cell is said by each kind of statistic (`learning/statistics/opens.py`).

They judge THIS site's own rows, before anything of them leaves: the sum over all sites is of more rows, but others may
know theirs. min_cell is the threshold of every statistical office. dominance is the (n, k) rule with n = 1: the largest
contributor (Hundepool and others, Statistical Disclosure Control, 2012, section 4.2.2; ACRO, github.com/AI-SDC/ACRO).
max_parameters_per_row is DataSHIELD's nfilter.glm.

They do NOT judge plans with noise: there noise answers, and a refusal by the rows would say exactly what it hides. Only
the owner hears which rule refused which cell: the server hears that the rows do not fit. That itself is a bit about the
rows, which no threshold avoids (THREATS.md).
"""

from collections.abc import Sequence

from potluck.core.errors import Refused
from potluck.learning.selection.cells import Cell
from potluck.owner.policy import Allow

SHOWN = 5
HINT = "the owner may allow it, or the plan may ask for larger groups, or take noise"


def judges(allow: Allow) -> bool:
    """Whether cells are to be looked at."""
    return any(one is not None for one in (allow.min_cell, allow.dominance, allow.max_parameters_per_row))


def cells_allowed(allow: Allow, cells: Sequence[Cell]) -> None:
    """Raises Refused, for the owner's eyes alone: cells with too few rows, or of which one row is too large a share, or
    to which too many numbers are fitted."""
    if allow.min_cell is not None:
        few = [cell.of for cell in cells if cell.rows < allow.min_cell]
        _refuse(few, f"there are fewer rows than allow.min_cell ({allow.min_cell})")
    if allow.dominance is not None:
        most = allow.dominance
        large = [cell.of for cell in cells if cell.share > most]
        _refuse(large, f"one row is more of a sum than allow.dominance ({most:g})")
    for cell in cells:
        parameters_allowed(allow, cell.parameters, cell.rows, f"of {cell.of}")


def parameters_allowed(allow: Allow, parameters: int, rows: int, of: str = "here") -> None:
    """Raises Refused, likewise: a model has too many numbers for the rows that it learns from. of: which these are."""
    most = allow.max_parameters_per_row
    if most is not None and parameters > most * rows:
        what = f"{parameters} parameters are more than allow.max_parameters_per_row ({most:g}) for the rows {of}"
        raise Refused(what, where="policy", hint="a model of so few rows may hold some of them")


def _refuse(cells: Sequence[str], why: str) -> None:
    if cells:
        found = set(cells)
        names = [name for name in dict.fromkeys(cells) if not any(name.startswith(f"{one}, ") for one in found)]
        more = f", and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        raise Refused(f"{why}: {'; '.join(names[:SHOWN])}{more}", where="policy", hint=HINT)
