"""The few rows that one of two runs counts and the other does not, from the difference of their exact statistics.

Two plans ask the same numbers of two selections, or one plan asks twice of rows that change. What both count drops out
of the difference of the two sums, and what is left is a sum over the rows in between, whoever protects the sums until
they open. Of one row it is that row: its value where a mean is asked, its place in a table of counts. Of a few, counts
tell each one's place, and a group with one row that row's value. Where by its text the one plan takes only rows that
the other takes too, that is arithmetic, and no guess. Else rows that are here have to bear it out.
References: Denning, Denning and Schwartz 1979, "The tracker: a threat to statistical database security", ACM TODS 4(1);
Dinur and Nissim 2003.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from potluck.audits.attack import Found, Scene, Sort, Truth, Until, Verdict, named
from potluck.audits.control import lines_of
from potluck.audits.counting import bare, first_of, made_up, read_of, real, rows_of, sum_over
from potluck.audits.seen import Known, Seen
from potluck.core.errors import PotluckError
from potluck.core.plan import Plan, Statistic
from potluck.core.prose import agree, count, listed
from potluck.core.rounds import Abort
from potluck.core.stages import Floats
from potluck.dp.mechanism import mechanism
from potluck.learning.data.table import Table
from potluck.learning.data.units import Index
from potluck.learning.selection.within import alike, rows_in, within
from potluck.learning.statistics.kinds import kind_of
from potluck.learning.statistics.reading import groups
from potluck.learning.statistics.statistics import StatisticsTask
from potluck.tasks.sources import without_noise

FEW = 5
"""Rows, from which on a difference is not one of a few."""
SURE, FAR = 0.1, 6.0
"""Standard deviation of noise in a count, up to which it is read off right but once in a million times; and how many of
them numbers may be off."""
MOST = 400
"""Rows that are tried one by one, where those of the earlier run are not here."""
TRIES, ALIKE = 2_000, 1e-3
"""Draws of rows that came and went, and which share of them may look like one row that came."""
FILES = "--data takes the files as they were at either run"
ROWS = 4
"""Of each site of the control; the later run has one more."""
SHOWN = 6


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """One statistic that both runs have, as the difference of the larger selection less the smaller one. cells [groups,
    width]; rows [groups]: how many are in between, None where it does not say; off: what numbers may be off; noise:
    its standard deviation in `rows`; other: its name in the earlier plan."""

    one: Statistic
    other: str
    cells: Floats = field(repr=False)
    rows: Floats | None = field(repr=False)
    off: float
    noise: float

    @property
    def moved(self) -> bool:
        """Whether any of its numbers is another one in the other run."""
        return bool((np.abs(self.cells) > self.off).any())

    def single(self, plan: Plan, many: int) -> int:
        """How many rows it tells of one by one, of so many in between: no number of rows does, that has no places."""
        whole = kind_of(self.one).whole
        if whole and self.cells.size == 1:
            return 0
        if many == 1 or (whole and self.rows is not None):
            return many
        return 0 if self.rows is None else int((np.rint(self.rows) == 1).sum())


@dataclass(frozen=True, slots=True, eq=False)
class Between:
    """The rows that one run counts and the other does not. here: the later one counts them; sure: so the plans' texts
    say."""

    of: frozenset[str]
    plan: Plan = field(repr=False)
    earlier: Plan = field(repr=False)
    blocks: tuple[Block, ...] = field(repr=False)
    here: bool
    sure: bool
    until: Until = field(repr=False)

    @property
    def many(self) -> int:
        """How many rows are in between."""
        return max(round(float(one.rows.sum())) for one in self.blocks if one.rows is not None)

    @property
    def noise(self) -> float:
        """In a count of them, at least."""
        return min(one.noise for one in self.blocks if one.rows is not None)

    def judged(self, truth: Truth) -> Verdict:
        """See `Found`."""
        return self.judged_beside(truth, {})

    def judged_beside(self, truth: Truth, earlier: Truth) -> Verdict:
        """Succeeded where numbers of single rows are known, and rows that are here have them; or none are here, and the
        plans' texts leave no other way. score: the share of rows in between that are told of one by one; baseline: none
        is by one run alone."""
        who = named(self.of)
        if self.noise > SURE:
            what = (
                f"counts of both runs differ by noise with a standard deviation of {self.noise:.3g}, where a row is 1"
            )
            return Verdict(False, f"of {who} {what}", 0.0, 0.0)
        many, told = self.many, [one for one in self.blocks if one.single(self.plan, self.many)]
        swapped = [one.one.name for one in self.blocks if one.moved]
        if not many and swapped:
            what = (
                f"of {who} as many rows came as went between the two runs, and exact sums of {listed(swapped[:SHOWN])}"
            )
            return Verdict(
                None, f"{what} differ by them: whichever of them is alone in a group can be read off by hand"
            )
        between = f"{count(many, 'row')} of {who} {agree(many, 'is', 'are')} in one of the two runs alone"
        if not 1 <= many < FEW or not told:
            few = (
                f", from {FEW} on no few"
                if many >= FEW
                else ", of which numbers of all alone are known"
                if many
                else ""
            )
            return Verdict(False, f"{between}{few}", 0.0, 0.0)
        single = max(one.single(self.plan, many) for one in told)
        names = listed([one.one.name for one in told[:SHOWN]])
        more = f" and {len(told) - SHOWN} more" if len(told) > SHOWN else ""
        each = "it has" if many == 1 else "each has" if single == many else f"{count(single, 'of them', 'of them')} has"
        said = f"what {each} in"
        words = f"{between}, and {said} {names}{more} is known, from the difference of exact sums"
        bears, how = self._borne_out(truth, earlier, many)
        if bears or (bears is None and self.sure):
            how = how or "by the texts of the plans, if no row came or went in between; they are not here to compare"
            return Verdict(True, f"{words} ({how})", single / many, 0.0)
        lacks = f"rows of the {'later' if self.here else 'earlier'} run are not here to compare; {FILES}"
        return Verdict(None, f"{words}, unless some came and others went ({how or lacks})")

    def _borne_out(self, truth: Truth, earlier: Truth, many: int) -> tuple[bool | None, str]:
        """Whether rows that are here add just what is in between, and how that is known. None: none are here."""
        mine, theirs = (truth, earlier) if self.here else (earlier, truth)
        if not self.of <= mine.keys():
            return None, ""
        if self.of <= theirs.keys():
            rows = {name: _lacking(mine[name], theirs[name]) for name in sorted(self.of)}
            if 0 < sum(map(len, rows.values())) == many and self._adds(mine, rows):
                return True, f"compared with the {agree(many, 'row', 'rows')}"
            return False, "the rows that are here differ by others: are they of these runs?"
        if many > 1:
            return False, f"rows of the {'earlier' if self.here else 'later'} run are not here"
        return self._among(mine)

    def _among(self, tables: Truth) -> tuple[bool, str]:
        """Whether one of these rows is what is in between, and how seldom two that came and one that went would look
        like one of them."""
        every = [(name, row) for name in sorted(self.of) for row in range(tables[name].rows)]
        order, adds = self.until.rng.permutation(len(every)).tolist()[:MOST], list[Floats]()
        for name, row in (every[place] for place in order):
            adds.append(self._added(tables, {name: np.array([row])}))
            if self.until.over:
                break
        target, off = self._target
        rows = np.array(adds)
        if not (np.abs(rows - target) <= off).all(axis=1).any():
            return False, "no row that was looked at has that"
        known = {one.tobytes() for one in np.rint(rows / (2 * off)).astype(np.int64)}
        some = self.until.rng.integers(len(rows), size=(TRIES, 3))
        some = some[(some[:, 0] != some[:, 2]) & (some[:, 1] != some[:, 2])]
        moved = np.rint((rows[some[:, 0]] + rows[some[:, 1]] - rows[some[:, 2]]) / (2 * off)).astype(np.int64)
        hits = sum(one.tobytes() in known for one in moved)
        if not len(some) or hits > ALIKE * len(some):
            return False, "where some come and others go, the difference often looks like one row"
        how = f"compared with {len(rows)} rows, of which one has just that"
        return True, f"{how}; that two came and one went looks so in {hits} of {len(some):,} draws"

    @property
    def _target(self) -> tuple[Floats, Floats]:
        """All numbers in between, and what each may be off."""
        cells = [one.cells.ravel() for one in self.blocks]
        return np.concatenate(cells), np.repeat([one.off for one in self.blocks], [len(one) for one in cells])

    def _adds(self, tables: Truth, rows: Mapping[str, Index]) -> bool:
        target, off = self._target
        return bool((np.abs(self._added(tables, rows) - target) <= off).all())

    def _added(self, tables: Truth, rows: Mapping[str, Index]) -> Floats:
        """What these rows add to the numbers in between."""
        plan = without_noise(self.plan if self.here else self.earlier)
        added = sum((real(plan, rows_of(tables[name], some), self.until) for name, some in rows.items() if len(some)))
        where = mechanism(plan, next(StatisticsTask(plan).lead())).grid.slices()
        names = [one.one.name if self.here else one.other for one in self.blocks]
        return np.concatenate([np.asarray(added)[where[name]] for name in names])


def _lacking(table: Table, other: Table) -> Index:
    """Rows that another table does not have, by the columns of both."""
    names = sorted(table.columns.keys() & other.columns.keys())
    there = Counter(_keys(other, names))
    found = []
    for row, key in enumerate(_keys(table, names)):
        there[key] -= 1
        if there[key] < 0:
            found.append(row)
    return np.array(found, np.int64)


def _keys(table: Table, names: Sequence[str]) -> Iterator[bytes]:
    rows = np.stack([table.columns[name] for name in names], axis=1) + 0.0  # of -0.0
    return (row.tobytes() for row in rows)


@dataclass(frozen=True, slots=True)
class Tracker:
    """See the module."""

    name: str = "tracker"
    sort: Sort = Sort.RECONSTRUCTION
    reference: str = "Denning, Denning and Schwartz 1979, The tracker, ACM TODS 4(1)"

    def fits(self, seen: Seen) -> str | None:
        """It needs two runs that count the same of rows of the same sites."""
        if not seen.plan.traits.counts:
            return "the plan publishes no statistics"
        if seen.before is None:
            return "no earlier run was given (--before), of this plan or of another that asks the same"
        if not _says(seen):
            return "the runs have no statistic in common that says how many rows it is of"
        return None if any(_pairs(seen)) else "no first sum of both runs is over the same sites"

    def control(self, seen: Seen, until: Until) -> Sequence[Scene]:
        """The plan's exact sums over few made-up rows, and over one more."""
        spec = bare(seen.plan)
        try:
            lines = lines_of(spec, ROWS, until.rng)
            first = sum_over(spec, made_up(spec, lines), until)
            one = spec.sites[0]
            lines[one].append(lines_of(spec, 1, until.rng)[one][0])
            truth = made_up(spec, lines)
            known = sum_over(spec, truth, until)
        except (Abort, PotluckError):
            return []
        alone = replace(seen, plan=spec, names=frozenset({"server"}), sums=(first,), before=None, last=first.ask)
        return [(replace(alone, sums=(known,), before=alone), truth)]

    def tried(self, seen: Seen, until: Until) -> Sequence[Found]:
        """Of each set of sites of which both sums were read."""
        return [_between(seen, one, other, until) for one, other in _pairs(seen)]


