"""The guide "A machine without a network" is run as it is written; its second machine has no way out."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.docs import wheel
from support.guides.page import Mail, Type, accept, calls, steps
from support.places import ROOT

GUIDE = ROOT / "docs" / "guides" / "air-gap.md"


def test_every_call_in_the_guide_is_one_that_the_command_line_takes():
    known = calls(GUIDE)
    assert {" ".join(words[:2]) for words in known} >= {"docs locks/program.txt", "engine download", "engine install"}
    for words in known:
        accept(words)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_guide_is_run_as_it_stands(tmp_path, tmp_path_factory):
    cut = ["unshare", "--net"]
    if os.geteuid() != 0 or subprocess.run([*cut, "true"], check=False).returncode:
        pytest.skip("needs root, to cut a machine off")
    packed = wheel.shared(tmp_path_factory)
    homes = {name: tmp_path / name for name in ("connected", "hospital")}
    for home in homes.values():
        home.mkdir()
    (made,) = (packed / "wheel").glob("potluck-*.whl")
    shutil.copy(made, homes["connected"])
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environ = {"PATH": path, "HOME": os.environ["HOME"], "LANG": "C.UTF-8"}
    fetched = False
    for step in steps(GUIDE):
        if isinstance(step, Mail):
            (to,) = step.to
            shutil.copytree(homes[step.sender] / step.path, homes[to] / step.path)
            continue
        assert isinstance(step, Type)
        on = cut if step.machine == "hospital" else []
        more = {"PYTHONPATH": str(packed / "unpacked")} if step.machine == "connected" else {}
        done = subprocess.run(
            [*on, "bash", "-c", step.line],
            cwd=homes[step.machine],
            env=environ | more,
            capture_output=True,
            text=True,
            check=False,
        )
        said = done.stdout + done.stderr
        if done.returncode and step.machine == "connected" and "download" in step.line and not fetched:
            pytest.skip("the package index cannot be reached")
        assert done.returncode == 0, (step.line, said)
        fetched = fetched or " download " in step.line
    python = homes["hospital"] / "potluck" / "bin" / "python"
    where = subprocess.run(
        [python, "-c", "import potluck; print(potluck.__file__)"],
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert where.startswith(str(homes["hospital"])), "it is the one that was carried over"
    altered = next((homes["hospital"] / "carried" / "packages").glob("msgspec-*.whl"))
    altered.write_bytes(altered.read_bytes() + b"x")
    again = "python3 -m venv other && other/bin/python -m pip install -q --no-index --find-links carried/packages"
    line = f"{again} --require-hashes -r inside/potluck/site/locks/program.txt"
    done = subprocess.run(
        [*cut, "bash", "-c", line], cwd=homes["hospital"], env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "DO NOT MATCH THE HASHES" in done.stderr
