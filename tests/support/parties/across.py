"""A federation across threads: real homes and ledgers in a folder, the network in memory and disturbed at will."""

import contextlib
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import msgspec

from potluck.api.network import members as api
from potluck.api.network.ledger import anchor
from potluck.api.network.membership.follow import Follower
from potluck.core.party import SERVER, Party, site
from potluck.core.plan import CODE, canonical
from potluck.core.plan import Plan as Spec
from potluck.drivers.sums import Sums, drive
from potluck.drivers.transcript import Transcript
from potluck.learning.loops import build
from potluck.learning.models.sent import letter_of
from potluck.members.home import CoordinatorHome, SiteHome
from potluck.members.pinned import Pinned
from potluck.mpc.local import addresses
from potluck.owner.access import AccessLog
from potluck.owner.budget import Budget
from potluck.owner.requests import Requests
from potluck.parties.admission.consent import Consent
from potluck.parties.admission.owner import Owner
from potluck.parties.admission.session import Proposal
from potluck.parties.runners.identities import Identities
from potluck.parties.runners.identity import identity
from potluck.parties.runners.journal import Journal
from potluck.parties.runners.known_heads import KnownHeads
from potluck.parties.runners.server import Coordinator, Run
from potluck.parties.runners.site import Site
from potluck.tasks.catalog import planned
from potluck.tasks.sums import protections
from support.owner.policies import COMPUTES, OPEN
from support.parties import scene
from support.parties.lines import Exchange


def found(folder: Path, names: str = "abcd", rows: int = 40) -> Path:
    """Homes of a coordinator and its sites, enrolled, each with its rows and a policy that allows all."""
    api.federation_new(folder / "fed", "tls://localhost:4222", time.time(), 30)
    frames = scene.frames(names, rows)
    for name in names:
        api.site_new(folder / name, None)
        (folder / name / "policy.toml").write_text(OPEN)
        frames[name].to_csv(folder / name / "rows.csv", index=False)
    api.federation_add(folder / "fed", [folder / n / f"{n}.card" for n in names], time.time())
    for name in names:
        api.site_join(folder / name, folder / "fed" / "federation.toml", time.time(), "")
    return folder


@dataclass
class Across:
    """One federation in a folder. Sites run in threads; the coordinator in the caller's. here: those that attend."""

    folder: Path
    exchange: Exchange = field(default_factory=Exchange)
    said: list[tuple[str, str]] = field(default_factory=list)
    heard: dict[str, list[str]] = field(default_factory=dict)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    followers: dict[str, Follower] = field(default_factory=dict)
    patience: float = 0.0
    here: tuple[str, ...] = ()

    def home(self, name: str) -> SiteHome:
        return SiteHome.at(self.folder / name)

    @contextmanager
    def attending(self, *names: str) -> Iterator[None]:
        """These sites run until the block ends."""
        stop, trouble = threading.Event(), []
        me = [self.home(name).me for name in names]

        def attend(name: str) -> None:
            try:
                with self.site(name, stop) as one:
                    one.run()
            except Exception as error:
                trouble.append(error)

        running = [threading.Thread(target=attend, args=(name,), name=name) for name in names]
        before, self.here = self.here, (*self.here, *names)
        for thread in running:
            thread.start()
        try:
            yield
        finally:
            self.here = before
            stop.set()
            for party in me:  # else each waits for its next letter for half a second
                self.exchange.wake(party)
            for thread in running:
                thread.join(120)
                assert not thread.is_alive()
            for party in me:
                self.exchange.awake(party)
            if trouble:  # why the others waited in vain
                raise trouble[0]

    @contextmanager
    def site(self, name: str, stop: threading.Event) -> Iterator[Site]:
        home = self.home(name)
        member = home.open(time.time())
        with Budget(home.ledger, anchor=anchor(home, member)) as ledger, Requests(home.requests) as requests:
            told = self.heard.setdefault(name, [])
            pinned, log = Pinned.at(home), AccessLog(home.access)
            consent = Consent(Owner(home, pinned, ledger, requests, log, told.append, self.now))
            follower = self.followers[name] = Follower(pinned, ledger, log, told.append)
            me = Identities(pinned, consent.bound)

            def over() -> bool:
                follower.look()
                return stop.is_set()

            yield Site(me, self.exchange.line(home.me), ledger, consent, over, patience=self.patience)

    @contextmanager
    def coordinator(
        self, spec: Spec, run: str, wait: float = 60.0, record: Path | None = None
    ) -> Iterator[tuple[Coordinator, Journal]]:
        home = CoordinatorHome.at(self.folder / "fed")
        member = home.open(time.time())
        planned(spec)  # once here, and kept: else the threads of all sites reckon it at the same time
        task = build(spec)
        it = member.federation
        first = next(task.lead())
        proposal = Proposal(CODE, it.version, it.digest, canonical(spec), sha256(first.state).digest(), b"")
        running = Run(spec, task, protections.across(spec), run, proposal, wait, Transcript(record), letter_of(spec))
        heads = KnownHeads(home.folder / "heads.json", it)
        with contextlib.closing(Journal(self.folder / f"{run}.sqlite", spec)) as journal:
            line = self.exchange.line(SERVER)
            yield (
                Coordinator(running, identity(member), line, journal, heads, lambda e, t: self.said.append((e, t))),
                journal,
            )

    def run(
        self,
        spec: Spec,
        run: str = "ab" * 16,
        wait: float = 60.0,
        repeats: int = 3,
        answered: Iterable[str] | None = None,
        record: Path | None = None,
    ):
        """The outcome and the log of a whole run. answered: see `gather`; None: all must have agreed. record: where
        what the server reads of the sites goes."""
        with self.coordinator(spec, run, wait, record) as (coordinator, journal):
            if answered is None:
                coordinator.gather()
            else:
                gather(coordinator, answered)
            sums = Sums(spec, coordinator, store=journal, redone=journal.unopened(), repeats=repeats)
            outcome = drive(build(spec), sums)
            coordinator.close(b"")
            return outcome, sums.log


