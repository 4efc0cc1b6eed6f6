"""What banded sums cost (`core.asks`), and what noise they leave.

Given all that was opened, sum t is a function of the rows with fresh noise, and a unit of group i moves it by at most
c_((t - i) mod groups) C, whatever models the server chose, and whatever was opened before: groups are disjoint, and
within one sum a group stands once. So sums compose as Gaussian sums do (zCDP), and any sums that were taken, in any
order and however often, cost a unit of group i the sum over them of c_((t - i) mod groups)^2, in units of what one
costs whose coefficient is 1. The ledger keeps which sum each was, and counts the dearest group's (`joined`). For T sums
in order that is group 0's: coefficients fall, so that no window of T of them weighs more than the one that begins with
c_0. A sum that is run again costs 1 more at most. Noise is made for that (`weight`), and the ledger admits no more.
Nobody is drawn: who is in which group need not be secret.

A sum that lacks a site's part is decoded wrongly, and costs no more: all sites, or the sum is run again.
Reference: Choquette-Choo et al. 2023, arXiv 2306.08153 (banded matrices, minimum separation).
"""

import math
from collections.abc import Iterable
from functools import lru_cache

import msgspec
import numpy as np

from potluck.core.asks import UNIT, Band, coefficients
from potluck.dp.events import Banded, Concentrated, Event


@lru_cache(maxsize=64)
def squares(band: Band) -> tuple[float, ...]:
    """[groups] what a sum costs a unit whose turn was so many sums ago, where its own turn costs 1."""
    return tuple((one / UNIT) ** 2 for one in coefficients(band))


def weight(band: Band, again: int) -> float:
    """What all sums, and so many that are run again, cost at most, where one at a unit's turn costs 1."""
    whole, rest = divmod(band.sums, band.groups)
    each = squares(band)
    return whole * math.fsum(each) + math.fsum(each[:rest]) + again


def taken(events: Iterable[Banded]) -> float:
    """The same of sums that were taken: the dearest group's. events: of one run."""
    every = tuple(events)
    if not every:
        return 0.0
    each = np.array(squares(Band(every[0].groups, every[0].sums)))
    groups, times = np.arange(len(each)), np.zeros(len(each))
    for event in every:
        times[(event.number - 1) % len(each)] += event.count
    turns = np.flatnonzero(times)
    return float(max(times[turns] @ each[(turns - group) % len(each)] for group in groups))


def overdrawn(events: Iterable[Event]) -> bool:
    """Whether they would cost more than their plan's noise was made for."""
    return any(taken(of) > of[0].most * (1 + 1e-9) for of in _runs(events))


def joined(events: Iterable[Event]) -> list[Event]:
    """The same with one event for all banded sums of a run: no more than their plan pays for, beyond which a ledger
    admits none (`overdrawn`)."""
    every = tuple(events)
    apart = [one for one in every if not isinstance(one, Banded)]
    return [*apart, *(Concentrated(of[0].rho * min(taken(of), of[0].most)) for of in _runs(every))]


def _runs(events: Iterable[Event]) -> list[list[Banded]]:
    """Banded sums by the noise that was made for them."""
    found: dict[Banded, list[Banded]] = {}
    for one in events:
        if isinstance(one, Banded):
            found.setdefault(msgspec.structs.replace(one, number=1, count=1), []).append(one)
    return list(found.values())


@lru_cache(maxsize=256)
def left(band: Band) -> tuple[float, float]:
    """(noise in all that was solved together, the root of the mean square of that after each sum), where noise of one
    sum is 1. Of one group: (sqrt(sums), sqrt((sums + 1) / 2))."""
    sums = band.sums
    by, found, total = np.array(coefficients(band)) / UNIT, np.zeros(sums), 0.0
    after = np.empty(sums)
    for t in range(sums):  # prefix sums of the inverse's first column
        some = by[1 : t + 1]
        found[t] = 1.0 - some @ found[t - len(some) : t][::-1] if len(some) else 1.0
        total += found[t] ** 2
        after[t] = total
    return math.sqrt(total), math.sqrt(after.mean())
