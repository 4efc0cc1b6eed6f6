"""Across processes, too, nobody else reads what `up` and `server run` write, while they run and at the end."""

import os
import stat
import threading
from pathlib import Path

import pytest

from support.processes import hospitals
from support.processes.rig import BROKER, Rig, laid_out, need_broker

PUBLIC = {"*federation.toml*", "*issued.toml*", "*.card*", "*.pem*"}
"""What is signed for all to read, or a certificate; it lies in folders that nobody else enters."""


@pytest.fixture(autouse=True)
def usual():
    before = os.umask(0o022)
    yield
    os.umask(before)


def readable(place: Path) -> set[str]:
    """Files and folders below that others than their owner may read, but for what is public; one may be gone again."""
    found = set()
    for path in (place, *place.rglob("*")):
        try:
            mode = path.lstat().st_mode
        except OSError:
            continue
        public = any(path.match(one) for one in PUBLIC)
        if stat.S_IMODE(mode) & 0o077 and not public and not stat.S_ISLNK(mode) and not stat.S_ISSOCK(mode):
            found.add(str(path.relative_to(place)))
    return found


class Looking(threading.Thread):
    """Looks at a folder again and again."""

    def __init__(self, place: Path) -> None:
        super().__init__()
        self.place, self.seen, self.looks, self.over = place, set[str](), 0, threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.1):
            if self.place.is_dir():
                self.seen |= readable(self.place)
                self.looks += 1


@pytest.mark.slow
def test_nobody_else_reads_what_up_writes_while_it_runs_and_after(tmp_path):
    need_broker()
    rig = Rig(tmp_path / "f", {})
    rig.rooms()
    plan = laid_out(rig.folder / "plans", hospitals.plan(rounds=3, patience=30.0), hospitals.frames())
    out, ledger = rig.folder / "runs" / "up", rig.folder / "runs" / "ledger"
    looking = Looking(out)
    looking.start()
    try:
        rig.spawn("up", "up", plan, "--out", out, "--ledger", ledger, "--json", "--record", "--compare",
                  driven=False).end(120)  # fmt: skip
    finally:
        looking.over.set()
        looking.join()
        rig.close()
    assert looking.looks > 3
    assert sorted(looking.seen) == []
    assert readable(out) | readable(ledger) == set()


@pytest.mark.slow
def test_nobody_else_reads_what_server_run_writes(tmp_path):
    need_broker()
    rig = hospitals.federation(tmp_path / "f")
    try:
        rig.start(BROKER, *hospitals.NAMES)
        out = rig.folder / "runs" / "served"
        rig.serve(rig.plan(hospitals.plan(), "plan.toml"), "--out", out).end(120)
    finally:
        rig.close()
    assert (out / "transcript.jsonl").is_file()
    assert readable(out) == set()
    (session,) = (rig.fed / "runs").iterdir()
    assert readable(session) == set()
