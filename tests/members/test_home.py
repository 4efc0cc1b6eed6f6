"""Homes: what opens them, what does not, and changing keys without a moment in which none are in force."""

import shutil
import stat
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from potluck.api.network import members as api
from potluck.core.errors import Refused, UsageError
from potluck.core.party import SERVER, site
from potluck.members import charter, files
from potluck.members import keys as keyring
from potluck.members.home import CoordinatorHome, SiteHome
from potluck.members.site import found

NOW = time.time()
YEAR = 365 * 86400


def test_an_enrolled_home_opens_to_its_keys_and_the_federation(enrolled):
    a = SiteHome.at(enrolled / "a").open(NOW)
    chief = CoordinatorHome.at(enrolled / "hospitals").open(NOW)
    assert (a.me, chief.me) == (site("a"), SERVER)
    assert a.federation == chief.federation
    assert a.federation.digest == SiteHome.at(enrolled / "b").open(NOW).federation.digest
    a.federation.roster().verify(a.me, b"x", a.keys.signing.sign(b"x"))
    chief.federation.roster().verify(SERVER, b"x", chief.keys.signing.sign(b"x"))
    assert "hidden" in repr(a.keys.user)
    assert a.keys.user.seed.expose().decode() not in repr(a)


def test_homes_are_for_their_owner_alone(enrolled):
    for name in ("a", "hospitals"):
        assert stat.S_IMODE((enrolled / name).stat().st_mode) == 0o700
    for path in (enrolled / "a" / "policy.toml", *(enrolled / "a" / "keys").iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_where_everything_lies(tmp_path):
    home = found(tmp_path / "x", "Århus", "policy", ledger="../ledgers/aarhus.sqlite")
    again = SiteHome.at(tmp_path / "x")
    assert again == home
    assert again.name == "Århus"
    assert again.ledger.resolve() == tmp_path / "ledgers" / "aarhus.sqlite"
    assert again.anchor == tmp_path / "x" / "ledger.head"
    assert again.card.is_file()
    assert again.policy.read_text() == "policy"
    plain = found(tmp_path / "y", "y", "policy")
    assert (plain.ledger, plain.anchor) == (tmp_path / "y" / "ledger.sqlite", tmp_path / "y" / "ledger.head")
    assert {plain.requests.name, plain.access.name, plain.lock.name} == {"requests.sqlite", "access.jsonl", "site.lock"}


def test_a_folder_that_is_no_home_is_named(tmp_path, enrolled):
    with pytest.raises(UsageError, match=r"no site's home.*site new"):
        SiteHome.at(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="no site's home"):
        SiteHome.at(enrolled / "hospitals")
    with pytest.raises(UsageError, match=r"no coordinator's home.*federation new"):
        CoordinatorHome.at(enrolled / "a")
    found(tmp_path / "c", "c", "")
    with pytest.raises(UsageError, match=r"has not joined.*site join"):
        SiteHome.at(tmp_path / "c").open(NOW)


def test_nothing_is_left_of_a_home_that_could_not_be_made(tmp_path, room, monkeypatch):
    with pytest.raises(UsageError):
        found(tmp_path / "c", "server", "")
    monkeypatch.setattr(room, "prepare", lambda *args, **more: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        api.federation_new(tmp_path / "hospitals", "tls://localhost:4222", NOW)
    with pytest.raises(UsageError, match="days"):
        api.federation_new(tmp_path / "hospitals", "tls://localhost:4222", NOW, days=0)
    assert list(tmp_path.iterdir()) == []


def test_an_expired_federation_opens_nowhere_until_it_is_renewed(enrolled):
    late = NOW + 2 * YEAR
    a, chief = SiteHome.at(enrolled / "a"), CoordinatorHome.at(enrolled / "hospitals")
    for opened in (a, chief):
        with pytest.raises(Refused, match="expired"):
            opened.open(late)
    with pytest.raises(Refused, match="expired"):
        api.federation_remove(chief.folder, "b", late)
    api.federation_rotate(chief.folder, [], late, keys=False, days=None)
    chief.open(late)
    api.site_join(a.folder, chief.federation, late)
    a.open(late)


def test_a_pinned_file_that_was_edited_does_not_open(enrolled):
    home = SiteHome.at(enrolled / "a")
    text = home.federation.read_text()
    home.federation.write_text(text.replace("tls://localhost:4222", "tls://localhost:4223"))
    with pytest.raises(Refused, match="not signed by the coordinator"):
        home.open(NOW)
    home.federation.write_text(text)
    home.open(NOW)


def test_a_home_with_other_keys_than_the_federation_lists_does_not_open(enrolled):
    shutil.rmtree(enrolled / "a" / "keys")
    shutil.copytree(enrolled / "b" / "keys", enrolled / "a" / "keys")
    with pytest.raises(Refused, match=r"lists .* as our fingerprint, ours is"):
        SiteHome.at(enrolled / "a").open(NOW)


def test_the_coordinator_cannot_be_rolled_back_by_an_old_file(enrolled):
    home = CoordinatorHome.at(enrolled / "hospitals")
    old = home.federation.read_text()
    api.federation_remove(home.folder, "b", NOW)
    new = home.federation.read_text()
    home.federation.write_text(old)
    for change in (lambda: home.open(NOW), lambda: api.federation_remove(home.folder, "a", NOW)):
        with pytest.raises(Refused, match="version 2 was put back: version 3 has been issued"):
            change()
    home.federation.write_text(new)
    home.open(NOW)


def test_the_coordinator_cannot_issue_a_version_twice(enrolled):
    home = CoordinatorHome.at(enrolled / "hospitals")
    two = home.standing()
    old = home.federation.read_text()
    api.federation_remove(home.folder, "b", NOW)
    three = charter.read(home.federation)
    with pytest.raises(Refused, match="older"):
        home.issue(two.federation, two.keys, NOW)
    home.federation.write_text(old)  # a thief of the keys signs another version 3
    twin = charter.write(api.coordinator.without(two.federation, site("a"), NOW), two.keys.signing)
    home.federation.write_text(twin)
    with pytest.raises(Refused, match="issued with other content"):
        home.open(NOW)
    assert charter.read(home.federation).version == three.version


def test_a_crash_between_the_federation_file_and_its_record_loses_nothing(enrolled):
    home = CoordinatorHome.at(enrolled / "hospitals")
    before = home.issued.read_text()
    api.federation_remove(home.folder, "b", NOW)
    after = home.issued.read_text()
    home.issued.write_text(before)
    assert home.open(NOW).federation.version == 3
    assert home.issued.read_text() == after


def test_two_changes_at_once_are_refused(enrolled):
    home = CoordinatorHome.at(enrolled / "hospitals")
    with files.locked(home.changing, "busy"), pytest.raises(Refused, match="being changed"):
        api.federation_remove(home.folder, "b", NOW)
    assert home.open(NOW).federation.version == 2


def seeds(folder: Path) -> set[bytes]:
    return {path.read_bytes() for path in folder.iterdir()}


def test_a_sites_old_keys_stay_until_the_new_ones_are_joined(enrolled):
    home, chief = SiteHome.at(enrolled / "a"), CoordinatorHome.at(enrolled / "hospitals")
    old = home.open(NOW).keys.signing.public
    old_seeds = seeds(home.keys)
    said = api.site_rotate(home.folder)
    with pytest.raises(UsageError, match="wait already"):
        api.site_rotate(home.folder)
    assert home.open(NOW).keys.signing.public == old
    api.federation_rotate(chief.folder, [said.card], NOW, keys=False, days=None)
    assert home.open(NOW).keys.signing.public == old
    joined = api.site_join(home.folder, chief.federation, NOW)
    assert joined.fingerprint == said.fingerprint
    assert home.open(NOW).keys.signing.public != old
    assert not home.fresh.exists()
    assert not home.fresh_card.exists()
    assert api.fingerprint(api.cards.read(home.card)) == said.fingerprint
    left = {path.read_bytes() for path in home.folder.rglob("*") if path.is_file()}
    assert not left & old_seeds


def test_making_new_keys_can_be_cut_off_before_their_card(enrolled):
    home = SiteHome.at(enrolled / "a")
    first = api.site_rotate(home.folder)
    home.fresh_card.unlink()
    assert api.site_rotate(home.folder) == first


@pytest.mark.parametrize("cut", [0, 1, 2])
def test_changing_keys_can_be_cut_off_anywhere(enrolled, monkeypatch, cut):
    home, chief = SiteHome.at(enrolled / "a"), CoordinatorHome.at(enrolled / "hospitals")
    said = api.site_rotate(home.folder)
    api.federation_rotate(chief.folder, [said.card], NOW, keys=False, days=None)
    steps = iter(range(10))

    def dying(real):
        def step(*arguments, **more):
            if next(steps) == cut:
                raise KeyboardInterrupt
            return real(*arguments, **more)

        return step

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", dying(Path.rename))
        patch.setattr(shutil, "rmtree", dying(shutil.rmtree))
        with pytest.raises(KeyboardInterrupt):
            api.site_join(home.folder, chief.federation, NOW)
    again = SiteHome.at(home.folder).open(NOW)
    assert again.keys.signing.public == again.federation.cards[home.me].signing
    assert not home.fresh.exists()
    assert not home.keys.with_name("keys.old").exists()


def test_the_coordinators_new_keys_come_into_force_with_the_version_that_names_them(enrolled, room):
    chief, a, b = CoordinatorHome.at(enrolled / "hospitals"), *(SiteHome.at(enrolled / name) for name in "ab")
    old = chief.open(NOW).keys.signing.public
    api.federation_rotate(chief.folder, [], NOW, keys=True, days=None)
    new = chief.open(NOW)
    assert new.keys.signing.public != old
    assert room.told[-1].users[SERVER] == new.keys.user.public
    assert api.site_join(a.folder, chief.federation, NOW).new_coordinator
    api.federation_rotate(chief.folder, [], NOW, keys=True, days=None)
    api.federation_rotate(chief.folder, [], NOW, keys=False, days=10)
    for home in (a, b):  # b has seen neither hand-over
        assert api.site_join(home.folder, chief.federation, NOW).new_coordinator
        assert not api.site_join(home.folder, chief.federation, NOW).new_coordinator


def test_a_coordinators_rotation_that_was_cut_off_can_be_done_again(enrolled, monkeypatch):
    chief = CoordinatorHome.at(enrolled / "hospitals")
    keyring.make(chief.fresh, lambda size: bytes(range(size)))  # as a cut-off attempt leaves them
    assert chief.open(NOW).federation.version == 2
    api.federation_rotate(chief.folder, [], NOW, keys=True, days=None)
    assert chief.open(NOW).keys.signing.public != keyring.SigningKey(keyring.Secret(bytes(range(32)))).public
    assert not chief.fresh.exists()


def test_the_brokers_users_are_the_members_of_the_version(enrolled, room):
    federation = CoordinatorHome.at(enrolled / "hospitals").open(NOW).federation
    assert room.told[-1].users == federation.users()
    assert set(room.told[-1].users) == {SERVER, site("a"), site("b")}
    api.federation_remove(enrolled / "hospitals", "b", NOW)
    assert set(room.told[-1].users) == {SERVER, site("a")}
    assert [told.renew for told in room.told] == [False, False, False]
    api.federation_rotate(enrolled / "hospitals", [], NOW, keys=False, days=None)
    assert room.told[-1].renew
    assert room.reloads == 3


def test_a_broker_with_another_ca_is_noticed_before_anything_is_issued(enrolled, room):
    room.ca = "another"
    with pytest.raises(Refused, match="CA is another"):
        api.federation_remove(enrolled / "hospitals", "b", NOW)
    assert CoordinatorHome.at(enrolled / "hospitals").open(NOW).federation.version == 2


def test_several_processes_may_find_new_keys_at_once(enrolled):
    """A server, and the verb that issues them; the site's process, and a verb that looks."""
    chief = CoordinatorHome.at(enrolled / "hospitals")

    def look(over):
        while not over.is_set():
            chief.standing()

    with ThreadPoolExecutor(8) as pool:
        for _ in range(4):
            over = threading.Event()
            looks = [
                pool.submit(lambda over=over: [chief.standing().keys for _ in iter(over.is_set, True)]) for _ in "abc"
            ]
            api.federation_rotate(chief.folder, [], NOW, keys=True, days=None)
            over.set()
            for one in looks:
                one.result(60)
    assert chief.open(NOW).federation.version == 6
