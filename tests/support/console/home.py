"""A site's home with requests in it, and its pages as programs and browsers ask for them."""

import contextlib
import re
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import uvicorn
from starlette.testclient import TestClient
from starlette.types import ASGIApp

from potluck.api.network import members as api
from potluck.api.network.inbox import note_rows
from potluck.api.network.ledger import anchor
from potluck.console.origin import Origin
from potluck.console.serve import settings
from potluck.console.site.program import program
from potluck.core.asks import Kind
from potluck.core.plan import Plan as Spec
from potluck.core.plan import canonical, digest
from potluck.core.rounds import CHARGE, Record
from potluck.core.wire import dump
from potluck.dp.account import NEIGHBOURS, Cost, event_of
from potluck.members.home import SiteHome
from potluck.owner.budget import Budget
from potluck.owner.reading import read as read_policy
from potluck.owner.requests import Requests
from support.owner.policies import OPEN
from support.parties import scene

PORT = 8711
ORIGIN = Origin.here(PORT)
TOKEN = "f" * 64
ASKER = "hospitals"


def found(folder: Path, rule: str = "person", people: int = 1) -> Path:
    """A coordinator, and the site `a` with its rows, whose policy asks so many persons; gives the site's home."""
    api.federation_new(folder / "fed", "tls://localhost:4222", time.time(), 30)
    frames = scene.frames("abcd", 40)
    for name in "abcd":
        api.site_new(folder / name, None)
    approve = f'rule = "{rule}"\npeople = {people}'
    (folder / "a" / "policy.toml").write_text(OPEN.replace('rule = "policy"', approve).replace("inf", "10.0"))
    frames["a"].to_csv(folder / "a" / "rows.csv", index=False)
    api.federation_add(folder / "fed", [folder / n / f"{n}.card" for n in "abcd"], time.time())
    api.site_join(folder / "a", folder / "fed" / "federation.toml", time.time(), "")
    return folder / "a"


def spec(**changes: object) -> Spec:
    """A plan with noise, of four sites."""
    return msgspec.structs.replace(_spec(), **changes)


@cache
def _spec() -> Spec:
    return scene.plan(privacy=scene.SHARED).spec


def ask(
    folder: Path, plan: Spec | None = None, run: str = "r1", asker: str = ASKER, codes: tuple[str, ...] = ()
) -> str:
    """A run is asked for, as the site's process would write it; gives the plan's hash."""
    home, plan = SiteHome.at(folder), plan or spec()
    with Requests(home.requests) as book:
        book.ask(run, digest(plan), canonical(plan), asker, time.time(), codes, read_policy(home.policy).approve)
    return digest(plan).hex()


def policy(folder: Path, before: str, after: str) -> None:
    """The owner changes a line of the policy."""
    path = folder / "policy.toml"
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def counted(folder: Path) -> None:
    """Somebody looked at the rows, as `site preview` does, and found something."""
    home = SiteHome.at(folder)
    with Requests(home.requests) as book:
        (waiting,) = book.pending()
    note_rows(home, waiting, "p", ["column 'x': 3 values outside the declared range"])


def spent(folder: Path, run: str = "r1") -> float:
    """A run has charged one sum, under noise; gives what all of the ledger comes to."""
    home = SiteHome.at(folder)
    with Budget(home.ledger, anchor=anchor(home, home.open(time.time()))) as ledger:
        ledger.rejoin(run, "heart", bytes(32), "row", 1e-5, time.time())
        cost = Cost(2, Kind.TRAIN, "row", NEIGHBOURS, "shared", *event_of(20.0, 1.0, 0.0, False), 1e-5, 20)
        ledger.write(Record(f"{CHARGE}{run}/1", dump(cost)))
        return ledger.composed()


@dataclass
class Clock:
    """Time that a test moves."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Visitor:
    """A browser of one person: it keeps cookies, and says of its requests what a browser says."""

    folder: Path
    origin: Origin = ORIGIN
    person: str = "ann"
    clock: Clock = field(default_factory=Clock)
    token: str = TOKEN
    app: ASGIApp | None = None
    client: TestClient = field(init=False)

    def __post_init__(self) -> None:
        self.app = self.app or program(self.folder, self.origin, self.person, self.token, self.clock)
        self.client = TestClient(
            self.app, base_url=self.origin.text, follow_redirects=False, raise_server_exceptions=False
        )

    def again(self) -> "Visitor":
        """Another browser at the same pages."""
        return replace(self)

    def get(self, path: str, **headers: str):
        return self.client.get(path, headers=headers)

    def post(self, path: str, fields: dict[str, str] | None = None, **headers: str | None):
        said = {"Origin": self.origin.text, "Sec-Fetch-Site": "same-origin"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        return self.client.post(path, data=fields or {}, headers={k: v for k, v in said.items() if v is not None})

    def upload(
        self,
        path: str,
        fields: dict[str, str],
        files: Sequence[tuple[str, str, bytes]] = (),
        **headers: str | None,
    ):
        """A form with files: (field, name, bytes) each."""
        parts = [(name, (None, text)) for name, text in fields.items()]
        parts += [(name, (file, data, "application/octet-stream")) for name, file, data in files]
        said = {"Origin": self.origin.text, "Sec-Fetch-Site": "same-origin"} | headers
        return self.client.post(path, files=parts, headers={k: v for k, v in said.items() if v is not None})

    def enter(self) -> "Visitor":
        """Signed in, by the printed address."""
        assert self.post("/enter/now", {"token": TOKEN}).status_code == 303
        return self

    def form(self, page: str, action: str) -> str:
        """The id of the form on a page that goes to this address."""
        text = self.get(page).text
        match = re.search(
            rf'action="{re.escape(action)}"[^>]*>\s*<input type="hidden" name="form" value="([0-9a-f]+)"', text
        )
        assert match, text
        return match[1]

    def decide(self, plan: str, verdict: str, reason: str = "because", form: str = "", **headers: str):
        """Read a request's page and press one of its buttons."""
        page = f"/requests/{plan}"
        fields = {"form": form or self.form(page, f"{page}/decide"), "verdict": verdict, "reason": reason}
        return self.post(f"{page}/decide", fields, **headers)


@contextlib.contextmanager
def served(app: ASGIApp, sockets: list, *, proxied: bool = False) -> Iterator[None]:
    """The program answers in a thread until the block ends."""
    server = uvicorn.Server(settings(app, proxied=proxied))
    thread = threading.Thread(target=server.run, args=(sockets,))
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(60)


class _Unfolded(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.folds, self.inside, self.said = 0, "", list[str]()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.folds += tag == "details"
        self.inside = tag if tag in ("main", "summary") else self.inside

    def handle_endtag(self, tag: str) -> None:
        self.folds -= tag == "details"
        self.inside = {"main": "", "summary": "main"}.get(tag, self.inside)

    def handle_data(self, data: str) -> None:
        if self.inside and self.folds <= (self.inside == "summary"):
            self.said += data.split()


def unfolded(text: str) -> list[str]:
    """The words of a page's main part, of its folds the titles alone."""
    page = _Unfolded()
    page.feed(text)
    return page.said


def words(text: str) -> str:
    """What a page says, without its tags."""
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text)))
