"""Copies of a site's home: whole while it is written to, without rows; nothing else is put back."""

import gzip
import io
import json
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import threading

import msgspec
import pytest

from potluck.api.machine.backup import site_backup, site_restore
from potluck.api.network.ledger import anchor
from potluck.core.errors import PotluckError, Refused, UsageError
from potluck.core.rounds import Record
from potluck.members.backup import LIST, Copied
from potluck.members.home import SiteHome
from potluck.owner.access import read as read_log
from potluck.owner.budget import Budget
from potluck.owner.requests import Requests
from support.upgrade.homes import unpacked


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("homes")
    return folder, unpacked(folder)["when"] + 60


@pytest.fixture
def home(kept, tmp_path, monkeypatch):
    """A site's home after real runs, whose process was killed: the newest entries stand in its ledger's log."""
    folder, now = kept
    monkeypatch.setattr("time.time", lambda: now)
    shutil.copytree(folder / "north", tmp_path / "north")
    return SiteHome.at(tmp_path / "north")


def ledger(home, now):
    return Budget(home.ledger, anchor=anchor(home, home.open(now)))


def members(file):
    with tarfile.open(file) as tar:
        return {one.name: tar.extractfile(one).read() for one in tar.getmembers()}


def packed(file, parts):
    with tarfile.open(file, "w:gz") as tar:
        for member, data in parts:
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return file


def test_a_copy_holds_the_home_but_no_row_and_nothing_of_a_process(home, tmp_path):
    (home.folder / "site.lock").touch()
    (home.folder / "secrets").mkdir()
    (home.folder / "secrets" / "one").write_bytes(b"x" * 32)
    (home.folder / "outside").symlink_to("/etc/hostname")
    made = site_backup(home.folder, tmp_path / "copy")
    names = set(members(tmp_path / "copy")) - {LIST}
    assert names == set(made.copied.files)
    there = {path.relative_to(home.folder).as_posix() for path in home.folder.rglob("*") if path.is_file()}
    left = {"rows.csv", "site.lock", "ledger.sqlite-wal", "ledger.sqlite-shm", "outside"}
    assert {"rows.csv", "ledger.sqlite-wal"} <= there, "control: they are there"
    assert names == there - left
    assert {"keys/signing.key", "secrets/one", "ledger.sqlite", "ledger.head", "policy.toml"} <= names
    assert stat.S_IMODE((tmp_path / "copy").stat().st_mode) == 0o600
    assert not list(home.folder.glob(".backup.*"))


def test_rows_stay_wherever_in_the_home_the_policy_says_that_they_are(home, tmp_path):
    (home.folder / "data").mkdir()
    (home.folder / "rows.csv").rename(home.folder / "data" / "patients.csv")
    text = home.policy.read_text().replace('file = "rows.csv"', 'file = "data/patients.csv"')
    home.policy.write_text(text + '[source.tables.labs]\nfile = "labs.csv"\n')
    (home.folder / "labs.csv").write_text("a\n1\n")
    site_backup(home.folder, tmp_path / "copy")
    assert not [name for name in members(tmp_path / "copy") if name.endswith(".csv")]


def test_what_is_put_back_is_the_same_home_for_its_owner_alone(home, kept, tmp_path):
    made = site_backup(home.folder, tmp_path / "copy")
    before = os.umask(0)
    try:
        back = site_restore(tmp_path / "copy", tmp_path / "elsewhere" / "north")
    finally:
        os.umask(before)
    assert back.copied == made.copied
    again = SiteHome.at(tmp_path / "elsewhere" / "north")
    assert {stat.S_IMODE(path.stat().st_mode) for path in again.folder.rglob("*")} == {0o600, 0o700}
    with ledger(home, kept[1]) as before, ledger(again, kept[1]) as after:
        assert before.head() == after.head()
        assert list(before.export(before.head())) == list(after.export(after.head()))
    with Requests(home.requests) as before, Requests(again.requests) as after:
        assert before.every() == after.every()
    assert read_log(again.access) == read_log(home.access)


