"""Where the pages are, and which requests are let through at all: before any session is looked up.

A browser sends requests here for any page that it shows. So a request must name this very host (a name that an attacker
points at 127.0.0.1 is another one: DNS rebinding), one that changes something must come from a page of this origin
(Origin, Fetch Metadata: CSRF), and no other site may embed or frame what is served. References: OWASP's CSRF and
clickjacking cheat sheets; W3C Fetch Metadata, section 5.

It does NOT know who asks: other users of the machine are refused before (`console.connections`), other programs of the
same user are not.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from potluck.core.errors import UsageError

MOST = 64 << 10
"""Bytes of a request's body."""
PATIENCE, SLOW = 10.0, 30.0
"""Seconds in which a form has to come, and one with files: who is not signed in holds a connection so long."""
LONGEST = 1024
"""Bytes of a path, and of a query."""
FORM, UPLOAD = "application/x-www-form-urlencoded", "multipart/form-data"
POLICY = "; ".join(
    [
        "default-src 'none'", "style-src 'self'", "script-src 'self'", "img-src data:", "form-action 'self'",
        "base-uri 'none'", "frame-ancestors 'none'",
    ]
)  # fmt: skip
LIVE = f"{POLICY}; connect-src 'self'"
"""Of a page whose script asks for news."""
REPORT = "; ".join(
    [
        "sandbox", "default-src 'none'", "style-src 'unsafe-inline'", "img-src data:", "form-action 'none'",
        "base-uri 'none'", "frame-ancestors 'none'",
    ]
)  # fmt: skip
"""Of a run's report, a file that is whole by itself: whatever it held, it runs no script, sends nothing, and is of no
origin, so that it reads no page and no cookie."""
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with no-referrer a browser would send forms without their Origin
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}
_LABEL = "[a-z0-9]([a-z0-9-]*[a-z0-9])?"
_HTTPS = re.compile(rf"https://{_LABEL}(\.{_LABEL})*(:(?P<port>[1-9][0-9]{{0,4}}))?")
_HERE = re.compile(r"http://localhost:[1-9][0-9]{0,4}")


@dataclass(frozen=True, slots=True)
class Origin:
    """What a browser calls the pages' place, e.g. http://localhost:8711."""

    text: str

    @classmethod
    def here(cls, port: int) -> "Origin":
        """On this machine."""
        return cls(f"http://localhost:{port}".removesuffix(":80"))  # a browser leaves that one out

    @classmethod
    def behind(cls, text: str) -> "Origin":
        """As the hospital's own proxy shows them. Raises UsageError: not https, or more than a host and port."""
        found = _HTTPS.fullmatch(text)
        if found is None or int(found["port"] or 443) > 65535:
            hint = "e.g. https://potluck.hospital.example, without a path; letters small"
            raise UsageError(f"{text!r} is no origin that a proxy may show", hint=hint)
        return cls(text.removesuffix(":443"))

    @classmethod
    def named(cls, text: str) -> "Origin":
        """On this machine, or behind its proxy, as somebody wrote it. Raises UsageError: neither."""
        return cls(text.removesuffix(":80")) if _HERE.fullmatch(text) else cls.behind(text)

    @property
    def host(self) -> str:
        """What a browser sends as Host."""
        return self.text.partition("://")[2]

    @property
    def name(self) -> str:
        """The host without its port: where passkeys hold."""
        return self.host.partition(":")[0]

    @property
    def secure(self) -> bool:
        """Whether a browser comes by TLS."""
        return self.text.startswith("https://")


SECURE = {"Strict-Transport-Security": "max-age=31536000"}
"""Where a browser comes by TLS: it comes by nothing else for a year, not even to be sent on."""


class TooLarge(UsageError):
    """More was sent than is taken."""


@dataclass(frozen=True, slots=True)
class Way:
    """In what an address differs from others. policy: what its answer may do; upload: bytes of files that it takes, 0
    where it takes a form alone."""

    policy: str = POLICY
    upload: int = 0

    def headers(self) -> Mapping[str, str]:
        """What its answer has, and no other word of the program's under these names."""
        alone = "unsafe-none" if self.policy == REPORT else "same-origin"  # browsers show no sandbox with the other
        return {**HEADERS, "Content-Security-Policy": self.policy, "Cross-Origin-Opener-Policy": alone}


USUAL = Way()