def until(fed: Across, spec: Spec, verdict: str, run: str = "ab" * 16) -> None:
    """A server gathers until the first site has said so, and no longer."""
    with fed.coordinator(spec, run) as (coordinator, _):
        of = coordinator.participants.of
        coordinator.participants.hopeless = lambda: of[min(of)].verdict == verdict
        coordinator.gather()


def gather(coordinator: Coordinator, answered: Iterable[str]) -> None:
    """Gather until these have answered, whatever they say, and no longer: nobody waits for a time to pass."""
    guests, no, names = coordinator.participants, coordinator.participants.hopeless, set(answered)

    def enough() -> bool:
        return no() or all(guest.verdict != "silent" for party, guest in guests.of.items() if party.name in names)

    guests.hopeless = enough
    coordinator.gather()
    guests.hopeless = no


def computing(folder: Path, names: Sequence[str]) -> None:
    """Compute parties of that name join the federation in `folder`; their homes are called compute-NAME."""
    fed = folder / "fed"
    for name in names:
        api.site_new(folder / f"compute-{name}", name, compute=True)
        (folder / f"compute-{name}" / "policy.toml").write_text(COMPUTES.format(ports=drawn()))
    api.federation_add(fed, [SiteHome.at(folder / f"compute-{n}").card for n in names], time.time())
    for marker in folder.glob("*/site.toml"):
        api.site_join(marker.parent, fed / "federation.toml", time.time(), "")


def drawn() -> str:
    """Some ports of the loopback, as a policy says them."""
    first = addresses(1)[0].rsplit(":", 1)[1]
    return f"{first}-{int(first) + 15}"


def quick(plan, patience: float = 60.0) -> Spec:
    """The plan's data with another patience. A long one costs nothing where all answer."""
    spec = plan.spec
    return msgspec.structs.replace(spec, federation=msgspec.structs.replace(spec.federation, patience=patience))


def copy(folder: Path, to: Path) -> Path:
    """A whole folder put back from a copy."""
    shutil.rmtree(to, ignore_errors=True)
    return shutil.copytree(folder, to)


def parties(names: str) -> frozenset[Party]:
    return frozenset(site(name) for name in names)
