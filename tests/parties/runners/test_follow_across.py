"""The federation file changes while runs go on: who joins, leaves or has new keys stops nobody, and cuts in nowhere."""

import os
import time
from contextlib import contextmanager, suppress

import msgspec
import pytest

from potluck.api.network import inbox
from potluck.api.network import members as api
from potluck.api.network.history import history
from potluck.api.network.inbox import Seen
from potluck.api.network.membership.agreed import site_agree, site_members
from potluck.core.errors import Refused
from potluck.core.party import SERVER, site
from potluck.core.rounds import Abort, Label, Parcel, RoundId
from potluck.drivers.sums import Sums, drive
from potluck.learning.loops import build
from potluck.members.card import fingerprint
from potluck.members.home import CoordinatorHome, Membership, SiteHome
from potluck.owner.access import read as read_log
from potluck.parties.runners.identity import identity
from potluck.secret.keys import STRANGER
from support.members import scene as members
from support.owner.policies import OPEN
from support.parties import across, scene
from support.parties.across import Across, gather, quick

RUN, NEXT = "ab" * 16, "cd" * 16


@pytest.fixture(scope="module")
def founded(tmp_path_factory):
    """Four members, and the home of e, who is none yet."""
    folder = across.found(tmp_path_factory.mktemp("federation"))
    api.site_new(folder / "e", None)
    (folder / "e" / "policy.toml").write_text(OPEN)
    scene.frames("abce")["e"].to_csv(folder / "e" / "rows.csv", index=False)
    return folder


@pytest.fixture
def fed(founded, tmp_path):
    return Across(across.copy(founded, tmp_path / "f"), patience=60.0)


def in_one_process(plan):
    return scene.Scene(plan).run().model.digest()


def newest(fed):
    return (fed.folder / "fed" / "federation.toml").read_bytes()


def shown(fed, *names):
    """The broker shows the newest file, and these have taken it up."""
    text = newest(fed)
    version = CoordinatorHome.at(fed.folder / "fed").standing().federation.version
    end = time.monotonic() + 60
    while set(names) - fed.followers.keys():  # they are being started
        assert time.monotonic() < end
        time.sleep(0.01)
    for name in names:
        fed.followers[name].take(text)
    while any(fed.home(name).pinned().version < version for name in names):
        assert time.monotonic() < end, fed.heard
        time.sleep(0.01)


def everything(fed):
    """A member joins, one has new keys, one leaves, and the coordinator has new keys."""
    now, folder = time.time(), fed.folder / "fed"
    api.federation_add(folder, [fed.folder / "e" / "e.card"], now)
    shown(fed, *"abcd")
    api.federation_rotate(folder, [api.site_rotate(fed.folder / "b").card], now, keys=False, days=None)
    shown(fed, *"abcd")
    api.federation_remove(folder, "d", now)
    shown(fed, *"abc")
    api.federation_rotate(folder, [], now, keys=True, days=None)
    shown(fed, *"abc")


@contextmanager
def between(fed, spec, change, at=2):
    """A coordinator whose drive makes the change before the round of that place in order."""
    with fed.coordinator(spec, RUN) as (coordinator, journal):
        coordinator.gather()
        asks = iter(range(1, 100))

        def begin(ask):
            if next(asks) == at:
                change()

        def go_on():
            outcome = drive(build(spec), Sums(spec, coordinator, store=journal, progress=begin))
            coordinator.close(b"")
            return outcome

        yield go_on


def verdicts(fed, spec, names, run=RUN):
    """What these sites answer."""
    with fed.coordinator(spec, run) as (coordinator, _):
        with suppress(Refused):
            gather(coordinator, names)
        return [
            coordinator.participants.of[party].verdict for party in coordinator.participants.of if party.name in names
        ]


