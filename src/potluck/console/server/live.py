"""A run's page that follows the run: parts of it, sent again as server-sent events when they change.

A stream is bounded in number, ends with its session and with its run, and keeps nobody signed in: a page that asks by
itself is no sign of a person. Reference: WHATWG HTML, section 9.2, server-sent events.
"""

import asyncio
import json
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from potluck.console.sessions import Session
from potluck.console.shell import Console
from potluck.core.errors import PotluckError

EACH, PERSON, ALL = 4, 8, 32
"""Most streams of one session, of one person in all their sessions, and in all."""
TICK = 1.0
"""Seconds between looks at the run."""
PING = 15
"""Looks without news after which a line says that the stream is there: proxies close what is silent."""


@dataclass(frozen=True, slots=True)
class News:
    """How a run stands now. parts: HTML by the name of its place on the page; over: nothing more will come."""

    parts: Mapping[str, str]
    over: bool


class Streams:
    """All that are open."""

    def __init__(self, tick: float = TICK) -> None:
        self._tick = tick
        self._lock = threading.Lock()
        self._open: Counter[tuple[str, str, int]] = Counter()

    def follow(self, console: Console, session: Session, news: Callable[[], News]) -> ASGIApp:
        """The answer that goes on until the run or the session is over."""

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            key = (session.handle, session.person, id(session))
            if scope["method"] == "HEAD" or not self._taken(key):
                refused = PlainTextResponse("Refused: too many pages follow runs already.\n", 429)
                await refused(scope, receive, send)
                return
            try:
                lines = self._lines(console, session, news)
                # A proxy that gathers answers would keep the news.
                head = {"X-Accel-Buffering": "no"}
                await StreamingResponse(lines, media_type="text/event-stream", headers=head)(scope, receive, send)
            finally:
                self._left(key)

        return answer

    async def _lines(self, console: Console, session: Session, news: Callable[[], News]) -> AsyncIterator[str]:
        told: dict[str, str] = {}
        silent = 0

        def look() -> News | None:
            return news() if console.alive(session) else None

        while True:
            try:
                now = await run_in_threadpool(look)
            except PotluckError:
                return
            if now is None:
                return
            changed = {name: text for name, text in now.parts.items() if told.get(name) != text}
            if changed:
                told, silent = told | changed, 0
                yield f"data: {json.dumps(changed)}\n\n"
            if now.over:
                yield "event: over\ndata: over\n\n"
                return
            silent += 1
            if silent % PING == 0:
                yield ": still here\n\n"
            await asyncio.sleep(self._tick)

    def _taken(self, key: tuple[str, str, int]) -> bool:
        with self._lock:
            own = sum(number for other, number in self._open.items() if other[:2] == key[:2])
            if self._open[key] >= EACH or own >= PERSON or self._open.total() >= ALL:
                return False
            self._open[key] += 1
            return True

    def _left(self, key: tuple[str, str, int]) -> None:
        with self._lock:
            self._open[key] -= 1
            if not self._open[key]:
                del self._open[key]
