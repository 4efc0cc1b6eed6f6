"""A ledger's runs, added up entry by entry, so that no charge composes again what earlier ones came to.

Closed runs are kept in the order of their last charge: what the last year lost is the exact sum of the latest of them,
and not a difference, in which an older and very large loss would swallow small ones. The sum is kept until a run ends
or leaves the year. It is derived from the chain alone, decides nothing, and is never written down.
"""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from potluck.core.plan import Unit
from potluck.dp.account import Cost
from potluck.dp.composition import FINEST, NOTHING, Loss, RunCosts, composed, total
from potluck.owner.chain import Chain
from potluck.owner.entries import begun, cost, damaged

KEPT = 64
"""Sums that are kept: a charge asks for that of all runs, and that of the last year's."""
_NEWS = (
    "SELECT seq, kind, run, value, at FROM entries WHERE seq > ?"
    " AND (kind != 'fact' OR (run != '' AND length(value) > 0)) ORDER BY seq"
)


@dataclass(slots=True)
class _Run:
    """A run with noise. last: it began or was charged, seconds since 1970; lost: once it is closed."""

    unit: Unit
    delta: float
    last: float
    costs: Counter[Cost] = field(default_factory=Counter)
    lost: Loss = NOTHING

    def charged(self) -> RunCosts:
        return RunCosts(self.unit, self.delta, self.costs)


@dataclass(slots=True)
class _Closed:
    """Closed runs of one unit by their last charge. sums[i]: what all but the first i lost."""

    runs: list[_Run] = field(default_factory=list)
    sums: dict[int, Loss] = field(default_factory=dict)

    def add(self, run: _Run) -> None:
        run.lost = run.charged().loss()
        insort(self.runs, run, key=_last)
        self.sums.clear()

    def since(self, since: float | None) -> tuple[Loss, list[_Run]]:
        """What was lost since then, and by whom: two runs at most are named."""
        first = 0 if since is None else bisect_left(self.runs, since, key=_last)
        if first not in self.sums:
            if len(self.sums) == KEPT:
                self.sums.clear()
            self.sums[first] = total([run.lost for run in self.runs[first:]])
        return self.sums[first], self.runs[first : first + 2]


def _last(run: _Run) -> float:
    return run.last


class Tally:
    """What all runs of one chain lose together. Other processes may append to the chain at any time."""

    def __init__(self, chain: Chain, where: str) -> None:
        self._chain = chain
        self._where = where
        self._seen = 0
        self._known: dict[bytes, Cost] = {}
        self._open: dict[str, _Run] = {}
        self._closed: dict[Unit, _Closed] = {unit: _Closed() for unit in FINEST}

    def charged(self, run: str) -> RunCosts | None:
        """What an open run with noise has charged so far. Raises Refused: an entry is damaged."""
        self._follow()
        return self._open[run].charged() if run in self._open else None

    def composed(
        self,
        delta: float,
        since: float | None = None,
        run: str = "",
        instead: Sequence[RunCosts] = (),
        cap: float | None = None,
    ) -> float:
        """The epsilon at `delta` of all runs that began or were charged since then, and of open ones.

        run: one that does not count as it is; instead: what counts in its place; cap: what the figure is compared with.
        Raises Refused: an entry is damaged.
        """
        self._follow()
        losses, some = dict.fromkeys(FINEST, NOTHING), list[RunCosts]()
        for unit, closed in self._closed.items():
            losses[unit], named = closed.since(since)
            some += [one.charged() for one in named]
        live = [one.charged() for name, one in self._open.items() if name != run and one.costs]
        for one in [*live, *instead]:
            losses[one.unit] += one.loss()
            some.append(one)
        return composed(losses, delta, some[0] if len(some) == 1 else None, cap)

    def _follow(self) -> None:
        """Take in what was appended since the last look."""
        for seq, kind, run, value, at in self._chain.read(_NEWS, self._seen):
            if kind == "begin":
                self._begin(run, value, at)
            elif kind != "fact":
                self._end(run)
            elif run in self._open:
                self._charge(self._open[run], value, at)
            else:
                raise damaged(self._where)
            self._seen = seq

    def _begin(self, run: str, value: bytes, at: float) -> None:
        it = begun(value, self._where)
        if it.unit is not None and it.delta is not None:
            self._open[run] = _Run(it.unit, it.delta, at)

    def _charge(self, run: _Run, value: bytes, at: float) -> None:
        if value not in self._known:
            self._known[value] = cost(value, self._where)
        run.costs[self._known[value]] += 1
        run.last = max(run.last, at)

    def _end(self, run: str) -> None:
        done = self._open.pop(run, None)
        if done is not None and done.costs:
            self._closed[done.unit].add(done)
