"""Potluck needs no checkout: what a wheel holds is enough for the demo."""

import os
import shutil
import subprocess
import sys
import zipfile

import pytest

from support.places import ROOT


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    """A wheel of this program, built apart from the checkout and unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "source"
    copy.mkdir()
    shutil.copytree(ROOT / "src", copy / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, copy)
    build = ["pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(folder), str(copy)]
    subprocess.run([sys.executable, "-m", *build], check=True, capture_output=True, timeout=240)
    (wheel,) = folder.glob("potluck-*.whl")
    with zipfile.ZipFile(wheel) as file:
        file.extractall(folder / "unpacked")
    return folder / "unpacked"


def test_a_wheel_runs_the_demo_without_a_checkout(unpacked, tmp_path):
    where = [sys.executable, "-c", "import potluck; print(potluck.__file__)"]
    environ = {**os.environ, "PYTHONPATH": str(unpacked)}
    found = subprocess.run(where, env=environ, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert found.stdout.startswith(str(unpacked))  # the control: it is not the checkout's
    words = [sys.executable, "-m", "potluck", "demo"]
    demo = subprocess.run(words, env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert demo.returncode == 0, demo.stderr
    assert "pooled (nobody could)" in demo.stdout


def test_a_wheel_has_what_is_no_python(unpacked):
    for name in ("py.typed", "demo/heart.toml", "report/report.css", "engines/locks/he.txt", "owner/policy_site.toml"):
        assert (unpacked / "potluck" / name).is_file(), name
