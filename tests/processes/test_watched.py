"""A site's process is watched from outside: its status, its health and its metrics say what is so, before, in and after
a life that ends by a kill."""

import http.client
import json
import os
import signal
import subprocess
import sys

import pytest
from prometheus_client.parser import text_string_to_metric_families

from potluck.api.network.running.status import status
from support.members.running import running
from support.net.broker_rig import until
from support.ports import free_port


@pytest.fixture
def federation(tmp_path):
    with running(tmp_path) as one:
        one.queues()
        yield one


def started(home, port, words):
    with words.open("wb") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "potluck", "site", "run", str(home), "--health", str(port)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said, env={**os.environ, "JOURNAL_STREAM": ""},
        )  # fmt: skip


def asked(port, path):
    """(status, text); (0, "") where nobody answers."""
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        line.request("GET", path)
        answer = line.getresponse()
        return answer.status, answer.read().decode()
    except ConnectionRefusedError:
        return 0, ""
    finally:
        line.close()


def figures(port):
    found = text_string_to_metric_families(asked(port, "/metrics")[1])
    return {(one.name, *one.labels.values()): one.value for family in found for one in family.samples}


def test_a_site_that_runs_says_so_and_one_that_was_killed_does_not(federation, tmp_path):
    home, port, words = federation.home, free_port(), tmp_path / "words"
    assert not status(home).running
    process = started(home, port, words)
    try:
        until(lambda: asked(port, "/healthz")[0] == 200, "all is well")
        assert json.loads(asked(port, "/healthz")[1])["checks"]["broker"]["good"]
        until(lambda: figures(port).get(("potluck_letters_total", "out")) == 1, "it has greeted the server")
        assert figures(port)["potluck_letter_bytes_total", "out"] > 100
        until(lambda: status(home).beat and status(home).beat.connected, "the file says so")
        found = status(home).document()
        assert (found["running"], found["broker"]["connected"], found["broker"]["reconnects"]) == (True, True, 0)
        assert found["federation"]["days_left"] == 89
        assert found["budget"] == {"epsilon": 0.0, "delta": 1e-05, "cap": None, "left": None}
        assert home.joinpath("status.json").stat().st_mode & 0o077 == 0
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(60)
    found = status(home).document()
    assert (found["running"], found["broker"]["connected"], found["since"]) == (False, None, None)
