"""An office that ends anywhere goes on with its runs at the next start; who lies in one run changes no other."""

import threading
import time

import msgspec
import pytest

from potluck.api.network import inbox
from potluck.api.network.office.submitted import submitted
from potluck.api.network.sessions import Order
from potluck.api.results.outcome import Run
from potluck.core.errors import Refused
from potluck.core.party import SERVER, site
from potluck.core.rounds import Label, Parcel, RoundId
from potluck.members.home import CoordinatorHome, SiteHome
from potluck.owner.budget import Budget
from potluck.parties.runners.identity import identity
from potluck.secret.envelope import Header
from support.parties import across, scene
from support.parties.across import Across
from support.parties.offices import Held, at_work, run_of, until


@pytest.fixture(scope="module")
def founded(tmp_path_factory):
    return across.found(tmp_path_factory.mktemp("federation"), names="abc")


@pytest.fixture
def fed(founded, tmp_path):
    return Across(across.copy(founded, tmp_path / "f"))


def plan(purpose="test", **more):
    return scene.plan("abc", dropouts=0, patience=60.0, **{"word": "clear"} | more).set("purpose", purpose)


def header(letter):
    """What a letter says about itself; it is signed, not sealed."""
    return msgspec.msgpack.decode(letter[8 : 8 + int.from_bytes(letter[4:8], "big")], type=Header)


def approved(fed, made):
    inbox.decide(fed.folder / "c", "approve", made.hash.removeprefix("sha256:"), "ann")


def answered(office, run, verdict):
    end = time.monotonic() + 120
    while not any(one.verdict == verdict for one in run_of(office, run).sites):
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.slow
def test_an_office_that_ends_with_runs_in_every_state_goes_on_with_all_of_them(fed, monkeypatch):
    policy = fed.folder / "c" / "policy.toml"
    policy.write_text(policy.read_text().replace('rule = "policy"', 'rule = "hash"'))
    noisy = plan("open", privacy=scene.SHARED, word="mask")
    queued, waits = plan("queued"), plan("waits")
    lost = threading.Event()

    def carry(sender, to, data):
        about = header(data)
        if sender == site("c") and about.number == 2 and not lost.is_set():
            lost.set()  # one letter of the second round, for which the office waits when it ends
            return ()
        return ((to, data),)

    fed.exchange._carry = carry
    for one in (noisy, queued):
        approved(fed, one)
    with fed.attending(*"abc"):
        with at_work(fed, monkeypatch, at_once=1) as office:
            first = office.submit(noisy)
            until(office, first, "open")
            second, third = office.submit(queued), office.submit(waits)
            until(office, second, "queued")
            answered(office, third, "pending")
            assert lost.wait(120)
        standing = {one.run: one.state for one in office.standing().runs}
        assert standing == {first: "open", second: "queued", third: "waiting"}
        with at_work(fed, monkeypatch, at_once=1) as office:
            assert [until(office, one).state for one in (first, second)] == ["finished", "finished"]
            assert run_of(office, third).state == "waiting"
            approved(fed, waits)
            ended = until(office, third)
    assert ended.state == "finished"
    assert Run.read(ended.out).model.digest() == scene.Scene(waits).run().model.digest()
    done = run_of(office, first)
    assert (done.opened, done.resumed) == (4, 1)
    with Budget(fed.home("a").ledger) as ledger:
        (spent,) = [one.releases for one in ledger.history() if one.run == first]
    assert spent == 4  # nothing had left in the round that was begun again


@pytest.mark.slow
def test_who_is_not_in_a_run_changes_nothing_of_it(fed, monkeypatch):
    liar = identity(SiteHome.at(fed.folder / "c").open(time.time()))
    policy = fed.folder / "c" / "policy.toml"
    policy.write_text(policy.read_text().replace('protect = ["*"]', 'protect = ["mask"]'))
    ours = scene.plan("ab", dropouts=0, patience=60.0, word="clear")
    stop = threading.Event()

    def lies(run):
        """Contributions, answers and first words, in its own name and, with a signature that does not hold, in a's."""
        line, number = fed.exchange.line(liar.party), 0
        while not stop.is_set():
            number += 1
            for label in (Label(RoundId(run, 1 + number % 4), "clear/input"), Label(RoundId(run, 0), "answer")):
                letter = bytes(liar.close(SERVER, Parcel(label, number.to_bytes(4, "big"))))
                line.send(SERVER, letter, 1.0)
                line.send(SERVER, letter.replace(b"site\xa1c", b"site\xa1a", 1), 1.0)
            time.sleep(0.002)

    with at_work(fed, monkeypatch) as office, fed.attending(*"abc"):
        run = office.submit(ours)
        thread = threading.Thread(target=lies, args=(run,))
        thread.start()
        try:
            ended, control = until(office, run), until(office, office.submit(plan("with c")))
        finally:
            stop.set()
            thread.join()
    assert ended.state == "finished"
    assert Run.read(ended.out).model.digest() == scene.Scene(ours).run().model.digest()
    assert (control.state, "c refuses this plan (protect)" in control.why) == ("failed", True)  # in its own it counts


def test_a_failed_run_is_gone_on_with_when_it_is_submitted_again(fed, monkeypatch):
    policy = fed.folder / "b" / "policy.toml"
    allowed = policy.read_text()
    policy.write_text(allowed.replace('protect = ["*"]', 'protect = ["mask"]'))
    with fed.attending(*"abc"):
        with at_work(fed, monkeypatch) as office:
            run = office.submit(plan())
            assert until(office, run).state == "failed"
        policy.write_text(allowed)
        with at_work(fed, monkeypatch) as office:
            assert run_of(office, run).state == "failed"  # not by itself
            home = CoordinatorHome.at(fed.folder / "fed")
            assert submitted(home, plan(), Order(office=True), False) == run
            ended = until(office, run)
    assert (ended.state, ended.why) == ("finished", "")


@pytest.mark.slow
def test_looks_at_validation_rows_are_there_while_the_run_goes_on(fed, monkeypatch):
    made = plan().set("training.evaluate_every", 1).set("data.split", {"test": 0.2, "validation": 0.3})
    with at_work(fed, monkeypatch) as office, fed.attending(*"abc"):
        run = office.submit(made)
        ended = until(office, run)
        looks = office.history(run)
    assert ended.state == "finished"
    assert tuple(looks) == tuple(scene.Scene(made).run().history)
    assert [one.round for one in looks] == [1, 2, 3]


@pytest.mark.slow
def test_a_broker_that_does_not_answer_ends_no_run_and_another_server_only_interrupts_it(fed, monkeypatch):
    first, second = Held(), Held()
    first.away = 2
    begun = threading.Event()

    def carry(sender, to, data):
        if header(data).number == 2:
            begun.set()
            first.lost = Refused("another server runs this federation")
        return ((to, data),)

    fed.exchange._carry = carry
    with at_work(fed, monkeypatch, leases=[first, second]) as office, fed.attending(*"abc"):
        ended = until(office, office.submit(plan()))
    assert begun.is_set()
    assert first.away == 0
    assert (ended.state, ended.why, ended.resumed) == ("finished", "", 1)
    assert Run.read(ended.out).model.digest() == scene.Scene(plan()).run().model.digest()
