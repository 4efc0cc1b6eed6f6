"""No path that a cell holds opens or looks at what lies outside its folder."""

import os
import socket

import pytest

from potluck.learning.data.files import folder
from potluck.learning.data.files.raster import Unreadable


@pytest.fixture
def root(tmp_path):
    inner = tmp_path / "rows"
    (inner / "sub" / "deep").mkdir(parents=True)
    (inner / "sub" / "deep" / "a.png").write_bytes(b"inside")
    (inner / "ä b.png").write_bytes(b"letters")
    (tmp_path / "secret").write_bytes(b"outside")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.png").write_bytes(b"outside")
    return inner


@pytest.mark.parametrize(
    ("path", "content"),
    [("sub/deep/a.png", b"inside"), ("./sub//deep/./a.png", b"inside"), ("ä b.png", b"letters")],
)
def test_a_path_within_the_folder_is_read(root, path, content):
    assert folder.read(root, path) == content


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/etc/passwd", "an absolute path"),
        ("//etc/passwd", "an absolute path"),
        ("../secret", "leaves the folder"),
        ("sub/../../secret", "leaves the folder"),
        ("sub/../ä b.png", "leaves the folder"),
        ("sub/..", "leaves the folder"),
        ("sub", "and no file"),
        ("sub/none", "no such file"),
        ("none/a.png", "no such file"),
        ("ä b.png/a", "no such file"),
        ("", "no path"),
        (".", "no path"),
        ("a\0b", "no path"),
        ("a" * 5000, "no path"),
        ("/".join("a" * 100), "no path"),
        ("a" * 300, "cannot be read"),
        ("\ud800", "cannot be read"),
    ],
)
def test_other_paths_are_refused_by_name(root, path, said):
    with pytest.raises(Unreadable, match=said):
        folder.read(root, path)


@pytest.mark.parametrize("target", ["../secret", "sub/deep/a.png", "none"])
def test_a_link_is_not_followed(root, target):
    (root / "link").symlink_to(target)
    with pytest.raises(Unreadable, match="a symbolic link"):
        folder.read(root, "link")


def test_a_link_to_a_folder_is_not_followed(root):
    (root / "out").symlink_to("../elsewhere")
    with pytest.raises(Unreadable, match="a symbolic link"):
        folder.read(root, "out/a.png")


def test_pipes_sockets_and_devices_are_not_opened(root, monkeypatch):
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(os.path.relpath(root / "socket"))
        opened, real = [], os.open
        monkeypatch.setattr(os, "open", lambda path, *more, **named: opened.append(path) or real(path, *more, **named))
        for name in ("pipe", "socket"):
            with pytest.raises(Unreadable, match="a pipe or a device"):
                folder.read(root, name)
    assert not {"pipe", "socket"} & set(opened)


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_what_is_exchanged_after_it_was_looked_at_is_refused(root, kind, monkeypatch):
    """The race of whoever renames: between the look and the opening the file becomes something else."""
    (root / "a").write_bytes(b"honest")
    real = os.stat

    def exchanging(path, *more, **named):
        found = real(path, *more, **named)
        if path == "a":
            (root / "a").unlink()
            (root / "a").symlink_to("../secret") if kind == "link" else os.mkfifo(root / "a")
        return found

    monkeypatch.setattr(os, "stat", exchanging)
    with pytest.raises(Unreadable):
        folder.read(root, "a")


def test_a_folder_that_is_exchanged_for_a_link_is_refused(root, monkeypatch):
    real = os.stat

    def exchanging(path, *more, **named):
        found = real(path, *more, **named)
        if path == "sub":
            (root / "sub").rename(root / "away")
            (root / "sub").symlink_to("../elsewhere")
        return found

    monkeypatch.setattr(os, "stat", exchanging)
    with pytest.raises(Unreadable):
        folder.read(root, "sub/a.png")


def test_nothing_outside_is_looked_at(root, monkeypatch):
    (root / "link").symlink_to("../secret")
    looked, real = [], os.stat

    def seen(path, *more, **named):
        looked.append((path, named.get("follow_symlinks")))
        return real(path, *more, **named)

    monkeypatch.setattr(os, "stat", seen)
    for path in ("../secret", "/etc/passwd", "sub/../../secret", "link"):
        with pytest.raises(Unreadable):
            folder.read(root, path)
    assert looked == [("link", False)]


def test_a_file_that_is_too_long_is_not_read(root):
    with (root / "long").open("wb") as file:
        file.truncate(folder.MOST_BYTES + 1)
    with pytest.raises(Unreadable, match="more than"):
        folder.read(root, "long")


def test_no_descriptor_stays_open(root):
    before = len(os.listdir("/proc/self/fd"))
    for path in ("sub/deep/a.png", "sub/none", "none/a", "sub", "../a"):
        try:
            folder.read(root, path)
        except Unreadable:
            continue
    assert len(os.listdir("/proc/self/fd")) == before
