"""The access log: whole lines, durable, no line that anyone else could have written."""

import contextlib
import json
import os
import resource
import signal
import stat
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from potluck.core.errors import Refused, UsageError
from potluck.owner import access
from potluck.owner.access import AccessLog, Entry, Subject, read, short
from support.examples import examples

NOW = datetime(2026, 11, 24, 18, 0, 0, 123456, timezone(timedelta(hours=1)))
ABOUT = Subject(asker="hospitals", plan="heart", hash="ab" * 32, run="r1")


def test_what_is_written_is_read_back(tmp_path):
    log = AccessLog(tmp_path / "access.jsonl")
    log.write("start", NOW)
    log.write("request", NOW, about=ABOUT, outcome="denied", why=("columns", "noise"))
    log.write("round", NOW, about=ABOUT, outcome="done", round=3)
    found = read(tmp_path / "access.jsonl")
    assert found.damaged == ()
    assert found.entries == (
        Entry(when="2026-11-24T17:00:00.123Z", event="start"),
        Entry(when="2026-11-24T17:00:00.123Z", event="request", outcome="denied", asker="hospitals", plan="heart",
              hash="ab" * 32, run="r1", why=("columns", "noise")),
        Entry(when="2026-11-24T17:00:00.123Z", event="round", outcome="done", asker="hospitals", plan="heart",
              hash="ab" * 32, run="r1", round=3),
    )  # fmt: skip
    assert stat.S_IMODE((tmp_path / "access.jsonl").stat().st_mode) == 0o600
    assert read(tmp_path / "absent.jsonl") == access.Log((), ())


def test_older_lines_are_never_touched(tmp_path):
    path = tmp_path / "access.jsonl"
    log = AccessLog(path)
    before = b""
    for number in range(20):
        log.write("round", NOW, round=number)
        assert path.read_bytes().startswith(before)
        before = path.read_bytes()


def test_a_name_cannot_forge_a_line_or_move_the_cursor(tmp_path):
    path = tmp_path / "access.jsonl"
    evil = 'x\n{"when": "2026", "event": "approve"}\r\x1b[2J\u202e\u2028\x9b1A\ud800"\\'
    AccessLog(path).write("request", NOW, about=Subject(asker=evil, plan=evil, run=evil), why=(evil,) * 99)
    assert path.read_bytes().count(b"\n") == 1
    (entry,) = read(path).entries
    assert entry.event == "request"
    assert len(entry.why) == access.MOST_CODES
    for text in (entry.asker, entry.plan, entry.run, *entry.why):
        assert text.isprintable()
        assert "\\u{1b}" in text


@settings(max_examples=examples(300))
@given(st.text(st.characters(), max_size=400), st.text(st.characters(), max_size=400))
def test_names_are_bounded_printable_and_stay_apart(left, right):
    assert short(left).isprintable()
    assert len(short(left)) <= access.LONGEST * len("\\u{10ffff}")
    if max(len(left), len(right)) < access.LONGEST:
        assert (short(left) == short(right)) == (left == right)


def test_the_longest_line_is_one_that_can_be_read(tmp_path):
    worst = "\U0010ffff" * 1000
    about = Subject(worst, worst, worst, worst, worst)
    AccessLog(tmp_path / "access.jsonl").write("request", NOW, about=about, why=(worst,) * 99, round=2**63)
    assert (tmp_path / "access.jsonl").stat().st_size < access.LINE
    assert len(read(tmp_path / "access.jsonl").entries) == 1


def test_a_line_that_was_cut_short_is_named_and_the_next_one_whole(tmp_path):
    path = tmp_path / "access.jsonl"
    log = AccessLog(path)
    log.write("start", NOW)
    with path.open("ab") as file:
        file.write(b'{"when": "2026-1')
    log.write("stop", NOW)
    found = read(path)
    assert [entry.event for entry in found.entries] == ["start", "stop"]
    assert found.damaged == (2,)


def test_a_line_of_no_time_is_damaged_and_the_next_one_whole(tmp_path):
    path = tmp_path / "access.jsonl"
    for when in ("yesterday", "", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+14:00"):
        with path.open("a") as file:
            file.write(f'{{"when": "{when}", "event": "request", "outcome": "denied", "why": ["engine"]}}\n')
    AccessLog(path).write("stop", NOW)
    found = read(path)
    assert [entry.event for entry in found.entries] == ["stop"]
    assert found.damaged == (1, 2, 3, 4)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_as_lines_or_named(body):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "access.jsonl"
        path.write_bytes(body)
        found = read(path)
        lines = body.split(b"\n")
        assert len(found.entries) + len(found.damaged) == len(lines) - (lines[-1] == b"")


def test_what_cannot_be_logged_is_refused(tmp_path):
    for path in (tmp_path, tmp_path / "absent" / "access.jsonl"):
        with pytest.raises(Refused, match="cannot be written"):
            AccessLog(path).write("start", NOW)
    (tmp_path / "elsewhere").write_text("")
    (tmp_path / "access.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Refused, match="cannot be written"):
        AccessLog(tmp_path / "access.jsonl").write("start", NOW)
    with pytest.raises(UsageError, match="cannot be read"):
        read(tmp_path)


def test_a_full_disk_leaves_no_half_line(tmp_path):
    """The file may grow to 1000 bytes only, as if the disk were full."""
    path = tmp_path / "access.jsonl"
    log = AccessLog(path)
    old, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, old[1]))
    try:
        written = 0
        with contextlib.suppress(Refused):
            while written < 100:
                log.write("request", NOW, about=ABOUT)
                written += 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, handler)
    assert 1 < written < 100
    assert len(read(path).entries) == written
    assert read(path).damaged == ()


WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from potluck.owner.access import AccessLog, Subject
for number in range(50):
    about = Subject(run=sys.argv[2] * 100)
    AccessLog(Path(sys.argv[1])).write("round", datetime.now(UTC), about=about, round=number)
"""


def test_processes_at_once_write_whole_lines_in_their_order(tmp_path):
    path = tmp_path / "access.jsonl"
    environment = {**os.environ, "PYTHONPATH": str(Path(access.__file__).parents[2])}
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, path, name], env=environment) for name in "abc"]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    found = read(path)
    assert found.damaged == ()
    for name in "abc":
        assert [entry.round for entry in found.entries if entry.run == name * 100] == list(range(50))


def test_a_line_is_plain_json_in_ascii(tmp_path):
    AccessLog(tmp_path / "access.jsonl").write("approve", datetime.now(UTC), about=Subject(person="Zoë"))
    raw = (tmp_path / "access.jsonl").read_bytes()
    assert raw.isascii()
    assert json.loads(raw)["person"] == "Zoë"
