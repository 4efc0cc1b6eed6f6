"""A coordinator's "the run does not go on" and "it is over" at a site: neither frees budget, nor hides a round that was
charged, nor has rows read again, nor lets in what people are asked about again."""

import threading

import pytest

from potluck.api.network import inbox
from potluck.api.network.history import history
from potluck.api.network.ledger import spending
from potluck.core.party import site
from potluck.core.plan import digest
from potluck.core.rounds import Cause, Label, Parcel, Record, RoundId
from potluck.core.wire import dump
from potluck.dp.mechanism import mechanism
from potluck.learning.loops import build
from potluck.owner.access import read
from potluck.parties.admission.session import Close, Ended, parcel
from potluck.parties.admission.told import Figure, Told
from potluck.parties.runners import seated
from support.hostile.asked import RUN, answer
from support.hostile.proposals import announced, by_person, proposal, server
from support.parties import across, scene
from support.parties.across import Across, quick


@pytest.fixture(scope="module")
def founded(tmp_path_factory):
    return across.found(tmp_path_factory.mktemp("ended"))


@pytest.fixture
def fed(founded, tmp_path):
    return Across(across.copy(founded, tmp_path / "f"))


ENDED, CLOSED = Ended("elsewhere", bytes(16)), Close(b"")


def noisy():
    return quick(scene.plan(privacy=scene.SHARED))


def said(fed, one, word):
    one._open(server(fed).close(site("a"), parcel(RUN, word)))


def charged(fed, one, spec):
    """A round is begun, and charged as its contribution leaves."""
    assert answer(fed, one, spec).verdict == "granted"
    one._open(server(fed).close(site("a"), Parcel(Label(RoundId(RUN, 1), "begin"), announced(spec))))
    one._ledger.write(Record(f"charge/{RUN}/1", dump(mechanism(spec, next(build(spec).lead())).cost)))
    return one._consent._owner.ledger.spent()


def rounds(fed):
    return [(one.outcome, one.why) for one in read(fed.folder / "a" / "access.jsonl").entries if one.event == "round"]


def hidden(fed, word):
    """What the access log has of a round that was charged and in flight when the coordinator says so."""
    with fed.site("a", threading.Event()) as one:
        before = charged(fed, one, noisy())
        said(fed, one, word)
        assert one._consent._owner.ledger.spent() == before > 0
        if word is ENDED:
            part = one._seats[RUN].part
            assert answer(fed, one, noisy()).verdict == "granted"
            assert one._seats[RUN].part is part  # no row is read again
            one._open(server(fed).close(site("a"), parcel(RUN, CLOSED)))
        return rounds(fed)


@pytest.mark.parametrize("word", [ENDED, CLOSED], ids=["ended", "closed"])
def test_an_end_amid_a_round_frees_no_budget_and_hides_no_round(fed, word):
    assert hidden(fed, word) == [("aborted", (Cause.STOPPED.value,))]


def test_control_a_round_that_is_only_dropped_is_in_no_log(fed, monkeypatch):
    monkeypatch.setattr(seated.Seated, "cut", lambda seat: None)
    assert hidden(fed, CLOSED) == []


def test_an_end_takes_back_no_denial_and_needs_no_decision(fed):
    by_person(fed, "a")
    spec = quick(scene.plan())
    with fed.site("a", threading.Event()) as one:
        assert answer(fed, one, spec).verdict == "pending"
        said(fed, one, Ended("elsewhere", bytes(15) + b"x"))  # of an earlier process of the coordinator's
        assert [found.request.state.value for found in history(fed.folder / "a")] == ["pending"]
        said(fed, one, ENDED)
        assert [found.fate.word for found in history(fed.folder / "a")] == ["ended: another party refused it"]
        assert answer(fed, one, spec).verdict == "pending"
        inbox.decide(fed.folder / "a", "deny", digest(spec).hex(), "p")
        said(fed, one, ENDED)
        assert answer(fed, one, spec).codes == ("denied",)
    assert [found.fate.word for found in history(fed.folder / "a")] == ["denied by p"]


def test_why_a_coordinator_cancelled_is_text_in_the_log_and_moves_no_cursor(fed):
    """Nor does it fill a page: a longer one is no letter."""
    with fed.site("a", threading.Event()) as one:
        by_person(fed, "a")
        assert answer(fed, one, noisy()).verdict == "pending"
        said(fed, one, Close(b"", "x" * 1001))
        assert history(fed.folder / "a")[0].request.state.value == "pending"
        said(fed, one, Close(b"", "\x1b[2J\u202eno <b>more\n"))
    (end,) = [one for one in read(fed.folder / "a" / "access.jsonl").entries if one.event == "end"]
    assert (end.outcome, end.reason) == ("withdrawn", r"\u{1b}[2J\u{202e}no <b>more\u{a}")


