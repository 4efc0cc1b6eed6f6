"""The server: on this machine's loopback alone, by both of its addresses, so that no other program answers at one."""

import contextlib
import errno
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from potluck.console.connections import ALL, Connection, Proxied
from potluck.core.errors import UsageError, reason

ADDRESSES = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))


@contextlib.contextmanager
def listening(port: int) -> Iterator[tuple[int, list[socket.socket]]]:
    """(port, sockets) that listen on loopback; port 0 takes a free one. Raises UsageError: the port is taken."""
    with contextlib.ExitStack() as stack:
        found: list[socket.socket] = []
        for family, host in ADDRESSES:
            try:
                one = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                one.bind((host, port))
                one.listen(ALL)
            except OSError as error:
                without = error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
                if family == socket.AF_INET6 and without:
                    continue  # a machine without IPv6
                hint = "name another port, or stop what listens there"
                raise UsageError(f"port {port} cannot be used ({reason(error)})", where=host, hint=hint) from None
            port = int(one.getsockname()[1])
            found.append(one)
        yield port, found


def serve(app: ASGIApp, sockets: list[socket.socket], *, proxied: bool = False, loud: bool = False) -> None:
    """Answer until the process is told to stop. proxied: another user, a proxy, may ask; loud: a bug of ours is printed
    with its traceback."""
    with contextlib.suppress(KeyboardInterrupt):  # it hands the signal on that stopped it
        uvicorn.Server(settings(app, proxied=proxied, loud=loud)).run(sockets)


def settings(app: ASGIApp, *, proxied: bool = False, loud: bool = False) -> uvicorn.Config:
    """No header of a proxy is believed, and nothing of a request is logged."""
    return uvicorn.Config(
        app, http=Proxied if proxied else Connection, ws="none", lifespan="off", proxy_headers=False,
        server_header=False, log_config=None, log_level="error" if loud else "critical", access_log=False,
        limit_concurrency=ALL, timeout_graceful_shutdown=5,
    )  # fmt: skip
