"""The row that one of two runs is over and the other is not, from the difference of their exact sums.

Two runs of one plan ask their first sum at the same model. Where the rows differ by one, so do the sums: their
difference is a sum over that row alone, however many rows there are, and whoever protects the sums until they open.
What finds a row in a sum over one row then finds it.
Reference: Dinur and Nissim 2003, "Revealing information while preserving privacy"; Dwork and Roth 2014, section 1.1
(differencing).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from potluck.audits.attack import Found, Sort, Truth, Until, Verdict
from potluck.audits.reconstruction.analytic import ANALYTIC
from potluck.audits.reconstruction.gram import GRAM_ROWS
from potluck.audits.reconstruction.slopes import counted
from potluck.audits.rows import Rows
from potluck.audits.seen import Known, Seen


@dataclass(frozen=True, slots=True)
class Gone:
    """A row that only the earlier run is over. Rows that are here do not have it."""

    row: Rows

    @property
    def of(self) -> frozenset[str]:
        """See `Found`."""
        return self.row.of

    def judged(self, truth: Truth) -> Verdict:
        """As without true rows."""
        return self.row.judged({})


@dataclass(frozen=True, slots=True)
class Differencing:
    """See the module."""

    name: str = "differencing"
    sort: Sort = Sort.RECONSTRUCTION
    reference: str = "Dinur and Nissim 2003, Revealing information while preserving privacy"

    def fits(self, seen: Seen) -> str | None:
        """It needs an earlier run, and the same sum of both, over rows that differ by one."""
        if seen.before is None:
            return "no earlier run of the plan was given (--before)"
        if seen.plan.traits.counts:
            return "sums of statistics are compared by tracker"
        return None if any(_differences(seen)) else "no sum of both runs is at one model, over rows that differ by one"

    def tried(self, seen: Seen, until: Until) -> Sequence[Found]:
        """The row, by each way that finds one in a sum over one row; one finding of each set of sites."""
        found: dict[frozenset[str], Found] = {}
        for one, came in _differences(seen):
            alone = replace(seen, sums=(one,), before=None)
            for way in (GRAM_ROWS, ANALYTIC):
                if one.of in found or way.fits(alone) is not None:
                    continue
                for row in way.tried(alone, until):
                    if isinstance(row, Rows):
                        named = replace(row, why=f"the difference of two runs is a sum over one row; {row.why}")
                        found[one.of] = named if came else Gone(named)
        return list(found.values())


def _differences(seen: Seen) -> Iterator[tuple[Known, bool]]:
    """(a sum over the one row, whether the later run has it); of runs with noise the difference of sums, whatever it is
    over."""
    before = {(one.ask.step, one.of): one for one in (seen.before.training() if seen.before else ())}
    for one in seen.training():
        other = before.get((one.ask.step, one.of))
        if other is None or other.grid != one.grid or not np.array_equal(other.weights, one.weights):
            continue
        more = (counted(one) or 0) - (counted(other) or 0)
        if more in (1, -1) or counted(one) is None:
            words = one.words - other.words if more >= 0 else other.words - one.words
            yield replace(one, words=words), more >= 0


DIFFERENCING = Differencing()
