"""The federation changes while an office has runs: one in rounds ends under its file, one that waits goes by the new
one."""

import threading
import time
from types import SimpleNamespace

import msgspec
import pytest

from potluck.api.network import inbox
from potluck.api.network import members as api
from potluck.api.network.office import hall
from potluck.api.results.outcome import Run
from potluck.core.errors import Refused
from potluck.members.home import CoordinatorHome
from potluck.secret.envelope import Header
from support.parties import across, scene
from support.parties.across import Across
from support.parties.offices import at_work, run_of, until


@pytest.fixture
def fed(tmp_path):
    return Across(across.found(tmp_path / "f", names="abc"))


def plan(purpose, rounds):
    made = scene.plan("abc", dropouts=0, patience=60.0, word="clear").set("training.rounds", rounds)
    return made.set("purpose", purpose)


@pytest.mark.slow
def test_new_keys_of_the_coordinator_end_no_run_and_a_run_that_waits_goes_by_the_new_file(fed, monkeypatch):
    monkeypatch.setattr(hall, "LOOK", 0.0)
    policy = fed.folder / "c" / "policy.toml"
    policy.write_text(policy.read_text().replace('rule = "policy"', 'rule = "hash"'))
    goes, waits = plan("goes on", 6), plan("waits", 1)
    inbox.decide(fed.folder / "c", "approve", goes.hash.removeprefix("sha256:"), "ann")
    home, begun, renewed = CoordinatorHome.at(fed.folder / "fed"), threading.Event(), threading.Event()

    def carry(sender, to, data):
        about = msgspec.msgpack.decode(data[8 : 8 + int.from_bytes(data[4:8], "big")], type=Header)
        if about.number == 3:
            begun.set()
            renewed.wait(60)
        return ((to, data),)

    fed.exchange._carry = carry
    with at_work(fed, monkeypatch) as office, fed.attending(*"abc"):
        first, second = office.submit(goes), office.submit(waits)
        assert begun.wait(120)
        before = home.standing().federation
        api.federation_rotate(home.folder, [], time.time(), keys=True, days=None)
        after = home.standing().federation
        end = time.monotonic() + 60
        while run_of(office, second).file.version != after.version:
            assert time.monotonic() < end
            time.sleep(0.02)
        renewed.set()
        for name in "abc":
            fed.followers[name].take(home.federation.read_bytes())
        ended = until(office, first)
        inbox.decide(fed.folder / "c", "approve", waits.hash.removeprefix("sha256:"), "ann")
        last = until(office, second)
    assert [(one.state, one.why, one.file.version) for one in (ended, last)] == [
        ("finished", "", before.version),
        ("finished", "", after.version),
    ]
    for one, made in ((ended, goes), (last, waits)):
        assert Run.read(one.out).model.digest() == scene.Scene(made).run().model.digest()


@pytest.mark.parametrize("revoke", [False, True])
def test_a_run_that_waits_under_a_file_whose_keys_were_revoked_ends_with_that_reason(tmp_path, revoke):
    api.federation_new(tmp_path / "fed", "tls://localhost:4222", time.time())
    home = CoordinatorHome.at(tmp_path / "fed")
    began = home.open(time.time())
    journal = SimpleNamespace(fact=lambda name: None, rounds=lambda: [1])
    api.federation_rotate(home.folder, [], time.time(), keys=False, days=None, revoke=revoke)
    office = SimpleNamespace(over=threading.Event(), home=home, newest=home.open(time.time()))
    turn = hall._Turn(SimpleNamespace(journal=journal, member=began, state="open"), office)
    if not revoke:  # the control
        return turn.go_on()
    with pytest.raises(Refused, match="keys of then were revoked"):
        turn.go_on()
    return None
