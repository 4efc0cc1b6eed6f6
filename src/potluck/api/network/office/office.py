"""The office: one coordinator's process, one line and one lease, and several runs.

Every run has a thread of its own, from its proposals to its report. It is proposed at once, and waits for its sites and
their owners as long as it was told to; only so many runs are in rounds at a time. Whatever ends one run touches no
other. All that a run is stands in its journal, so that after a kill the next start goes on with every run that had not
ended. The office promises nothing about who submits: whoever can write the coordinator's home can.
"""

import math
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from potluck.api.network.carried import possible
from potluck.api.network.line import line
from potluck.api.network.office.hall import Hall
from potluck.api.network.office.submitted import cancelled, going, rung, submitted
from potluck.api.network.office.written import Event, events_of, folder_of, looks_of
from potluck.api.network.running.watched import Nodes
from potluck.api.network.sessions import Order, Say, quiet
from potluck.api.network.status import Kept, Live, Standing, one, status
from potluck.api.plan.plan import Plan
from potluck.core.errors import PotluckError, Refused, Unreachable, UsageError
from potluck.core.party import SERVER, Party
from potluck.learning.evaluation.validation import Look
from potluck.members.files import locked
from potluck.members.home import CoordinatorHome
from potluck.net.presence import present
from potluck.parties.runners.turns import Turns

AT_ONCE = 2
"""Runs in rounds at a time."""
TICK = 0.25
AGAIN = 5.0
"""Seconds after which a line that broke is opened again."""
SEEN = 3.0
"""Seconds for which the broker's word about who is connected is good."""


