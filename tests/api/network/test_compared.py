"""A coordinator's home held against the broker's federation file: nobody signs, or puts up, a second history of it."""

import shutil
import time
from dataclasses import replace

import pytest

from potluck.api.machine.backup import server_backup, server_restore
from potluck.api.network import members as api
from potluck.api.network.doctor.coordinator import newest
from potluck.api.network.membership import compared
from potluck.api.network.sessions import Order, session
from potluck.core.errors import Refused, Unreachable
from potluck.core.party import site
from potluck.members import charter
from potluck.members.home import CoordinatorHome
from potluck.net import notice
from support.parties import scene
from support.spoken import spoken

NOW = time.time()
AWAY = "nothing listens"


@pytest.fixture(scope="module")
def founded(tmp_path_factory):
    """fed at version 4: delta was removed; old.tgz: a copy of version 2; site: whose card is at hand."""
    folder = tmp_path_factory.mktemp("compared")
    api.federation_new(folder / "fed", "tls://localhost:4222", NOW)
    for name in ("alpha", "delta"):
        api.site_new(folder / name)
    api.federation_add(folder / "fed", [folder / "delta" / "delta.card"], NOW)
    server_backup(folder / "fed", folder / "old.tgz")
    shutil.copy(folder / "fed" / "federation.toml", folder / "2.toml")
    api.federation_add(folder / "fed", [folder / "alpha" / "alpha.card"], NOW)
    shutil.copy(folder / "fed" / "federation.toml", folder / "3.toml")
    api.federation_remove(folder / "fed", "delta", NOW)
    return folder


@pytest.fixture
def it(founded, tmp_path, monkeypatch):
    """A copy of it, and a broker that is away, shows nothing (None) or shows a text."""
    shutil.copytree(founded, tmp_path / "it")
    said = {"shows": AWAY, "folder": tmp_path / "it"}

    def shown(account, patience):
        if said["shows"] == AWAY:
            raise Unreachable(AWAY)
        return said["shows"]

    monkeypatch.setattr(notice, "shown", shown)
    monkeypatch.setattr(api, "federation_post", lambda folder: "")
    return said


def version(folder):
    return CoordinatorHome.at(folder).standing().federation.version


def restored(it, shows):
    """A home of the copy, put back while the broker shows this."""
    before, it["shows"] = it["shows"], shows
    caught = server_restore(it["folder"] / "old.tgz", it["folder"] / "heir")[1]
    it["shows"] = before
    return it["folder"] / "heir", caught


def test_a_copy_takes_the_newer_file_of_the_broker_and_goes_on_from_it(it):
    newest = (it["folder"] / "fed" / "federation.toml").read_bytes()
    heir, caught = restored(it, newest)
    assert (caught.before, caught.after, caught.unseen) == (2, 4, "")
    assert (heir / "federation.toml").read_bytes() == newest
    assert not CoordinatorHome.at(heir).restored.exists()
    assert not (heir / "federation.broker.toml").exists()


def test_no_verb_signs_where_the_broker_shows_a_newer_file(it, capsys, monkeypatch):
    """The control: where the broker shows the older one, the same call signs."""
    monkeypatch.chdir(it["folder"])
    heir, _ = restored(it, it["folder"].joinpath("2.toml").read_bytes())
    it["shows"] = it["folder"].joinpath("fed/federation.toml").read_bytes()
    for verb in (("rotate", "heir", "--anyway"), ("remove", "heir", "delta"), ("add", "heir", "alpha/alpha.card")):
        done = spoken(capsys, "federation", *verb)
        assert done.code == 3
        assert "the broker shows version 4" in done.err
        assert "potluck server restore" in done.err
        assert version(heir) == 2
    it["shows"] = it["folder"].joinpath("2.toml").read_bytes()
    assert spoken(capsys, "federation", "remove", "heir", "delta").code == 0


@pytest.mark.parametrize("shows", [AWAY, b"\xff"], ids=["away", "bytes"])
def test_a_home_of_a_copy_signs_only_once_a_broker_or_a_person_says_that_it_is_not_behind(it, shows, capsys):
    heir, caught = restored(it, shows)
    assert caught.unseen
    it["shows"] = shows
    refused = spoken(capsys, "federation", "rotate", heir)
    assert refused.code == 3
    assert "--anyway" in refused.err
    assert newest(CoordinatorHome.at(heir), CoordinatorHome.at(heir).standing().federation, "").state == "look"
    assert spoken(capsys, "federation", "rotate", heir, "--anyway").code == 0
    assert version(heir) == 3
    assert not CoordinatorHome.at(heir).restored.exists(), "a person has answered for it"


