"""What a coalition has of a run's sums: for each, the smallest sums over sites outside it that it knows.

All of it follows from letters that it read, by the program's own functions: the announced model, the grid of the plan's
mechanism, words. Without protection it has each site's words. Else it has what the server opened, and takes away what
its own members gave. Where one exact sum was opened twice, over sites and over fewer of them, it has the difference. It
has nothing that the record has and the coalition did not read.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from potluck.audits.intersection.matched import Matched
from potluck.audits.record import HINT, Letter, Record
from potluck.audits.told import SETS, Told, sound, told_in
from potluck.core.asks import Ask, Kind, Task
from potluck.core.errors import UsageError
from potluck.core.fixed import decode
from potluck.core.plan import Plan, digest
from potluck.core.rounds import Abort, Words
from potluck.core.stages import Floats, Grid
from potluck.core.wire import load, unpack
from potluck.dp.mechanism import mechanism
from potluck.learning.data.table import Table
from potluck.learning.data.units import Index
from potluck.learning.loops import build
from potluck.learning.models.model import Model
from potluck.mpc.clear.site import INPUT as PLAIN
from potluck.mpc.mask.messages import INPUT as MASKED
from potluck.simulation.pooled import Pooled
from potluck.tasks.announcement import BEGIN, Announcement
from potluck.tasks.sums.halves import GAVE, OPENED, Opening

Mask = NDArray[np.bool_]
WORDS = frozenset({PLAIN, MASKED, GAVE, OPENED})
"""Steps whose letters hold words. Those in which sites are named may hold ciphertexts of them."""
NAME = 1 << 13
"""Bytes of what such a letter holds beside words, for each site: more than of any name."""


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """One sum that a coalition knows. of: over which sites; words [d]: as they lie on the grid."""

    round: int
    ask: Ask
    of: frozenset[str]
    grid: Grid
    words: Words = field(repr=False)

    def part(self, name: str) -> Floats | None:
        """One block in real units. None: this sum has none of that name."""
        where = self.grid.slices().get(name)
        return None if where is None else decode(self.words, self.grid)[where]

    def step(self, name: str) -> float:
        """The step of the grid in a block."""
        return next(part.step for part in self.grid.parts if part.name == name)

    @property
    def weights(self) -> Floats:
        """The public numbers at which it was asked."""
        return np.frombuffer(self.ask.state, dtype="<f8").astype(np.float64)


class Shadow(NamedTuple):
    """A model that the attacker trained by itself. inside [n]: on which candidates; surer [n, k]: what it says of each
    (`signals`)."""

    inside: Mask
    surer: Floats


@dataclass(eq=False)
class Candidates:
    """Rows of which an attacker wants to know who trained, and what it tried (`membership.candidates`).

    of: the sites whose rows are asked about; pool: these rows, and behind them those of the attacker's own sites
    that train; unit [n]: of each candidate its row's or person's number; share: of units, those that train, as the plan
    says; level: how often chance may do as well where an attack succeeds; times: how many of what the plan's noise
    hides a unit is at most. All attacks share the rest. shadows: what was trained so far, with draws of this seed;
    controls: runs beside which an attack is tried, once they are made."""

    of: frozenset[str]
    pool: Pooled = field(repr=False)
    unit: Index = field(repr=False)
    share: float
    level: float
    times: int = 1
    seed: int | None = None
    shadows: list[Shadow] = field(default_factory=list, repr=False)
    controls: "Sequence[tuple[Seen, Mapping[str, Table]]] | None" = field(default=None, repr=False)

    @property
    def rows(self) -> Table:
        """All rows of the pool."""
        return self.pool.train

    @property
    def count(self) -> int:
        """n."""
        return len(self.unit)

    def by_unit(self, values: Floats) -> Floats:
        """[n] -> [units]: of a person the mean over their rows."""
        return np.asarray(np.bincount(self.unit, values) / np.bincount(self.unit))


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What the parties of these names know of a run. sums: in the order of rounds; sent: by site outside them its words
    of each round as they reached the server, plain or masked; plain: they were not masked; before: what they know of an
    earlier run; last: the last sum that they heard announced, and at which model; candidates: rows of which they are
    asked whether they were trained on; told: what the server has to tell all alike; released: the model of a fit, which
    one of them reads; matched: what they know of an intersection."""

    plan: Plan
    names: frozenset[str]
    sums: tuple[Known, ...] = field(repr=False)
    sent: Mapping[str, Sequence[Words]] = field(repr=False)
    plain: bool = False
    before: "Seen | None" = field(default=None, repr=False)
    last: Ask | None = field(default=None, repr=False)
    candidates: Candidates | None = None
    told: tuple[Told, ...] = field(default=(), repr=False)
    released: Model | None = field(default=None, repr=False)
    matched: Matched | None = None

    def training(self) -> tuple[Known, ...]:
        """Of the sums those that train the run's model: those of folds train others, which no attack looks at."""
        return tuple(one for one in self.sums if one.ask.kind is Kind.TRAIN and not one.ask.fold)