def test_a_proposal_that_comes_twice_is_one_line_of_the_log(fed):
    """While nothing else happens: after a person's word the answer is another."""
    with fed.site("a", threading.Event()) as one:
        by_person(fed, "a")
        for _ in range(3):
            assert answer(fed, one, noisy()).verdict == "pending"
        inbox.decide(fed.folder / "a", "deny", digest(noisy()).hex(), "ann", "no")
        assert answer(fed, one, noisy()).verdict == "denied"
    asked = [one.outcome for one in read(fed.folder / "a" / "access.jsonl").entries if one.event == "request"]
    assert asked == ["pending", "denied"]


def fate(fed):
    (found,) = history(fed.folder / "a")
    return found.request.state.value, found.fate.word


def begun(fed, one, spec, number):
    """Whether a round begins."""
    one._open(server(fed).close(site("a"), Parcel(Label(RoundId(RUN, number), "begin"), announced(spec))))
    return one._seats[RUN].desk is not None


def test_a_run_that_is_said_to_have_ended_begins_no_round_before_it_is_proposed_again(fed):
    """Else its owner reads that it stopped, while it goes on and is charged."""
    spec = noisy()
    with fed.site("a", threading.Event()) as one:
        charged(fed, one, spec)
        said(fed, one, Ended("failed", bytes(16)))
        assert fate(fed) == ("approved", "stopped: a round failed")
        assert not begun(fed, one, spec, 2)
        assert answer(fed, one, spec).verdict == "granted"
        assert begun(fed, one, spec, 3)  # the control
        assert fate(fed) == ("approved", "goes on")


def test_a_proposal_that_is_wrong_in_itself_is_no_no_of_the_policys(fed):
    """One letter, and the run goes on all the same."""
    spec = noisy()
    with fed.site("a", threading.Event()) as one:
        charged(fed, one, spec)
        said(fed, one, proposal(fed, spec, code="9.9"))
        assert fate(fed)[1].startswith("turned away: the server runs another version")
        assert begun(fed, one, spec, 2)
        said(fed, one, CLOSED)
    assert fate(fed) == ("finished", "ended in a round that failed")


def test_a_charged_run_that_is_asked_for_with_another_plan_did_not_fail_at_its_rows(fed):
    with fed.site("a", threading.Event()) as one:
        charged(fed, one, noisy())
    with fed.site("a", threading.Event()) as one:
        found = answer(fed, one, quick(scene.plan(privacy=scene.SHARED | {"epsilon": 2.0})))
        assert (found.verdict, found.codes) == ("denied", ("plan",))
    assert [one.state for one in spending(fed.folder / "a").runs] == ["open"]


def test_rows_are_not_read_again_for_every_end_and_a_close_is_one_line(fed):
    with fed.site("a", threading.Event()) as one:
        for _ in range(3):
            assert answer(fed, one, noisy()).verdict == "granted"
            said(fed, one, ENDED)
        for number in range(3):
            said(fed, one, Close(bytes([number]), "x" * 1000))
    events = [one.event for one in read(fed.folder / "a" / "access.jsonl").entries]
    assert events.count("rows") == 1
    assert events.count("end") == 3 + 1


def test_what_ended_and_is_cancelled_then_is_cancelled(fed):
    by_person(fed, "a")
    with fed.site("a", threading.Event()) as one:
        answer(fed, one, noisy())
        said(fed, one, ENDED)
        said(fed, one, Close(b"", "no money"))
        assert answer(fed, one, noisy()).codes == ("withdrawn",)
    assert fate(fed) == ("withdrawn", "cancelled by who asked")
    (*_, end) = [one for one in read(fed.folder / "a" / "access.jsonl").entries if one.event == "end"]
    assert end.reason == "no money"


@pytest.mark.parametrize("number", [37.5e18, float("nan"), -float("inf")])
def test_no_metric_fills_a_page(fed, number):
    spec = quick(scene.plan())
    with fed.site("a", threading.Event()) as one:
        answer(fed, one, spec)
        begun(fed, one, spec, 1)
        said(fed, one, Told((Figure("auc", 0.5, (number, 1.0), None),), 3.0))
        assert not list((fed.folder / "a").rglob("told.json"))
        said(fed, one, Told((Figure("auc", 0.5, (0.25, 1.0), None),), 3.0))  # the control
        assert list((fed.folder / "a").rglob("told.json"))
