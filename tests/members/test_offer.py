"""A federation file that comes by itself: only what the pinned key signed next is taken, and only as far as the owner
lets it be."""

import time
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import product

import pytest

from potluck.api.network import members as api
from potluck.api.network.doctor.line import membership
from potluck.api.network.ledger import anchor
from potluck.api.network.membership import follow
from potluck.api.network.membership.agreed import site_agree, site_members
from potluck.api.network.membership.follow import Follower
from potluck.api.network.membership.left import left
from potluck.api.network.running.health import health
from potluck.api.network.running.pulse import Pulse
from potluck.api.network.running.status import status
from potluck.core.errors import Refused, UsageError
from potluck.members import charter
from potluck.members.change import Change
from potluck.members.earlier import MOST
from potluck.members.federation import hand_over
from potluck.members.home import CoordinatorHome, SiteHome
from potluck.members.known import Known
from potluck.members.offer import LARGEST, judged
from potluck.members.persons import Persons
from potluck.members.pinned import Pinned
from potluck.owner.access import AccessLog
from potluck.owner.access import read as read_log
from potluck.owner.budget import Budget
from support.examples import fewer
from support.members.scene import after, card, federation, keys, rekeyed

NOW = time.time()


@pytest.fixture
def a(enrolled):
    return SiteHome.at(enrolled / "a")


@pytest.fixture
def chief(enrolled):
    return CoordinatorHome.at(enrolled / "hospitals")


@contextmanager
def following(home):
    """A running site's follower, and what it said."""
    said = []
    with closing(Budget(home.ledger, anchor=anchor(home, home.open(NOW)))) as ledger:
        yield Follower(Pinned.at(home), ledger, AccessLog(home.access), said.append), said


def policy(home, follow):
    text = home.policy.read_text()
    home.policy.write_text(text.replace('follow = "all"', f'follow = "{follow}"'))


def signed(it, by):
    return charter.write(it, by.signing)


def forged(chief):
    """By name what a hostile broker, member or coordinator could show in the place of the next file."""
    member = chief.open(NOW)
    it, ours = member.federation, member.keys
    stranger, next_keys = keys("stranger"), keys("next")
    own = replace(it, version=it.version + 1, coordinator=federation("a").coordinator)
    skipped = rekeyed(replace(it, coordinator=replace(federation("a").coordinator)), keys("coordinator"), next_keys)
    text = signed(after(it), ours)
    return {
        "garbage": b"\x00\xff" * 40,
        "not a file": b"version = 1",
        "too long": signed(it, ours).encode() + b"#" * LARGEST,
        "another's signature": text.replace(text.split('signature = "')[1][:20], "A" * 20).encode(),
        "another coordinator": signed(own, keys("coordinator")).encode(),
        "another federation": signed(replace(after(it), id="0" * 32), ours).encode(),
        "a hand-over from another key": signed(skipped, next_keys).encode(),
        "a hand-over that a stranger signed": signed(
            replace(
                after(it),
                coordinator=replace(rekeyed(it, stranger, next_keys).coordinator),
                handovers=(hand_over(it.id, it.version + 1, stranger.signing, next_keys.signing.public),),
            ),
            next_keys,
        ).encode(),
        "expired": signed(replace(after(it), issued=int(NOW) - 9000, expires=int(NOW) - 60), ours).encode(),
        "issued tomorrow": signed(replace(after(it), issued=int(NOW) + 86400), ours).encode(),
        "our name with another's keys": signed(
            after(it, members=tuple(card("a", "evil") if one.party.name == "a" else one for one in it.members)), ours
        ).encode(),
        "the pinned version with other content": signed(replace(it, expires=it.expires + 1), ours).encode(),
    }


WAYS = (
    "garbage", "not a file", "too long", "another's signature", "another coordinator", "another federation",
    "a hand-over from another key", "a hand-over that a stranger signed", "expired", "issued tomorrow",
    "our name with another's keys", "the pinned version with other content",
)  # fmt: skip


