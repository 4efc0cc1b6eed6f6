"""Releases of one run that are looked at together, with the worst unit that was found and without it."""

from dataclasses import dataclass, field

from potluck.audits.promises.scene import Source, Sum
from potluck.core.stages import Floats

TOGETHER = 8
"""Releases of one run, at most: as many draws of fewer say as much."""


@dataclass(frozen=True, eq=False)
class Look:
    """One release. signal [d]: what the unit adds to it; base [d]: what is known to be in it beside; there, without:
    releases with the unit, and without."""

    sum: Sum
    signal: Floats = field(repr=False)
    base: Floats = field(repr=False)
    there: Source = field(repr=False)
    without: Source = field(repr=False)


@dataclass(frozen=True, eq=False)
class Course:
    """Some releases of a run. paid: what is charged for them, where a sum at a unit's turn costs 1; times: what all
    releases of the plan show of the unit, in squares, over what these do; far: how far the unit moves them, over what
    noise was reckoned for."""

    looks: list[Look]
    paid: float
    times: float
    far: float
