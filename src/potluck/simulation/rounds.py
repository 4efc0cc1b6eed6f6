"""A plan's rounds over simulated clients: cohorts, sums, noise, and what each round came to.

The loop is the plan's own (`learning.loops`), and so is every sum's bound, grid and noise (`dp.mechanism`), as they
would be with as many clients as a real round has. Noise is added to the whole sum, with the variance that all
shares together have; it comes from the public seed, so that a simulation can be repeated. With a noise cohort the sum
over a small cohort gets the noise of a large one, scaled: the mean then is as noisy as it would be (pfl-research,
Granqvist et al. 2024, arXiv 2404.06430, section 3). Epsilon is what each client's ledger would hold, had it been in
every round: that cohorts are drawn buys nothing here, since everybody knows the draw.

What it makes is no run: rows and noise are known to one process, and no letter is sealed.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import msgspec
import numpy as np

from potluck.core.asks import Answer, Ask, Kind
from potluck.core.fixed import word
from potluck.core.party import Party
from potluck.core.plan import Plan, required
from potluck.core.rounds import Words
from potluck.core.seeded import generator
from potluck.core.stages import Opened
from potluck.dp.account import Cost, spent
from potluck.dp.mechanism import Bound, Exact, Noised, guarded, mechanism
from potluck.dp.reveal import reveal
from potluck.drivers.sums import drive
from potluck.learning.data.table import Table
from potluck.learning.data.units import Index
from potluck.learning.evaluation.evaluate import Metrics, exact
from potluck.learning.evaluation.validation import row_losses
from potluck.learning.models.model import Model, model
from potluck.learning.training.methods import method_of
from potluck.learning.training.trained import Trained
from potluck.simulation.pool import Here, Pool
from potluck.simulation.serving import Serving
from potluck.simulation.wanted import Wanted
from potluck.simulation.ways import Cohorts, at_reveal, in_pieces

Progress = Callable[[Ask], None]


@dataclass(frozen=True, slots=True)
class Round:
    """One round. clients, rows: that took part; seconds: of training, not of looks; bytes_up, bytes_down: of the
    vectors alone that a real run would send; epsilon: so far, None without noise; metrics, loss: exact, on held-out
    rows after the round, None where nobody looked."""

    round: int
    clients: int
    rows: int
    seconds: float
    bytes_up: int
    bytes_down: int
    epsilon: float | None
    metrics: Metrics | None = None
    loss: float | None = None


@dataclass(frozen=True, eq=False)
class Simulated:
    """What a simulation came to. plan: of as many sites as there were clients. trained: its model is marked as
    simulated. sizes: training rows of each client."""

    plan: Plan
    wanted: Wanted
    trained: Trained
    rounds: tuple[Round, ...]
    sizes: tuple[int, ...]
    cohort: int
    noise_cohort: int

    @property
    def metrics(self) -> Metrics | None:
        """Of the last round's model."""
        return self.rounds[-1].metrics if self.rounds else None

    @property
    def speed(self) -> float:
        """Clients a second, over all rounds."""
        seconds = math.fsum(one.seconds for one in self.rounds)
        return sum(one.clients for one in self.rounds) / seconds if seconds else 0.0


def peopled(plan: Plan, sites: int) -> Plan:
    """The plan with so many sites."""
    names = tuple(f"client {number}" for number in range(1, sites + 1))
    return msgspec.structs.replace(plan, federation=msgspec.structs.replace(plan.federation, sites=names))