def test_a_copy_made_while_the_ledger_grows_is_whole_and_never_behind_its_anchor(home, kept, tmp_path):
    with ledger(home, kept[1]) as growing:
        growing.rejoin("a" * 32, "plan", bytes(32), None, None, kept[1])
        done, heads, number = threading.Event(), [], iter(range(10**6))

        def write():
            with ledger(home, kept[1]) as mine:
                while not done.is_set():
                    mine.write(Record(f"fact/{next(number)}", b"x" * 100))
                    heads.append(mine.head().seq)
                    with home.access.open("a") as log:
                        log.write('{"half a line')

        writer = threading.Thread(target=write)
        writer.start()
        try:
            for count in range(5):
                seen = len(heads)
                site_backup(home.folder, tmp_path / f"copy{count}")
                while len(heads) < seen + 3 and writer.is_alive():
                    done.wait(0.01)
        finally:
            done.set()
            writer.join()
    found = []
    for count in range(5):
        again = SiteHome.at(site_restore(tmp_path / f"copy{count}", tmp_path / f"back{count}").folder)
        held = anchor(again, again.open(kept[1])).read()
        with ledger(again, kept[1]) as copied:  # which verifies every entry
            assert held is None or held.seq <= copied.head().seq
            found.append(copied.head().seq)
        assert b"half a line" not in again.access.read_bytes()
    assert found == sorted(set(found)), "control: it grew from copy to copy"


def test_a_ledger_that_is_put_back_is_behind_what_others_have_seen(home, kept, tmp_path):
    """As the server shows it with its next request: decision 0012."""
    site_backup(home.folder, tmp_path / "yesterday")
    with ledger(home, kept[1]) as today:
        today.rejoin("b" * 32, "plan", bytes(32), None, None, kept[1])
        newest = today.head()
        today.holds(newest)  # the control
    again = SiteHome.at(site_restore(tmp_path / "yesterday", tmp_path / "back").folder)
    with ledger(again, kept[1]) as old, pytest.raises(Refused, match="put back from a copy"):
        old.holds(newest)


def cut(file):
    file.write_bytes(file.read_bytes()[:-200])


def changed(file):
    """One byte within the compressed stream's content: packed again, so that gzip finds nothing."""
    raw = bytearray(gzip.decompress(file.read_bytes()))
    at = raw.index(b"epsilon_per_year")
    raw[at] ^= 1
    file.write_bytes(gzip.compress(bytes(raw), 1))


def without_list(file):
    packed(file, [(tarfile.TarInfo(name), data) for name, data in members(file).items() if name != LIST])


def one_less(file):
    packed(file, [(tarfile.TarInfo(name), data) for name, data in members(file).items() if name != "ledger.head"])


def one_more(file):
    parts = [(tarfile.TarInfo(name), data) for name, data in members(file).items()]
    packed(file, [(tarfile.TarInfo("policy.toml.d"), b"x"), *parts])


def spelt_twice(file):
    parts = [(tarfile.TarInfo(name), data) for name, data in members(file).items()]
    packed(file, [(tarfile.TarInfo("./site.toml"), b"x"), *parts])


def outside(file):
    parts = [(tarfile.TarInfo(name), data) for name, data in members(file).items()]
    packed(file, [(tarfile.TarInfo("../outside"), b"x"), *parts])


def link(file):
    member = tarfile.TarInfo("link")
    member.type, member.linkname = tarfile.SYMTYPE, "/etc"
    packed(file, [(member, b""), *((tarfile.TarInfo(name), data) for name, data in members(file).items())])


def absolute(file):
    parts = [(tarfile.TarInfo(name), data) for name, data in members(file).items()]
    packed(file, [(tarfile.TarInfo(str(file.with_name("outside"))), b"x"), *parts])


def deep(file):
    parts = [(tarfile.TarInfo(name), data) for name, data in members(file).items()]
    packed(file, [(tarfile.TarInfo("/".join(["d"] * 2000)), b"x"), *parts])


