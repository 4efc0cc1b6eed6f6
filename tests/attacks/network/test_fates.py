"""What a site's owner is told of a run stays true: its own no is not written over by its asker's word, a run that was
cancelled is not finished, a yes does not outlive the policy it was given under, and what waits is judged anew."""

import threading

import pytest

from potluck.api.network import inbox
from potluck.api.network.history import history
from potluck.api.network.ledger import spending
from potluck.api.network.membership.turned import turned_away
from potluck.core.party import site
from potluck.core.plan import digest
from potluck.owner.access import read
from potluck.owner.requests import State
from potluck.parties.admission.session import Close, Ended, parcel
from support.hostile.asked import RUN, answer, policy
from support.hostile.proposals import by_person, server
from support.parties import across, scene
from support.parties.across import Across, quick

ENDED = Ended("elsewhere", bytes(16))
ROWS = "[allow]\n"


@pytest.fixture(scope="module")
def founded(tmp_path_factory):
    return across.found(tmp_path_factory.mktemp("fates"))


@pytest.fixture
def fed(founded, tmp_path):
    return Across(across.copy(founded, tmp_path / "f"))


def said(fed, one, word):
    one._open(server(fed).close(site("a"), parcel(RUN, word)))


def told(fed):
    return history(fed.folder / "a")[0].fate


def yes(fed, spec):
    inbox.decide(fed.folder / "a", "approve", digest(spec).hex(), "ann", "as agreed")


def test_a_site_s_own_no_is_not_said_to_be_somebody_else_s(fed):
    spec = quick(scene.plan())
    policy(fed, "a", (ROWS, f"{ROWS}min_rows = 4000\n"))
    by_person(fed, "a")
    with fed.site("a", threading.Event()) as one:
        assert answer(fed, one, spec).verdict == "pending"
        yes(fed, spec)
        heard = answer(fed, one, spec)
        assert (heard.verdict, heard.codes) == ("unable", ("data",))  # how many rows there are does not travel
        said(fed, one, ENDED)
        fate = told(fed)
        assert fate.word == "refused by this site's policy: fewer rows to learn from than it wants"
        assert (fate.codes, fate.stays) == (("min_rows",), True)
        assert "fewer rows to learn from" in turned_away(fed.folder / "a")[0].why
        policy(fed, "a", ("min_rows = 4000\n", ""))
        assert answer(fed, one, spec).verdict == "pending"  # the yes was given under another policy
        assert turned_away(fed.folder / "a") == ()


@pytest.mark.parametrize("changed", [False, True], ids=["same", "changed"])
def test_a_yes_to_a_run_that_ended_begins_it_later_but_under_the_policy_of_then(fed, changed):
    spec = quick(scene.plan())
    by_person(fed, "a")
    with fed.site("a", threading.Event()) as one:
        assert answer(fed, one, spec).verdict == "pending"
        yes(fed, spec)
        assert answer(fed, one, spec).verdict == "granted"
        said(fed, one, ENDED)
        assert (told(fed).word, told(fed).stays) == ("ended: another party refused it", True)
        if changed:
            policy(fed, "a", (ROWS, f"{ROWS}min_rows = 2\n"))
        assert answer(fed, one, spec).verdict == ("pending" if changed else "granted")
        if changed:
            yes(fed, spec)
            assert answer(fed, one, spec).verdict == "granted"


def test_a_run_that_its_asker_cancelled_is_not_finished(fed):
    spec = quick(scene.plan(privacy=scene.SHARED))
    with fed.site("a", threading.Event()) as one:
        assert answer(fed, one, spec).verdict == "granted"
        said(fed, one, Close(b"", "The protocol was changed"))
    fate = told(fed)
    assert (fate.word, fate.reason) == ("cancelled by who asked", "The protocol was changed")
    assert fate.when == read(fed.folder / "a" / "access.jsonl").entries[-1].when
    assert [run.state for run in spending(fed.folder / "a").runs] == ["cancelled"]


def test_control_a_run_that_ended_without_a_word_was_not_cancelled(fed):
    with fed.site("a", threading.Event()) as one:
        assert answer(fed, one, quick(scene.plan(privacy=scene.SHARED))).verdict == "granted"
        said(fed, one, Close(b""))
    assert told(fed).word == "ended before its first round"
    assert [run.state for run in spending(fed.folder / "a").runs] == ["finished"]


def test_what_waits_is_denied_as_soon_as_the_policy_forbids_it(fed):
    """Nobody asks again. A policy that cannot be read, as amid an edit, turns nothing away."""
    spec = quick(scene.plan())
    by_person(fed, "a")
    path = fed.folder / "a" / "policy.toml"
    with fed.site("a", threading.Event()) as one:
        assert answer(fed, one, spec).verdict == "pending"
        whole = path.read_text()
        for text in (f"{whole}[[", f"{whole}\n# a word\n"):
            path.write_text(text)
            one._tick()
            assert one._consent._owner.requests.state(RUN) is State.PENDING
        policy(fed, "a", ('protect = ["*"]', 'protect = ["he"]'))
        one._tick()
        found = history(fed.folder / "a")[0]
        assert (found.request.state, found.request.codes) == (State.DENIED, ("protect",))
    (last,) = [one.why for one in read(fed.folder / "a" / "access.jsonl").entries if one.outcome == "denied"]
    assert last == ("protect",)
