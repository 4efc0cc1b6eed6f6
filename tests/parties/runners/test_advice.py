"""What the server's screen advises where sites do not take part, and what a site whose disk is full answers."""

import shutil
from collections import namedtuple

import pytest

from potluck.core.errors import UsageError
from potluck.parties.admission.decision import unable
from potluck.parties.runners.advice import ELSE, advice


@pytest.mark.parametrize(
    ("verdict", "codes", "said"),
    [
        ("pending", (), "potluck site inbox"),
        ("pending", ("members",), "potluck site inbox"),
        ("denied", ("denied",), "owner said no"),
        ("denied", ("federation",), "newest federation file"),
        ("denied", ("version",), "update the older"),
        ("denied", ("epsilon_per_plan", "columns"), ELSE),
        ("unable", ("disk",), "disk is full"),
    ],
)
def test_each_gets_what_helps_it_and_only_who_waits_is_sent_to_the_inbox(verdict, codes, said):
    told = advice([("north", verdict, codes)])
    assert told.startswith("north: ")
    assert said in told
    assert ("inbox" in told) is (verdict == "pending")
    assert told.count(";") == 0


def test_what_helps_several_is_said_once():
    told = advice([("a", "pending", ()), ("b", "denied", ("version",)), ("c", "pending", ())])
    assert told == "a, c: its owner decides: potluck site inbox; b: update the older of the two programs"


@pytest.mark.parametrize(("free", "code"), [(0, "disk"), (460_000, "disk"), (1 << 30, "data")])
def test_a_full_disk_is_not_called_the_hospitals_data(tmp_path, monkeypatch, free, code):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(1 << 40, 0, free))
    assert unable(UsageError("cannot be read or written (SQLITE_FULL)"), tmp_path).codes == (code,)
