"""Days from one day to another, in the Gregorian calendar (Hinnant, chrono-compatible low-level date algorithms)."""

from collections.abc import Sequence
from datetime import date

import numpy as np

from potluck.core.stages import Floats
from potluck.core.tables.derived import Derive
from potluck.learning.data.column import Field
from potluck.learning.data.derivations import years
from potluck.learning.data.derive import Days, Derivation
from potluck.learning.data.kinds.date import parts
from potluck.learning.data.raw.said import Reading
from potluck.learning.data.sql.dialect import Dialect
from potluck.learning.data.sql.layers import Layer


def value(one: Derive, source: Field, of: Sequence[str], layer: Layer) -> str:
    """The difference of two counts of days."""
    first, last = (layer.define(_count(date, layer.dialect)) for date in of)
    return f"{last} - {first}"


def _count(date: str, d: Dialect) -> str:
    """Days since 1 March of the year 0. A year begins in March, so that its leap day is the last one."""
    year, month, day = parts(date, d)
    early = f"{month} <= {d.double(2)}"
    begun = f"(CASE WHEN {early} THEN {year} - {d.double(1)} ELSE {year} END)"
    since = f"(CASE WHEN {early} THEN {month} + {d.double(9)} ELSE {month} - {d.double(3)} END)"

    def every(count: int) -> str:
        return d.floor(f"{begun} / {d.double(count)}")

    months = d.floor(f"({d.double(153)} * {since} + {d.double(2)}) / {d.double(5)}")
    return f"{begun} * {d.double(365)} + {every(4)} - {every(100)} + {every(400)} + {months} + {day}"


def back(values: Floats, to: date, share: Floats) -> Days:
    """There is one such day."""
    found: Days = np.datetime64(to, "D") - values.astype("m8[D]")
    return found


def read(one: Derive, below: Sequence[Field], found: Sequence[Reading]) -> Reading:
    """In days."""
    return years.between(one, found, years=False)


DAYS = Derivation(
    keys=years.YEARS.keys,
    taken=years.YEARS.taken,
    takes=years.YEARS.takes,
    said=lambda one: f"the days from {one.source} to {one.to}",
    check=years.check,
    column=years.column,
    value=value,
    back=back,
    read=read,
)
