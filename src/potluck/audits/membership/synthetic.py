"""Whether made-up rows tell who is in the counts that they are drawn from: by both sums, and by the rows themselves.

Everybody is in a run's own counts. So what the coalition opened is compared with the rows that are here, and then the
whole course is made anew over a half of the units, which coins choose: both sums by the sites' own code, with the noise
that is in what is read, the tree that follows from the first one, and rows drawn from both. A unit is scored twice:

- by counts: with u what it adds to both sums and T the same of all units, which the attacker knows, by the best linear
  guess of who is in, u (U'U / 4 + D)^+ (S - T / 2), where U'U / 4 is how S varies over coins and D over noise;
- by rows: how near to it the nearest made-up row is, as Gower measures: numbers by their range, values by whether they
  are the same.

The better of the two is told, and chance has two tries. Made-up rows follow from counts and a public seed, so that they
say no more than these; that they say as much to somebody who only has them is what the second score asks.
References: Homer et al. 2008, PLoS Genetics 4(8) e1000167; Chen, Yu, Zhang, Fritz 2020, "GAN-Leaks" (nearest rows);
Gower 1971, Biometrics 27(4).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

import msgspec
import numpy as np

from potluck.audits.attack import Found, Scene, Sort, Truth, Until, Verdict, named
from potluck.audits.control import lines_of
from potluck.audits.counting import bare, counted_of, made_up, nothing, read_of, rows_of, units_of, words_of
from potluck.audits.membership.candidates import LEVEL
from potluck.audits.membership.scored import FEWEST, Scores, judged
from potluck.audits.seen import Known, Seen
from potluck.core.asks import Kind
from potluck.core.errors import PotluckError
from potluck.core.plan import Plan, required
from potluck.core.rounds import Abort
from potluck.core.stages import Floats
from potluck.dp.mechanism import mechanism
from potluck.learning.data.table import Table
from potluck.learning.data.units import Index, with_persons
from potluck.learning.statistics.course import pack, unpack
from potluck.learning.statistics.statistics import StatisticsTask, courses
from potluck.learning.statistics.sums import Part
from potluck.learning.synthesis.course import Synthesis
from potluck.learning.synthesis.drawn import Drawn
from potluck.learning.synthesis.result import Marginals

MOST, NUMBERS = 400, 5_000_000
"""Units that are asked about, and numbers that all of them add."""
ENOUGH = 60
"""Units in all courses that are made anew: of fewer chance does as well too often."""
LOOKED = 20_000
"""Made-up rows that are looked at."""
ROWS = 14
"""Of each site of the control."""
FAR = 8.0
"""Standard deviations, from which on a noised sum is none of the rows that are here."""
THERE = "is in the counts"
TRIES = ("by all counts", "by the nearest of the made-up rows")


@dataclass(frozen=True, slots=True)
class Synthetic:
    """See the module."""

    name: str = "synthetic"
    sort: Sort = Sort.MEMBERSHIP
    reference: str = "Homer et al. 2008; Chen, Yu, Zhang, Fritz 2020, GAN-Leaks: the nearest row"

    def fits(self, seen: Seen) -> str | None:
        """It needs all sums of which rows are made up, over sites outside the coalition."""
        if _course(seen.plan) is None:
            return "the plan makes up no rows"
        return None if _read(seen) else "the sums of which rows are made up were not all read"

    def control(self, seen: Seen, until: Until) -> Sequence[Scene]:
        """The plan's exact course over few made-up rows."""
        spec = _shorter(bare(seen.plan))
        try:
            truth = made_up(spec, lines_of(spec, ROWS, until.rng))
            sums = tuple(one.known for one in _played(spec, truth, frozenset(truth), until)[0])
        except (Abort, PotluckError):
            return []
        return [(replace(seen, plan=spec, names=frozenset({"server"}), sums=sums, before=None), truth)]

    def tried(self, seen: Seen, until: Until) -> Sequence[Found]:
        """Of each set of sites."""
        return [Remade(_shorter(seen.plan), sums, until) for sums in _read(seen)]


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """A sum of the course. values, std [d]: what is read of it, and the noise in that."""

    known: Known = field(repr=False)
    values: Floats = field(repr=False)
    std: Floats = field(repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """Whom it is asked of. rows: all that count, by site; units: of each its site and rows; some: the numbers of those
    that are asked about."""

    rows: Mapping[str, Table] = field(repr=False)
    units: Sequence[tuple[str, Index]] = field(repr=False)
    some: Index = field(repr=False)

    def those(self) -> Iterator[tuple[Table, Index]]:
        """By site its rows, and of each [n] the place of its unit among those that are asked about; -1: it is none."""
        for name, table in self.rows.items():
            found = np.full(table.rows, -1)
            for place, unit in enumerate(self.some.tolist()):
                whose, mine = self.units[unit]
                if whose == name:
                    found[mine] = place
            yield table, found


@dataclass(frozen=True, slots=True, eq=False)
class Remade:
    """The sums of a course that were read, to be made anew."""

    plan: Plan
    sums: tuple[Known, ...] = field(repr=False)
    until: Until = field(repr=False)

    @property
    def of(self) -> frozenset[str]:
        """See `Found`."""
        return self.sums[0].of

    def judged(self, truth: Truth) -> Verdict:
        """As of scores."""
        if not self.of <= truth.keys() or any(truth[name].sums is not None for name in self.of):
            return Verdict(None, f"rows of {named(self.of)} are not here, to make the counts anew over half of them")
        asked = self._asked(truth)
        if len(asked.some) < 2:
            return judged(None, self.of, self.plan, LEVEL, THERE, "")
        if not all(self._same(one, asked) for one in self.sums):
            return Verdict(None, f"the sums that were read are not those of the rows of {named(self.of)} that are here")
        times = -(-ENOUGH // len(asked.some))
        found = self._scores(asked, times)
        if found is None:
            return Verdict(None, "time was up before the counts were made anew (--minutes)")
        best, how = min(zip(found, TRIES, strict=True), key=lambda one: one[0].chance)
        anew = f"made anew{f' {times} times' if times > 1 else ''} over half of them, which coins chose"
        how = f"{how}, the better of {len(TRIES)} tries; counts and rows were {anew}, with what noise is in them"
        if len(asked.some) < len(asked.units):
            how += f"; {len(asked.some)} of {len(asked.units)} were asked about"
        return judged(best, self.of, self.plan, LEVEL, THERE, how)

    def _asked(self, truth: Truth) -> Asked:
        rows = {name: counted_of(self.plan, truth[name]) for name in sorted(self.of)}
        units = [(name, some) for name, table in rows.items() for some in units_of(table)]
        most = min(MOST, max(2 * FEWEST, NUMBERS // sum(one.grid.length for one in self.sums)))
        return Asked(rows, units, self.until.rng.permutation(len(units))[:most])

    def _same(self, known: Known, asked: Asked) -> bool:
        """Whether the sum that was read is over these rows, as far as its noise lets anybody see."""
        there, (total, _) = _opened(self.plan, known, self.until), _added(self.plan, known, asked)
        return bool((np.abs(there.values - total) <= FAR * there.std + 0.5).all())  # of exact ones: whole numbers

    def _scores(self, asked: Asked, times: int) -> tuple[Scores, ...] | None:
        """Of units in counts that are made anew, and of others, by each try. None: there was no time."""
        scores: list[tuple[list[Floats], list[Floats]]] = [([], []) for _ in TRIES]
        for _ in range(times):
            if self.until.over:
                return None
            inside = self.until.rng.random(len(asked.units)) < 0.5
            half = _half(asked, inside.tolist())
            opened, made = _played(self.plan, half, self.of, self.until)
            there = inside[asked.some]
            for each, one in zip(scores, (_counts(self.plan, opened, asked), _near(made.made, asked)), strict=True):
                each[0].append(one[there])
                each[1].append(one[~there])
        return tuple(Scores(np.concatenate(one), np.concatenate(other), len(TRIES)) for one, other in scores)


def _shorter(plan: Plan) -> Plan:
    """The plan with no more made-up rows than are looked at."""
    spec = required(plan.synthesize)
    return msgspec.structs.replace(plan, synthesize=msgspec.structs.replace(spec, rows=min(spec.rows, LOOKED)))


def _course(plan: Plan) -> tuple[str, Synthesis] | None:
    """Of which rows are made up, with the name of its block. None: of nothing."""
    found = courses(plan) if plan.traits.counts else {}
    return next(((name, one) for name, one in found.items() if isinstance(one, Synthesis)), None)


def _read(seen: Seen) -> list[tuple[Known, ...]]:
    """All sums of a course, of each set of sites of which all were read."""
    found: dict[frozenset[str], dict[int, Known]] = {}
    for one in seen.sums:
        if one.ask.kind is Kind.STATISTICS:
            found.setdefault(one.of, {})[one.ask.step] = one
    return [tuple(one[step] for step in sorted(one)) for one in found.values() if len(one) == seen.plan.sums]


def _half(asked: Asked, inside: Sequence[bool]) -> dict[str, Table]:
    """The rows of some units, by site."""
    found: dict[str, list[Index]] = {}
    for (name, mine), there in zip(asked.units, inside, strict=True):
        if there:
            found.setdefault(name, []).append(mine)
    return {name: rows_of(asked.rows[name], np.concatenate(some)) for name, some in found.items()}


def _played(
    plan: Plan, rows: Mapping[str, Table], of: frozenset[str], until: Until
) -> tuple[tuple[Opened, ...], Marginals]:
    """A course over these rows: its sums as they are read, and what it comes to. Raises Abort."""
    name, course = required(_course(plan))
    task, lead, sums = StatisticsTask(plan), course.lead(), list[Opened]()
    state = next(lead)
    for step in count():
        ask = task.ask(Kind.STATISTICS, step, pack({name: state}, (name,)) if step else b"")
        words = sum((words_of(plan, ask, table, until) for table in rows.values()), nothing(plan, ask))
        sums.append(_opened(plan, Known(step + 1, ask, of, mechanism(plan, ask).grid, words), until))
        try:
            state = lead.send(Part(sums[-1].values, sums[-1].std, sums[-1].known.step(name)))
        except StopIteration as stop:
            assert isinstance(stop.value, Marginals)
            return tuple(sums), stop.value
    raise AssertionError


def _opened(plan: Plan, known: Known, until: Until) -> Opened:
    return Opened(known, *read_of(plan, known, until))


def _added(plan: Plan, known: Known, asked: Asked) -> tuple[Floats, Floats]:
    """([d] what all rows add to a sum without its noise, [k, d] what each unit does that is asked about)."""
    name, course = required(_course(plan))
    step, state = known.ask.step, course.start()
    if step:
        state = unpack(bytes(known.ask.state), {name: len(state)})[name]
    total, each = np.zeros(known.grid.length), np.zeros((len(asked.some), known.grid.length))
    for table, places in asked.those():
        start = 0
        for one in course.add(step, state, with_persons(plan, table.columns, table.person)):
            at, mine = np.broadcast_to(one.at, one.values.shape), places[start : start + len(one.values)]
            there, start = mine >= 0, start + len(one.values)
            np.add.at(total, at, one.values)
            np.add.at(each, (mine[there, None], at[there]), one.values[there])
    return total, each


def _counts(plan: Plan, opened: Sequence[Opened], asked: Asked) -> Floats:
    """[k] the best linear guess of who is in the sums. It is solved by units, who are fewer than numbers."""
    totals, parts = zip(*(_added(plan, one.known, asked) for one in opened), strict=True)
    std = np.concatenate([one.std for one in opened])
    scale, noise = np.where(std > 0, std, 1.0), float(std.any())
    adds = np.concatenate(parts, axis=1) / scale
    rest = (np.concatenate([one.values for one in opened]) - np.concatenate(totals) / 2) / scale
    spread = adds @ adds.T * len(asked.units) / len(adds) / 4 + noise * np.eye(len(adds))
    return np.asarray(np.linalg.pinv(spread, rcond=1e-9, hermitian=True) @ (adds @ rest))


def _near(made: Drawn, asked: Asked) -> Floats:
    """[k] how near the nearest made-up row is, of all rows of a unit on average, the nearer the larger."""
    far, many = np.zeros(len(asked.some)), np.zeros(len(asked.some))
    for table, places in asked.those():
        for row in np.flatnonzero(places >= 0).tolist():
            apart = np.zeros(made.rows)
            for axis in made.axes:
                own, drawn = table.columns[axis.name][row], made.columns[axis.name]
                if np.isnan(own):
                    apart += ~np.isnan(drawn)
                    continue
                wide = axis.highs[-1] - axis.lows[0] if axis.lows else 0.0
                part = np.abs(np.clip(own, axis.lows[0], axis.highs[-1]) - drawn) / wide if wide else drawn != own
                apart += np.where(np.isnan(drawn), 1.0, part)
            far[places[row]] += apart.min() if made.rows else 0.0
            many[places[row]] += 1
    return -far / many


SYNTHETIC = Synthetic()