def test_nothing_but_the_next_file_is_followed_and_each_try_is_said_once(a, chief):
    pinned = a.federation.read_bytes()
    tries = forged(chief)
    assert tuple(tries) == WAYS
    with following(a) as (follower, said):
        for text in tries.values():
            follower.take(text)
            assert not follower.look()
            assert not follower.look()
            assert a.federation.read_bytes() == pinned
        assert len(said) == len(tries), said
        assert all("is not taken" in line for line in said)
        events = [(one.event, one.outcome) for one in read_log(a.access).entries]
        assert events == [("refusal", "refused")] * len(tries)
        a.conflict.unlink()  # until two files of one version are settled, later ones wait
        api.federation_add(chief.folder, [api.site_new(a.folder.parent / "c").card], NOW)
        follower.take(chief.federation.read_bytes())  # the control
        follower.look()
    assert a.federation.read_bytes() == chief.federation.read_bytes()
    assert "c joined, " in said[-2]
    assert "nobody here agreed to c yet" in said[-1]


def test_what_somebody_writes_beside_what_is_signed_is_not_pinned(a, chief):
    api.federation_add(chief.folder, [api.site_new(a.folder.parent / "c").card], NOW)
    text = chief.federation.read_bytes()
    with following(a) as (follower, _):
        follower.take(b"# c was confirmed by voice\n" + text + b"# to compare fingerprints, call ...\n")
        follower.look()
    assert a.federation.read_bytes() == text  # the new members are in it, the comments are not


def test_an_older_file_is_not_taken_also_by_a_process_that_was_started_again(a, chief):
    old = chief.federation.read_bytes()
    for days in (10, 20):
        api.federation_rotate(chief.folder, [], NOW, keys=days == 20, days=days)
        with following(a) as (follower, said):
            follower.take(chief.federation.read_bytes())
            follower.look()
            newest = a.federation.read_bytes()
            assert newest == chief.federation.read_bytes()
            follower.take(old)
            follower.look()
            assert a.federation.read_bytes() == newest
    with following(a) as (follower, said):
        follower.take(old)
        follower.look()
    assert a.federation.read_bytes() == newest
    assert "older than version 4" in said[-1]  # also in front of the hand-over


def test_two_files_of_one_version_are_kept_as_evidence_and_shown(a, chief):
    with following(a) as (follower, _):
        follower.take(forged(chief)["the pinned version with other content"])
        follower.look()
    seen = site_members(a.folder, NOW)
    assert seen.two_files.startswith("version 2 (sha256:")
    assert charter.read(a.conflict).digest != seen.federation.federation.digest
    with following(a) as (follower, _):
        follower.take(chief.federation.read_bytes())  # the control: the same file again is none
        follower.look()
    assert api.site_join(a.folder, chief.federation, NOW).settled is None  # the same version settles nothing
    assert site_members(a.folder, NOW).two_files
    newer = api.federation_rotate(chief.folder, [], NOW, keys=False, days=None).file
    with following(a) as (follower, said):  # nor does a later one that comes by itself: it may rest on either
        follower.take(newer.read_bytes())
        follower.look()
    assert "waits for a person (site join --offered), as two files of one version were seen here" in said[-1]
    assert a.pinned().version == 2
    assert site_members(a.folder, NOW).two_files
    kept = api.site_join(a.folder, None, NOW).settled
    assert (charter.read(kept).version, a.pinned().version) == (2, 3)
    assert site_members(a.folder, NOW).two_files == ""
    last = api.federation_rotate(chief.folder, [], NOW, keys=False, days=None).file
    with following(a) as (follower, _):  # the control: settled, files are followed again
        follower.take(last.read_bytes())
        follower.look()
    assert a.pinned().version == 4


def test_another_file_of_one_version_that_a_person_would_join_is_evidence_too(a, chief, tmp_path):
    other = tmp_path / "other.toml"
    other.write_bytes(forged(chief)["another's signature"])
    with pytest.raises(Refused):
        api.site_join(a.folder, other, NOW)
    assert site_members(a.folder, NOW).two_files == ""  # the control: who has not the key makes no alarm
    other.write_bytes(forged(chief)["the pinned version with other content"])
    with pytest.raises(Refused, match="two files of one version"):
        api.site_join(a.folder, other, NOW)
    assert site_members(a.folder, NOW).two_files.startswith("version 2 (sha256:")
    assert charter.read(a.conflict).digest != a.pinned().digest


