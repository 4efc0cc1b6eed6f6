"""The server itself: on loopback alone, on both of its addresses, and deaf to what is no request of a browser."""

import contextlib
import json
import signal
import socket
import stat
import subprocess
import sys

import httpx
import pytest

from potluck.cli import potluck
from potluck.cli.door import run as call
from potluck.console import serve
from potluck.console.opening import closed, opening
from potluck.console.whereabouts import remember, remembered
from potluck.core.errors import UsageError
from support.console.home import TOKEN, Origin, program, served


@pytest.fixture
def port(home):
    with serve.listening(0) as (taken, sockets), served(program(home, Origin.here(taken), "ann", TOKEN), sockets):
        yield taken


def said(port, text, host="127.0.0.1"):
    """What comes back for these bytes."""
    with socket.create_connection((host, port), timeout=60) as one:
        one.sendall(text.encode())
        return b"".join(iter(lambda: one.recv(65536), b"")).decode("utf-8", "replace")


def test_it_answers_on_both_addresses_of_this_machine_and_on_no_other(port):
    ask = f"GET /sign-in HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n"
    hosts = ["127.0.0.1"]
    with contextlib.suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
        hosts.append("::1")
    assert [said(port, ask, host).split()[1] for host in hosts] == ["200"] * len(hosts)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.connect(("192.0.2.1", 9))  # no packet: which address this machine would send from
        mine = one.getsockname()[0]
    with pytest.raises(OSError, match="refused"):
        said(port, ask, mine)


@pytest.mark.parametrize(
    "path", ["/requests/../../site.toml", "/..", "/../../../etc/passwd", "//evil.example/%2f..", "http://evil.example/"]
)
def test_a_raw_path_leads_nowhere(port, path):
    answer = said(port, f"GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n")
    assert answer.split()[1] in ("303", "404")
    assert "evil" not in answer
    assert "version = 1" not in answer


def test_a_header_cannot_be_split_into_two(port):
    head = f"Host: localhost:{port}\r\nConnection: close\r\n"
    smuggled = f"GET / HTTP/1.1\r\n{head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    hidden = f"GET /style.css HTTP/1.1\r\n{head}\r\n"
    assert "HTTP/1.1 200" not in said(port, smuggled + hidden)
    assert "HTTP/1.1 200" in said(port, hidden)  # the control


def test_the_verb_prints_where_it_listens_and_ends_well_when_it_is_stopped(home):
    (home / "pages.html").write_text("left behind by one that was killed")
    command = [sys.executable, "-m", "potluck", "site", "web", str(home), "--port", "0", "--person", "ann", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        lines = [program.stdout.readline() for _ in range(4)]
        told = json.loads("".join(lines))
        assert httpx.get(told["address"], timeout=60).status_code == 200
        assert not (home / "pages.html").exists()
        program.send_signal(signal.SIGTERM)
        assert program.wait(60) == 0
    assert told["address"].startswith(f"http://localhost:{told['port']}/enter?token=")
    assert remembered(home) == Origin.here(told["port"])


def test_an_invitation_leads_to_where_the_pages_were_shown_last(home, capsys):
    def invited(*more):
        assert call(potluck, ["site", "person", "add", str(home), "Ann Example", *more, "--json"]) == 0
        heard = capsys.readouterr()
        where = json.loads(heard.out)["address"].partition("/join")[0]
        assert ("were not shown here yet" in heard.err) == (where == "http://localhost:8711")
        return where

    assert invited() == "http://localhost:8711"
    remember(home, Origin.behind("https://potluck.example"))
    assert invited() == "https://potluck.example"
    assert invited("--origin", "http://localhost:9000/") == "http://localhost:9000"
    for other in (b"http://evil example", b"javascript:x\n", b"\xff", b"x" * 5000):
        (home / "pages.origin").write_bytes(other)
        assert invited() == "http://localhost:8711"


def test_pages_that_moved_say_how_invitations_begin_now(home, capsys, monkeypatch):
    monkeypatch.setattr("potluck.console.serve.serve", lambda *_, **__: None)

    def moved(origin):
        assert call(potluck, ["site", "web", str(home), "--port", "0", "--origin", origin]) == 0
        return f"begins with {origin} now" in capsys.readouterr().err

    assert call(potluck, ["site", "person", "add", str(home), "Ann Example"]) == 0
    capsys.readouterr()
    assert [moved(f"https://{name}.example") for name in "aab"] == [True, False, True]


def test_the_file_that_sends_a_browser_is_gone_when_the_pages_end(home, monkeypatch):
    monkeypatch.setattr("webbrowser.open", lambda _: True)
    assert opening(home, "http://localhost:1/enter?token=x")
    assert stat.S_IMODE((home / "pages.html").stat().st_mode) == 0o600
    closed(home)
    closed(home)
    assert not (home / "pages.html").exists()


def test_a_taken_port_is_said():
    with socket.create_server(("127.0.0.1", 0)) as one:
        taken = one.getsockname()[1]
        with pytest.raises(UsageError, match="cannot be used"), serve.listening(taken):
            pass
