"""One approval, and a server that begins rounds without end: what it leaves on a site's disk is bounded by the plan.

Letters are given to a site one by one; a round's begin is all that a lying server needs to send.
"""

import threading

import msgspec
import pytest

from potluck.api.network import inbox
from potluck.core.errors import Refused
from potluck.core.party import SERVER, site
from potluck.core.plan import digest
from potluck.core.rounds import Label, Parcel, RoundId
from potluck.core.wire import dump, load
from potluck.learning.loops import build
from potluck.owner.access import read
from potluck.owner.budget import Budget
from potluck.owner.requests import State
from potluck.parties.admission import consent, tries
from potluck.parties.admission.session import ANSWER, Answer, parcel
from potluck.parties.runners.flood import Pace
from potluck.tasks.announcement import Announcement
from support.hostile.proposals import drained, proposal, server
from support.parties import across, scene
from support.parties.across import Across, parties, quick

RUN = "ab" * 16
SUMS = 3 + 1
MOST_ENTRIES, MOST_LINES = 3 * tries.TRIES * SUMS, 2 * tries.TRIES * SUMS
"""In the ledger and in the access log: few for a round that comes no further, and so many rounds of each sum."""


@pytest.fixture(scope="module")
def founded(tmp_path_factory):
    return across.found(tmp_path_factory.mktemp("capped"))


@pytest.fixture
def fed(founded, tmp_path):
    return Across(across.copy(founded, tmp_path / "f"))


def long(rounds=3, privacy=scene.NONE):
    spec = quick(scene.plan(privacy=privacy))
    return msgspec.structs.replace(spec, training=msgspec.structs.replace(spec.training, rounds=rounds))


class Flood:
    """A server's letters to site a, and what became of them."""

    def __init__(self, fed, one, spec):
        self.fed, self.one, self.spec, self.me, self.number = fed, one, spec, server(fed), 0
        self.state = next(build(spec).lead()).state
        self.propose()

    def propose(self):
        return self._said(parcel(RUN, proposal(self.fed, self.spec)))

    def begin(self, step=0, kind="train", number=None, state=None):
        """Begin a round; whether the site takes part in it."""
        self.number = number or self.number + 1
        body = dump(Announcement(digest(self.spec), kind, step, self.state if state is None else state))
        self._said(Parcel(Label(RoundId(RUN, self.number), "begin"), body))
        seat = self.one._seats[RUN]
        return seat.number == self.number and seat.desk is not None

    def _said(self, said):
        self.one._open(self.me.close(site("a"), said))
        return self.heard()

    def heard(self):
        """The site's answers."""
        found = [self.me.disclose(letter)[1] for letter in drained(self.fed, SERVER)]
        return [load(one.body, Answer) for one in found if one.label.step == ANSWER]

    @property
    def entries(self):
        return self.one._consent._owner.ledger.head().seq

    @property
    def lines(self):
        return len(read(self.fed.folder / "a" / "access.jsonl").entries)


def approve(fed, spec):
    inbox.decide(fed.folder / "a", "approve", digest(spec).hex(), "p")


def test_server_cannot_repeat_a_step_more_often_than_its_owner_was_asked_for(fed):
    spec = long()
    with fed.site("a", threading.Event()) as one:
        flood = Flood(fed, one, spec)
        assert [flood.begin() for _ in range(9)] == [True] * tries.TRIES + [False]
        assert one._consent._owner.requests.state(RUN) is State.PENDING
        assert [answer.verdict for answer in flood.propose()] == ["pending"]
        assert not flood.begin(1)  # nothing of the run goes on meanwhile
        approve(fed, spec)
        one._tick()
        assert [load(flood.me.disclose(letter)[1].body, Answer).verdict for letter in drained(fed, SERVER)] == [
            "granted"
        ]
        assert [flood.begin() for _ in range(9)] == [True] * tries.TRIES + [False]  # as many once more
    assert "one step was begun 8 times or more; if it is to go on: potluck site approve" in "".join(fed.heard["a"])
    asked = inbox.inbox(fed.folder / "a")[0]
    assert asked.request.codes == ("repeats",)
    assert asked.missing == 1


def test_a_site_that_is_started_again_has_not_forgotten_how_often_a_step_was_begun(fed):
    spec, told = long(), []
    for number in range(1, 11):
        with fed.site("a", threading.Event()) as one:
            told.append(Flood(fed, one, spec).begin(number=number) if number <= tries.TRIES + 1 else None)
            if number > tries.TRIES:
                assert one._consent._owner.requests.state(RUN) is State.PENDING
    assert told == [True] * tries.TRIES + [False, None]


def test_control_a_site_that_counts_in_memory_alone_begins_for_ever(fed, monkeypatch):
    monkeypatch.setattr(tries, "made", lambda ledger, run: tries.Counter())
    spec = long()
    for number in range(1, 13):
        with fed.site("a", threading.Event()) as one:
            assert Flood(fed, one, spec).begin(number=number)


def flooded(fed, spec, count):
    """How much the ledger and the log grew by so many begins, by turns of all steps and some that the plan has not."""
    with fed.site("a", threading.Event()) as one:
        flood = Flood(fed, one, spec)
        entries, lines = flood.entries, flood.lines
        for number in range(count):
            kind = "evaluate" if number % 5 == 0 else "train"
            flood.begin(number % 7 - 1, kind, state=b"no model" if number % 4 else None)  # which ends it at once
        return flood.entries - entries, flood.lines - lines


