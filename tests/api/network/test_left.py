"""A site that was removed while it runs says so, ends so that no service starts it again, and its home says so, too."""

import errno
import fcntl
import threading
import time
from datetime import UTC, datetime

import pytest

from potluck.api.network import members
from potluck.api.network.doctor import examine, work
from potluck.api.network.membership.left import dismissed, left
from potluck.api.network.running import pulse
from potluck.api.network.running.pulse import Pulse
from potluck.api.network.running.status import status
from potluck.api.network.site import attend
from potluck.core.errors import Refused
from potluck.members.federation import titled
from potluck.members.home import SiteHome
from potluck.net.session import STRANGER
from potluck.owner.access import AccessLog, Subject
from support.members.running import running
from support.net.broker_rig import until

REFUSED = Refused(f"{STRANGER} of a", where="tls://localhost:4222")


@pytest.fixture
def home(tmp_path):
    members.federation_new(tmp_path / "fed", "tls://localhost:4222", time.time(), 30)
    made = members.site_new(tmp_path / "a")
    members.federation_add(tmp_path / "fed", [made.card], time.time())
    members.site_join(tmp_path / "a", tmp_path / "fed" / "federation.toml", time.time())
    return SiteHome.at(tmp_path / "a")


def test_a_key_that_was_known_and_is_not_any_more_is_told_from_one_that_never_was(home):
    log = AccessLog(home.access)
    assert dismissed(home, REFUSED, log, connected=False) is REFUSED  # not added yet, as far as is known here
    other = Refused("it runs already")
    assert dismissed(home, other, log, connected=True) is other
    assert left(home) == ""
    error = dismissed(home, REFUSED, log, connected=True)
    assert (error.exit_code, "no member any more" in error.what, "under version 2" in error.what) == (3, True, True)
    assert left(home).startswith(error.what)
    again = dismissed(home, REFUSED, log, connected=False)  # the next start says the same
    assert again.what == left(home)
    log.write("request", datetime.now(UTC), outcome="pending")  # the broker knows it again
    assert left(home) == ""


def test_the_status_and_doctor_of_a_removed_site_say_one_thing(home):
    dismissed(home, REFUSED, AccessLog(home.access), connected=True)
    found = status(home.folder)
    assert (found.well, any("days more" in one for one in found.lines)) == (False, False)
    said = {one.topic: one for one in examine(home.folder)}
    assert (said["federation"].state, said["process"].state, "members" in said) == ("bad", "good", False)


def no_room(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_what_a_dead_process_wrote_is_not_the_word_of_the_one_that_runs(home, monkeypatch):
    dead = Pulse(home)
    dead.line(None)
    dead.beat()
    with home.lock.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert (status(home.folder).well, "connected since" in status(home.folder).lines[1]) == (True, True)  # control
        fresh = Pulse(home)
        with monkeypatch.context() as full:
            full.setattr(pulse.private, "write", no_room)
            fresh.begin()
            found = status(home.folder)
            assert (found.well, "does the disk take anything" in found.lines[1], found.beat) == (False, True, None)
        fresh.beat("access.jsonl: no room")
        found = status(home.folder)
        assert (found.well, "nothing is answered: access.jsonl: no room" in found.lines[1]) == (False, True)
        bad = {one.topic: one.state for one in work.process(home, time.time())}
        assert bad == {"process": "bad"}
        fresh.beat()
        assert status(home.folder).well
    fresh.beat("the broker does not know this key")
    assert "its last process ended: the broker does not know" in status(home.folder).lines[1]


def test_a_file_that_lists_the_site_again_settles_it(home):
    it = home.pinned()
    log, about = AccessLog(home.access), Subject(file=titled(it.version - 1, it.digest))
    log.write("members", datetime.now(UTC), outcome="refused", about=about, why=("key not known",))
    assert left(home) == ""


@pytest.mark.slow
def test_a_site_that_is_removed_while_it_runs_ends_and_says_so(tmp_path):
    with running(tmp_path) as federation:
        federation.queues()
        said, ended, stop = [], [], threading.Event()

        def attends():
            try:
                attend(federation.home, stop.is_set, said.append)
            except Refused as error:
                ended.append(error)

        thread = threading.Thread(target=attends)
        thread.start()
        try:
            until(lambda: "broker: connected" in said, "it is connected")
            members.federation_remove(federation.fed, "a", time.time())
            thread.join(60)
        finally:
            stop.set()
            thread.join(60)
        assert "this party is no member any more" in ended[0].what
        assert "disable the service" in ended[0].hint
        assert "no member any more" in status(federation.home).lines[-1]