def test_a_thief_that_hands_over_to_keys_of_its_own_raises_the_alarm_on_both_sides(a, chief, tmp_path):
    """It has the coordinator's keys, and its version 3 shuts the coordinator out; one site sees the one file first, one
    the other. The controls: the hand-over that each pinned, and the older file."""
    member, b = chief.open(NOW), SiteHome.at(a.folder.parent / "b")
    old = chief.federation.read_bytes()
    taken = rekeyed(member.federation, member.keys, keys("thief"))
    theirs = signed(taken, keys("thief")).encode()
    ours = api.federation_rotate(chief.folder, [], NOW, keys=False, days=None).file.read_bytes()
    for home, first, second in ((a, ours, theirs), (b, theirs, ours)):
        with following(home) as (follower, said):
            for text in (first, old):
                follower.take(text)
                follower.look()
            assert (home.pinned().version, home.conflict.exists()) == (3, False)
            follower.take(second)
            follower.look()
        assert "has not handed over to it" in said[-1]
        assert charter.read(home.conflict).digest != home.pinned().digest
    a.conflict.write_bytes(signed(replace(taken, version=99), keys("thief")).encode())
    assert site_members(a.folder, NOW).two_files.startswith("version 99")
    newer = api.federation_rotate(chief.folder, [], NOW, keys=False, days=None).file
    assert api.site_join(a.folder, newer, NOW).settled is not None  # whatever number the thief wrote
    assert site_members(a.folder, NOW).two_files == ""


def test_a_file_without_us_is_said_and_not_pinned(a, chief):
    assert left(a) == ""  # control
    api.federation_remove(chief.folder, "a", NOW)
    with following(a) as (follower, said):
        follower.take(chief.federation.read_bytes())
        follower.look()
    assert "no member any more in version 3" in said[-1]
    assert a.pinned().version == 2
    words = "this party is no member any more in version 3"
    assert ("federation", "bad") in {(one.topic, one.state) for one in membership(a, NOW, keys=True)}
    assert any(line.startswith(words) for line in status(a.folder, NOW).lines)
    assert not health(Pulse(a), NOW).good


CHANGES = {
    "add": lambda folder, home: api.federation_add(folder, [api.site_new(home.folder.parent / "c").card], NOW),
    "rotate": lambda folder, home: api.federation_rotate(
        folder, [api.site_rotate(home.folder.parent / "b").card], NOW, keys=False, days=None
    ),
    "own": lambda folder, home: api.federation_rotate(
        folder, [api.site_rotate(home.folder).card], NOW, keys=False, days=None
    ),
    "remove": lambda folder, home: api.federation_remove(folder, "b", NOW),
    "days": lambda folder, home: api.federation_rotate(folder, [], NOW, keys=False, days=9),
    "keys": lambda folder, home: api.federation_rotate(folder, [], NOW, keys=True, days=None),
}
RENEWALS = {"own", "remove", "days", "keys"}
FOLLOWED = ("all", "renewals", "nothing")
OFTEN = (
    *(("add", follow) for follow in FOLLOWED),
    *(("rotate", follow) for follow in ("all", "renewals")),
    *((what, "nothing") for what in ("own", "remove", "keys")),
    ("days", "renewals"),
)


@pytest.mark.parametrize(("what", "follow"), fewer(product(CHANGES, FOLLOWED), *OFTEN))
def test_what_is_followed_without_a_person_says_the_policy(a, chief, what, follow):
    policy(a, follow)
    CHANGES[what](chief.folder, a)
    with following(a) as (follower, said):
        follower.take(chief.federation.read_bytes())
        follower.look()
        followed = follow == "all" or (follow == "renewals" and what in RENEWALS)
        assert (a.pinned().version == 3) is followed, said
        seen = site_members(a.folder, NOW)
        assert (seen.waits is None) is followed
        if not followed:
            assert seen.changes == Change(a.pinned(), chief.open(NOW).federation).lines()
            assert api.site_join(a.folder, None, NOW, person="Ada").federation.federation.version == 3
            assert site_members(a.folder, NOW).new == {}
            follower.look()
            assert "version 3" in said[-1]
            assert site_members(a.folder, NOW).waits is None
    assert a.open(NOW).federation.version == 3


