"""What all pages share, whosever they are: who is asked to sign in, how a form arrives, how a page and an error look.

A page is a function of a `Visit`; a GET changes nothing. Everything is text to the templates, which escape all of it.
"""

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Literal, Protocol
from urllib.parse import parse_qsl, urlencode

from jinja2 import ChoiceLoader, Environment, FileSystemLoader
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp

from potluck.console.attempts import TooMany
from potluck.console.origin import USUAL, Guard, Origin, TooLarge, Way
from potluck.console.sessions import Form, Session, Sessions
from potluck.core.errors import PotluckError, Refused, UsageError
from potluck.core.visible import visible
from potluck.members.persons import Persons
from potluck.owner.access import Event, Outcome
from potluck.owner.form.labels import WORDS, code
from potluck.report.page import HERE as REPORT
from potluck.report.page import environment

HERE = Path(__file__).parent
_TYPED = re.compile(r"\b(potluck [a-z]|(chmod|chown|mv|rm|kill|systemctl|timedatectl|pip|apt-get) )")
"""How a command begins that a hint names."""
_LINKED = re.compile(r"/(requests|runs)/[0-9a-f]{1,64}(\?run=[0-9a-z]{1,64})?")
FILES = {
    "style.css": ((REPORT / "report.css", HERE / "console.css"), "text/css"),
    "passkeys.js": ((HERE / "passkeys.js",), "text/javascript"),
    "busy.js": ((HERE / "busy.js",), "text/javascript"),
    "live.js": ((HERE / "live.js",), "text/javascript"),
}
"""What pages load: of which files it is put together."""
FIELDS = 120
"""Most fields of a form."""
UPLOADS = 8
"""Most files of a form."""
EACH, AT_ONCE = 2, 6
"""Forms with files that are read at a time, of one person and of all."""


class Note(Protocol):
    """Writes a line of the access log: what is done on a page is in it, with the person."""

    def __call__(self, event: Event, person: str, outcome: Outcome = "", why: Sequence[str] = ()) -> None:
        """See `api.network.access.note`."""


@dataclass(frozen=True)
class Console:
    """The pages of one home. title: whose; menu: (address, name) of the pages that every page leads to; note: writes
    the access log; persons: who was invited; verb: of the command line, whose `web` serves them."""

    title: str
    origin: Origin
    sessions: Sessions
    menu: tuple[tuple[str, str], ...]
    note: Note
    persons: Persons
    verb: Literal["site", "server"] = "site"

    def session(self, cookies: str, *, quiet: bool = False) -> Session | None:
        """Whose request it is. Who was removed is signed out for good, and so is who came by the printed address once
        persons were invited: from then on each is known by a passkey or password of their own. quiet: see `find`."""
        found = self.sessions.find(cookies, quiet=quiet)
        return found if found is not None and self.alive(found) else None

    def alive(self, session: Session) -> bool:
        """Whether who began it is still signed in."""
        known = {one.handle: one.mark for one in self.persons.all()} or {"": ""}
        if known.get(session.handle) != session.mark:  # another process may have seen them choose something else
            self.sessions.forget(session)
        return self.sessions.alive(session)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file of a form. field: of the form; name: as the browser says it, which may be anything."""

    field: str
    name: str
    data: bytes


@dataclass(frozen=True)
class Visit:
    """One request. fields: of its form, files: those of it; query: of its address; name: the part of its address that
    says of what; cookies: the header, as the browser sent it."""

    console: Console
    session: Session | None
    path: str
    fields: Mapping[str, str] = field(default_factory=dict)
    files: Sequence[Upload] = ()
    query: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    cookies: str = field(default="", repr=False)

    @property
    def person(self) -> str:
        """Who is signed in."""
        return self.session.person if self.session else ""

    @property
    def whose(self) -> str:
        """Who is signed in, told apart from another of the same name who is invited later."""
        return self.session.handle or self.session.person if self.session else ""

    def page(self, template: str, title: str, status: int = 200, **values: object) -> Response:
        """A page of one of the templates. `here`: the address of the menu's entry that leads to it."""
        text = pages().get_template(template)
        shown = {"console": self.console, "visit": self, "title": title, "here": "", **values}
        return HTMLResponse(text.render(shown), status)

    def form(self, action: str, shown: str = "") -> str:
        """The id of a form that this page shows. shown: a digest of what the page says."""
        assert self.session is not None
        return self.console.sessions.form(self.session, action, shown)

    def take(self, action: str) -> Form:
        """The form that came, used up. Raises Refused: it is not one that a page of this session showed."""
        assert self.session is not None
        return self.console.sessions.take(self.session, self.fields.get("form", ""), action)

    def status(self, error: PotluckError) -> int:
        """What HTTP calls an error."""
        known = ((TooMany, 429), (Busy, 429), (Refused, 409), (TooLarge, 413))
        return next((number for kind, number in known if isinstance(error, kind)), 400)

    def failed(self, error: PotluckError) -> Response:
        """An error as a page: what, where, and what to do."""
        place = error.where.rpartition("/")[2]  # not where this machine has its files
        what = visible(f"{error.what} ({place})" if place else error.what)
        return self.page("failed.html", "That did not work", self.status(error), what=what, hint=visible(error.hint))


