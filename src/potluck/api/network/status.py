"""`potluck status`: what a federation's server is doing and what it did, from its journals; none of it is private.

Who was never heard in a run is silent while a server waits for its answer. Once the run has ended, or no server runs,
nobody waits: it was not heard.
"""

import contextlib
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from potluck.api.network.reckoning import reckoning
from potluck.api.network.sessions import FINISHED, GOING, OPEN, UNFINISHED, order_in, planned_in, why_of
from potluck.core.errors import PotluckError
from potluck.core.party import SERVER, Party, Role
from potluck.core.plan import Plan as Spec
from potluck.core.prose import utc
from potluck.core.schema import of_later
from potluck.members.files import held as _held
from potluck.members.home import CoordinatorHome
from potluck.parties.runners.journal import Journal
from potluck.parties.runners.participants import program_of, silent_of


@dataclass(frozen=True)
class File:
    """A federation file, as people compare it."""

    version: int
    digest: str

    def __str__(self) -> str:
        return f"version {self.version} ({self.digest})"

    def document(self) -> dict[str, object]:
        """The JSON of it."""
        return {"version": self.version, "digest": self.digest}


@dataclass(frozen=True)
class Heard:
    """A site or compute party as the server last heard it. verdict: its answer; "silent": none yet, or no word since it
    fell silent in a round, and a server waits for one; "not heard": none, and nobody waits. seen: seconds since its
    last word, or the end of the last round to which it contributed; spent: epsilon, None without noise; file: the
    federation file that it goes by, None where it was not heard; program: version of its program, empty where it did
    not say."""

    name: str
    verdict: str
    codes: tuple[str, ...]
    seen: float | None
    spent: float | None
    dropped: int
    file: File | None
    program: str = ""

    def document(self, computes: bool = False) -> dict[str, object]:
        """The JSON of one. computes: a compute party spends nothing, and is no drop-out."""
        said = {"state": self.verdict, "codes": list(self.codes), "seconds_ago": self.seen}
        said |= {} if computes else {"spent": self.spent, "dropped": self.dropped}
        return said | {"file": self.file.document() if self.file else None}


@dataclass(frozen=True)
class Live:
    """One run. sums: how many there are in all; opened: how many are done; tries: rounds that came to nothing; file:
    the federation file that it began with and ends under; person: who submitted it, empty: not said; why: of one that
    failed, or was cancelled; ended: seconds since 1970; out: the folder of one that finished; first: when its first
    round began; ending: somebody cancelled it, and it has not ended yet."""

    run: str
    plan: str
    hash: str
    state: str
    began: float
    sums: int
    opened: int
    tries: int
    now: str
    bytes_up: int
    bytes_down: int
    resumed: int
    file: File | None
    sites: tuple[Heard, ...]
    computes: tuple[Heard, ...] = ()
    person: str = ""
    why: str = ""
    ended: float | None = None
    out: Path | None = None
    first: float | None = None
    ending: bool = False

    def document(self) -> dict[str, object]:
        """The JSON of one run."""
        return {
            "run": self.run,
            "plan": {"name": self.plan, "hash": self.hash},
            "state": self.state,
            "why": self.why,
            "person": self.person,
            "began": utc(self.began),
            "ended": None if self.ended is None else utc(self.ended),
            "out": None if self.out is None else str(self.out),
            "rounds": {"opened": self.opened, "of": self.sums, "redone": self.tries, "now": self.now},
            "bytes_up": self.bytes_up,
            "bytes_down": self.bytes_down,
            "resumed": self.resumed,
            "file": self.file.document() if self.file else None,
            "sites": {one.name: one.document() for one in self.sites},
            "compute": {one.name: one.document(computes=True) for one in self.computes},
        }

    @property
    def strays(self) -> list[str]:
        """Who goes by another federation file than the run, in words."""
        found = [(one.name, one.file) for one in self.sites]
        found += [(f"{one.name} (compute)", one.file) for one in self.computes]
        return [f"{name} goes by {file}, the run by {self.file}" for name, file in found if file and file != self.file]


@dataclass(frozen=True)
class Standing:
    """A coordinator's home. file: in force; running: a server's process holds it now."""

    federation: str
    file: File
    running: bool
    runs: tuple[Live, ...]

    def document(self) -> dict[str, object]:
        """The JSON of `potluck status`."""
        head = {"federation": self.federation, **self.file.document(), "running": self.running}
        return {**head, "runs": [one.document() for one in self.runs]}


@dataclass(frozen=True, slots=True)
class Kept:
    """An ended run as it was read. stamp: of its journal's files, which change when the run does; when: it was read,
    seconds since 1970."""

    stamp: tuple[tuple[int, int], ...]
    when: float
    run: Live


def status(folder: Path, kept: dict[Path, Kept] | None = None) -> Standing:
    """How things stand at the coordinator in `folder`, newest run first. kept: for who asks often, ended runs that need
    not be read again. Raises UsageError, Refused: no such home."""
    home = CoordinatorHome.at(folder)
    it, running = home.standing().federation, _held(home.lock)
    file = File(it.version, f"sha256:{it.digest.hex()}")
    return Standing(it.name, file, running, tuple(live(folder, running, kept)))