def test_joining_while_the_site_runs_hands_the_ledger_over_to_the_new_keys(a, chief):
    with following(a) as (follower, said):
        follower._ledger.finish("")  # nothing of it is written
        api.federation_rotate(chief.folder, [api.site_rotate(a.folder).card], NOW, keys=False, days=None)
        api.site_join(a.folder, chief.federation, NOW)
        follower._ledger.rejoin("r1", "p", bytes(32), None, None, NOW)  # before it looked
        follower.look()
        follower._ledger.rejoin("r2", "p", bytes(32), None, None, NOW)
        assert "new keys" in said[-1]
    with Budget(a.ledger, anchor=anchor(a, a.open(NOW))) as again:
        assert [one.run for one in again.history()] == ["r1", "r2"]


def test_a_home_of_before_agrees_to_the_members_that_it_joined_with(a, chief):
    a.agreed.unlink()
    assert site_members(a.folder, NOW).new == {}
    api.federation_add(chief.folder, [api.site_new(a.folder.parent / "c").card], NOW)
    with following(a) as (follower, _):
        follower.take(chief.federation.read_bytes())
        follower.look()
    assert set(site_members(a.folder, NOW).new) == {"c"}
    with pytest.raises(UsageError, match="no member has the fingerprint"):
        site_agree(a.folder, ["AAAA"], "Ada", NOW)
    assert site_agree(a.folder, list(site_members(a.folder, NOW).new.values()), "Ada", NOW) == ("c",)
    assert site_members(a.folder, NOW).new == {}
    damaged = Known(a.agreed, a.me)
    a.agreed.write_text("{")
    with pytest.raises(UsageError, match="is damaged"):
        damaged.agreed()


@pytest.mark.slow
def test_few_earlier_files_are_kept_and_a_damaged_one_is_as_one_that_is_gone(a, chief):
    for days in range(MOST + 3):
        a.earlier.keep(chief.federation)
        api.federation_rotate(chief.folder, [], NOW, keys=False, days=days + 5)
    kept = a.earlier.all()
    assert [one.version for one in kept] == list(range(MOST + 4, 4, -1))[: len(kept)]
    assert len(kept) == MOST
    (a.before / f"{kept[0].version}.toml").write_text("nonsense")
    assert a.earlier.under(kept[0].digest) is None
    assert a.earlier.under(kept[1].digest) == kept[1]
    a.earlier.tidy({one.digest for one in kept}, kept[3].version, NOW)
    assert {one.version for one in a.earlier.all()} == {one.version for one in kept[1:4]}
    a.earlier.tidy({one.digest for one in kept}, 0, NOW + 31 * 86400)
    assert a.earlier.all() == ()


def test_a_file_that_ends_earlier_runs_is_signed_as_such_and_older_programs_files_are_as_they_were():
    it = federation("a")
    cut = replace(after(it), oldest=2)
    text = signed(cut, keys("coordinator"))
    assert charter.parse(text, "x").oldest == 2
    with pytest.raises(Refused, match="not signed"):
        charter.parse(text.replace("oldest = 2\n", ""), "x")
    with pytest.raises(UsageError, match="oldest version"):
        signed(replace(cut, oldest=3), keys("coordinator"))
    assert "oldest" not in signed(it, keys("coordinator"))
    assert it.canonical.startswith(b"potluck federation 1\0")


def test_keys_that_were_revoked_are_strangers_when_they_are_listed_again(a, chief):
    card = a.folder.parent / "b" / "b.card"
    for revoke, new in ((False, set()), (True, {"b"})):  # the first is the control
        with following(a) as (follower, _):
            api.federation_remove(chief.folder, "b", NOW, revoke=revoke)
            follower.take(chief.federation.read_bytes())
            follower.look()
            api.federation_add(chief.folder, [card], NOW)
            follower.take(chief.federation.read_bytes())
            follower.look()
        assert set(site_members(a.folder, NOW).new) == new


