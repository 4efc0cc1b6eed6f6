"""A plan's sums as its sites make them, for whoever audits them: the same mechanism, contributions and release.

What is looked at is what the promise is about. With `site` noise that is what one site sends, whoever reads it. With
`shared` noise it is the sum of the shares that are sure to be in it, whatever the plan's corrupt and vanished sites do
(`owed.sure`). With `reveal` it is the sum with the server's noise. The auditor knows all of a sum but one
unit, as the definition has it, and chooses rows and models, as a lying server or a neighbour might.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from potluck.audits.promises import owed
from potluck.audits.promises.picked import picked
from potluck.core.asks import Answer, Ask, Kind, Task
from potluck.core.errors import PotluckError
from potluck.core.fixed import decode
from potluck.core.party import Draw, Party
from potluck.core.plan import Plan, required
from potluck.core.rounds import Abort, Words
from potluck.core.seeded import Generator, generator
from potluck.core.slices import Bytes
from potluck.core.stages import Contribution, Encoded, Floats, Grid, L, Opened, Release, Walk
from potluck.dp.calibration import releases
from potluck.dp.mechanism import Bound, Exact, Noised, Walked, guarded, mechanism, noise_of
from potluck.dp.reveal import reveal
from potluck.learning.data.table import Table
from potluck.learning.data.units import Index, untrained
from potluck.learning.loops import TrainTask, build
from potluck.learning.training.local import keeps
from potluck.learning.training.methods import method_of

MOST_ASKS = 64
"""Of one kind: no more of them are looked at together."""


@dataclass(frozen=True, slots=True, eq=False)
class _Held:
    """What rows add, on the grid already: they are added up once, and noised many times."""

    found: Words = field(repr=False)

    def encode(self, grid: Grid, limit: L) -> Encoded[L]:
        return Encoded(self.found, grid, limit)


class Anew:
    """What a site keeps of a run whose every step is its first."""

    def before(self, step: int) -> Floats | None:
        """See `learning.kept.Kept`."""
        return None

    def keep(self, step: int, asked: bytes, values: Floats) -> None:
        """See `learning.kept.Kept`."""

    def last(self) -> Floats | None:
        """See `learning.kept.Kept`."""
        return None


@dataclass(frozen=True, eq=False)
class Sum:
    """One sum of a plan, and its noise. plan: which owes noise."""

    plan: Plan
    task: Task[Table, object] = field(repr=False)
    ask: Ask = field(repr=False)
    bound: Bound = field(repr=False)

    @cached_property
    def inside(self) -> Noised:
        """The noised sum in it: a site's own, or that of all. Raises ValueError: it is exact."""
        found = noise_of(self.bound)
        if found is None:
            raise ValueError("an exact sum")
        return found

    @property
    def noised(self) -> bool:
        """Whether there is noise in it at all."""
        return noise_of(self.bound) is not None

    @cached_property
    def sites(self) -> int:
        """Whose noise is looked at: as many as are sure to add their share."""
        return owed.sure(self.plan)

    @cached_property
    def givers(self) -> frozenset[Party]:
        """As many sites."""
        return frozenset(self.plan.sites[: self.sites])

    @property
    def steady(self) -> bool:
        """Whether rows add the same each time they are asked."""
        return self.inside.sampling is None and isinstance(self.bound, Noised)

    def given(self, rows: Table | None, draw: Draw) -> Iterator[Contribution]:
        """What a site's rows are to add; none of its rows, where it has none of a task that keeps them all. What a site
        keeps for the next round is as if each were the first."""
        if rows is not None and keeps(self.plan) and self.ask.band is None:
            rows = replace(rows, kept=Anew())
        return iter(()) if rows is None else self.task.contribute(self.ask, rows, draw)

    def far(self, signal: Floats) -> float:
        """How far a sum moves, over what noise was reckoned for: the largest of all parts."""
        parts = zip(self.inside.limit.l2, self.inside.grid.slices().values(), strict=True)
        return max(float(np.linalg.norm(signal[where])) / most for most, where in parts)

    def moved(self, rows: Table | None, draw: Draw, *, drawn: bool = False) -> Floats:
        """[d] what rows add to the noised sum, with no noise, in real numbers: the first, of several that a site takes
        by itself. drawn: those that are drawn for it alone; else none is left out."""
        quiet = replace(self.inside, word="reveal", sampling=self.inside.sampling if drawn else None)
        if not isinstance(self.bound, Walked):
            return decode(self.without_noise(rows, draw, drawn=drawn), quiet.grid)
        (walk,) = self.given(rows, draw)
        assert isinstance(walk, Walk)
        return decode(guarded(quiet, iter(tuple(next(walk.steps))), draw).words, quiet.grid)

    def without_noise(self, rows: Table | None, draw: Draw, *, drawn: bool = False) -> Words:
        """[d] the words of what rows add to a sum that is no walk, with no noise."""
        quiet = replace(self.inside, word="reveal", sampling=self.inside.sampling if drawn else None)
        return guarded(quiet, self.given(rows, draw), draw).words

    def source(self, rows: Table | None, draw: Draw) -> "Source":
        """What is asked for again and again of the same rows."""
        return self.over(self.without_noise(rows, draw)) if self.steady else Source(self, rows)

    def over(self, words: Words) -> "Source":
        """What is asked for again and again of rows that add the same each time. words [d]: that."""
        return Source(self, None, _Held(words))

    def noise(self, draw: Draw) -> Floats:
        """[d] the noise of one release over no rows, in steps of the grid, for each part."""
        inside = self.inside
        words = guarded(inside, iter(()), draw).words
        for _ in range(self.sites - 1):
            words = words + guarded(inside, iter(()), draw).words
        return shown(self, inside, words, draw) / self.widths

    @cached_property
    def sigma(self) -> Floats:
        """[d] the noise that is to be in a release that is looked at, in real numbers: what the mechanism says that it
        adds, and no less than the plan owes."""
        inside, bound = self.inside, self.bound
        assert not isinstance(bound, Exact)
        real: Floats = np.maximum(self.said, owed.noise(self.plan, self.ask, bound))
        return np.repeat(real, [part.size for part in inside.grid.parts])

    @property
    def said(self) -> Floats:
        """[parts] what the mechanism says that is in it, in real numbers."""
        found: Floats = np.array(self.inside.real(self.inside.share)) * np.sqrt(self.sites)
        return found

    @cached_property
    def widths(self) -> Floats:
        """[d] a step of the grid, in real numbers."""
        parts = self.inside.grid.parts
        found: Floats = np.repeat([one.step for one in parts], [one.size for one in parts])
        return found

    @cached_property
    def steps(self) -> Floats:
        """[d] `sigma` in steps of the grid."""
        found: Floats = self.sigma / self.widths
        return found


