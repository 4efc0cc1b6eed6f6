"""Another user of the machine, even with the owner's cookie, reaches nothing."""

import contextlib
import os
import socket
import subprocess

import httpx
import pytest

from potluck.console import connections, serve
from potluck.console.connections import EACH
from potluck.console.neighbours import LINUX, TABLES, owner, stranger, uid
from potluck.console.origin import Origin
from support.console.home import TOKEN, program, served

# Lines as proc(5) has them: a listener, a client's end of user 1000, and the server's end of it.
LINES = [
    "   0: 0100007F:2207 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1001        0 1 1 0 100 0 0 10 0",
    "   1: 0100007F:9C40 0100007F:2207 01 00000000:00000000 00:00000000 00000000  1000        0 2 1 0 20 4 30 10 -1",
    "   3: 0100007F:9C42 0100007F:2207 05 00000000:00000000 00:00000000 00000000     0        0 3 1 0 20 4 30 10 -1",
    "   2: 0100007F:2207 0100007F:9C40 01 00000000:00000000 00:00000000 00000000  1001        0 3 1 0 20 4 30 10 -1",
]


def test_the_owner_of_the_other_end_is_read_not_that_of_ours():
    assert uid(LINES, "0100007F:9C40", "0100007F:2207") == 1000
    assert uid(LINES, "0100007F:2207", "0100007F:9C40") == 1001
    assert uid(LINES, "0100007F:9C41", "0100007F:2207") is None
    assert uid(LINES, "0100007F:9C42", "0100007F:2207") is None  # closed by whoever had it: not root's


@pytest.mark.parametrize("host", TABLES)
def test_a_real_connection_of_ours_is_known_and_nobody_elses(host, monkeypatch):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with (
        socket.create_server((host, 0), family=family) as server,
        socket.create_connection((host, server.getsockname()[1])) as one,
    ):
        ends = one.getsockname()[:2], one.getpeername()[:2]
        assert owner(*ends) == os.getuid()
        assert owner(("127.0.0.2", ends[0][1]), ends[1]) is None
        assert not stranger(os.getuid())
        monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
        assert stranger(os.getuid()) is (os.getuid() != 0)  # root is let through
        assert stranger(None)


ASK = """
import socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 60, (sys.argv[3], 0)) as one:
    host = f"Host: localhost:{sys.argv[1]}"
    one.sendall(f"GET / HTTP/1.1\\r\\n{host}\\r\\nCookie: {sys.argv[2]}\\r\\nConnection: close\\r\\n\\r\\n".encode())
    try:
        print(b"".join(iter(lambda: one.recv(65536), b"")).decode().split()[1])
    except ConnectionResetError:
        print("403")  # refused before it had asked
"""


def test_another_user_is_refused_even_with_the_owners_cookie(home):
    """Where the tests run as root, a real process of another user asks."""
    if os.geteuid() != 0:
        return
    with serve.listening(0) as (port, sockets), served(program(home, Origin.here(port), "ann", TOKEN), sockets):
        origin = f"http://localhost:{port}"
        with httpx.Client(base_url=origin) as own:
            own.post("/enter/now", data={"token": TOKEN}, headers={"Origin": origin})
            ((name, value),) = own.cookies.items()
        cookie = f"{name}={value}"
        for user, source, status in ((0, "127.0.0.1", "200"), (65534, "127.0.0.1", "403"), (65534, "127.0.0.2", "403")):
            ask = ["/usr/bin/env", "python3", "-I", "-c", ASK, str(port), cookie, source]
            done = subprocess.run(ask, user=user, capture_output=True, text=True, cwd="/")
            assert done.stdout.strip() == status, done.stderr


def first_line(port, source="127.0.0.1"):
    """What a page's answer begins with; "" where the connection ends without one."""
    ask = f"GET /sign-in HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n".encode()
    try:
        with socket.create_connection(("127.0.0.1", port), 60, (source, 0)) as one:
            one.sendall(ask)
            return b"".join(iter(lambda: one.recv(65536), b"")).decode().partition("\r\n")[0]
    except ConnectionResetError:
        return ""


def test_an_address_of_this_machine_that_hides_its_user_is_refused_but_for_a_proxy(home):
    """All of 127.0.0.0/8 may be where a socket comes from."""
    if not LINUX.exists():
        return
    for proxied in (False, True):
        app = program(home, Origin.here(1), "ann", TOKEN)
        with serve.listening(0) as (port, sockets), served(app, sockets, proxied=proxied):
            said = first_line(port, "127.0.0.2")  # a refused connection may be reset before its answer is read
            assert ("403" in said or not said) is not proxied
            assert "403" not in first_line(port)


def test_who_only_holds_connections_keeps_nobody_out(home, monkeypatch):
    """Whether nothing comes or half a request, and after a whole one as before it."""
    monkeypatch.setattr(connections, "PATIENCE", 0.3)
    app = program(home, Origin.here(1), "ann", TOKEN)
    with (
        serve.listening(0) as (port, sockets),
        served(app, sockets, proxied=True),
        contextlib.ExitStack() as stack,
    ):
        held = [stack.enter_context(socket.create_connection(("127.0.0.1", port), 60)) for _ in range(EACH + 5)]
        held[0].sendall(b"GET /sign-in HTTP/1.1\r\nHost: x")
        held[1].sendall(b"GET /sign-in HTTP/1.1\r\nHost: x\r\n\r\n")
        assert held[1].recv(65536)
        assert "HTTP/1.1" in first_line(port)  # behind a proxy all are one user
        for one in held[1:]:
            with contextlib.suppress(ConnectionError):
                one.sendall(b"GET / HTTP/1.1\r\n")
        for one in held:  # the server ends each
            with contextlib.suppress(ConnectionError):
                assert all(iter(lambda one=one: one.recv(65536), b""))
        assert "HTTP/1.1" in first_line(port)
