"""Texts of days as ISO 8601 has them, and texts that only begin like one; a plan that reads them."""

from potluck.core.plan import Column, Data
from potluck.core.tables.derived import Derive

TIMES = ("", " 00:00", "T23:59", " 23:59:59", "T23:59:59.999999999", " 10:00:00.5")
ZONES = ("Z", "+00", "+0000", "+00:00", "-00:00")
DAYS = tuple(f"2020-01-01{time}{zone}" for time in TIMES for zone in ("", *(ZONES if time else ())))
"""All are 1 January."""
REST = (
    *(" or later", "Tgarbage", " to 2020-02-01", " (BC)", " BC", " 00:00:00 BC", " 00:00:00 (BC)", "Z", "+00:00", "T"),
    *(" 24:00", " 23:60", " 23:59:60", " 9:00", " 10", " 10:00:00.", " 10:00:0", "T10:00:00,5", "  10:00", "T 10:00"),
    *(" 23:30:00-05:00", " 00:30+02", "T00:30:00+0530", " 10:00 Z", " 10:00:00Z+00", " 10:00\n11:00", "x"),
    *(" 10:00:00.5.5", "_", " 10:00z"),
)
WRONG = tuple(f"2020-01-01{rest}" for rest in REST)
"""None is a day."""


def plan(form: str) -> Data:
    """Days from each to one that the plan names."""
    entry = Derive(kind="days", source="d", to="2020-01-11", low=0.0, high=100.0)
    return Data(columns={"d": Column(kind="date", format=form)}, derive={"n": entry}, max_rows=1000)
