"""A site's process is watched from outside: its status, its health and its metrics say what is so, before, in and after
a life that ends by a kill; and it tells a program of its owner's that a request waits."""

import http.client
import json
import os
import signal
import subprocess
import sys

import pytest
from prometheus_client.parser import text_string_to_metric_families

from potluck.api.network.inbox import decide
from potluck.api.network.running.status import status
from support.members.running import running
from support.net.broker_rig import need_broker, until
from support.owner.policies import OPEN
from support.ports import free_port
from support.processes import hospitals
from support.processes.hospitals import NAMES
from support.processes.rig import BROKER


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


WAITS = OPEN.replace('rule = "policy"', 'rule = "person"') + '[notify]\ncommand = ["tell.sh"]\n'


@pytest.mark.slow
def test_the_owner_is_told_while_the_site_goes_on_and_the_run_ends_once_it_was_approved(tmp_path):
    need_broker()
    rig = hospitals.federation(tmp_path / "f", {"anna": WAITS})
    script, heard = rig.home("anna") / "tell.sh", rig.home("anna") / "heard"
    script.write_text("#!/bin/sh\ncat >> heard\nsleep 1000\n")  # it hangs: nobody waits for it
    script.chmod(0o700)
    try:
        rig.start(BROKER, *NAMES)
        server = rig.serve(rig.plan(hospitals.plan(), "told"), "--out", rig.folder / "runs" / "told", wait=60)
        until(lambda: heard.exists() and heard.read_text().endswith("\n"), "it is told")
        (request,) = json.loads(heard.read_text())["requests"]
        (waiting,) = status(rig.home("anna")).document()["waiting"]
        assert (request["hash"], request["plan"]) == (waiting["hash"], "hospitals")
        decide(rig.home("anna"), "approve", request["hash"], "ann")
        assert server.end(120).code == 0
        found = status(rig.home("anna"))
        assert (found.waiting, found.last.outcome) == ((), "done")
    finally:
        rig.close()
    rig.leaves_nothing()
