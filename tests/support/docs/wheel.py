"""A wheel of this program, built once for all processes of the tests, and what is inside it."""

import fcntl
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from support.places import ROOT

NOT_COPIED = shutil.ignore_patterns("__pycache__", "*.egg-info")
FOLDERS = ("src", "docs", "examples", "bench", "locks")
FILES = ("*.md", "mkdocs.yml", "pyproject.toml", "MANIFEST.in", "LICENSE", "NOTICE")
LEFT = (
    *("examples/ledger/north.sqlite", "examples/runs/lung/run.json", "examples/north.csv", "docs/runs/report.html"),
    *("src/potluck/demo/ledger/va.sqlite", "src/potluck/demo/rows.csv"),
)
"""What is in nobody's wheel, though it lies where examples are run."""


def copied(to: Path) -> Path:
    """What a wheel is built from, in a new folder: the build writes beside it."""
    for name in FOLDERS:
        shutil.copytree(ROOT / name, to / name, ignore=NOT_COPIED, dirs_exist_ok=True)
    for pattern in FILES:
        for path in ROOT.glob(pattern):
            shutil.copy(path, to)
    return to


def built(source: Path, to: Path) -> Path:
    """The wheel of `source`, in `to`. The pages are built strictly: a broken link in them is an error."""
    build = ["wheel", "-q", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(to), str(source)]
    done = subprocess.run([sys.executable, "-m", "pip", *build], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]
    (wheel,) = to.glob("potluck-*.whl")
    return wheel


def shared(factory: pytest.TempPathFactory) -> Path:
    """The folder of the wheel that all processes of the tests share: it is in `wheel/`, unpacked in `unpacked/`."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "packed"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "done").exists():
            source = copied(folder / "source")
            for name in LEFT:
                (source / name).parent.mkdir(parents=True, exist_ok=True)
                (source / name).write_text("what somebody's run left behind", encoding="utf-8")
            wheel = built(source, folder / "wheel")
            with zipfile.ZipFile(wheel) as file:
                file.extractall(folder / "unpacked")
            (folder / "done").touch()
    return folder