def live(folder: Path, running: bool = True, kept: dict[Path, Kept] | None = None) -> Iterator[Live]:
    """Every run of the coordinator in `folder`, newest first; one whose journal is just being made is left out.

    running: whether a server is at work. Who starts one knows it: to look at its lock could keep it from starting.
    kept: as of `status`. Raises Refused: a later Potluck wrote a journal.
    """
    paths = list(CoordinatorHome(folder).runs.glob("*/journal.sqlite"))
    for path in sorted(paths, key=lambda path: path.stat().st_mtime, reverse=True):
        stamp, now = _stamp(path), time.time()
        known = None if kept is None else kept.get(path)
        if known is not None and known.stamp == stamp:
            yield _later(known.run, now - known.when)
            continue
        found = one(path.parent, running)
        if found is not None and kept is not None and found.state not in GOING:
            kept[path] = Kept(stamp, now, found)
        if found is not None:
            yield found


def one(folder: Path, running: bool = True) -> Live | None:
    """The run in a folder; None: its journal is just being made, or cannot be read. Raises Refused: a later Potluck
    wrote it."""
    try:
        with closing(Journal.look(folder / "journal.sqlite")) as journal:
            return _live(folder, journal, running)
    except PotluckError as error:
        if of_later(error):
            raise
        return None


def _stamp(journal: Path) -> tuple[tuple[int, int], ...]:
    """Sizes and times of a journal's files: another one after every change."""
    found = []
    for path in (journal, journal.with_name(f"{journal.name}-wal")):
        with contextlib.suppress(FileNotFoundError):
            is_now = path.stat()
            found.append((is_now.st_size, is_now.st_mtime_ns if is_now.st_size else 0))
    return tuple(size_and_time for size_and_time in found if size_and_time[0])


def _later(run: Live, seconds: float) -> Live:
    """The same, so many seconds after it was read."""
    sites, computes = (
        tuple(who if who.seen is None else replace(who, seen=who.seen + seconds) for who in some)
        for some in (run.sites, run.computes)
    )
    return replace(run, sites=sites, computes=computes)


def _live(folder: Path, journal: Journal, running: bool) -> Live:
    plan = planned_in(folder, journal)
    rounds = journal.rounds()
    flying = [one for one in rounds if not one["ended"]]
    state = journal.fact("state") or OPEN
    open_now = flying and state == OPEN
    unheard = "silent" if running and state in GOING else "not heard"
    why, ended, out = why_of(journal), journal.fact("ended"), journal.fact("place")
    return Live(
        run=folder.name,
        plan=plan.name,
        hash=journal.fact("plan") or "",
        state=state,
        began=float(journal.fact("began") or "0"),
        sums=int(journal.fact("sums") or "0"),
        opened=sum(1 for one in rounds if one["opened"]),
        tries=sum(1 for one in rounds if not one["opened"] and one["ended"]),
        now=f"{flying[-1]['kind']} {flying[-1]['step'] + 1}" if open_now else "",
        bytes_up=sum(one.get("up", 0) for one in rounds),
        bytes_down=sum(one.get("down", 0) for one in rounds),
        resumed=int(journal.fact("resumed") or "0"),
        file=_file(journal, SERVER),
        sites=_heard(plan, journal, rounds, Role.SITE, unheard),
        computes=_heard(plan, journal, rounds, Role.COMPUTE, unheard),
        person=order_in(journal).person,
        why=why.words if why else journal.fact("cancel") or "",
        ended=float(ended) if ended and state not in GOING else None,
        out=Path(out) if out and state == FINISHED else None,
        first=rounds[0]["began"] if rounds else None,
        ending=state in UNFINISHED and journal.fact("cancel") is not None,
    )


def _heard(plan: Spec, journal: Journal, rounds: list[dict[str, Any]], role: Role, unheard: str) -> tuple[Heard, ...]:
    """Sites or compute parties, in the plan's order. unheard: the verdict of who was never heard."""
    parties = plan.compute if role is Role.COMPUTE else plan.sites
    if not parties:
        return ()
    noisy = role is Role.SITE and plan.noisy
    cost = reckoning(plan, journal.paid()) if noisy else {}
    said = {name: (verdict, codes, seen, epsilon) for name, verdict, codes, seen, epsilon, _ in journal.sites(role)}
    lost = [one.get("lost", {}) for one in rounds if one["opened"] and role is Role.SITE]
    found = []
    for party in parties:
        verdict, codes, seen, epsilon = said.get(party.name, (unheard, (), None, None))
        spent = (cost[party.name] if epsilon is None else epsilon) if noisy else None
        gave = [
            one["ended"] for one in rounds if one["ended"] and role is Role.SITE and party.name in one.get("paid", ())
        ]
        last = max([seen, *gave]) if seen is not None else None
        if last is not None and unheard == "silent" and float(journal.fact(silent_of(party)) or 0) > last:
            verdict = unheard
        ago, dropped = None if last is None else time.time() - last, sum(party.name in one for one in lost)
        program = journal.fact(program_of(party)) or ""
        found.append(Heard(party.name, verdict, codes, ago, spent, dropped, _file(journal, party), program))
    return tuple(found)


def _file(journal: Journal, party: Party) -> File | None:
    known = journal.file(party)
    return None if known is None else File(known[0], f"sha256:{known[1].hex()}")
