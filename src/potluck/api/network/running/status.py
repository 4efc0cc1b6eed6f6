"""`potluck site status`: whether a site's process runs, whether the broker knows it, what waits and what was spent.

It asks the process nothing: it reads the home, the lock, the small file that the process writes (`pulse`), and how full
the disk is.
"""

import math
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from potluck.api.network.doctor.finding import DAY
from potluck.api.network.ledger import spending
from potluck.api.network.membership.left import left
from potluck.api.network.membership.turned import unable
from potluck.api.network.policy.effects import waiting
from potluck.api.network.running.pulse import Beat, heard, mute
from potluck.core.errors import PotluckError
from potluck.core.party import Role
from potluck.core.prose import agree, utc
from potluck.members import offer
from potluck.members.federation import Federation, titled
from potluck.members.files import held
from potluck.members.home import SiteHome
from potluck.owner.access import Entry
from potluck.owner.access import read as read_log
from potluck.owner.reading import read as read_policy
from potluck.owner.requests import SHORTEST, Request, Requests, State
from potluck.parties.admission.proposal import read_of

BUSY = 60.0
"""Seconds without a new file after which a process that runs computes, or hangs."""
RECENT = 4 << 20
"""Bytes of the access log's end in which the last round is looked for."""


@dataclass(frozen=True)
class Spent:
    """epsilon: what the last year's runs come to, composed at delta; cap, left: of a year, None where there is none."""

    epsilon: float
    delta: float
    cap: float | None
    left: float | None


@dataclass(frozen=True)
class Status:
    """running: a process holds the site now; beat: what the last one wrote, None where none did; federation: pinned;
    runs: approved and not over; refused: likewise, but turned away here when they were asked for last, by run with the
    code; waiting: requests for which nobody decided; last: the newest round; spent: None of a compute party, and where
    `trouble` says why; mute: why a process that runs answers nothing; gone: that this party is no member any more;
    two_files: the other file of the pinned one's version that the coordinator signed; each empty where it is not so."""

    home: SiteHome
    running: bool
    beat: Beat | None
    federation: Federation | None
    runs: tuple[Request, ...]
    refused: tuple[tuple[Request, str], ...]
    waiting: tuple[Request, ...]
    last: Entry | None
    spent: Spent | None
    trouble: str
    now: float
    mute: str = ""
    gone: str = ""
    two_files: str = ""

    @property
    def well(self) -> bool:
        """Whether nothing is so that somebody has to act on now."""
        return not (self.mute or self.gone or self.two_files)

    @property
    def days_left(self) -> int | None:
        """Whole days until the federation file expires; None: there is none."""
        return math.floor((self.federation.expires - self.now) / DAY) if self.federation else None

    @property
    def lines(self) -> list[str]:
        """In words."""
        it, beat, last = self.federation, self.beat if self.running else None, self.last
        since = f" since {utc(beat.began)}, version {beat.program}" if beat else ""
        said = [f"{self.home.name}: {f'runs{since}' if self.running else 'does not run'}"]
        if self.mute:
            said.append(f"{self.mute}: potluck site doctor '{self.home.folder}'")
        elif self.beat and self.beat.stopped and not self.running:
            said.append(f"its last process ended: {self.beat.stopped}")
        if beat and self.now - beat.seen > BUSY:
            said.append(f"it computes, or hangs, since {utc(beat.seen)}")
        if it and beat:
            state = "connected" if beat.connected else f"not connected ({beat.trouble})"
            again = f", again {beat.reconnects} times" if beat.reconnects else ""
            said.append(f"broker {it.broker}: {state} since {utc(beat.since)}{again}")
            silent = [url for url, answers in beat.nodes.items() if not answers]
            said += [f"{len(silent)} of its {len(beat.nodes)} nodes {agree(len(silent), 'does', 'do')} not answer: "
                     f"{', '.join(silent)}"] if silent else []  # fmt: skip
        if it:
            good = f"good for {self.days_left} days more" if not self.gone else "no member of it any more"
            said.append(f"federation {it.name}, {titled(it.version, it.digest)}: {good}")
        else:
            said.append("it has joined no federation yet")
        for state, some in (("in progress", self.runs), ("waits", self.waiting)):
            said += [f"{state}: {_name(one) or '?'} of {one.asker}, {one.hash[:SHORTEST]}" for one in some]
        for one, code in self.refused:
            said.append(f"turned away ({code}): {_name(one) or '?'} of {one.asker}, {one.hash[:SHORTEST]}")
        if last:
            why = f" ({', '.join(last.why)})" if last.why else ""
            said.append(f"last round: number {last.round} of {last.plan or '?'}, {last.when}: {last.outcome}{why}")
        if self.spent:
            cap = "without a yearly cap" if self.spent.cap is None else f"of {self.spent.cap:g} in a year"
            said.append(f"epsilon {self.spent.epsilon:.4g} {cap}, composed at delta {self.spent.delta:g}")
        if self.two_files:
            said.append(f"the coordinator signed two files of one version, this and {self.two_files}: call the others")
        return [*said, *filter(None, (self.trouble, self.gone))]

    def document(self) -> dict[str, object]:
        """The JSON."""
        it, live = self.federation, self.beat if self.running else None
        broker = {
            "address": it.broker if it else None,
            "connected": live.connected if live else None,
            "since": utc(live.since) if live else None,
            "trouble": live.trouble if live else "",
            "reconnects": live.reconnects if live else None,
            "nodes": dict(live.nodes) if live else {},
        }
        return {
            "site": self.home.name,
            "role": self.home.role.value,
            "running": self.running,
            "well": self.well,
            "mute": self.mute,
            "since": utc(live.began) if live else None,
            "program": live.program if live else None,
            "seen": utc(live.seen) if live else None,
            "broker": broker,
            "federation": self._file(it) if it else None,
            "runs": [_run(one) for one in self.runs],
            "refused": [{**_run(one), "why": code} for one, code in self.refused],
            "waiting": [_run(one) for one in self.waiting],
            "last_round": _round(self.last) if self.last else None,
            "budget": asdict(self.spent) if self.spent else None,
            "trouble": ". ".join(filter(None, (self.gone, self.trouble))),
            "two_files": self.two_files,
        }

    def _file(self, it: Federation) -> dict[str, object]:
        digest, expires = f"sha256:{it.digest.hex()}", utc(it.expires)
        days = self.days_left
        return {"name": it.name, "version": it.version, "digest": digest, "expires": expires, "days_left": days}