@pytest.mark.slow
def test_a_run_ends_under_its_file_while_members_come_go_and_change_keys_and_the_next_has_them(fed):
    spec = quick(scene.plan())
    with fed.attending(*"abcd"):
        with between(fed, spec, lambda: everything(fed)) as go_on:
            outcome = go_on()
        assert outcome.model.digest() == in_one_process(scene.plan())
        old = [fed.home(name).earlier.all()[-1].version for name in "abc"]
        assert old == [2, 2, 2]  # the file that the run began with
        api.site_join(fed.folder / "e", fed.folder / "fed" / "federation.toml", time.time())
        with fed.attending("e"):
            later = scene.plan(sites="abce")
            told = [event for event, _ in fed.said]
            assert verdicts(fed, quick(later), "abc", NEXT) == ["pending"] * 3
            for name in "abc":  # nobody there has agreed to e, and b has new keys: a person says so
                one = inbox.one_request(fed.folder / name, inbox.inbox(fed.folder / name)[0].request.hash)
                assert one.request.codes == ("members",)
                with pytest.raises(Refused, match="nobody here has agreed: "):  # whoever has not looked
                    inbox.decide(fed.folder / name, "approve", one.request.hash, "Ada")
                inbox.decide(fed.folder / name, "approve", one.request.hash, "Ada", seen=Seen(new=one.new.values()))
            outcome, _ = fed.run(quick(later), NEXT)
    assert "discarded" not in told
    assert outcome.model.digest() == scene.Scene(later).run().model.digest()
    assert "b has new keys, " in " ".join(fed.heard["a"])
    assert "e joined, " in " ".join(fed.heard["a"])
    assert any(entry.event == "members" for entry in read_log(fed.home("a").access).entries)


@pytest.mark.slow
def test_a_file_that_comes_within_a_round_disturbs_nothing(fed):
    spec, done = quick(scene.plan()), []

    def carry(sender, to, data):
        if not done and any(event == "answer" for event, _ in fed.said) and sender.name == "c" and len(data) > 2000:
            done.append(True)
            api.federation_add(fed.folder / "fed", [fed.folder / "e" / "e.card"], time.time())
            for name in "abcd":
                fed.followers[name].take(newest(fed))
        return ((to, data),)

    fed.exchange._carry = carry
    with fed.attending(*"abcd"):
        outcome, _ = fed.run(spec, RUN)
    assert done
    assert outcome.model.digest() == in_one_process(scene.plan())
    assert {fed.home(name).pinned().version for name in "abcd"} == {3}


@pytest.mark.slow
def test_a_site_that_is_started_again_with_new_keys_goes_on_with_the_old_ones_in_its_run(fed):
    spec = quick(scene.plan())
    with fed.attending(*"acd"), fed.coordinator(spec, RUN) as (coordinator, journal):

        def rotated():
            api.federation_rotate(
                fed.folder / "fed", [api.site_rotate(fed.folder / "b").card], time.time(), keys=False, days=None
            )
            shown(fed, *"abcd")

        asks = iter(range(1, 100))

        def first(ask):
            if next(asks) == 2:
                rotated()
                raise KeyboardInterrupt

        with fed.attending("b"):
            coordinator.gather()
            with pytest.raises(KeyboardInterrupt):
                drive(build(spec), Sums(spec, coordinator, store=journal, progress=first))
        before = fed.home("b")
        assert [one.version for one in before.earlier.all()] == [2]
        assert len(list((before.folder / "keys.earlier").iterdir())) == 1
        with fed.attending("b"):  # another process of b's
            outcome = drive(build(spec), Sums(spec, coordinator, store=journal, repeats=3))
            coordinator.close(b"")
    assert outcome.model.digest() == in_one_process(scene.plan())


@pytest.mark.slow
def test_old_keys_go_once_no_run_needs_them(fed):
    now = time.time()
    with fed.attending(*"abcd"):
        fed.run(quick(scene.plan()), RUN)
        api.federation_rotate(fed.folder / "fed", [api.site_rotate(fed.folder / "b").card], now, keys=False, days=None)
        shown(fed, *"abcd")
    home = fed.home("b")
    assert home.earlier.all() == ()
    assert list((home.folder / "keys.earlier").glob("*")) == []


