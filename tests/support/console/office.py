"""The coordinator's home with its pages, and an office that does what a test says: no broker, no site."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import tomli_w
from starlette.types import ASGIApp

from potluck.api.network import members as api
from potluck.api.network.office.written import Event
from potluck.api.network.status import File, Heard, Live, Standing
from potluck.api.plan.plan import Plan
from potluck.console.origin import Origin
from potluck.console.server.drafts import drafts
from potluck.console.server.program import program
from potluck.core.errors import PotluckError, UsageError
from potluck.core.party import Party, site
from potluck.learning.evaluation.validation import Look
from potluck.members.about import NOTHING, About
from potluck.members.home import CoordinatorHome
from potluck.owner.access import AccessLog, Subject
from support.console.home import TOKEN, Clock, Visitor
from support.parties import scene

PORT = 8712
ORIGIN = Origin.here(PORT)


@dataclass
class FakeOffice:
    """Runs in a list, newest first."""

    home: CoordinatorHome
    runs: list[Live] = field(default_factory=list)
    said: dict[str, list[Event]] = field(default_factory=dict)
    looks: dict[str, list[Look]] = field(default_factory=dict)
    here: dict[Party, float | None] = field(default_factory=dict)
    trouble: PotluckError | None = None
    nodes: dict[str, bool] = field(default_factory=dict)
    asked: int = 0

    def submit(self, plan: Plan, person: str = "", *, wait: float | None = None, fresh: bool = False) -> str:
        plan.require()
        found = live(f"{len(self.runs) + 1:032x}", plan.spec.name, plan.hash, person=person)
        self.runs.insert(0, found)
        self._note("submit", found, person)
        return found.run

    def cancel(self, run: str, person: str = "", reason: str = "") -> None:
        found = next(one for one in self.runs if one.run == run)
        self.change(run, state="cancelled", why=f"cancelled by {person}; {reason}", ended=time.time())
        self._note("cancel", found, person, reason)

    def standing(self) -> Standing:
        self.asked += 1
        it = self.home.standing().federation
        return Standing(it.name, File(it.version, f"sha256:{it.digest.hex()}"), True, tuple(self.runs))

    def run(self, name: str) -> Live | None:
        self.asked += 1
        return next((one for one in self.runs if one.run == name), None)

    def events(self, run: str, after: int = 0) -> tuple[Event, ...]:
        return tuple(self.said.get(run, ()))[after:]

    def history(self, run: str) -> tuple[Look, ...]:
        return tuple(self.looks.get(run, ()))

    def online(self) -> dict[Party, float | None]:
        return self.here

    def change(self, run: str, **changes: object) -> None:
        """One run is otherwise from now on."""
        if not any(one.run == run for one in self.runs):
            raise UsageError("no such run")
        self.runs = [replace(one, **changes) if one.run == run else one for one in self.runs]

    def _note(self, event: str, run: Live, person: str, reason: str = "") -> None:
        about = Subject(person=person, plan=run.plan, run=run.run, hash=run.hash.removeprefix("sha256:"), reason=reason)
        AccessLog(self.home.access).write(event, datetime.now(UTC), about=about)


def live(run: str, plan: str = "scene", hash: str = "sha256:" + "0" * 64, **changes: object) -> Live:
    """A run that waits for its four sites."""
    sites = tuple(Heard(name, "silent", (), None, None, 0, None) for name in "abcd")
    return replace(Live(run, plan, hash, "waiting", time.time(), 3, 0, 0, "", 0, 0, 0, None, sites), **changes)


def found(folder: Path) -> Path:
    """A coordinator with the members a, b, c and d; gives its home."""
    api.federation_new(folder / "fed", "tls://localhost:4222", time.time(), 30)
    for name in "abcd":
        api.site_new(folder / name, None, about=About("Klinik <b>", "DE") if name == "a" else NOTHING)
    api.federation_add(folder / "fed", [folder / n / f"{n}.card" for n in "abcd"], time.time())
    return folder / "fed"


@dataclass
class Desk:
    """Pages, the office behind them, and where drafts lie."""

    folder: Path
    office: FakeOffice
    app: ASGIApp
    clock: Clock

    def visitor(self, person: str = "ann") -> Visitor:
        """A browser that nobody has signed in with."""
        return Visitor(self.folder, ORIGIN, person, self.clock, TOKEN, self.app)


@contextmanager
def desk(folder: Path, origin: Origin = ORIGIN, token: str = TOKEN) -> Iterator[Desk]:
    """The coordinator's pages of the home in `folder`."""
    office, clock = FakeOffice(CoordinatorHome.at(folder)), Clock()
    office.here = {site(name): 1.0 for name in "ab"}
    with drafts(folder) as kept:
        yield Desk(folder, office, program(folder, office, kept, origin, "ann", token, clock), clock)


def text(**changes: object) -> str:
    """A plan of the four sites, as TOML. changes: of its tables and keys."""
    return toml(scene.plan(), **changes)


def toml(plan: Plan, **changes: object) -> str:
    """Any plan's. changes: of its tables and keys."""
    plain = msgspec.json.decode(msgspec.json.encode(plan.tables))
    return tomli_w.dumps({**plain, **changes})


def plan() -> Plan:
    """The same plan."""
    return scene.plan()
