"""Lines of verbs that run for days begin with the time where they become a log, once, and in no terminal."""

import io
import os
import re
import sys
from datetime import UTC, datetime, timedelta, timezone

import pytest

from potluck.api.network import members
from potluck.cli import potluck
from potluck.cli.door import run
from potluck.cli.words.dated import Dated, stamp

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ "


def test_the_time_is_iso_8601_in_utc():
    there = datetime(2026, 12, 1, 10, 30, 5, 999, tzinfo=timezone(timedelta(hours=1)))
    assert stamp(there) == "2026-12-01T09:30:05Z "


@pytest.mark.parametrize(
    ("parts", "lines"),
    [
        (["a\n"], ["T a"]),
        (["a", "b\nc", "\n"], ["T ab", "T c"]),
        (["a\n\nb\n"], ["T a", "", "T b"]),
        (["a\rb\n"], ["T a\rb"]),
        (["", "\n", "a"], ["", "T a"]),
    ],
)
def test_each_line_has_one_time_however_it_is_written(parts, lines):
    whole = io.StringIO()
    stream = Dated(whole, lambda: datetime(2026, 12, 1, tzinfo=UTC))
    for part in parts:
        assert stream.write(part) == len(part)
    assert whole.getvalue().replace("2026-12-01T00:00:00Z", "T").removesuffix("\n").split("\n") == lines


@pytest.fixture
def home(tmp_path):
    members.site_new(tmp_path / "a", None)
    return tmp_path / "a"


def test_a_verb_that_lasts_dates_its_error_too_and_leaves_others_alone(home, capsys):
    before = sys.stderr
    assert run(potluck, ["site", "run", str(home)]) == 2
    assert re.fullmatch(rf"({TIME}.*\n)+", capsys.readouterr().err)
    assert sys.stderr is before
    assert run(potluck, ["site", "inbox", str(home / "nowhere")]) == 2
    assert not re.match(TIME, capsys.readouterr().err)


@pytest.fixture
def said(home, monkeypatch):
    """What `site run` writes to a pipe that systemd may be reading."""

    def said(*flags, journal):
        read, write = os.pipe()
        status = os.fstat(write)
        with monkeypatch.context() as patch, open(read) as words:
            with open(write, "w") as pipe:
                patch.setattr(sys, "stderr", pipe)
                patch.setenv("JOURNAL_STREAM", journal.format(dev=status.st_dev, ino=status.st_ino))
                assert run(potluck, ["site", "run", str(home), *flags]) == 2
            return words.read()

    return said


def test_the_journal_has_its_own_times_and_gets_ours_where_asked(said):
    assert re.match(TIME, said(journal="1:1"))  # the control: of another stream
    ours = said(journal="{dev}:{ino}")
    assert "has not joined a federation" in ours
    assert not re.match(TIME, ours)
    assert re.match(TIME, said("--timestamps", journal="{dev}:{ino}"))


def test_a_terminal_has_none_unless_asked(home, monkeypatch, capsys):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    for flags, dated in (([], False), (["--timestamps"], True)):
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stderr", Terminal())
            run(potluck, ["site", "run", str(home), *flags])
            assert bool(re.match(TIME, sys.stderr.getvalue())) == dated