def parties_of(plan: Plan) -> tuple[str, ...]:
    """Who may collude: the server, sites and compute parties."""
    return ("server", *plan.federation.sites, *(one.name for one in plan.compute))


def seen_by(record: Record, plan: Plan, names: Collection[str]) -> Seen:
    """What these parties know. plan: its column patterns resolved.

    Raises UsageError: they are no parties of the plan, the record is another plan's, or a body does not fit.
    """
    unknown = sorted(set(names) - set(parties_of(plan)))
    if unknown or not names:
        raise UsageError(f"no party of this plan: {', '.join(unknown)}", hint=f"parties: {', '.join(parties_of(plan))}")
    known, sent, plain, last = list[Known](), dict[str, list[Words]](), False, None
    told: list[tuple[Told, Letter | None]] = []
    if plan.traits.sums:
        task: Task[Table, object] = build(plan)
        letters = sorted(record.seen_by(names), key=lambda one: one.line.round)
        for number, some in groupby(letters, lambda one: one.line.round):
            here = list(some)
            begun = next((one for one in here if one.line.step == BEGIN), None)
            if begun is None:
                continue
            ask = _asked(begun, plan, task)
            last = last if ask.fold else ask
            grid = mechanism(plan, ask).grid
            most = grid.length * grid.bits // 8 + NAME * (1 + len(plan.federation.sites))
            here = [
                one.held(most) if one.line.step in WORDS else one.held() if one.line.step in SETS else one
                for one in here
            ]
            told += told_in(here, plan, ask)
            for letter in here:
                line = letter.line
                if line.step in (PLAIN, MASKED) and line.to == "server" and line.sender not in names:
                    sent.setdefault(line.sender, []).append(_words(letter, letter.body(), grid))
                    plain |= line.step == PLAIN
            known += _known(here, number, ask, grid, frozenset(names))
    known += list(_differences(known)) if not plan.noisy else []
    return Seen(plan, frozenset(names), tuple(known), sent, plain, last=last, told=sound(told))


def _asked(letter: Letter, plan: Plan, task: Task[Table, object]) -> Ask:
    try:
        said = load(letter.body(), Announcement)
        if said.plan == digest(plan):
            return task.ask(said.kind, said.step, said.state)
    except Abort as abort:
        hint = "nothing in a record may be changed; if nothing was, the server asked for what the plan has not"
        raise UsageError(f"is no announcement of this plan ({abort})", where=str(letter.path), hint=hint) from None
    hint = "the letters have to be those of that run; of column patterns also the files are needed, see --data"
    raise UsageError("announces another plan", where=str(letter.path), hint=hint)


def _known(letters: list[Letter], number: int, ask: Ask, grid: Grid, names: frozenset[str]) -> Iterator[Known]:
    """Of one round: each site's words, where they were read; else the rest of what was opened."""
    alone: dict[str, Words] = {}
    for letter in letters:
        sender, step = letter.line.sender, letter.line.step
        if (step == PLAIN and letter.line.to == "server") or (step == GAVE and letter.line.to == sender):
            alone[sender] = _words(letter, letter.body(), grid)
    for name in sorted(alone.keys() - names):
        yield Known(number, ask, frozenset({name}), grid, alone[name])
    for letter in letters:
        if letter.line.step != OPENED:
            continue
        try:
            opened = load(letter.body(), Opening)
        except Abort as abort:
            raise UsageError(f"is no sum that was opened ({abort})", where=str(letter.path), hint=HINT) from None
        rest = _words(letter, opened.words, grid).copy()
        for name in alone.keys() & set(opened.givers):
            rest -= alone[name]
        of = frozenset(opened.givers).difference(alone)
        if of:
            yield Known(number, ask, of, grid, rest)


def _differences(known: Sequence[Known]) -> Iterator[Known]:
    """Of exact sums of one step at one model, over sites and over some of these: over the others."""
    steps: dict[tuple[Kind, int], list[Known]] = {}
    for one in known:
        steps.setdefault((one.ask.kind, one.ask.step), []).append(one)
    for some in steps.values():
        sets = {one.of for one in some}
        for larger in [one for one in some if len(one.of) > 1]:
            for smaller in some:
                rest = larger.of - smaller.of
                if smaller.of < larger.of and rest not in sets and larger.ask.state == smaller.ask.state:
                    sets.add(rest)
                    yield replace(larger, of=rest, words=larger.words - smaller.words)


def _words(letter: Letter, body: bytes, grid: Grid) -> Words:
    try:
        return unpack(body, grid.length, grid.bits)
    except Abort as abort:
        raise UsageError(f"holds other words ({abort})", where=str(letter.path), hint=HINT) from None
