"""Guides of one machine are run as they are written: upgrade and backup on homes that the former program left."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy
import pytest

from support.docs import wheel
from support.guides.machines import Machines, missing
from support.guides.page import Type, accept, calls, steps
from support.guides.readers import Readers
from support.places import ROOT
from support.upgrade.homes import unpacked

UPGRADE, BACKUP, FIRST = (ROOT / "docs" / "guides" / name for name in ("upgrade.md", "backup.md", "first-run.md"))
NEEDS = missing()


@pytest.mark.parametrize("guide", [UPGRADE, BACKUP, FIRST], ids=lambda path: path.stem)
def test_every_call_in_the_guide_is_one_that_the_command_line_takes(guide):
    known = calls(guide)
    assert len(known) >= 4
    for words in known:
        accept(words[: words.index(">")] if ">" in words else words)


def installed(home: Path, name: str, made: Path) -> None:
    """What the guide's `pip install` does in the environment `name`, with the packages of this one beside."""
    (packages,) = home.glob(f"{name}/lib/python*/site-packages")
    (packages / "others.pth").write_text(f"{Path(numpy.__file__).parents[1]}\n", encoding="utf-8")
    python = str(home / name / "bin" / "python")
    install = ["pip", "--python", python, "install", "-q", "--no-deps", "--no-index", str(made)]
    subprocess.run([sys.executable, "-m", *install], check=True)


@pytest.fixture
def machine(tmp_path):
    """One machine with a broker and the site north, at work."""
    if NEEDS:
        pytest.skip(NEEDS)
    with Machines(tmp_path, ["site"]) as machines:
        unpacked(machines.of["site"].home)
        machines.of["site"].type("broker", "potluck broker hospitals")
        machines.of["site"].terminal("broker").awaits("serves")
        machines.of["site"].type("north", "potluck site run north")
        machines.of["site"].terminal("north").awaits("north of hospitals")
        yield machines


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_guide_to_an_upgrade_is_run_as_it_stands(machine, tmp_path_factory):
    """The packages that the wheel needs are those of this environment."""
    home = machine.of["site"].home
    (made,) = (wheel.shared(tmp_path_factory) / "wheel").glob("potluck-*.whl")
    shutil.copy(made, home)
    reader = Readers(machine)
    for step in steps(UPGRADE):
        if isinstance(step, Type) and " pip install" in step.line.replace("/", " "):
            installed(home, "new", made)
            continue
        reader.do([step])
    assert json.loads((home / "after.json").read_text())["entries"] > 10
    where = f"{home}/new/bin/python -c 'import potluck; print(potluck.__file__)'"
    assert subprocess.run(["bash", "-c", where], capture_output=True, text=True, env={}).stdout.startswith(str(home))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_guide_to_backups_is_run_as_it_stands_and_an_older_copy_is_refused(machine):
    """After the page: the run that was killed ends, and then the copy of before is put back, as nobody should."""
    home = machine.of["site"].home
    reader, todo = Readers(machine), steps(BACKUP)
    reader.do(todo)
    for name in ("south", "west"):
        machine.of["site"].type(name, f"potluck site run {name}")
    assert machine.of["site"].type("", "potluck server run hospitals heart.toml --out ended --wait 120") == 0
    said = machine.of["site"].terminal("north").shown
    assert "refused" not in said.rsplit("north of hospitals", 1)[1]
    north = machine.of["site"].terminals.pop("north")
    north.child.terminate()
    assert north.child.wait(60) == 0
    (home / "north").rename(home / "newest")
    assert machine.of["site"].type("", "potluck site restore north.tar.gz north") == 0
    shutil.copy(home / "gone" / "rows.csv", home / "north")
    machine.of["site"].type("older", "potluck site run north")
    asks = "potluck server run hospitals mean.toml --out again --wait 15"
    with pytest.raises(AssertionError, match=r"exit code|ended with"):
        reader.do([Type("site", "", asks)])
    machine.of["site"].terminal("older").awaits("ledger")
    assert "put back from a copy" in machine.of["site"].terminal("older").shown


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_guide_from_a_wheel_to_a_first_run_is_run_as_it_stands(tmp_path, tmp_path_factory):
    """With the packages of this environment; the checkout is not among them."""
    if NEEDS:
        pytest.skip(NEEDS)
    with Machines(tmp_path, ["site"]) as machines:
        home, reader = machines.of["site"].home, Readers(machines)
        (made,) = (wheel.shared(tmp_path_factory) / "wheel").glob("potluck-*.whl")
        shutil.copy(made, home)
        for step in steps(FIRST):
            line = step.line if isinstance(step, Type) else ""
            if " pip install" in line.replace("/", " "):
                installed(home, "potluck", made)
            elif line.startswith("export PATH="):
                machines.of["site"].path = f"{home}/potluck/bin"
            else:
                reader.do([step])
        run = json.loads((home / "ages" / "run.json").read_text(encoding="utf-8"))
        assert run["plan"]["name"] == "ages"
        assert set(run["results"]) == {"age", "patients"}
        assert (home / "north" / "own").is_dir()
