"""What all pages share, whosever they are: who is asked to sign in, how a form arrives, how a page and an error look.

A page is a function of a `Visit`; a GET changes nothing. Everything is text to the templates, which escape all of it.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qsl

from jinja2 import ChoiceLoader, Environment, FileSystemLoader
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from potluck.console.attempts import TooMany
from potluck.console.origin import Guard, Origin
from potluck.console.sessions import Form, Session, Sessions
from potluck.core.errors import PotluckError, Refused, UsageError
from potluck.core.visible import visible
from potluck.members.persons import Persons
from potluck.owner.access import Event, Outcome
from potluck.report.page import HERE as REPORT
from potluck.report.page import environment

HERE = Path(__file__).parent
FILES = {
    "style.css": ((REPORT / "report.css", HERE / "console.css"), "text/css"),
    "passkeys.js": ((HERE / "passkeys.js",), "text/javascript"),
}
"""What pages load: of which files it is put together."""
FIELDS = 20
"""Most fields of a form."""


class Note(Protocol):
    """Writes a line of the access log: what is done on a page is in it, with the person."""

    def __call__(self, event: Event, person: str, outcome: Outcome = "", why: Sequence[str] = ()) -> None:
        """See `api.network.access.note`."""


@dataclass(frozen=True)
class Console:
    """The pages of one home. title: whose; menu: (address, name) of the pages that every page leads to; note: writes
    the access log; persons: who was invited."""

    title: str
    origin: Origin
    sessions: Sessions
    menu: tuple[tuple[str, str], ...]
    note: Note
    persons: Persons

    def session(self, cookies: str) -> Session | None:
        """Whose request it is. Who was removed is signed out for good, and so is who came by the printed address once
        persons were invited: from then on each is known by a passkey or password of their own."""
        found = self.sessions.find(cookies)
        if found is None:
            return None
        known = [one.handle for one in self.persons.all()]
        if found.handle in (known or [""]):
            return found
        self.sessions.forget(found)
        return None


@dataclass(frozen=True)
class Visit:
    """One request. fields: of its form; query: of its address; name: the part of its address that says of what."""

    console: Console
    session: Session | None
    path: str
    fields: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    name: str = ""

    @property
    def person(self) -> str:
        """Who is signed in."""
        return self.session.person if self.session else ""

    def page(self, template: str, title: str, status: int = 200, **values: object) -> Response:
        """A page of one of the templates."""
        text = pages().get_template(template)
        shown = {"console": self.console, "visit": self, "title": title, **values}
        return HTMLResponse(text.render(shown), status)

    def form(self, action: str, shown: str = "") -> str:
        """The id of a form that this page shows. shown: a digest of what the page says."""
        assert self.session is not None
        return self.console.sessions.form(self.session, action, shown)

    def take(self, action: str) -> Form:
        """The form that came, used up. Raises Refused: it is not one that a page of this session showed."""
        assert self.session is not None
        return self.console.sessions.take(self.session, self.fields.get("form", ""), action)

    def failed(self, error: PotluckError) -> Response:
        """An error as a page: what, where, and what to do."""
        status = 429 if isinstance(error, TooMany) else 409 if isinstance(error, Refused) else 400
        place = error.where.rpartition("/")[2]  # not where this machine has its files
        what = visible(f"{error.what} ({place})" if place else error.what)
        return self.page("failed.html", "That did not work", status, what=what, hint=visible(error.hint))


Handler = Callable[[Visit], Response]


@dataclass(frozen=True, slots=True)
class Page:
    """handler: what answers at the address. public: also to who is not signed in; post: it takes a form."""

    address: str
    handler: Handler
    public: bool = False
    post: bool = False


def application(console: Console, served: Sequence[Page]) -> ASGIApp:
    """The program that a server runs."""
    files = [Page(f"/{name}", partial(_file, name), public=True) for name in FILES]
    every = (*served, *files, Page("/sign-out", _sign_out, post=True))
    routes = [
        Route(one.address, _endpoint(console, one), methods=["POST"] if one.post else ["GET"], name=one.address)
        for one in every
    ]

    async def absent(request: Request, error: Exception) -> Response:
        visit = Visit(console, console.session(request.headers.get("cookie", "")), request.url.path)
        status = error.status_code if isinstance(error, HTTPException) else 404
        hint = "the menu has the pages that there are"
        return visit.page("failed.html", "That did not work", status, what="there is no such page", hint=hint)

    async def bug(request: Request, error: Exception) -> Response:
        visit = Visit(console, None, request.url.path)
        hint = "start the program with -v and report what it prints"
        return visit.page("failed.html", "That did not work", 500, what=f"bug: {type(error).__name__}", hint=hint)

    app = Starlette(routes=routes, exception_handlers={HTTPException: absent, Exception: bug})
    return Guard(app, console.origin)


def _endpoint(console: Console, page: Page) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        visit = Visit(console, None, request.url.path)
        try:
            session = console.session(request.headers.get("cookie", ""))
            if session is None and not page.public:
                return _signed_out(visit) if page.post else RedirectResponse("/sign-in", 303)
            name = str(request.path_params.get("name", ""))
            fields = _fields(await request.body()) if page.post else {}
            visit = Visit(console, session, visit.path, fields, dict(request.query_params), name)
            return await run_in_threadpool(page.handler, visit)
        except PotluckError as error:
            return visit.failed(error)

    return answer


def _signed_out(visit: Visit) -> Response:
    hint = "sign in again, and look at the page before you decide"
    return visit.page("failed.html", "Signed out", 401, what="nobody is signed in any more", hint=hint)


def _fields(body: bytes) -> dict[str, str]:
    """A form's fields, each once. Raises UsageError: it is none."""
    try:
        found = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=FIELDS)
    except ValueError:
        raise UsageError("this is no form of these pages") from None
    if len(dict(found)) != len(found):
        raise UsageError("this is no form of these pages: it has a field twice")
    return dict(found)


def _file(name: str, visit: Visit) -> Response:
    paths, kind = FILES[name]
    return Response("\n".join(path.read_text(encoding="utf-8") for path in paths), media_type=kind)


def _sign_out(visit: Visit) -> Response:
    visit.take("/sign-out")
    assert visit.session is not None
    visit.console.note("sign-out", visit.person)
    answer = RedirectResponse("/sign-in", 303)
    visit.console.sessions.end(visit.session, answer)
    return answer


@cache
def pages() -> Environment:
    """The templates: these pages', and the report's, whose pictures they show."""
    shared = environment()
    assert shared.loader is not None
    return shared.overlay(loader=ChoiceLoader([FileSystemLoader(HERE / "pages"), shared.loader]))