def chained(file):
    """Long names of long names: tarfile calls itself for each."""
    name = tarfile.TarInfo("././@LongLink")
    name.type, name.size = tarfile.GNUTYPE_LONGNAME, 1
    one = name.tobuf(tarfile.GNU_FORMAT) + b"x".ljust(512, b"\0")
    file.write_bytes(gzip.compress(one * 3000 + gzip.decompress(file.read_bytes())))


def listing(file, kept):
    """A whole copy of fewer files, as its list says."""
    found = members(file)
    listed = msgspec.json.decode(found.pop(LIST), type=Copied)
    some = {name: digest for name, digest in listed.files.items() if kept(name)}
    data = msgspec.json.encode(msgspec.structs.replace(listed, files=some))
    parts = [(tarfile.TarInfo(name), found[name]) for name in some]
    packed(file, [*parts, (tarfile.TarInfo(LIST), data)])


def empty(file):
    listing(file, lambda name: False)


def homeless(file):
    listing(file, lambda name: name != "site.toml")


def coordinators(file):
    found = members(file)
    listed = msgspec.json.decode(found.pop(LIST), type=Copied)
    data = msgspec.json.encode(msgspec.structs.replace(listed, kind="coordinator"))
    packed(file, [*((tarfile.TarInfo(name), data) for name, data in found.items()), (tarfile.TarInfo(LIST), data)])


def later(file):
    found = members(file)
    listed = json.loads(found.pop(LIST)) | {"version": 2}
    parts = [(tarfile.TarInfo(name), data) for name, data in found.items()]
    packed(file, [*parts, (tarfile.TarInfo(LIST), json.dumps(listed).encode())])


@pytest.mark.parametrize(
    "spoil",
    [
        cut,
        changed,
        without_list,
        one_less,
        one_more,
        spelt_twice,
        outside,
        absolute,
        link,
        deep,
        chained,
        empty,
        homeless,
        coordinators,
        later,
        lambda f: f.write_bytes(b""),
    ],
)
def test_a_copy_that_is_not_as_it_was_made_is_refused_and_nothing_is_left(home, tmp_path, spoil):
    (tmp_path / "in").mkdir()
    site_backup(home.folder, tmp_path / "copy")
    shutil.copy(tmp_path / "copy", tmp_path / "good")
    spoil(tmp_path / "copy")
    with pytest.raises(Refused, match=r"no backup of a home|a backup of a coordinator's home|a later Potluck wrote it"):
        site_restore(tmp_path / "copy", tmp_path / "in" / "north")
    assert list((tmp_path / "in").iterdir()) == []
    assert not (tmp_path / "outside").exists()
    site_restore(tmp_path / "good", tmp_path / "in" / "north")  # the control


def test_nothing_is_overwritten(home, tmp_path):
    site_backup(home.folder, tmp_path / "copy")
    for again in (
        lambda: site_backup(home.folder, tmp_path / "copy"),
        lambda: site_restore(tmp_path / "copy", home.folder),
        lambda: site_restore(tmp_path / "nowhere", tmp_path / "north2"),
        lambda: site_backup(tmp_path, tmp_path / "copy2"),
    ):
        with pytest.raises(UsageError):
            again()
    text = (home.folder / "site.toml").read_text()
    (home.folder / "site.toml").write_text(text.replace('"ledger.sqlite"', '"../ledger.sqlite"'))
    with pytest.raises(PotluckError, match="outside of the home"):
        site_backup(home.folder, tmp_path / "copy2")


def test_a_copy_goes_through_a_pipe(home, tmp_path):
    """Never as plain text onto a disk, and never onto a terminal."""
    python = [sys.executable, "-m", "potluck", "site"]
    copied = subprocess.run([*python, "backup", str(home.folder), "-o", "-"], capture_output=True, check=True)
    assert b"keys, and is not encrypted" in copied.stderr
    back = [*python, "restore", "-", str(tmp_path / "back"), "--json"]
    done = subprocess.run(back, input=copied.stdout, capture_output=True, check=True)
    assert json.loads(done.stdout)["site"] == "north"
    assert SiteHome.at(tmp_path / "back").name == "north"
