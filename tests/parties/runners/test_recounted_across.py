"""Approvals are counted anew before a run's first round at a site, by the policy and the persons of then."""

import time
from contextlib import contextmanager

import pytest

from potluck.api.network import inbox
from potluck.core.errors import Refused
from potluck.core.rounds import Abort
from potluck.drivers.sums import Sums, drive
from potluck.learning.loops import build
from potluck.members.persons import Persons
from potluck.owner.requests import Requests, State
from support.parties import across, scene
from support.parties.across import Across, quick

RUN = "ab" * 16


@pytest.fixture(scope="module")
def founded(tmp_path_factory):
    return across.found(tmp_path_factory.mktemp("federation"))


@pytest.fixture
def fed(founded, tmp_path):
    return Across(across.copy(founded, tmp_path / "f"), patience=60.0)


@contextmanager
def gathered(fed, spec, change, at):
    """A run that all agreed to; the change comes before the round of that place."""
    with fed.coordinator(spec, RUN) as (coordinator, journal):
        coordinator.gather()
        asks = iter(range(1, 100))

        def begin(ask):
            if next(asks) == at:
                change()

        yield lambda: drive(build(spec), Sums(spec, coordinator, store=journal, repeats=0, progress=begin))


def test_a_run_that_has_not_begun_waits_again_where_the_policy_or_the_persons_of_now_ask_more(fed):
    """An attack: a run is approved by one, and kept until the policy asks two, or until persons are invited. Control:
    once it has begun here it goes on by what was asked then."""
    spec, home = quick(scene.plan(dropouts=0)), fed.home("a")
    rules = home.policy.read_text()

    def state():
        with Requests(home.requests) as book:
            return book.state(RUN), book.missing(RUN, inbox.read_policy(home.policy).approve)

    def asks(people):
        home.policy.write_text(rules.replace('"policy"', f'"person"\npeople = {people}'))

    def refused(change):
        with gathered(fed, spec, change, 1) as go_on, pytest.raises((Abort, Refused)):
            go_on()

    with fed.attending(*"abcd"):
        refused(lambda: asks(1))  # nobody had to approve it
        assert state() == (State.PENDING, 1)
        which = inbox.inbox(home.folder)[0].request.hash
        inbox.decide(home.folder, "approve", which, "Ada")
        refused(lambda: asks(2))
        assert state() == (State.PENDING, 1)  # Ada's yes is there
        inbox.decide(home.folder, "approve", which, "Bob")
        refused(lambda: Persons(home.persons).invite("Ada", time.time()))
        assert state() == (State.PENDING, 2)
        Persons(home.persons).invite("Bob", time.time())
        for name in ("Ada", "Bob"):
            inbox.decide(home.folder, "approve", which, name, signed=True)
        with gathered(fed, spec, lambda: Persons(home.persons).remove("Ada"), 2) as go_on:
            assert go_on().model.digest() == scene.Scene(scene.plan(dropouts=0)).run().model.digest()
        with Requests(home.requests) as book:
            assert book.state(RUN) is State.APPROVED
            assert not book.suffices(RUN, inbox.read_policy(home.policy).approve)  # the control of the control
