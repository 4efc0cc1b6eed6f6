"""Another user of the machine, even with the owner's cookie, reaches nothing."""

import os
import socket
import subprocess

import httpx
import pytest

from potluck.console import serve
from potluck.console.neighbours import TABLES, stranger, uid
from potluck.console.origin import Origin
from support.console.home import TOKEN, Visitor, program, served

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
        assert not stranger(*ends)
        monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
        assert stranger(*ends) is (os.getuid() != 0)  # root is let through


ASK = """
import socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=60) as one:
    host = f"Host: localhost:{sys.argv[1]}"
    one.sendall(f"GET / HTTP/1.1\\r\\n{host}\\r\\nCookie: {sys.argv[2]}\\r\\nConnection: close\\r\\n\\r\\n".encode())
    print(b"".join(iter(lambda: one.recv(65536), b"")).decode().split()[1])
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
        for user, status in ((0, "200"), (65534, "403")):
            ask = ["/usr/bin/env", "python3", "-I", "-c", ASK, str(port), cookie]
            done = subprocess.run(ask, user=user, capture_output=True, text=True, cwd="/")
            assert done.stdout.strip() == status, done.stderr


def test_behind_a_proxy_the_proxy_is_another_user(home, monkeypatch):
    monkeypatch.setattr("potluck.console.origin.stranger", lambda *_: True)
    assert Visitor(home).get("/sign-in").status_code == 403
    assert Visitor(home, origin=Origin.behind("https://potluck.example")).get("/sign-in").status_code == 200
