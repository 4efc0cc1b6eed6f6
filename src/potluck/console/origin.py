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
from dataclasses import dataclass

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from potluck.core.errors import UsageError

MOST = 64 << 10
"""Bytes of a request's body."""
PATIENCE = 30.0
"""Seconds in which a body has to come."""
LONGEST = 1024
"""Bytes of a path, and of a query."""
FORM = "application/x-www-form-urlencoded"
POLICY = "; ".join(
    [
        "default-src 'none'", "style-src 'self'", "script-src 'self'", "img-src data:", "form-action 'self'",
        "base-uri 'none'", "frame-ancestors 'none'",
    ]
)  # fmt: skip
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


@dataclass(frozen=True, slots=True)
class Guard:
    """Around the whole program: what it refuses nobody else sees, and whatever leaves has the headers."""

    app: ASGIApp
    origin: Origin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the module."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, _with_headers(send))
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = refusal(scope, self.origin)
        body = b""
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


def refusal(scope: Scope, origin: Origin) -> tuple[int, str] | None:
    """(status, why) of a request that is not let through; None: it is."""
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
    if (one("content-type") or "").partition(";")[0].strip().lower() != FORM:
        return 415, f"only forms are taken ({FORM})"
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


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = {name.lower().encode() for name in HEADERS}
            kept = [(name, value) for name, value in message.get("headers", []) if name.lower() not in own]
            extra = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
            message = {**message, "headers": [*kept, *extra]}
        await send(message)

    return sending