@dataclass(frozen=True, eq=False)
class Source:
    """Releases of one sum over the same rows."""

    sum: Sum
    rows: Table | None = field(repr=False)
    held: _Held | None = field(default=None, repr=False)

    def release(self, draw: Draw) -> Floats:
        """[d] one more, in real numbers."""
        one, bound = self.sum, self.sum.bound
        given = one.given(self.rows, draw) if self.held is None else iter((self.held,))
        words = guarded(bound, given, draw).words
        for _ in range(one.sites - 1):
            words = words + guarded(bound, iter(()), draw).words
        return shown(one, bound, words, draw)


def revealed(one: Sum, bound: Bound, words: Words, draw: Draw) -> Release:
    """What is released of the words of the sites that are looked at."""
    opened = Opened(words, one.givers)
    return reveal(bound.at_reveal(opened, draw), bound.grid)


def shown(one: Sum, bound: Bound, words: Words, draw: Draw) -> Floats:
    """[d] its numbers."""
    return revealed(one, bound, words, draw).values


@dataclass(frozen=True, eq=False)
class Scene:
    """A plan to be audited. rows: made up, or an owner's own; units: by unit the numbers of its rows; anew: reads some
    of them again as they stand beside each other, given their numbers [n] and whose each is to be [n], None: they are
    not read again; why: there are none; draw: of noise and coins; until: by the monotonic clock, how long the worst
    unit is looked for."""

    plan: Plan
    seed: int
    draw: Draw = field(repr=False)
    rows: Table | None = field(default=None, repr=False)
    units: Sequence[Index] = field(default=(), repr=False)
    anew: Callable[[Index, Index], Table] | None = field(default=None, repr=False)
    why: str = ""
    until: float = math.inf

    @cached_property
    def task(self) -> Task[Table, object]:
        """As sites have it."""
        return build(self.plan)

    def public(self, *labels: str | int) -> Generator:
        """Public randomness: which rows and models are looked at."""
        return generator(self.seed, "audit", *labels)

    @cached_property
    def kinds(self) -> dict[Kind, list[Sum]]:
        """The sums of each kind that the plan has, in the order in which they are taken."""
        found: dict[Kind, list[Sum]] = {}
        for kind in Kind:
            sums = [Sum(self.plan, self.task, ask, mechanism(self.plan, ask)) for ask in self._asks(kind)]
            if sums:
                found[kind] = sums
        return found

    def _asks(self, kind: Kind) -> Iterator[Ask]:
        """What a server asks for of one kind: of many the first and the last, and some between, by public
        chance. Banded ones follow
        from each other, and so do statistics."""
        all_of_them = releases(self.plan, kind) - self.plan.privacy.redo
        most = min(all_of_them, MOST_ASKS)
        if not isinstance(self.task, TrainTask):
            yield from self._course(most) if kind is self.plan.traits.kind else ()
            return
        lead = next(self.task.lead())
        first = lead.state
        steps = list(range(most))
        if lead.band is None and all_of_them > most:
            some = self.public("steps").choice(np.arange(1, all_of_them - 1), most - 2, replace=False)
            steps = [0, *sorted(some.tolist()), all_of_them - 1]
        for step in steps:
            state = self._model(first) if kind is not Kind.TRAIN else self._later(step) if step else first
            try:
                yield self.task.ask(kind, step, state)
            except Abort:
                return  # there are no more

    def _course(self, most: int) -> Iterator[Ask]:
        """The sums of statistics, each of which may follow from those before it: of a run over these rows alone, whose
        noise is left out, for nothing would lead on from noise over so few."""
        steps = self.task.lead()
        ask: Ask = next(steps)
        yield ask
        while most > 1 and self.rows is not None:
            one = Sum(self.plan, self.task, ask, mechanism(self.plan, ask))
            if not one.noised:
                return  # which is what is wrong with it
            still = replace(one.inside, word="shared", share=(0.0,) * len(one.inside.share))
            quiet = guarded(replace(still, word="reveal"), one.given(self.rows, self.draw), self.draw)
            try:
                with np.errstate(all="ignore"):
                    said = steps.send(Answer(revealed(one, still, quiet.words, self.draw), still.grid))
                ask = self.task.ask(said.kind, said.step, said.state)
            except (StopIteration, Abort, PotluckError, ArithmeticError):
                return  # it is over, or leads nowhere on so few rows
            yield ask
            most -= 1

    def _later(self, step: int) -> bytes:
        """What a later step of training might announce."""
        assert isinstance(self.task, TrainTask)
        usual = np.frombuffer(self.task.usual.state, "<f8")
        return method_of(self.plan).stands(usual, step).astype("<f8").tobytes()

    def _model(self, first: Bytes) -> bytes:
        """A model of rows that are held out, of what the first round announces."""
        return method_of(self.plan).modelled(self.plan, np.frombuffer(first, "<f8")).astype("<f8").tobytes()

    def only(self, kind: Kind, index: Index, among: Table | None = None) -> Table | None:
        """The rows of which these alone are in sums of a kind. Another row is there and in none, where there is one: a
        site without any is a case of its own. among: other rows than the scene's."""
        rows, train = required(self.rows if among is None else among), isinstance(self.task, TrainTask)
        others = np.setdiff1d(np.arange(rows.rows), index)[:1] if train else index[:0]
        if not len(index) and not train:
            return None
        some = picked(rows, np.concatenate([np.sort(index), others]))  # in the order in which a file has them
        if not train:
            return some
        there, none = np.arange(some.rows) < len(index), np.zeros(0, np.bool_)
        if kind is Kind.TRAIN:
            beyond = untrained(self.plan, some.person, there)
            return replace(some, test=~there, validation=none, beyond=beyond)
        looks = kind is Kind.VALIDATE
        return replace(some, test=~there if looks else there, validation=there if looks else none, beyond=none)


def kind_name(kind: Kind) -> str:
    """What a sum is about, in words."""
    return {Kind.TRAIN: "training", Kind.VALIDATE: "looks", Kind.EVALUATE: "metrics"}.get(kind, kind.value)


def whole(values: Floats) -> bool:
    """Whether all are whole numbers."""
    return bool((values == np.rint(values)).all())


def alike(sums: Sequence[Sum]) -> list[list[Sum]]:
    """Sums that have the same numbers in them, together: a first round may be of others than later ones are."""
    found: list[list[Sum]] = []
    for one in sums:
        same = next((some for some in found if some[0].ask.blocks == one.ask.blocks), None)
        if same is None:
            found.append([one])
        else:
            same.append(one)
    return found


def spread(sums: Sequence[Sum]) -> list[Sum]:
    """A first, a middle and a last one: what holds of one round may not of another."""
    return [sums[at] for at in sorted({0, len(sums) // 2, len(sums) - 1})]
