"""A site that cannot log answers nothing, stays, and goes on once there is room; the server names who was silent."""

import errno
import os
import resource
import subprocess
import sys
import threading
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime

import pytest

from potluck.api.network import site
from potluck.core.errors import Refused, UsageError
from potluck.core.party import site as called
from potluck.owner import access
from potluck.owner.access import AccessLog, Unlogged
from potluck.owner.access import read as read_log
from potluck.parties.runners.participants import Participants
from support.net.broker_rig import until
from support.parties import scene
from support.parties.across import Across, found, quick

SMALL = 512
"""Bytes, after which a file may not grow: what a quota does that ends sooner than the disk."""


@contextmanager
def no_room():
    """No file of this process's grows."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (SMALL, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_site_that_begins_without_room_for_its_ledger_is_told_apart_from_one_whose_ledger_is_damaged(tmp_path):
    home = Across(found(tmp_path)).home("a")
    member, log = home.open(datetime.now(UTC).timestamp()), AccessLog(home.access)
    with ExitStack() as stack, no_room(), pytest.raises(Unlogged, match="cannot be used"):
        site.opened(home, member, log, stack)
    with ExitStack() as stack:
        ledger, requests = site.opened(home, member, log, stack)
        assert (ledger.spent(), requests.pending()) == (0.0, ())
    home.requests.unlink()
    home.requests.mkdir()
    with ExitStack() as stack, pytest.raises(UsageError, match="not a file"):
        site.opened(home, member, log, stack)


@pytest.mark.slow
def test_the_program_starts_without_room_and_goes_on_once_there_is_some(tmp_path):
    home = Across(found(tmp_path)).home("a")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    front = [sys.executable, "-m", "potluck", "site", "run", str(home.folder)]
    read_end, write_end = os.pipe()  # its words are no file, so that it can say what it cannot do
    small = f"import resource as r, os, sys; r.setrlimit(r.RLIMIT_FSIZE, ({SMALL}, {limits[1]}))"
    process = subprocess.Popen(
        [sys.executable, "-c", f"{small}; os.execv(sys.argv[1], sys.argv[1:])", *front],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=write_end,
    )  # fmt: skip
    os.close(write_end)
    with os.fdopen(read_end) as said:
        try:
            for line in said:
                if "it is looked again" in line:
                    break
            else:
                pytest.fail("it ended")
            assert (process.poll(), read_log(home.access).entries) == (None, ())
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, limits)
            until(lambda: [one.event for one in read_log(home.access).entries] == ["start"], "it goes on")
        finally:
            process.terminate()
            assert process.wait(60) == 0
    assert [one.event for one in read_log(home.access).entries] == ["start", "stop"]


def test_a_site_whose_disk_is_full_stays_and_answers_once_there_is_room(tmp_path, monkeypatch):
    fed, stop, full, said, trouble, began = Across(found(tmp_path)), threading.Event(), threading.Event(), [], [], []
    append, home = access._append, fed.home("a")

    def crowded(path, line):
        if full.is_set() and path == home.access:
            raise OSError(errno.ENOSPC, "No space left on device")
        append(path, line)

    def begin():
        if began:
            AccessLog(home.access).write("start", datetime.now(UTC))
        began.append(True)  # the first time there is room, and none at the first request

    def answer():
        with fed.site("a", stop) as one:
            one.run()

    def attend():
        try:
            site.logged(begin, answer, stop.is_set, said.append, lambda why: full.clear())
        except Exception as error:
            trouble.append(error)

    monkeypatch.setattr(access, "_append", crowded)
    monkeypatch.setattr(site, "AGAIN", 0.01)
    full.set()
    thread = threading.Thread(target=attend)
    thread.start()
    try:
        with fed.attending(*"bcd"), fed.coordinator(quick(scene.plan()), "ab" * 16, wait=20.0) as (coordinator, _):
            coordinator.gather()
            assert called("a") in coordinator.participants.present()
    finally:
        stop.set()
        thread.join(20)
    assert not trouble
    assert "No space left on device" in said[0]
    assert len(said) == 2  # a word as it stops, and one as it goes on


def test_a_site_that_is_ended_while_it_waits_for_room_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(access, "_full", lambda folder: True)
    said = []
    monkeypatch.setattr(site, "AGAIN", 0.0)
    site.logged(AccessLog(tmp_path / "access.jsonl").ready, pytest.fail, lambda: True, said.append, lambda why: None)
    assert len(said) == 1


def test_no_round_begins_where_its_line_has_no_room(tmp_path, monkeypatch):
    log = AccessLog(tmp_path / "access.jsonl")
    log.ready()
    monkeypatch.setattr(access, "_full", lambda folder: True)
    with pytest.raises(Unlogged, match="no room"):
        log.ready()


def test_who_has_not_answered_is_named_beside_who_has_not_approved():
    them = Participants(scene.plan().spec, None, None, None, lambda event, text: None)
    them.of[called("a")].verdict = "pending"
    for name in "bd":
        them.of[called(name)].verdict = "granted"
    with pytest.raises(Refused, match="a has not approved it yet; c has not answered") as caught:
        them.judge(1.0)
    assert "c: `potluck site run` there" in caught.value.hint
