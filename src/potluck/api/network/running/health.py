"""What monitoring may know of a site's process, and of a coordinator's: figures and checks without a name in them.

Whoever is on this machine may ask for them. So there is no plan, asker, run, person or row in them, no epsilon and no
number that follows from rows: what stands here the broker, which nobody trusts, or the coordinator knows anyway, but
for how many requests wait, the disk, and whether the policy can be read.
"""

import shutil
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from potluck.api.network.doctor.home import FEW
from potluck.api.network.membership.left import left
from potluck.api.network.running.pulse import Counts, Pulse
from potluck.core.errors import PotluckError
from potluck.core.plan import CODE
from potluck.core.rounds import Cause
from potluck.members.home import SiteHome
from potluck.owner.reading import read as read_policy
from potluck.owner.requests import Requests

Samples = Mapping[tuple[str, ...], float]
ANSWERS = ("approved", "pending", "denied", "refused")
FRESH = 5.0
"""Seconds for which an answer is given again: who asks ever more often makes no work."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that has to be so. what: in words that name nothing."""

    name: str
    good: bool
    what: str


@dataclass(frozen=True, slots=True)
class Figure:
    """A metric. samples: by the values of its labels, which are words of this program; () where it has none."""

    name: str
    kind: Literal["counter", "gauge"]
    what: str
    samples: Samples
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Health:
    """Both."""

    checks: tuple[Check, ...]
    figures: tuple[Figure, ...]

    @property
    def good(self) -> bool:
        """Whether all is."""
        return all(one.good for one in self.checks)


@dataclass(slots=True)
class Looking:
    """Health of a process, looked at anew when FRESH seconds have passed. look: at unix seconds; any thread may ask."""

    look: Callable[[float], Health]
    clock: Callable[[], float] = time.time
    _at: float = float("-inf")
    _known: Health | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self) -> Health:
        """How it is."""
        with self._lock:
            now = self.clock()
            if self._known is None or not 0 <= now - self._at < FRESH:
                self._known, self._at = self.look(now), now
            return self._known


def both(home: Path, began: float, connected: bool, left: float) -> Health:
    """What a site's process and a coordinator's have alike. began: unix seconds; left: those until its federation file
    expires."""
    free = shutil.disk_usage(home).free
    checks = (
        Check("broker", connected, "connected" if connected else "not connected"),
        Check("disk", free >= FEW, "has room" if free >= FEW else "is nearly full"),
        Check("expiry", left > 0, "the federation file is good" if left > 0 else "the federation file has expired"),
    )
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    program: Samples = {(CODE, python): 1.0}
    figures = (
        Figure("potluck_build_info", "gauge", "The program that runs.", program, ("version", "python")),
        gauge("potluck_start_time_seconds", "When the process began, in unix seconds.", began),
        gauge("potluck_broker_connected", "Whether there is a connection to the broker.", float(connected)),
        gauge("potluck_disk_free_bytes", "Room where the home lies.", float(free)),
        gauge("potluck_federation_expiry_seconds", "Seconds until the federation file expires.", left),
    )
    return Health(checks, figures)


def health(pulse: Pulse, now: float) -> Health:
    """How a site's process is. now: unix seconds."""
    home, counts = pulse.home, pulse.counts()
    readable = _readable(home)
    alike = both(home.folder, pulse.began, counts.connected, _left(home, now))
    gone = left(home)
    member = Check("member", not gone, "no member any more" if gone else "a member, as far as is known here")
    policy = Check("policy", readable, "can be read" if readable else "cannot be read: nothing is allowed")
    figures = (
        *alike.figures,
        *_counted(counts),
        gauge("potluck_busy_seconds", "Seconds since the process last looked for letters.", counts.busy),
        gauge("potluck_requests_waiting", "Requests that were asked and not decided.", _waiting(home)),
        gauge("potluck_policy_readable", "Whether the owner's policy can be read.", float(readable)),
    )
    return Health((*alike.checks, policy, member), figures)


def gauge(name: str, what: str, value: float) -> Figure:
    """One number, without labels."""
    return Figure(name, "gauge", what, {(): value})


def answering(nodes: Mapping[str, bool]) -> Figure:
    """How many of a broker's nodes answer. nodes: by address, empty where there is one or none was asked yet."""
    now = Counter("yes" if one else "no" for one in nodes.values())
    found: Samples = {(said,): float(now[said]) for said in ("yes", "no")} if nodes else {}
    return Figure("potluck_broker_nodes", "gauge", "Nodes of a broker of three, once asked.", found, ("answers",))


def _counted(counts: Counts) -> tuple[Figure, ...]:
    def of(names: Iterable[str], all_: Iterable[str]) -> Samples:
        found: dict[tuple[str, ...], float] = {(outcome,): 0.0 for outcome in all_}  # else `increase` misses the first
        for (what, outcome), number in counts.happened.items():
            if what in names:
                found[(outcome,)] = found.get((outcome,), 0.0) + number
        return found

    def moved(by: Mapping[str, int]) -> Samples:
        return {(way,): float(by.get(way, 0)) for way in ("in", "out")}

    causes = tuple(cause.value for cause in Cause)
    rounds = of(["round"], ("done", *causes))
    again: Samples = {(): float(counts.reconnects)}
    letters, size, answers = moved(counts.letters), moved(counts.bytes), of(["request"], ANSWERS)
    lost, told = of(["discarded", "refused", "dropped"], causes), of(["notify"], ("done", "refused", "aborted"))
    return (
        answering(counts.nodes),
        Figure("potluck_broker_reconnects_total", "counter", "Times the broker was connected to again.", again),
        Figure("potluck_letters_total", "counter", "Letters that came and went.", letters, ("direction",)),
        Figure("potluck_letter_bytes_total", "counter", "Bytes of these letters.", size, ("direction",)),
        Figure("potluck_rounds_total", "counter", "Rounds, by how they came out.", rounds, ("outcome",)),
        Figure("potluck_answers_total", "counter", "Answers to requests, by what was said.", answers, ("outcome",)),
        Figure("potluck_discarded_total", "counter", "Letters and rounds not taken, by cause.", lost, ("cause",)),
        Figure("potluck_notifications_total", "counter", "Messages of what waits.", told, ("outcome",)),
    )


def _left(home: SiteHome, now: float) -> float:
    try:
        return home.pinned().expires - now
    except PotluckError:
        return 0.0


def _readable(home: SiteHome) -> bool:
    try:
        read_policy(home.policy)
    except PotluckError:
        return False
    return True


def _waiting(home: SiteHome) -> float:
    """How many; NaN where the file cannot be read now."""
    try:
        with closing(Requests(home.requests)) as requests:
            return float(len(requests.pending()))
    except PotluckError:
        return float("nan")
