"""One connection in the NATS client protocol, as much of it as a link needs: publish, subscribe, headers, pings.

Reference: NATS documentation, "Client Protocol". Everything happens as bytes arrive, without a task or a queue for a
message, and what is written in one turn of the loop leaves at once.
It does NOT connect again or know several servers. A broker that answers no ping, or speaks another language, has lost
the connection.
"""

import asyncio
import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from potluck.net.protocol import Malformed, Message, Reader

PING, UNANSWERED = 3.0, 3
"""Seconds between two pings, and how many may wait for their answer before the connection counts as dead."""
JOINED = 64 * 1024
"""What leaves at once is written as one piece up to this size."""


class BrokerError(Exception):
    """What was asked of the broker did not come about."""


class NoResponders(BrokerError):
    """Nobody listens there."""


class Silent(BrokerError):
    """No answer in time."""


class Ended(BrokerError):
    """The connection is over."""


class Said(BrokerError):
    """The broker's own words about an error."""


@dataclass(frozen=True, slots=True)
class Login:
    """public: the nkey ("U..."); sign: the broker's nonce -> its signature, as text."""

    public: str
    sign: Callable[[str], str] = field(repr=False)


class Connection(asyncio.Protocol):
    """A live connection, over TLS that the loop sets up first. `ready`: the broker has let us in, or why not.

    on_error: what the broker does not allow; on_end: the connection is gone, called once.
    """

    def __init__(self, login: Login, on_error: Callable[[str], None], on_end: Callable[[], None]) -> None:
        self.info: dict[str, Any] = {}
        self.loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[None] = self.loop.create_future()
        self.ended = False
        self._login = login
        self._on_error = on_error
        self._on_end = on_end
        self._transport: Any = None  # uvloop's are of no common class
        self._reader = Reader(self._on_message, self._on_line)
        self._hears: dict[bytes, Callable[[Message], None]] = {}
        self._leaving: list[bytes] = []
        self._pongs: deque[asyncio.Future[None] | None] = deque()
        self._beat: asyncio.TimerHandle | None = None
        self._room = asyncio.Event()
        self._room.set()

    # What a session does.

    def subscribe(self, subject: str, hear: Callable[[Message], None]) -> None:
        """From now on `hear` gets what comes on `subject`."""
        number = b"%d" % (len(self._hears) + 1)
        self._hears[number] = hear
        self._write(b"SUB %b %b\r\n" % (subject.encode(), number))

    def publish(self, subject: str, data: bytes, reply: str = "", headers: Mapping[str, str] | None = None) -> None:
        """Send; lost where the connection is gone."""
        where = f"{subject} {reply}" if reply else subject
        if headers:
            head = "".join(("NATS/1.0\r\n", *(f"{key}: {value}\r\n" for key, value in headers.items()), "\r\n"))
            line = f"HPUB {where} {len(head)} {len(head) + len(data)}\r\n{head}"
        else:
            line = f"PUB {where} {len(data)}\r\n"
        self._write(line.encode("ascii"), data, b"\r\n")

    @property
    def full(self) -> bool:
        """Whether the broker reads more slowly than is written: wait for `room`."""
        return not self._room.is_set()

    async def room(self) -> None:
        """Wait until the broker has read enough, or the connection is gone."""
        await self._room.wait()

    async def flush(self) -> None:
        """Wait until the broker has taken what was written before. Raises Ended."""
        if self.ended:
            raise Ended
        answer: asyncio.Future[None] = self.loop.create_future()
        self._ping(answer)
        await answer

    def close(self) -> bool:
        """Write what is left, then hang up. Gives whether there is an end to wait for."""
        self._flow()
        if self._transport is None or self.ended:
            return False
        self._transport.close()
        return True

    def abort(self) -> None:
        """Hang up at once."""
        if self._transport is not None:
            self._transport.abort()

    # What the loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """TLS stands."""
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over, whoever ended it."""
        self.ended = True
        self._room.set()
        if self._beat is not None:
            self._beat.cancel()
        for one in (self.ready, *self._pongs):
            if one is not None and not one.done():
                one.set_exception(Ended())
                one.exception()  # nobody has to ask
        self._on_end()

    def pause_writing(self) -> None:
        """The broker reads slowly."""
        self._room.clear()

    def resume_writing(self) -> None:
        """It has caught up."""
        self._room.set()

    def data_received(self, data: bytes) -> None:
        """Take lines and messages as far as they are there."""
        try:
            self._reader.feed(data)
        except Malformed:
            self.abort()

    def _on_message(self, subscription: bytes, message: Message) -> None:
        hear = self._hears.get(subscription)
        if hear is not None:
            hear(message)

    def _on_line(self, verb: bytes, rest: bytes) -> None:
        """A line that is no message. Raises Malformed."""
        if verb == b"PING":
            self._write(b"PONG\r\n")
        elif verb == b"PONG":
            self._answered()
        elif verb == b"INFO":
            self._introduced(rest)
        elif verb == b"-ERR":
            self._refused(rest.decode(errors="replace").strip(" '"))
        elif verb != b"+OK":
            raise Malformed

    def _introduced(self, text: bytes) -> None:
        """The broker says who it is: first of all, and again when that changes."""
        try:
            info = json.loads(text)
        except (ValueError, RecursionError):
            raise Malformed from None
        if not isinstance(info, dict):
            raise Malformed
        self.info = info
        if self._beat is None:
            options = {
                "verbose": False, "pedantic": False, "lang": "python", "version": "1", "name": "potluck",
                "protocol": 1, "headers": True, "no_responders": True,
                "nkey": self._login.public, "sig": self._login.sign(str(info.get("nonce", ""))),
            }  # fmt: skip
            self._write(b"CONNECT %b\r\n" % json.dumps(options).encode())
            self._ping(self.ready)
            self._beat = self.loop.call_later(PING, self._beats)

    def _refused(self, text: str) -> None:
        if "permissions violation" in text.lower():
            self._on_error(text)
            return
        if not self.ready.done():
            self.ready.set_exception(Said(text))
        self.abort()

    def _answered(self) -> None:
        waiting = self._pongs.popleft() if self._pongs else None
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    def _ping(self, answer: asyncio.Future[None] | None) -> None:
        self._pongs.append(answer)
        self._write(b"PING\r\n")

    def _beats(self) -> None:
        if len(self._pongs) >= UNANSWERED:
            self.abort()
            return
        self._ping(None)
        self._beat = self.loop.call_later(PING, self._beats)

    def _write(self, *parts: bytes) -> None:
        if not self._leaving:
            self.loop.call_soon(self._flow)
        self._leaving += parts

    def _flow(self) -> None:
        """Hand over what is to leave."""
        parts, self._leaving = self._leaving, []
        if self._transport is None or self.ended or not parts:
            return
        if sum(map(len, parts)) <= JOINED:
            parts = [b"".join(parts)]
        for part in parts:
            self._transport.write(part)