def test_a_home_that_is_no_copy_signs_while_the_broker_is_away_and_says_so(it, capsys):
    done = spoken(capsys, "federation", "rotate", it["folder"] / "fed")
    assert done.code == 0
    assert "without a look at the broker's file" in done.err
    api.federation_new(it["folder"] / "new", "tls://localhost:4222", NOW)
    first = spoken(capsys, "federation", "add", it["folder"] / "new", it["folder"] / "alpha" / "alpha.card")
    assert (first.code, "without a look" in first.err) == (0, False), "no broker ever ran"


def test_two_files_of_one_version_are_signed_over_by_a_persons_word_alone(it, capsys):
    heir, _ = restored(it, None)
    assert spoken(capsys, "federation", "rotate", heir, "--anyway").code == 0
    it["shows"] = it["folder"].joinpath("3.toml").read_bytes()
    home = CoordinatorHome.at(heir)
    assert newest(home, home.standing().federation, "").state == "bad"
    refused = spoken(capsys, "federation", "rotate", heir)
    assert refused.code == 3
    assert "Two files of one version" in refused.err
    assert spoken(capsys, "federation", "rotate", heir, "--anyway").code == 0
    assert version(heir) == 4


@pytest.mark.parametrize(("says", "code"), [(4, 0), (2**40, 3)], ids=["control", "lie"])
def test_a_member_that_lies_about_a_version_is_removed_by_a_persons_word(it, says, code, capsys):
    fed = it["folder"] / "fed"
    home = CoordinatorHome.at(fed)
    with session(home, scene.plan(), False, Order(), NOW) as kept:
        kept.journal.heard(site("alpha"), "granted", (), says, bytes(32))
    it["shows"] = home.federation.read_bytes()
    assert newest(home, home.standing().federation, "").state == ("look" if code else "good")
    done = spoken(capsys, "federation", "rotate", fed)
    assert (done.code, "alpha said" in done.err, "--anyway" in done.err) == (code, bool(code), bool(code))
    assert spoken(capsys, "federation", "remove", fed, "alpha", "--anyway").code == 0
    it["shows"] = home.federation.read_bytes()
    assert spoken(capsys, "federation", "rotate", fed).code == 0, "it is no member, so its word counts no more"


def test_a_file_of_another_coordinator_says_nothing(it):
    api.federation_new(it["folder"] / "other", "tls://localhost:4222", NOW)
    api.federation_rotate(it["folder"] / "other", [], NOW, keys=True, days=None)
    mine = CoordinatorHome.at(it["folder"] / "fed").standing().federation
    other = (it["folder"] / "other" / "federation.toml").read_bytes()
    assert compared.judged(mine, other)[0] == "unknown"


def test_keys_that_changed_since_hide_no_newer_file(it):
    before = CoordinatorHome.at(it["folder"] / "fed").standing().federation
    after = api.federation_rotate(it["folder"] / "fed", [], NOW, keys=True, days=None)
    text = after.file.read_bytes()
    assert compared.judged(before, text)[0] == "newer"
    with pytest.raises(Refused, match="has other keys in it than the copy"):
        restored(it, text)
    assert not (it["folder"] / "heir").exists()


def test_a_key_that_was_handed_over_before_signs_nothing_that_keeps_us_from_signing(it):
    """It was stolen, and the broker shows what its thief signs; the control is what our key of now signs."""
    folder = it["folder"] / "fed"
    before = CoordinatorHome.at(folder).standing()
    api.federation_rotate(folder, [], NOW, keys=True, days=None)
    now = CoordinatorHome.at(folder).standing()
    for version, standing in ((99, "unknown"), (now.federation.version, "unknown"), (4, "known")):
        stolen = replace(before.federation, version=version, expires=before.federation.expires - 1)
        assert compared.judged(now.federation, charter.write(stolen, before.keys.signing).encode())[0] == standing
    ours = charter.write(replace(now.federation, version=99), now.keys.signing).encode()
    assert compared.judged(now.federation, ours)[0] == "newer"
    it["shows"] = charter.write(replace(before.federation, version=99), before.keys.signing).encode()
    assert compared.compare(folder) == compared.NONE
