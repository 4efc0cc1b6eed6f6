"""The sums of one run: the task's loop, retries, and what each round cost, whoever moves the letters.

A sum that aborts before it opened is tried again under a fresh number and fresh keys: without the site that was
named, as long as the minimum cohort stays; else as often as the plan's `redo` allows. With noise every attempt in
which contributions left is charged again, and calibrated for. Exact sums may be opened again over the same sites
only (decision 0011), which costs nothing: where parties can come back, such a sum is simply repeated.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from potluck.core.asks import Answer, Ask, Kind, Task
from potluck.core.party import Party
from potluck.core.plan import Plan
from potluck.core.rounds import Abort, Cause
from potluck.drivers.attempt import Attempt, RoundRunner
from potluck.drivers.transcript import Traffic
from potluck.learning.data.table import Table as Rows

T = TypeVar("T")
Progress = Callable[[Ask], None]


@dataclass(frozen=True, slots=True)
class Round:
    """One finished sum: which, under which number, who was missing and why, seconds, the traffic, and who paid.

    when: seconds since 1970 when it was opened (None where nobody asked). In a log the ask is without its model, and
    without blocks where sites voted it down.
    """

    ask: Ask
    number: int
    dropped: Mapping[str, Cause]
    seconds: float
    traffic: Traffic
    when: float | None = None


@dataclass(slots=True)
class Log:
    """What a run did: finished rounds, and the aborts that led to a retry."""

    rounds: list[Round] = field(default_factory=list)
    aborts: list[str] = field(default_factory=list)


def drive(task: Task[Rows, T], one_sum: Callable[[Ask], Answer]) -> T:
    """Run a task's server side to its outcome, each sum done by `one_sum`. A sum that ends in an abort raises it in the
    task, which may know how to go on without that sum."""
    steps = task.lead()
    try:
        ask = next(steps)
        while True:
            try:
                answer = one_sum(ask)
            except Abort as abort:
                ask = steps.throw(abort)
            else:
                ask = steps.send(answer)
                del answer  # not held until the next one
    except StopIteration as stop:
        outcome: T = stop.value
        return outcome


class RunStore(Protocol):
    """What the coordinator writes down, so that it can go on after being killed."""

    def begin(self, ask: Ask) -> int:
        """A fresh round number, durable before anything of the round leaves."""
        ...

    def ended(self, ask: Ask, number: int, attempt: Attempt) -> None:
        """A round ended without an answer."""
        ...

    def opened(self, done: Round, answer: Answer, attempt: Attempt) -> None:
        """A round ended with an answer: it stands."""
        ...

    def recall(self, ask: Ask) -> tuple[Round, Answer] | None:
        """The answer of a finished round, or None."""
        ...

    def agreed(self, kind: Kind) -> frozenset[Party]:
        """Over whom the first exact sum of a kind was said to be, finished or not; empty where none was."""
        ...


class NullStore:
    """Writes nothing down: for runs that live and die with this process."""

    def __init__(self) -> None:
        self._number = 0

    def begin(self, ask: Ask) -> int:
        """The next number."""
        self._number += 1
        return self._number

    def ended(self, ask: Ask, number: int, attempt: Attempt) -> None:
        """Nothing."""

    def opened(self, done: Round, answer: Answer, attempt: Attempt) -> None:
        """Nothing."""

    def recall(self, ask: Ask) -> tuple[Round, Answer] | None:
        """Nothing is known."""
        return None

    def agreed(self, kind: Kind) -> frozenset[Party]:
        """Nobody."""
        return frozenset()


class Sums:
    """The sums of one run. Call it with an ask; it gives the answer and logs the round.

    redone: rounds of this run that were run again before; repeats: how often an exact sum is repeated over the same
    sites after contributions had left: 0 where nobody can come back; ready: called before each try, it may wait.
    """

    def __init__(
        self,
        plan: Plan,
        runner: RoundRunner,
        *,
        store: RunStore | None = None,
        repeats: int = 0,
        redone: int = 0,
        progress: Progress = lambda ask: None,
        ready: Callable[[], None] = lambda: None,
    ) -> None:
        self.log = Log()
        self._plan = plan
        self._runner = runner
        self._store = store or NullStore()
        self._progress = progress
        self._ready = ready
        self._repeats = repeats
        self._excluded: dict[Party, Cause] = {}
        self._redo = plan.privacy.redo - redone
        self._same = {kind: self._store.agreed(kind) for kind in Kind}

    def __call__(self, ask: Ask) -> Answer:
        """One sum. Raises Abort: the cause, and whom it names."""
        self._progress(ask)
        known = self._store.recall(ask)
        if known is not None:
            return self._finished(ask, *known)
        left_over = self._repeats
        while True:
            self._ready()
            number = self._store.begin(ask)
            started = time.perf_counter()
            attempt = self._runner.attempt(ask, number, *self._seating(ask))
            if attempt.answer is not None:
                seconds = time.perf_counter() - started
                dropped = {str(site): cause for site, cause in attempt.lost.items()}
                done = Round(ask, number, dropped, seconds, attempt.traffic, time.time())
                self._store.opened(done, attempt.answer, attempt)
                return self._finished(ask, done, attempt.answer)
            self._store.ended(ask, number, attempt)
            self._same[ask.kind] = self._same[ask.kind] or attempt.agreed
            left_over -= self._give_up_or_retry(attempt, left_over)

    def _seating(self, ask: Ask) -> tuple[Mapping[Party, Cause], frozenset[Party]]:
        """(who takes no part, who must): those left out; of exact sums of a kind the sites of the first, no other.

        The first counts from when it was said over whom it is, opened or not: sites that signed it sign no other.
        """
        same = self._same[ask.kind] if self._plan.exact else frozenset()
        others = set(self._plan.sites) - same if same else set()
        return dict.fromkeys(others, Cause.LATE) | self._excluded, same

    def _finished(self, ask: Ask, done: Round, answer: Answer) -> Answer:
        # Without the public model, of which the log would else keep one a round; of one voted down nothing was added.
        blocks = () if answer.votes is not None and answer.votes.down else done.ask.blocks
        self.log.rounds.append(replace(done, ask=replace(done.ask, state=b"", blocks=blocks)))
        self._same[ask.kind] = answer.release.givers
        return answer

    def _give_up_or_retry(self, attempt: Attempt, repeats: int) -> int:
        """Go on without those who could not agree, or repeat, or use up one redo; otherwise raise the abort.

        A box that does not open accuses two: who sealed it and who says so. Nobody can tell them apart, so both
        stay away, and one liar cannot talk honest sites out of the round one by one. Once contributions have left,
        nobody is left out any more: with noise that would be a release that was not planned, without it a second sum
        over other sites. Gives how many repeats it used up.
        """
        assert attempt.abort is not None
        here = len(self._plan.sites) - len(self._excluded.keys() | attempt.accused.keys())
        self.log.aborts.append(str(attempt.abort))
        if attempt.accused and not attempt.left and here >= self._plan.fewest:
            self._excluded.update(attempt.accused)
            return 0
        if repeats > 0 and (self._plan.exact or not attempt.left):
            return 1
        if self._redo > 0:
            self._redo -= 1
            return 0
        raise attempt.abort