class Busy(Refused):
    """As much is at work as is let: it may be tried again."""


Handler = Callable[[Visit], ASGIApp]


@dataclass(frozen=True, slots=True)
class Page:
    """handler: what answers at the address. public: also to who is not signed in; post: it takes a form; quiet: a page
    asks for it by itself, which keeps nobody signed in; way: see there."""

    address: str
    handler: Handler
    public: bool = False
    post: bool = False
    quiet: bool = False
    way: Way = USUAL


def application(console: Console, served: Sequence[Page]) -> ASGIApp:
    """The program that a server runs."""
    files = [Page(f"/{name}", partial(_file, name), public=True) for name in FILES]
    every = (*served, *files, Page("/sign-out", _sign_out, post=True))
    reading = _Reading()
    routes = [
        Route(one.address, _endpoint(console, one, reading), methods=["POST"] if one.post else ["GET"]) for one in every
    ]
    unusual = [(route, page.way) for route, page in zip(routes, every, strict=True) if page.way is not USUAL]

    def way(path: str) -> Way:
        asked = {"type": "http", "path": path, "method": "GET"}
        return next((own for route, own in unusual if route.matches(asked)[0] is not Match.NONE), USUAL)

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
    return Guard(app, console.origin, way)


class _Reading(Counter[str]):
    """How many forms with files are being read, by whose they are."""


def _endpoint(console: Console, page: Page, reading: _Reading) -> Callable[[Request], Awaitable[ASGIApp]]:
    async def answer(request: Request) -> ASGIApp:
        visit = Visit(console, None, request.url.path)
        try:
            cookies = request.headers.get("cookie", "")
            session = console.session(cookies, quiet=page.quiet)
            if session is None and not page.public:
                return _signed_out(visit) if page.post else RedirectResponse(_sign_in(request), 303)
            visit = Visit(console, session, visit.path)
            name = str(request.path_params.get("name", ""))
            fields: Mapping[str, str] = {}
            files: Sequence[Upload] = ()
            if page.way.upload:
                fields, files = await _uploaded(request, reading, visit.whose)
            elif page.post:
                fields = _fields(await request.body())
            visit = Visit(console, session, visit.path, fields, files, dict(request.query_params), name, cookies)
            return await run_in_threadpool(page.handler, visit)
        except PotluckError as error:
            return visit.failed(error)

    return answer


def linked(text: str) -> str:
    """The page that a message leads to, of a request or a run; empty: a text that is no such address."""
    return text if _LINKED.fullmatch(text) else ""


def _sign_in(request: Request) -> str:
    """Where one signs in, and comes to the page that was asked for."""
    to = linked(f"{request.url.path}{f'?{request.url.query}' if request.url.query else ''}")
    return f"/sign-in?{urlencode({'to': to})}" if to else "/sign-in"


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


async def _uploaded(request: Request, reading: _Reading, whose: str) -> tuple[dict[str, str], list[Upload]]:
    """A form with files. It is read once it is known who sends it, and a few at a time, as each may be large.

    Raises Busy; UsageError: it is none; TooLarge.
    """
    if reading[whose] >= EACH or reading.total() >= AT_ONCE:
        raise Busy("other files are being read", hint="send them again in a moment")
    reading[whose] += 1
    fields: dict[str, str] = {}
    files: list[Upload] = []
    try:
        async with request.form(max_files=UPLOADS, max_fields=FIELDS) as form:
            for name, value in form.multi_items():
                if isinstance(value, UploadFile):
                    files.append(Upload(name, value.filename or "", await value.read()))
                elif name in fields:
                    raise UsageError("this is no form of these pages: it has a field twice")
                else:
                    fields[name] = value
    except (HTTPException, ValueError, LookupError):  # what its parser makes of what is none
        raise UsageError(f"this is no form of these pages, which take {UPLOADS} files at most") from None
    except ClientDisconnect:
        raise UsageError("the form was cut off") from None
    finally:
        reading[whose] -= 1
        if not reading[whose]:
            del reading[whose]
    return fields, files


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


def brief(text: str, most: int) -> str:
    """A text as it is, or its beginning and how much is left out."""
    return text if len(text) <= most else f"{text[:most]}... and {len(text) - most:,} more letters"


def command(text: str) -> bool:
    """Whether words say what to type, for whoever has a terminal."""
    return _TYPED.search(text) is not None


def meant(key: str, word: str) -> str:
    """What a word of a policy's key means; empty: it says it itself."""
    return WORDS.get(key, {}).get(word, "")


@cache
def pages() -> Environment:
    """The templates: these pages', and the report's, whose pictures they show."""
    shared = environment()
    assert shared.loader is not None
    made = shared.overlay(loader=ChoiceLoader([FileSystemLoader(HERE / "pages"), shared.loader]))
    made.tests["command"] = command
    made.filters |= {"visible": visible, "brief": brief, "code": code, "meant": meant}
    return made