def _says(seen: Seen) -> bool:
    plan, before = seen.plan, seen.before
    shared = [one for one, _ in alike(plan, before.plan).values()] if before else []
    return any(rows_in(plan, one, np.zeros((1, kind_of(one).width(plan, one)))) is not None for one in shared)


def _pairs(seen: Seen) -> Iterator[tuple[Known, Known]]:
    if seen.before is None:
        return
    others = {one.of: one for one in first_of(seen.before)}
    yield from ((one, others[one.of]) for one in first_of(seen) if one.of in others)


def _between(seen: Seen, one: Known, other: Known, until: Until) -> Between:
    assert seen.before is not None
    plan, earlier = seen.plan, seen.before.plan
    (values, std), (others, their) = read_of(plan, one, until), read_of(earlier, other, until)
    found = []
    for name, (statistic, called) in alike(plan, earlier).items():
        mine, its = one.grid.slices()[name], other.grid.slices()[called]
        shape = groups(plan, statistic), -1
        cells = (values[mine] - others[its]).reshape(shape)
        noise = np.sqrt(std[mine] ** 2 + their[its] ** 2).reshape(shape)
        rows, all_ = rows_in(plan, statistic, cells), rows_in(plan, statistic, values[mine].reshape(shape))
        squares = rows_in(plan, statistic, noise**2)
        step = max(one.step(name), other.step(called))
        most = 3.0 + (0.0 if all_ is None else float(np.abs(all_).sum()))
        # Counts are whole; of other numbers each row is cut off on the grid.
        cut = 0.5 if kind_of(statistic).whole else step * most
        off = FAR * float(noise.max(initial=0.0)) + cut
        loud = 0.0 if squares is None else float(np.sqrt(squares.sum()))
        found.append(Block(statistic, called, cells, rows, off, loud))
    more = max((float(one.rows.sum()) for one in found if one.rows is not None), key=abs)
    here = more >= 0
    if not here:
        found = [replace(one, cells=-one.cells, rows=None if one.rows is None else -one.rows) for one in found]
    larger, smaller = (plan, earlier) if here else (earlier, plan)
    apart = all((one.cells >= -one.off).all() for one in found if kind_of(one.one).whole)
    sure = apart and within(smaller, larger) and not within(larger, smaller)
    return Between(one.of, plan, earlier, tuple(found), here, sure, until)


TRACKER = Tracker()