def test_server_cannot_fill_ledger_and_log_with_rounds_of_one_approval(fed):
    entries, lines = flooded(fed, long(), 500)
    assert entries <= MOST_ENTRIES
    assert lines <= MOST_LINES


@pytest.mark.slow
def test_control_without_a_cap_each_begin_grows_them(fed, monkeypatch):
    monkeypatch.setattr(tries, "TRIES", 10**9)
    monkeypatch.setattr(tries, "REPEATS", 1e9)
    entries, lines = flooded(fed, long(), 400)
    assert entries > MOST_ENTRIES
    assert lines > MOST_LINES


def test_server_cannot_repeat_steps_faster_than_the_pace(fed, monkeypatch):
    for name, value in {"TRIES": 10**9, "REPEATS": 5.0, "REPEATS_A_SECOND": 0.0}.items():
        monkeypatch.setattr(tries, name, value)
    with fed.site("a", threading.Event()) as one:
        flood = Flood(fed, one, long(30))
        assert sum(flood.begin() for _ in range(20)) == 1 + 5
        # The control: rounds that follow one another are not slowed, each step being begun once.
        assert all(flood.begin(step) for step in range(1, 30))
        one._repeats = Pace(1e9, 1e9)
        assert all(flood.begin() for _ in range(20))


def test_what_the_plan_has_paid_for_comes_on_top():
    plans = [scene.NONE, scene.SHARED, scene.SHARED | {"redo": 2}, scene.SHARED | {"redo": 2, "noise": "reveal"}]
    assert [tries.most(scene.plan(privacy=one).spec) for one in plans] == [8, 8, 10, 8]


@pytest.mark.slow
def test_the_server_ends_with_the_name_of_the_owner_that_is_asked_again_and_goes_on_after(fed):
    spec = long()
    ask = next(build(spec).lead())
    with fed.attending(*"abcd"):
        with fed.coordinator(spec, RUN, wait=30.0) as (coordinator, journal):
            coordinator.gather()
            for _ in range(tries.TRIES):
                assert coordinator.attempt(ask, journal.begin(ask), {}, parties("abcd")).answer is not None
            ended = coordinator.attempt(ask, journal.begin(ask), {}, parties("abcd"))
            assert ended.answer is None
            while coordinator.participants.present():
                coordinator._listen(0.1)
            coordinator._wait = 0.5
            with pytest.raises(Refused, match=r"a has not approved it yet; b has not .*potluck site inbox") as caught:
                coordinator.attempt(ask, journal.begin(ask), {}, parties("abcd"))
            assert caught.value.exit_code == 3
        for name in "abcd":
            inbox.decide(fed.folder / name, "approve", digest(spec).hex(), "p")
        outcome, _ = fed.run(spec, wait=30.0)
    assert outcome.model.digest() == scene.Scene(scene.plan()).run().model.digest()


def test_an_owner_that_is_asked_again_may_say_no(fed):
    spec = long()
    with fed.site("a", threading.Event()) as one:
        flood = Flood(fed, one, spec)
        for _ in range(tries.TRIES + 1):
            flood.begin()
        inbox.decide(fed.folder / "a", "deny", digest(spec).hex(), "p")
        one._tick()
        assert one._seats == {}
        assert [answer.verdict for answer in flood.heard()] == ["denied"]


def test_a_broker_that_repeats_an_old_letter_does_not_have_the_owner_asked_again(fed):
    assert replayed(fed) is State.APPROVED


def test_control_where_nobody_looks_for_the_round_first_an_old_letter_is_one_more_try(fed, monkeypatch):
    monkeypatch.setattr(consent.Consent, "begun", lambda self, round_: False)
    assert replayed(fed) is State.PENDING


def replayed(fed):
    """What has become of a run one of whose steps was begun as often as may be, once an old letter comes again."""
    spec = long()
    with fed.site("a", threading.Event()) as one:
        flood = Flood(fed, one, spec)
        for _ in range(tries.TRIES):
            flood.begin()
    with fed.site("a", threading.Event()) as one:  # started again: it knows no letter
        Flood(fed, one, spec).begin(number=tries.TRIES)
        return one._consent._owner.requests.state(RUN)


def test_the_tries_of_a_run_are_not_counted_anew_by_one_whose_name_begins_alike(tmp_path):
    with Budget(tmp_path / "ledger") as ledger:
        for number in range(3):
            ledger.write(tries.marker(RoundId(RUN, number), "train/0"))
        ledger.write(tries.marker(RoundId(f"{RUN}/x", 1), "train/0"))
        tries.counted_anew(ledger, f"{RUN}/x")
        assert tries.made(ledger, RUN) == {"train/0": 3}
        tries.counted_anew(ledger, RUN)  # the control: its own count is
        assert tries.made(ledger, RUN) == {}


def test_server_cannot_begin_the_steps_of_a_long_plan_faster_than_the_pace(fed, monkeypatch):
    for name, value in {"FIRSTS": 5.0, "FIRSTS_A_SECOND": 0.0}.items():
        monkeypatch.setattr(tries, name, value)
    with fed.site("a", threading.Event()) as one:
        flood = Flood(fed, one, long(30))
        assert sum(flood.begin(step) for step in range(20)) == 5
        one._firsts = Pace(1e9, 1e9)  # the control
        assert all(flood.begin(step) for step in range(20, 30))