def test_stolen_keys_cut_a_run_off_at_once(fed):
    spec = quick(scene.plan(), patience=1.0)
    now = time.time()

    def stolen():
        card = api.site_rotate(fed.folder / "b").card
        api.federation_rotate(fed.folder / "fed", [card], now, keys=False, days=None, revoke=True)
        shown(fed, *"abcd")

    with fed.attending(*"abcd"), between(fed, spec, stolen) as go_on, pytest.raises((Abort, Refused)):
        go_on()
    for name in "abcd":
        home = fed.home(name)
        assert home.earlier.all() == ()
        assert list((home.folder / "keys.earlier").glob("*")) == []
        assert "may be stolen" in " ".join(fed.heard[name])
    chief = CoordinatorHome.at(fed.folder / "fed")
    assert chief.standing().federation.oldest == 3


def test_the_coordinator_has_the_file_of_a_run_as_long_as_it_is_open(fed):
    chief = CoordinatorHome.at(fed.folder / "fed")
    first = chief.open(time.time())
    chief.earlier.keep(chief.federation)  # as a change does, where a run is open
    assert chief.under(first.federation.digest, time.time()).federation == first.federation
    api.federation_rotate(chief.folder, [], time.time(), keys=True, days=None)
    with pytest.raises(Refused, match="not kept here"):  # no run was open
        chief.under(first.federation.digest, time.time())
    api.federation_rotate(chief.folder, [], time.time(), keys=True, days=None, revoke=True)
    with pytest.raises(Refused, match=r"under version 2, .* were revoked .*--revoke.* a plan without that one"):
        chief.under(first.federation.digest, time.time(), 2)


@pytest.mark.parametrize("changed", [True, False])
def test_a_policy_that_asks_nobody_asks_a_person_about_members_of_the_coordinators_making(fed, changed):
    """min_sites is met by parties whom nobody but the coordinator knows."""
    folder, now = fed.folder / "fed", time.time()
    sites = "abcd"
    with fed.attending("a"):
        if changed:
            for name in "xyz":
                api.site_new(fed.folder / name, None)
            api.federation_add(folder, [fed.folder / n / f"{n}.card" for n in "xyz"], now)
            shown(fed, "a")
            sites = "axyz"
        assert verdicts(fed, quick(scene.plan(sites=sites)), "a") == ["pending" if changed else "granted"]
    if changed:
        pinned = fed.home("a").pinned()
        marks = {card.party.name: fingerprint(card) for card in pinned.members}
        assert site_members(fed.folder / "a", now).new == {name: marks[name] for name in "xyz"}
        assert all(f"{name} ({marks[name]}) is new here" in " ".join(fed.heard["a"]) for name in "xyz")
        site_agree(fed.folder / "a", [marks["x"]], "Ada", now)
        assert set(site_members(fed.folder / "a", now).new) == set("yz")


def test_a_plan_that_was_approved_for_ever_is_asked_again_when_a_member_has_other_keys(fed):
    """By both of two persons: one of them alone lets nobody new in, neither by approving nor on the members' page."""
    spec = quick(scene.plan())
    home = fed.home("a")
    home.policy.write_text(home.policy.read_text().replace('"policy"', '"hash"\npeople = 2'))

    def approve(person, new=()):
        return inbox.decide(home.folder, "approve", which, person, seen=Seen(new=new))[1].missing

    with fed.attending("a"):
        assert verdicts(fed, spec, "a") == ["pending"]
        which = inbox.inbox(home.folder)[0].request.hash
        assert (approve("Ada"), approve("Bob")) == (1, 0)
        assert verdicts(fed, spec, "a", NEXT) == ["granted"]  # the control
        card = api.site_rotate(fed.folder / "c").card
        api.federation_rotate(fed.folder / "fed", [card], time.time(), keys=False, days=None)
        shown(fed, "a")
        assert verdicts(fed, spec, "a", "ef" * 16) == ["pending"]
        (one,) = inbox.inbox(home.folder)
        assert (one.missing, history(home.folder)[0].missing) == (2, 2)
        for person in ("Ada", "ada"):  # on the members' page
            site_agree(home.folder, one.new.values(), person, time.time())
            assert site_members(home.folder, time.time()).first == {"c": "Ada"}
        assert approve("Ada", new=one.new.values()) == 1
        assert verdicts(fed, spec, "a", "12" * 16) == ["pending"]
        assert inbox.inbox(home.folder)[0].missing == 1
        site_agree(home.folder, one.new.values(), "Bob", time.time())
        assert site_members(home.folder, time.time()).new == {}
        assert approve("Bob") == 0
        assert verdicts(fed, spec, "a", "12" * 16) == ["granted"]


