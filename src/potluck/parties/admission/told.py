"""What a run that trained released of its model beside the model itself: how it does on the held-out rows of all sites.

The coordinator says so as the run ends, to the sites that took part, for their owners' pages. All of them could see the
sums that it follows from (`learning.views`), so it tells nobody anything new of a row. It is the coordinator's word:
no site can reckon it, and nothing is decided by it.
"""

import math
from contextlib import suppress
from typing import Annotated, Literal, get_args

import msgspec

from potluck.core import private
from potluck.core.party import SERVER
from potluck.core.rounds import Abort, Cause
from potluck.core.visible import json_text
from potluck.core.wire import Message
from potluck.learning.evaluation.evaluate import Metrics
from potluck.members.home import SiteHome
from potluck.members.names import file_name
from potluck.tasks import own, released

Metric = Literal["auc", "accuracy", "r2", "rmse", "perplexity"]
METRICS: tuple[Metric, ...] = get_args(Metric)
LARGEST = 1e15
"""What a page shows in a line: no metric of rows comes near."""
Ends = tuple[float | None, float | None]


class Figure(Message, frozen=True):
    """One metric, as `run.json` has it. noise: of these rows, with noise alone; like: of rows like these."""

    metric: Metric
    value: float | None
    noise: Ends | None
    like: Ends | None


class Told(Message, frozen=True):
    """How the released model does on the held-out rows of all sites. rows: how many; None where that is not known."""

    figures: Annotated[tuple[Figure, ...], msgspec.Meta(min_length=1, max_length=len(METRICS))]
    rows: float | None


def told_of(metrics: Metrics | None) -> Told | None:
    """From released metrics. None: there are none."""
    if metrics is None:
        return None
    found = []
    for name in METRICS:
        value = _number(getattr(metrics, name))
        noise, like = (None if ends is None else _ends(ends) for ends in (metrics.intervals.get(name),
                                                                        metrics.population.get(name)))  # fmt: skip
        if value is not None or noise is not None:
            found.append(Figure(name, value, noise, like))
    return Told(tuple(found), _number(metrics.rows)) if found else None


def _number(value: float | None) -> float | None:
    """A count is a whole number, which would travel as another."""
    return None if value is None else float(value)


def _ends(found: tuple[float, float]) -> Ends:
    """Of an interval; None where it is open."""
    low, high = (float(end) if math.isfinite(end) else None for end in found)
    return low, high


def keep(home: SiteHome, run: str, told: Told) -> None:
    """Write it down for the owner; the first word on a run stands. Raises Abort(MALFORMED): a number that is none."""
    numbers = [told.rows]
    for one in told.figures:
        numbers += [one.value, *(one.noise or ()), *(one.like or ())]
    if not all(abs(number) <= LARGEST for number in numbers if number is not None):  # nor is nan
        raise Abort(Cause.MALFORMED, party=SERVER, detail="a metric that is no number")
    said: dict[str, object] = {"rows": told.rows}
    for one in told.figures:
        said[one.metric] = one.value
        if one.noise is not None:
            said[f"{one.metric}_low"], said[f"{one.metric}_high"] = one.noise
        if one.like is not None:
            said[f"{one.metric}_population"] = list(one.like)
    place = home.folder / own.FOLDER / file_name(run)
    with suppress(OSError):  # the run does not depend on it
        if not (place / released.TOLD).exists():
            place.mkdir(parents=True, exist_ok=True, mode=private.FOLDER)
            private.write(place / released.TOLD, json_text({"metrics": said}))