def status(folder: Path, now: float | None = None) -> Status:
    """How the site in `folder` is. now: unix seconds. Raises UsageError, Refused: no home, or a file is damaged."""
    now = time.time() if now is None else now
    home = SiteHome.at(folder)
    with closing(Requests(home.requests)) as requests:
        every, pending = requests.every(), waiting(home, requests)
    entries = read_log(home.access, RECENT).entries
    rounds = [one for one in entries if one.event == "round"]
    away = unable(entries)
    approved = [one for one in every if one.state is State.APPROVED]
    spent, trouble = None, ""
    if home.me.role is Role.SITE:
        try:
            spent = _spent(home)
        except PotluckError as error:
            trouble = f"the budget cannot be read: {error.what}"
    running, beat, other = held(home.lock), heard(home.status), offer.two_files(home)
    return Status(
        home=home,
        running=running,
        beat=beat,
        federation=home.pinned() if home.federation.is_file() else None,
        runs=tuple(one for one in approved if one.run not in away),
        refused=tuple((one, away[one.run]) for one in approved if one.run in away and not _mended(one, every, away)),
        waiting=tuple(pending),
        last=rounds[-1] if rounds else None,
        spent=spent,
        trouble=trouble,
        now=now,
        mute=mute(home, beat) if running else "",
        gone=left(home),
        two_files=titled(other.version, other.digest) if other else "",
    )


def _mended(one: Request, every: tuple[Request, ...], away: Mapping[str, str]) -> bool:
    """Whether a later run of its asker's, of a plan of this name, was let in."""
    name, later = _name(one), every[every.index(one) + 1 :]
    let_in = (State.APPROVED, State.FINISHED)
    found = [other for other in later if other.asker == one.asker and other.state in let_in and other.run not in away]
    return bool(name) and any(_name(other) == name for other in found)


def _spent(home: SiteHome) -> Spent:
    allow = read_policy(home.policy).allow
    cap = allow.epsilon_per_year if math.isfinite(allow.epsilon_per_year) else None
    if not home.ledger.exists():
        return Spent(0.0, allow.delta, cap, cap)
    found = spending(home.folder)
    return Spent(found.composed_year, found.delta, cap, found.left)


def _name(one: Request) -> str:
    plan = read_of(one)
    return plan.name if plan else ""


def _run(one: Request) -> dict[str, object]:
    since = utc(one.first_seen)
    return {"run": one.run, "hash": f"sha256:{one.hash}", "plan": _name(one), "asker": one.asker, "since": since}


def _round(one: Entry) -> dict[str, object]:
    about = {"when": one.when, "plan": one.plan, "run": one.run, "round": one.round}
    return {**about, "outcome": one.outcome, "why": list(one.why)}
