"""A site that cannot log answers nothing, stays, and goes on once there is room; the server names who was silent."""

import errno
import threading
from datetime import UTC, datetime

import pytest

from potluck.api.network import site
from potluck.core.errors import Refused
from potluck.core.party import site as called
from potluck.owner import access
from potluck.owner.access import AccessLog, Unlogged
from potluck.parties.runners.participants import Participants
from support.parties import scene
from support.parties.across import Across, found, quick


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
            site.logged(begin, answer, stop.is_set, said.append, full.clear)
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
    site.logged(AccessLog(tmp_path / "access.jsonl").ready, pytest.fail, lambda: True, said.append, lambda: None)
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