@pytest.mark.slow
def test_a_yes_that_was_given_before_a_member_had_other_keys_counts_for_nobody(fed):
    spec = quick(scene.plan())
    home = fed.home("a")
    words = home.policy.read_text().replace('"policy"', '"person"\npeople = 2')
    home.policy.write_text(words)
    with fed.attending("a"):
        assert verdicts(fed, spec, "a") == ["pending"]
        which = inbox.inbox(home.folder)[0].request.hash
        inbox.decide(home.folder, "approve", which, "Ada")
        os.utime(home.federation)
        inbox.decide(home.folder, "approve", which, "Bob")  # the control: the same members
        assert verdicts(fed, spec, "a") == ["granted"]
        assert verdicts(fed, spec, "a", NEXT) == ["pending"]
        inbox.decide(home.folder, "approve", which, "Ada")
        card = api.site_rotate(fed.folder / "c").card
        api.federation_rotate(fed.folder / "fed", [card], time.time(), keys=False, days=None)
        shown(fed, "a")
        new = inbox.one_request(home.folder, which).new
        _, done = inbox.decide(home.folder, "approve", which, "Bob", seen=Seen(new=new.values()))
        assert (done.changed, done.missing) == ((), 1)
        _, done = inbox.decide(home.folder, "approve", which, "Ada", seen=Seen(new=new.values()))
        assert done.missing == 0 or done.changed
        assert verdicts(fed, spec, "a", NEXT) == ["granted"]


def test_a_new_run_by_an_old_file_is_refused_by_who_has_a_newer_one(fed):
    old = CoordinatorHome.at(fed.folder / "fed").open(time.time())
    with fed.attending("a"):
        api.federation_add(fed.folder / "fed", [fed.folder / "e" / "e.card"], time.time())
        shown(fed, "a")
        patched = fed.coordinator(quick(scene.plan()), RUN)
        with patched as (coordinator, _):
            coordinator.participants._proposal = msgspec.structs.replace(
                coordinator.participants._proposal, membership=old.federation.version, file=old.federation.digest
            )
            with pytest.raises(Refused, match="federation"):
                coordinator.gather()
    assert SiteHome.at(fed.folder / "a").pinned().version == 3


def test_keys_of_a_member_that_left_and_replaced_ones_open_no_word_and_no_new_round():
    """Where the broker lets them in all the same. In rounds of runs that began before they count: see above."""
    before, chief = members.federation("a", "b"), members.CHIEF
    after = members.after(before, members=(members.card("a", "a's next keys"),))

    def known(party, keys, file):
        return identity(Membership(party, keys, file))

    old, now = known(SERVER, chief, before), known(SERVER, chief, after)
    for name, detail in (("b", STRANGER), ("a", "bad signature")):
        stale = known(site(name), members.keys(name), before)
        for number in (0, 1):
            letter = stale.close(SERVER, Parcel(Label(RoundId(RUN, number), "hello"), b"x"))
            assert old.disclose(letter)[0] == site(name)  # the control
            with pytest.raises(Abort, match=detail):
                now.disclose(letter)


def test_a_letter_of_a_member_that_is_not_in_the_file_yet_is_no_forgery_in_the_log(fed):
    with fed.coordinator(quick(scene.plan()), RUN) as (coordinator, _):
        for name, signature in (("zeta", bytes(64)), ("a", bytes(64))):
            with pytest.raises(Abort) as caught:
                coordinator._me.roster.verify(site(name), b"", signature)
            coordinator._quiet_until.clear()
            coordinator._discarded(caught.value)
    newcomer, forged = [text for event, text in fed.said if event == "discarded"]
    assert "zeta, which this federation file does not list: added since?" in newcomer
    assert forged == "bad signature"