def test_keys_that_are_revoked_after_they_were_removed_are_strangers_when_they_are_listed_again(a, chief):
    with following(a) as (follower, _):

        def follow():
            follower.take(chief.federation.read_bytes())
            follower.look()

        api.federation_remove(chief.folder, "b", NOW)
        follow()
        api.federation_rotate(chief.folder, [], NOW, keys=False, days=None, revoke=True)
        follow()
        api.federation_add(chief.folder, [a.folder.parent / "b" / "b.card"], NOW)
        follow()
    assert set(site_members(a.folder, NOW).new) == {"b"}


@pytest.mark.parametrize(
    ("people", "persons", "new"),
    [(1, "ann", set()), (2, "ann", {"b"}), (2, "ann ann", {"b"}), (2, "ann ben", set())],  # the first is the control
)
def test_where_two_persons_decide_one_who_joins_agrees_to_no_new_member_alone(a, chief, people, persons, new):
    a.policy.write_text(a.policy.read_text().replace("people = 1", f"people = {people}"))
    api.federation_remove(chief.folder, "b", NOW, revoke=True)
    api.site_join(a.folder, chief.federation, NOW, person="ann")
    api.federation_add(chief.folder, [a.folder.parent / "b" / "b.card"], NOW)
    for person in persons.split():
        api.site_join(a.folder, chief.federation, NOW, person=person)
    assert a.pinned().version == charter.read(chief.federation).version
    assert set(site_members(a.folder, NOW).new) == new


def test_where_persons_were_invited_names_typed_at_a_join_agree_to_nobody(a, chief):
    a.policy.write_text(a.policy.read_text().replace("people = 1", "people = 2"))
    for name in ("ann", "ben"):
        Persons(a.persons).invite(name, NOW)
    api.federation_remove(chief.folder, "b", NOW, revoke=True)
    api.site_join(a.folder, chief.federation, NOW, person="ann")
    api.federation_add(chief.folder, [a.folder.parent / "b" / "b.card"], NOW)
    for name in ("ann", "ben"):
        api.site_join(a.folder, chief.federation, NOW, person=name)
    assert set(site_members(a.folder, NOW).new) == {"b"}


def test_a_person_who_joins_a_newer_file_is_not_overtaken_by_an_older_one(a, chief, monkeypatch):
    api.federation_remove(chief.folder, "b", NOW)
    older = chief.federation.read_bytes()
    api.federation_rotate(chief.folder, [], NOW, keys=False, days=None, revoke=True)
    tried = []

    def slowly(*its):
        found = judged(*its)
        try:
            api.site_join(a.folder, chief.federation, NOW)
            tried.append("joined")
        except Refused as error:
            tried.append(error.what)
        return found

    with following(a) as (follower, _):
        with monkeypatch.context() as patch:
            patch.setattr(follow.offers, "judged", slowly)
            follower.take(older)
            follower.look()
        assert tried == ["another federation file is being joined here"]
        api.site_join(a.folder, chief.federation, NOW)  # the control: a moment later
        follower.look()
        assert a.pinned().version == follower._pinned.federation.version == chief.open(NOW).federation.version


@pytest.mark.slow
def test_files_without_end_leave_few_lines_and_the_next_good_one_is_taken(a, chief, monkeypatch):
    api.federation_rotate(chief.folder, [], NOW, keys=False, days=None)
    with following(a) as (follower, said):
        for number in range(300):
            follower.take(b"junk %d" % number)
            follower.look()
        follower.take(chief.federation.read_bytes())
        follower.look()
        assert a.pinned().version == 2
        assert len(read_log(a.access).entries) == len(said) == follow.FILES
        later = time.monotonic() + 60
        monkeypatch.setattr(follow.time, "monotonic", lambda: later)
        follower.look()
        assert a.pinned().version == 3


def test_judging_pins_nothing(a, chief):
    api.federation_rotate(chief.folder, [], NOW, keys=False, days=9)
    assert judged(a, chief.federation.read_text(), NOW, "all").standing == "follows"
    assert a.pinned().version == 2
