"""Bytes in a file without a name: what was written, nothing beyond, and nothing left of it."""

import errno
import os
import tempfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from potluck.core.errors import UsageError
from potluck.secret.spool import Spooled


@given(st.binary(max_size=50), st.lists(st.tuples(st.integers(0, 60), st.binary(max_size=60)), max_size=5), st.data())
def test_it_is_the_bytes_that_were_written(first, more, data):
    spooled, plain = Spooled(60), bytearray(60)
    for at, some in [(0, first), *more]:
        if at + len(some) > 60:
            with pytest.raises(ValueError, match="end"):
                spooled.write(at, some)
            continue
        spooled.write(at, some)
        plain[at : at + len(some)] = some
    start, stop = data.draw(st.integers(-70, 70)), data.draw(st.integers(-70, 70))
    assert len(spooled) == 60
    assert spooled[start:stop] == plain[start:stop]
    assert spooled[start:] == plain[start:]


def test_no_name_leads_to_it_and_it_goes_with_its_holder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = len(os.listdir("/proc/self/fd"))
    spooled = Spooled(10)
    spooled.write(3, b"sealed")
    assert list(tmp_path.iterdir()) == []
    assert len(os.listdir("/proc/self/fd")) == before + 1
    del spooled
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("call", ["ftruncate", "pwrite"])
def test_where_there_is_no_room_the_error_says_where(call, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(os, call, full)
    with pytest.raises(UsageError, match=r"No space left.*TMPDIR") as caught:
        Spooled(10).write(0, b"sealed")
    assert str(tmp_path) in str(caught.value)


def test_where_there_is_no_place_the_error_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(UsageError, match="missing"):
        Spooled(10)


def test_where_no_folder_can_be_written_at_all_the_error_says_what_to_set(monkeypatch):
    """To ask for the name of the folder raises as well: the error must not."""

    def nowhere(*_, **__):
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "gettempdir", nowhere)
    monkeypatch.setattr(tempfile, "TemporaryFile", nowhere)
    with pytest.raises(UsageError, match="set TMPDIR"):
        Spooled(10)