class Office:
    """What pages and verbs ask of the process. Safe to use from several threads."""

    def __init__(self, home: CoordinatorHome, at_once: int, say: Say) -> None:
        self.home = home
        self._say = say
        self._turns = Turns(at_once)
        self._over = threading.Event()
        self._begun = threading.Event()
        self._trouble: PotluckError | None = None
        self._hall: Hall | None = None
        self._nodes: Nodes | None = None
        self._asking = threading.Lock()
        self._asked = -math.inf
        self._seen: dict[Party, float] = {}
        self._kept: dict[Path, Kept] = {}

    def submit(self, plan: Plan, person: str = "", *, wait: float | None = None, fresh: bool = False) -> str:
        """The name of the run that carries out `plan`, durable when this returns.

        wait: seconds to wait for sites and their approval, None: without end. A plan whose run has not ended, or
        failed, goes on in that run; fresh: it is cancelled, and a new one begun. Raises PlanError: it is wrong, or
        cannot be carried out across machines; UsageError: too many runs have not ended; Refused: the federation file.
        """
        possible(plan, self.home.open(time.time()).federation, datetime.now(UTC))
        return submitted(self.home, plan, Order(wait=wait, person=person, office=True), fresh)

    def cancel(self, run: str, person: str = "", reason: str = "") -> None:
        """End a run before its next round; the rounds that are finished stand. reason: words for the access log.

        Raises UsageError: no such run, or it has ended.
        """
        cancelled(self.home, folder_of(self.home, run), person, reason)

    def standing(self) -> Standing:
        """How things stand, as `potluck status` says it."""
        return status(self.home.folder, self._kept)

    def run(self, name: str) -> Live | None:
        """How one run stands; None: there is none of this name."""
        try:
            return one(folder_of(self.home, name))
        except UsageError:
            return None

    def events(self, run: str, after: int = 0) -> tuple[Event, ...]:
        """The words of a run that are newer than `after`. Raises UsageError: no such run."""
        return events_of(folder_of(self.home, run), after)

    def history(self, run: str) -> tuple[Look, ...]:
        """What looks at validation rows said of a run's model so far. Raises UsageError: no such run."""
        return looks_of(folder_of(self.home, run))

    def online(self) -> Mapping[Party, float | None]:
        """By party the seconds since the broker said that it is connected; None: not since this office began. It is
        the broker's word, and proves nothing."""
        hall = self._hall
        with self._asking:
            if hall is not None and time.monotonic() - self._asked > SEEN:
                self._asked = time.monotonic()
                try:
                    here = hall.link.wait_for(self._present(hall), SEEN + 5)
                except PotluckError:
                    here = frozenset()
                self._seen |= dict.fromkeys(here, self._asked)
            now = time.monotonic()
            parties = self.home.standing().federation.cards.keys() - {SERVER}
            return {one: max(0.0, now - self._seen[one]) if one in self._seen else None for one in sorted(parties)}

    @property
    def trouble(self) -> PotluckError | None:
        """Why no run goes on at the moment; None where all is well."""
        return self._trouble or (self._hall.link.trouble if self._hall else None)

    @property
    def nodes(self) -> Mapping[str, bool]:
        """Which of the broker's nodes answered last, by address; empty where there is one, or none was asked yet."""
        return self._nodes.answers if self._nodes else {}

    async def _present(self, hall: Hall) -> frozenset[Party]:
        parties = self.home.standing().federation.cards.keys() - {SERVER}
        return await present(await hall.link.session(time.monotonic() + SEEN), parties)

    def attend(self) -> None:
        """Be at work until `close`: whatever breaks the line only interrupts the runs, which then go on."""
        while not self._over.is_set():
            try:
                self._at_work()
            except PotluckError as error:
                if self._trouble is None or str(self._trouble) != str(error):  # else the same each few seconds
                    self._say("interrupted", str(error))
                self._trouble = error
            except Exception as error:  # a bug of ours: the last edge of this thread
                self._trouble = Unreachable(f"the office was interrupted ({type(error).__name__})")
                self._say("interrupted", type(error).__name__)
            self._begun.set()
            self._over.wait(AGAIN)

    def _at_work(self) -> None:
        """Raises what breaks the line, or takes the lease away."""
        member = self.home.open(time.time())
        with (
            line(self.home, member, self._say) as (link, lease, nodes),
            closing(Hall(self.home, link, lease, self._turns)) as hall,
        ):
            for folder in going(self.home):
                hall.start(folder)
            rung(self.home)
            self._hall, self._nodes, self._trouble = hall, nodes, None
            self._begun.set()
            try:
                while not self._over.is_set():
                    hall.board.hand(TICK)
                    for run in rung(self.home):
                        hall.start(self.home.runs / run)
                    hall.follow()
                    if lease.lost is not None:
                        raise lease.lost
            finally:
                self._hall = self._nodes = None

    def started(self) -> None:
        """Wait until it is at work, or for the clock's sake is not. Raises what else keeps it from that.

        A file that has expired is renewed and a clock is set while the process waits. No run goes on meanwhile: whether
        a file or a permit still counts cannot be told by a clock that is wrong.
        """
        self._begun.wait()
        if self._trouble is None:
            return
        try:
            self.home.standing().federation.current(time.time())
        except Refused:
            return
        raise self._trouble

    def close(self) -> None:
        """Nothing is done any more; rounds in flight are begun again at the next start."""
        self._over.set()


@contextmanager
def opened(folder: str | Path, *, at_once: int = AT_ONCE, say: Say = quiet) -> Iterator[Office]:
    """The office of the federation whose coordinator's home is `folder`, at work until the block ends.

    at_once: how many runs are in rounds at a time. Raises UsageError: no such home; Refused: another server runs this
    federation, or the federation file is forged; Unreachable: no broker. A file that has expired, or is not valid
    yet by this clock, raises nothing: the office waits, and `trouble` says so.
    """
    home = CoordinatorHome.at(Path(folder))
    home.standing()
    office = Office(home, at_once, say)
    with (
        locked(home.lock, "another server runs this federation on this machine"),
        locked(home.office, "another office runs in this home"),
    ):
        thread = threading.Thread(target=office.attend, name="potluck-office", daemon=True)
        thread.start()
        try:
            office.started()
            yield office
        finally:
            office.close()
            thread.join()