@dataclass(frozen=True, slots=True)
class Guard:
    """Around the whole program: what it refuses nobody else sees, and whatever leaves has the headers. way: by path."""

    app: ASGIApp
    origin: Origin
    way: Callable[[str], Way] = lambda path: USUAL

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the module."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            way = self.way(scope["path"])
            more = SECURE if self.origin.secure else {}
            good, bad = {**way.headers(), **more}, {**USUAL.headers(), **more}
            await self._answer(scope, receive, _with_headers(send, good, bad), way)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _answer(self, scope: Scope, receive: Receive, send: Send, way: Way) -> None:
        refused = refusal(scope, self.origin, UPLOAD if way.upload else FORM)
        body = b""
        if refused is None and scope["method"] == "POST" and way.upload:
            await self.app(scope, _bounded(receive, way.upload), send)  # read once it is known who sends it
            return
        if refused is None and scope["method"] == "POST":
            try:
                async with asyncio.timeout(PATIENCE):
                    body, refused = await _body(receive)
            except TimeoutError:
                refused = (408, "the form did not come in time")
        if refused is not None:
            status, why = refused
            await PlainTextResponse(f"Refused: {why}.\n", status)(scope, receive, send)
            return
        sent = False

        async def again() -> Message:
            nonlocal sent
            if sent:
                return await receive()
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, again, send)


def refusal(scope: Scope, origin: Origin, kind: str = FORM) -> tuple[int, str] | None:
    """(status, why) of a request that is not let through; None: it is. kind: of what is sent to the address."""
    method, named = scope["method"], _headers(scope)

    def one(name: str) -> str | None:
        found = named.get(name, [])
        return found[0] if len(found) == 1 else None if not found else ""  # two are none that could be right

    if method not in ("GET", "HEAD", "POST"):
        return 405, "only GET, HEAD and POST are answered here"
    if one("host") != origin.host:
        return 421, f"these pages are at {origin.text}, and at no other name"
    path = scope.get("raw_path") or scope["path"].encode()
    if len(path) > LONGEST or len(scope["query_string"]) > LONGEST or not re.fullmatch(rb"/|(/[A-Za-z0-9.-]+)+", path):
        return 404, "there is no such page"
    site = one("sec-fetch-site")
    if method != "POST":
        link = (one("sec-fetch-mode"), one("sec-fetch-dest")) == ("navigate", "document")
        outside = site not in (None, "same-origin", "none")
        return (403, "another site's page asks for this one") if outside and not link else None
    if one("origin") != origin.text or site not in (None, "same-origin"):
        return 403, "the form is not from a page of this origin"
    if (one("content-type") or "").partition(";")[0].strip().lower() != kind:
        return 415, f"only forms are taken ({kind})"
    return None


def _headers(scope: Scope) -> dict[str, list[str]]:
    named: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        named.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return named


async def _body(receive: Receive) -> tuple[bytes, tuple[int, str] | None]:
    """The body, or why it is refused; of one that is too long no more than MOST bytes are held."""
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b"", (400, "the form was cut off")
        body += message.get("body", b"")
        if len(body) > MOST:
            return b"", (413, f"a form has at most {MOST} bytes")
        if not message.get("more_body", False):
            return body, None


def _bounded(receive: Receive, most: int) -> Receive:
    """What comes, up to so many bytes and within SLOW, whatever length it says. Raises TooLarge, UsageError."""
    ends, size = asyncio.get_running_loop().time() + SLOW, 0

    async def next_one() -> Message:
        nonlocal size
        try:
            async with asyncio.timeout_at(ends):
                message = await receive()
                size += len(message.get("body", b""))
                while size > most and message.get("more_body", False):  # else a browser does not read the answer
                    message = await receive()
        except TimeoutError:
            raise UsageError("the files did not come in time", hint="send them again, or smaller ones") from None
        if size > most:
            raise TooLarge(f"at most {most >> 20} MB are taken here", hint="potluck server run takes larger files")
        return message

    return next_one


def _with_headers(send: Send, good: Mapping[str, str], bad: Mapping[str, str]) -> Send:
    """bad: of an error, which is a page as others are, whatever the address has."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = bad if message["status"] >= 400 else good
            own = {name.lower().encode() for name in headers}
            kept = [(name, value) for name, value in message.get("headers", []) if name.lower() not in own]
            extra = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
            message = {**message, "headers": [*kept, *extra]}
        await send(message)

    return sending
