"""A coordinator's home as one file: whole while its server writes, and nothing in it that lets two servers run."""

import contextlib
import json
import stat
import threading
import time
from datetime import UTC, datetime

import pytest

from potluck.api.machine.backup import server_backup, server_restore, site_restore
from potluck.api.network import carried
from potluck.api.network import members as api
from potluck.core.asks import Ask, Kind
from potluck.core.errors import Refused, UsageError
from potluck.core.party import site
from potluck.core.rounds import Abort
from potluck.members.files import locked
from potluck.members.home import CoordinatorHome
from potluck.parties.runners.journal import Journal
from support.parties import scene
from support.spoken import spoken

NOW = time.time()


@pytest.fixture
def home(tmp_path):
    """Three nodes, and what programs leave in a home."""
    fed = tmp_path / "fed"
    api.federation_new(fed, ",".join(f"tls://{name}.example:4222" for name in "xyz"), NOW)
    (fed / "server.boot").write_text("here")
    (fed / "heads.json").write_text("{}")
    room = fed / "broker" / "node-1"
    (room / "store" / "jetstream").mkdir(parents=True)
    for name in ("store/jetstream/letters", "nats.log", "nats.log.2026", "nats.pid"):
        (room / name).write_text("x")
    return fed


def names(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_all_is_copied_but_queues_logs_and_the_mark_of_the_living_server(home, tmp_path, capsys):
    done = spoken(capsys, "server", "backup", home, "-o", tmp_path / "copy", "--json")
    assert done.code == 0
    said = json.loads(done.out)
    assert said["federation"] == "fed"
    assert stat.S_IMODE((tmp_path / "copy").stat().st_mode) == 0o600
    again = spoken(capsys, "server", "restore", tmp_path / "copy", tmp_path / "there", "--json")
    assert again.code == 0
    (tmp_path / "there" / "restored").unlink()  # the broker could not say whether the copy is the newest
    assert set(json.loads(again.out)["files"]) == set(said["files"]) == names(tmp_path / "there")
    gone = names(home) - names(tmp_path / "there")
    room = "broker/node-1"
    passing = {f"{room}/{name}" for name in ("store/jetstream/letters", "nats.log", "nats.log.2026", "nats.pid")}
    assert gone == {"server.boot", "federation.lock", *passing}
    for name in names(tmp_path / "there"):
        assert (tmp_path / "there" / name).read_bytes() == (home / name).read_bytes()
        assert stat.S_IMODE((tmp_path / "there" / name).stat().st_mode) == 0o600
    assert CoordinatorHome.at(tmp_path / "there").open(NOW).federation == CoordinatorHome.at(home).open(NOW).federation


@pytest.mark.slow
def test_a_journal_that_is_written_meanwhile_is_copied_whole(home, tmp_path):
    """Each copy opens, and holds a beginning of the rounds without a gap."""
    spec = scene.plan().spec
    written = threading.Event()
    with contextlib.closing(Journal(home / "runs" / "r" / "journal.sqlite", spec)) as journal:
        journal.note("spec", "here")
    stop = threading.Event()

    def write():
        with contextlib.closing(Journal(home / "runs" / "r" / "journal.sqlite", spec)) as journal:
            while not stop.is_set():
                journal.begin(Ask(Kind.TRAIN, 0, (), b""))
                written.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert written.wait(60)
        for number in range(3):
            server_backup(home, tmp_path / f"copy{number}")
    finally:
        stop.set()
        writer.join(60)
    ends = []
    for number in range(3):
        server_restore(tmp_path / f"copy{number}", tmp_path / f"there{number}")
        with contextlib.closing(Journal(tmp_path / f"there{number}/runs/r/journal.sqlite", spec)) as journal:
            found = [one["number"] for one in journal.rounds()]
        assert found == list(range(1, len(found) + 1))
        ends.append(len(found))
    assert ends[0] >= 1
    assert ends == sorted(ends)


def test_a_copy_into_a_folder_is_named_by_the_time(home, tmp_path):
    (tmp_path / "copies").mkdir()
    made = server_backup(home, tmp_path / "copies")
    assert list((tmp_path / "copies").iterdir()) == [made.file]
    assert made.file.name == f"fed-{datetime.fromtimestamp(made.copied.made, UTC):%Y%m%dT%H%M%SZ}.tar.gz"


def test_a_run_that_lost_more_rounds_than_it_paid_for_says_both_numbers(tmp_path):
    spec = scene.plan(privacy=scene.SHARED).spec
    with contextlib.closing(Journal(tmp_path / "journal.sqlite", spec)) as journal:
        for name in "ab":
            journal.caught_up(site(name), 3, "train/0")
        with pytest.raises(Abort, match=r"left in 3 rounds that came to nothing, privacy.redo = 0 pays for fewer"):
            carried._run_sums(spec, None, None, journal, None, None)


def test_a_federation_that_is_being_changed_is_not_copied_half(home, tmp_path):
    with locked(CoordinatorHome.at(home).changing, "busy"), pytest.raises(Refused, match="being changed"):
        server_backup(home, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_nothing_is_overwritten_and_no_other_home_comes_of_it(home, tmp_path):
    server_backup(home, tmp_path / "copy")
    with pytest.raises(UsageError, match="there already"):
        server_backup(home, tmp_path / "copy")
    with pytest.raises(UsageError, match="there already"):
        server_restore(tmp_path / "copy", home)
    with pytest.raises(Refused, match="coordinator"):
        site_restore(tmp_path / "copy", tmp_path / "site")
    assert not (tmp_path / "site").exists()


@pytest.fixture
def older(home, tmp_path):
    """A copy from before a site joined, and the file that the site has."""
    server_backup(home, tmp_path / "copy")
    api.site_new(tmp_path / "north", None)
    api.federation_add(home, [tmp_path / "north" / "north.card"], NOW)
    api.site_join(tmp_path / "north", home / "federation.toml", NOW)
    return tmp_path / "copy", tmp_path / "north" / "federation.toml"


def test_a_copy_older_than_the_federation_file_goes_on_from_a_members_file(older, home, tmp_path, capsys):
    copy, newest = older
    before = CoordinatorHome.at(home).earlier
    assert spoken(capsys, "server", "restore", copy, tmp_path / "heir", "--newest", newest).code == 0
    heir = CoordinatorHome.at(tmp_path / "heir")
    assert heir.open(NOW).federation == CoordinatorHome.at(home).open(NOW).federation
    assert (tmp_path / "heir" / "federation.toml").read_bytes() == newest.read_bytes()
    assert heir.federation.read_bytes() == CoordinatorHome.at(home).federation.read_bytes()
    assert {one.name for one in heir.earlier.files.iterdir()} == {one.name for one in before.files.iterdir()}
    known = next((tmp_path / "heir" / "broker").rglob("nats.conf")).read_text()
    assert heir.open(NOW).federation.cards[site("north")].nkey in known, "the broker lets the site in"
    after = api.federation_rotate(tmp_path / "heir", [], NOW, keys=False, days=None)
    assert api.site_join(tmp_path / "north", after.file, NOW).federation.federation.version == 3


def test_without_it_the_next_file_is_one_that_members_refuse(older, tmp_path):
    server_restore(older[0], tmp_path / "heir")
    after = api.federation_rotate(tmp_path / "heir", [], NOW, keys=False, days=None)  # the verb asks the broker first
    with pytest.raises(Refused, match="other content"):
        api.site_join(tmp_path / "north", after.file, NOW)


@pytest.mark.parametrize("change", ["keys", "forged", "another"])
def test_a_file_that_does_not_follow_the_copys_leaves_no_folder(older, home, tmp_path, change):
    copy, newest = older
    if change == "keys":
        api.federation_rotate(home, [], NOW, keys=True, days=None)
        newest = home / "federation.toml"
    elif change == "forged":
        newest.write_text(newest.read_text().replace("version = 2", "version = 3"))
    else:
        api.federation_new(tmp_path / "other", "tls://localhost:4222", NOW)
        newest = tmp_path / "other" / "federation.toml"
    with pytest.raises(Refused):
        server_restore(copy, tmp_path / "heir", newest)
    assert not (tmp_path / "heir").exists()
