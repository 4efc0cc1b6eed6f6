"""Whether published statistics tell who is in them, from the first sum of a plan that counts.

Every row is in a run's own sum, so that nobody is left out to ask about. So what the coalition opened is compared with
the rows that are here, and then the first sum is made anew by the sites' own code, with the noise that is in what is
read, over a half of the rows that coins choose. With u what a unit adds and T the sum over all units, which the
attacker knows, it scores a unit by (u - mean u) W (S - T / 2), where W is the inverse of how S - T / 2 varies over
coins and noise. That is the best linear guess of who is in. With more numbers than units an exact sum says it of each.
References: Homer et al. 2008, PLoS Genetics 4(8) e1000167; Dwork, Smith, Steinke, Ullman, Vadhan 2015, "Robust
Traceability from Trace Amounts".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from potluck.audits.attack import Found, Scene, Sort, Truth, Until, Verdict, named
from potluck.audits.control import lines_of
from potluck.audits.counting import (
    bare,
    counted_of,
    first_of,
    made_up,
    nothing,
    read_of,
    real,
    rows_of,
    sum_over,
    units_of,
    words_of,
)
from potluck.audits.membership.candidates import LEVEL
from potluck.audits.membership.scored import Scores, judged
from potluck.audits.seen import Known, Seen
from potluck.core.errors import PotluckError
from potluck.core.fixed import decode
from potluck.core.plan import Plan
from potluck.core.rounds import Abort
from potluck.core.stages import Floats
from potluck.dp.mechanism import mechanism
from potluck.learning.data.table import Table
from potluck.learning.data.units import Index
from potluck.tasks.sources import without_noise

MOST = 400
"""Units that are asked about: of each one it is found out by itself what it adds."""
ENOUGH = 60
"""Units in all sums that are made anew: of fewer chance does as well too often."""
ROWS = 14
"""Of each site of the control."""
FAR = 8.0
"""Standard deviations, from which on a noised sum is none of the rows that are here."""


@dataclass(frozen=True, slots=True)
class Published:
    """See the module."""

    name: str = "published"
    sort: Sort = Sort.MEMBERSHIP
    reference: str = "Homer et al. 2008; Dwork et al. 2015, Robust Traceability from Trace Amounts"

    def fits(self, seen: Seen) -> str | None:
        """It needs a first sum of statistics over sites outside the coalition."""
        if not seen.plan.traits.counts:
            return "the plan publishes no statistics"
        return None if first_of(seen) else "no sum of statistics was read"

    def control(self, seen: Seen, until: Until) -> Sequence[Scene]:
        """The plan's exact sum over few made-up rows."""
        spec = bare(seen.plan)
        try:
            truth = made_up(spec, lines_of(spec, ROWS, until.rng))
            known = sum_over(spec, truth, until)
        except (Abort, PotluckError):
            return []
        return [
            (replace(seen, plan=spec, names=frozenset({"server"}), sums=(known,), before=None, last=known.ask), truth)
        ]

    def tried(self, seen: Seen, until: Until) -> Sequence[Found]:
        """Of each set of sites."""
        return [Replayed(seen.plan, one, until) for one in first_of(seen)]


@dataclass(frozen=True, slots=True, eq=False)
class Replayed:
    """A sum of statistics that was read, to be made anew."""

    plan: Plan
    known: Known = field(repr=False)
    until: Until = field(repr=False)

    @property
    def of(self) -> frozenset[str]:
        """See `Found`."""
        return self.known.of

    def judged(self, truth: Truth) -> Verdict:
        """As of scores."""
        if not self.of <= truth.keys() or any(truth[name].sums is not None for name in self.of):
            return Verdict(None, f"rows of {named(self.of)} are not here, to make the sum anew over half of them")
        rows = {name: counted_of(self.plan, truth[name]) for name in sorted(self.of)}
        if not self._same(rows):
            return Verdict(None, f"the sum that was read is not that of the rows of {named(self.of)} that are here")
        units = [(name, some) for name, table in rows.items() for some in units_of(table)]
        asked = self._asked(rows, units)
        if not asked:
            return Verdict(None, "time was up before it was found out what one row adds (--minutes)")
        times = -(-ENOUGH // len(asked))
        scores = self._scores(rows, units, asked, times)
        anew = f"made anew{f' {times} times' if times > 1 else ''} over half of them"
        how = f"the first sum was {anew}, which coins chose, with what noise is in it"
        if len(asked) < len(units):
            how += f"; {len(asked)} of {len(units)} were asked about, for which there is time"
        return judged(scores, self.of, self.plan, LEVEL, "is in the sum", how)

    def _same(self, rows: Mapping[str, Table]) -> bool:
        """Whether the sum that was read is over these rows, as far as its noise lets anybody see."""
        ask, grid, privacy = self.known.ask, self.known.grid, mechanism(self.plan, self.known.ask)
        if privacy.grid != grid:
            return False
        there, std = read_of(self.plan, self.known, self.until)
        if std.any():
            here = sum(real(without_noise(self.plan), table, self.until) for table in rows.values())
            most = sum(table.rows for table in rows.values())  # each row is cut off on the coarse grid of noise
        else:
            added = sum((words_of(self.plan, ask, one, self.until) for one in rows.values()), nothing(self.plan, ask))
            here, most = decode(added, grid), 2
        steps = np.repeat([one.step for one in grid.parts], [one.size for one in grid.parts])
        return bool((np.abs(here - there) <= FAR * std + most * steps + 1e-9 * np.abs(here)).all())

    def _asked(self, rows: Mapping[str, Table], units: Sequence[tuple[str, Index]]) -> Mapping[int, Floats]:
        """What units add, by their number: of MOST of them at most, and of as many as there is time for."""
        exact, found = without_noise(self.plan), dict[int, Floats]()
        for place in self.until.rng.permutation(len(units)).tolist()[:MOST]:
            if self.until.over:
                break
            name, some = units[place]
            found[place] = real(exact, rows_of(rows[name], some), self.until)
        return found

    def _scores(
        self, rows: Mapping[str, Table], units: Sequence[tuple[str, Index]], asked: Mapping[int, Floats], times: int
    ) -> Scores:
        """Of units in a sum that is made anew, and of others: of several such sums, where units are few."""
        exact = without_noise(self.plan)
        total = sum(real(exact, table, self.until) for table in rows.values())
        adds = np.array(list(asked.values()))
        apart = adds - adds.mean(axis=0)
        members, others = list[Floats](), list[Floats]()
        for _ in range(times):
            inside = self.until.rng.random(len(units)) < 0.5
            opened, std = self._anew(rows, units, inside.tolist())
            spread = apart.T @ apart / len(asked) * len(units) / 4 + np.diag(std**2)
            guess = np.linalg.pinv(spread, rcond=1e-9, hermitian=True) @ (opened - total / 2)
            scores, there = apart @ guess, inside[list(asked)]
            members.append(scores[there])
            others.append(scores[~there])
        return Scores(np.concatenate(members), np.concatenate(others))

    def _anew(
        self, rows: Mapping[str, Table], units: Sequence[tuple[str, Index]], inside: Sequence[bool]
    ) -> tuple[Floats, Floats]:
        """What is read of a sum over these units, and its noise."""
        words = nothing(self.plan, self.known.ask)
        for name, table in rows.items():
            half = [some for (whose, some), there in zip(units, inside, strict=True) if there and whose == name]
            if half:
                words += words_of(self.plan, self.known.ask, rows_of(table, np.concatenate(half)), self.until)
        return read_of(self.plan, replace(self.known, words=words), self.until)


PUBLISHED = Published()
