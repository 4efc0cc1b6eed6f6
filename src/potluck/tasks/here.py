"""A run with all parties in one process, as tasks and the one runner of it speak of it: `run`, `up`, `check`."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from potluck.core.asks import Ask
from potluck.core.plan import Plan
from potluck.drivers.memory import Memory
from potluck.drivers.sums import Log
from potluck.learning.data.tally import Tally
from potluck.tee.attestation.demand import Demand

Json = dict[str, object]
Beside = object
"""What a run is compared with where one process holds all rows, which is not private: a type of the task's own. None:
it was not asked for, or there is nothing."""


class Outcome(Protocol):
    """What comes of a run: a type of the task's own."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to mind of it."""
        ...


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The outcome of a round whose results others have: the server knows that it was carried out."""

    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Begun:
    """A run that begins in this process. name: its own; memory: where all parties meet; kept: the folder of the owners'
    ledgers, in which they keep alignments too; demand: every owner's, of an enclave.

    charged: while it is entered, the run is begun in the ledgers. progress: is told of each sum as it begins. scored:
    owners want what the model says of their rows, of a task that trains.
    """

    name: str
    memory: Memory = field(repr=False)
    kept: Path
    demand: Demand | None
    charged: Callable[[], AbstractContextManager[None]]
    progress: Callable[[Ask], None]
    scored: bool = False


class Here(Protocol):
    """What all parties of a plan bring, read and checked; nothing has been sent."""

    @property
    def spec(self) -> Plan:
        """The plan, its column patterns resolved."""
        ...

    def tallies(self, outcome: Outcome | None = None) -> Mapping[str, Tally]:
        """What became of the values, by site. outcome: of the run, where it says so itself. Raises as the run would."""
        ...

    def warnings(self) -> list[str]:
        """What to mind of the run, beside what the plan and the outcome say."""
        ...

    def play(self, begun: Begun) -> tuple[Outcome, Log]:
        """All of the run. Raises Abort, DataError, Refused, UsageError."""
        ...

    def beside(self, outcome: Outcome) -> Beside:
        """What no owner could do alone; None: nothing."""
        ...

    def fetch(self, homes: Mapping[str, Path], run: str) -> Outcome | None:
        """What the reader of the results kept in its home, which is on this machine, as `play` would have given it.
        None: the server has it. homes: by site. Raises UsageError: there is nothing."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a run would cost, beside epsilon. bytes_up: one site's in one round; seconds: of one round here; None: not
    measured. forecast, outlook: how well results will be known, as JSON and in words; data: as `Here.tallies`.
    rate, pace: of descent, which rate is recommended, likewise; signal, noise: of training with noise, how much a round
    can say beside it; room, needs: what training a graph takes of a site; useful, advice, usefulness: of
    training with noise, how useful the model will be, which keys would make it better, and both in lines.
    bytes_look: as bytes_up, of a look at validation rows; bytes_later: of a round of statistics after the first, at
    most; bytes_sums: of all rounds, where not all are as long as the longest, of which bytes_up then is."""

    warnings: list[str] = field(default_factory=list)
    bytes_up: int | None = None
    bytes_look: int | None = None
    seconds: float | None = None
    grid: Mapping[str, object] = field(default_factory=dict)
    bytes_later: int | None = None
    bytes_sums: int | None = None
    forecast: Mapping[str, object] | None = None
    outlook: str = ""
    data: Mapping[str, Tally] = field(default_factory=dict)
    rate: Mapping[str, object] | None = None
    pace: str = ""
    signal: Mapping[str, object] | None = None
    noise: str = ""
    room: Mapping[str, object] | None = None
    needs: str = ""
    useful: Mapping[str, object] | None = None
    advice: Sequence[Json] = ()
    usefulness: Sequence[str] = ()
