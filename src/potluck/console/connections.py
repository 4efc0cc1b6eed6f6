"""Whose connections are taken, and for how long one may be held without asking for anything.

The other end's user is looked up as a connection is made: before that user could hold a place, and once, since its ends
stay whose they are. It does NOT look at what is asked: that is the guard's matter (`console.origin`).
"""

import asyncio
from typing import ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol

from potluck.console.neighbours import owner, stranger

PATIENCE = 10.0
"""Seconds in which the head of a request has to come, the first and every later one."""
EACH, PROXY, ALL = 64, 192, 256
"""Connections of one user of this machine at a time, of a proxy, behind which there are many, and of all."""
_NO = (
    b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"
    b"Refused: these pages are of another user of this machine.\n"
)


class Connection(H11Protocol):
    """Of the user who runs the program, and of root: nobody else is answered."""

    proxied: ClassVar[bool] = False
    each: ClassVar[int] = EACH
    user: int | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Its user is known, and counted, before a byte is read."""
        super().connection_made(transport)
        self.user = owner(self.client, self.server)
        if not self.proxied and stranger(self.user):
            transport.write(_NO)
            transport.close()
        elif sum(isinstance(one, Connection) and one.user == self.user for one in self.connections) > self.each:
            transport.close()
        else:
            self._wait()

    def on_response_complete(self) -> None:
        """The next head is waited for as long as the first."""
        self._wait()
        super().on_response_complete()

    def _wait(self) -> None:
        self.loop.call_later(PATIENCE, self._late, self.cycle)

    def _late(self, before: object) -> None:
        if self.cycle is before and not self.transport.is_closing():  # no other request has begun
            self.transport.close()


class Proxied(Connection):
    """Of whoever comes, since a proxy is another user."""

    proxied, each = True, PROXY