@dataclass(eq=False)
class Rounds:
    """The sums of a simulation: called with an ask, it gives the answer. noise: the plan of as many sites as a real
    round has; most: bytes of clients that train side by side."""

    cohorts: Cohorts
    wanted: Wanted
    noise: Plan
    pool: Pool | Here = field(repr=False)
    most: int | None
    progress: Progress
    done: list[Round] = field(default_factory=list)
    _costs: list[Cost] = field(default_factory=list)

    @property
    def plan(self) -> Plan:
        """Of as many sites as there are clients."""
        return self.cohorts.plan

    @cached_property
    def _parties(self) -> tuple[Party, ...]:
        """All clients, made once: there may be many."""
        return self.plan.sites

    def __call__(self, ask: Ask) -> Answer:
        """One sum. Raises as sites do."""
        self.progress(ask)
        if ask.kind is not Kind.TRAIN:
            privacy = self._privacy(ask)
            words = guarded(privacy, self.cohorts.task.contribute(ask, self.cohorts.pooled.held, _none), _none).words
            return self._answer(ask, privacy, words, len(self.cohorts.clients))
        if ask.step:
            self._looked(ask)
        began = time.perf_counter()
        privacy = self._privacy(ask)
        chosen = self._cohort(ask.step)
        words = self._sum(ask, privacy, chosen)
        answer = self._answer(ask, privacy, words, len(chosen))
        seconds = time.perf_counter() - began
        rows = sum(len(self.cohorts.clients[one]) for one in chosen.tolist())
        up, down = privacy.grid.length * privacy.grid.bits // 8, len(ask.state)
        epsilon = None
        if not isinstance(privacy, Exact):
            self._costs.append(privacy.cost)  # not all rounds need cost the same
            epsilon = spent(self._costs, required(self.plan.privacy.delta))
        self.done.append(Round(ask.step + 1, len(chosen), rows, seconds, up * len(chosen), down * len(chosen), epsilon))
        return answer

    def _cohort(self, step: int) -> Index:
        """Who takes part: all alike, without replacement."""
        sites = len(self.cohorts.clients)
        draw = generator(self.wanted.seed, "simulation", "cohort", step)
        return np.sort(draw.choice(sites, self.wanted.cohort_of(sites), replace=False))

    def _privacy(self, ask: Ask) -> Bound:
        """As in a real round, its noise added where the sum is opened."""
        found, sites = mechanism(self.noise, ask), len(self.noise.federation.sites)
        givers = 1 if isinstance(found, Noised) and found.word == "reveal" else sites
        return at_reveal(found, math.sqrt(givers) * self.wanted.cohort_of(len(self.cohorts.clients)) / sites)

    def _sum(self, ask: Ask, privacy: Bound, chosen: Index) -> Words:
        head = msgspec.json.encode((ask.kind.value, ask.step))
        self.pool.all("begin", head, ask.state)
        self.pool.share("add", ([part.tobytes()] for part in self.cohorts.chunks(chosen, self.most)))
        total = np.zeros(privacy.grid.length, dtype=word(privacy.grid.bits))
        for (words,) in self.pool.all("take"):
            total += np.frombuffer(words, total.dtype)
        return total

    def _answer(self, ask: Ask, privacy: Bound, words: Words, givers: int) -> Answer:
        draw = generator(self.wanted.seed, "simulation", "noise", ask.kind.value, ask.step).bytes
        opened = Opened(words, frozenset(self._parties[:givers]))
        piece, count = in_pieces(privacy)
        for _ in range(count):
            settled = piece.at_reveal(opened, draw)
            opened = Opened(settled.words, opened.givers)
        whole = replace(settled, std=settled.std * math.sqrt(count))
        return Answer(reveal(whole, privacy.grid), privacy.grid)

    def _looked(self, ask: Ask) -> None:
        """Look at the model that the last round made, where one is due."""
        if ask.step % self.wanted.every == 0 and self.cohorts.pooled.held.test.any():
            weights = np.frombuffer(ask.state, dtype="<f8").astype(np.float64)
            self.seen(model(self.plan, method_of(self.plan).modelled(self.plan, weights)))

    def seen(self, found: Model) -> None:
        """What held-out rows say of the model after the last round."""
        held = self.cohorts.pooled.held
        if held.test.any():
            metrics = exact(found, [held])
            self.done[-1] = replace(self.done[-1], metrics=metrics, loss=_loss(found, held, metrics))


def _loss(found: Model, held: Table, metrics: Metrics) -> float | None:
    """The mean loss of held-out rows, as looks at validation rows have it."""
    if metrics.rmse is not None:
        return (2 * metrics.rmse / (found.target.high - found.target.low)) ** 2 / 2
    if not found.target.apart:
        return metrics.loss
    rows = np.flatnonzero(held.test)
    return float(row_losses(found, found.margins(held.inputs[rows]), held.target[rows]).mean())


def _none(count: int) -> bytes:
    """Looks draw nothing."""
    raise AssertionError("a look draws at random")


def simulate(
    cohorts: Cohorts, wanted: Wanted, progress: Progress = lambda ask: None, most: int | None = None, here: bool = False
) -> Simulated:
    """All rounds. cohorts: their plan has as many sites as there are clients. most: see `memory.shared`. here: in this
    process, which forks none.

    Raises UsageError, PlanError, DataError, Abort as a run would.
    """
    sites = len(cohorts.clients)
    cohort = wanted.cohort_of(sites)
    noise = peopled(cohorts.plan, wanted.noise_of(cohort))
    mechanism(noise, next(cohorts.task.lead()))  # noise is reckoned once, before there are several processes
    serving = Serving(cohorts, noise, wanted.seed, most)
    with Here(serving) if here else Pool(wanted.processes, serving) as pool:
        rounds = Rounds(cohorts, wanted, noise, pool, most, progress)
        trained = drive(cohorts.task, rounds)
    marked = replace(trained, model=replace(trained.model, simulated=True))
    rounds.seen(marked.model)
    sizes = tuple(len(one) for one in cohorts.clients)
    return Simulated(cohorts.plan, wanted, marked, tuple(rounds.done), sizes, cohort, len(noise.federation.sites))
