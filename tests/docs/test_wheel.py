"""Potluck needs no checkout: what a wheel holds is enough, for the demo, for files of one's own, and for the docs."""

import json
import os
import shlex
import subprocess
import sys
import tomllib
import zipfile
from email import message_from_string
from pathlib import Path

import numpy
import pytest
from markdown_it import MarkdownIt

from potluck.api.machine import pages
from support.docs.cited import cited
from support.docs.pages import ROOT
from support.docs.rendered import rendered
from support.docs.wheel import LEFT, built, copied
from support.places import SRC

pytestmark = pytest.mark.slow  # building it takes longer than all else that is asked of pages
ROWS = {"north": 40, "south": 50, "west": 45}
SCRIPT = """
import sys
from potluck.cli import potluck
from potluck.cli.door import run
for line in sys.stdin.read().splitlines():
    print("$", line)
    sys.stdout.flush()
    assert run(potluck, line.split("\\t")) == 0, line
"""


@pytest.fixture
def outside(packed, tmp_path):
    """A Python in an empty folder that finds the unpacked wheel, and no checkout."""
    environ = {**os.environ, "PYTHONPATH": str(packed / "unpacked")}

    def call(*words: str, said: str = "") -> str:
        done = subprocess.run(
            [sys.executable, *words], env=environ, cwd=tmp_path, input=said, capture_output=True, text=True, timeout=240
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return call


def own_files(folder: Path) -> None:
    """Three sites' files, as they come: semicolons, decimal commas, an ID."""
    for site, rows in ROWS.items():
        lines = [f"{site}-{row};{20 + row};{row % 7},5;{'yes' if row % 3 else 'no'}" for row in range(rows)]
        (folder / f"{site}.csv").write_text("\n".join(["id;age;stay;back", *lines]) + "\n", encoding="utf-8")


def test_a_wheel_runs_the_demo_without_a_checkout(packed, outside):
    where = outside("-c", "import potluck; print(potluck.__file__)")
    assert where.startswith(str(packed / "unpacked"))  # the control: it is not the checkout's
    assert "pooled (nobody could)" in outside("-m", "potluck", "demo")


def test_a_wheel_drafts_checks_and_runs_a_plan_and_has_its_docs(packed, outside, tmp_path):
    own_files(tmp_path)
    words = [
        "--version",
        *("init north.csv south.csv west.csv --target back -o plan.toml", "check plan.toml", "run plan.toml --out ran"),
        *("docs", "docs quickstart", "docs examples -o examples", "schema plan"),
        *("docs examples/systemd -o units", "docs examples/compose/Containerfile -o Containerfile"),
    ]
    said = outside("-c", SCRIPT, said="\n".join("\t".join(shlex.split(line)) for line in words))
    site = packed / "unpacked" / "potluck" / "site"
    assert f"$ docs\n{(site / 'index.html').as_uri()}\n" in said
    assert f"{(site / 'docs' / 'quickstart.html').as_uri()}\n" in said
    assert (tmp_path / "ran" / "report.html").is_file()
    assert {one.name for one in (tmp_path / "units").iterdir()} == {
        *("potluck-site.service", "potluck-broker.service", "potluck-server.service"),
        *("potluck-backup.service", "potluck-backup.timer"),
    }
    assert (tmp_path / "Containerfile").read_bytes() == (ROOT / "examples/compose/Containerfile").read_bytes()


def test_a_wheel_has_every_file_of_the_package(packed):
    """Also what is no Python: templates, locks, the demo's rows."""
    there = packed / "unpacked" / "potluck"
    files = [path for path in SRC.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert {path.suffix for path in files} >= {".py", ".typed", ".html", ".css", ".toml", ".txt", ".data"}
    assert [path for path in files if not (there / path.relative_to(SRC)).is_file()] == []


def test_a_wheel_has_everything_that_the_examples_are(packed):
    there = packed / "unpacked" / "potluck" / "site" / "examples"
    for path in (ROOT / "examples").rglob("*"):
        if path.is_file() and path.name != "README.md" and "__pycache__" not in path.parts:
            assert (there / path.relative_to(ROOT / "examples")).read_bytes() == path.read_bytes(), path


def test_nothing_that_the_program_names_is_lacking_in_a_wheel(packed, monkeypatch):
    monkeypatch.setattr(pages, "PLACES", (packed / "unpacked" / "potluck" / "site",))
    named = cited()
    assert {"docs/concepts/tee.md", "policy", "examples/systemd"} <= set(named)
    for name, path in named.items():
        assert pages.page(name).path.exists(), path


def test_the_words_about_a_wheel_are_the_readme_and_are_markdown(packed):
    (about,) = (packed / "unpacked").glob("potluck-*.dist-info/METADATA")
    message = message_from_string(about.read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (message["Name"], message["Version"]) == ("potluck", project["version"])
    assert message["Description-Content-Type"].startswith("text/markdown")
    assert message.get_payload().strip() == (ROOT / "README.md").read_text(encoding="utf-8").strip()
    assert set(message.get_all("Provides-Extra")) == set(project["optional-dependencies"])
    page = rendered(MarkdownIt().enable("table").render(message.get_payload()), article=False)
    assert page.elements["h1"] == 1


def test_a_wheel_is_no_larger_than_a_picture_album(packed):
    """And holds nothing of tests, of a build or of a run that somebody did there, and the licence of others' files."""
    (wheel,) = (packed / "wheel").glob("potluck-*.whl")
    assert wheel.stat().st_size < 6_500_000
    names = zipfile.ZipFile(wheel).namelist()
    assert not [one for one in names if "__pycache__" in one or one.endswith((".map", ".pyc")) or "/tests/" in one]
    assert [one for one in names if one.endswith(tuple(one.removeprefix("src/") for one in LEFT))] == []
    assert "Martin Donath" in (packed / "unpacked/potluck/site/assets/LICENSE").read_text(encoding="utf-8")
    assert {one.split("/")[0].partition("-")[0] for one in names} == {"potluck"}


def test_an_installed_wheel_works_by_its_command_in_an_environment_of_its_own(packed, tmp_path):
    """The packages that it needs are those of this environment; the checkout is not among them."""
    home = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True)
    (packages,) = home.glob("lib/python*/site-packages")
    (packages / "others.pth").write_text(f"{Path(numpy.__file__).parents[1]}\n", encoding="utf-8")
    (wheel,) = (packed / "wheel").glob("potluck-*.whl")
    install = ["pip", "--python", str(home / "bin" / "python"), "install", "-q", "--no-deps", "--no-index", str(wheel)]
    subprocess.run([sys.executable, "-m", *install], check=True, timeout=240)
    own_files(tmp_path)
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def potluck(line: str) -> str:
        done = subprocess.run(
            [home / "bin" / "potluck", *shlex.split(line)],
            env=environ,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, (line, done.stderr)
        return done.stdout

    assert potluck("docs").startswith(packages.resolve().as_uri())
    assert "potluck" in potluck("--version")
    for line in ("init north.csv south.csv west.csv --target back -o plan.toml", "check plan.toml", "schema policy"):
        potluck(line)
    assert json.loads(potluck("run plan.toml --json"))["task"] == "train"
    assert set(json.loads(potluck("engine status --json"))["engines"]) == {"he", "mpc"}
    potluck("docs examples -o examples")
    for path in ("train_heart.py", "statistics_heart.py", "regression_heart.py", "python_frames.py"):
        subprocess.run(
            [home / "bin" / "python", f"examples/{path}"], env=environ, cwd=tmp_path, check=True, timeout=240
        )
    assert "pooled (nobody could)" in potluck("demo")


def test_a_source_distribution_makes_the_same_wheel(packed, tmp_path):
    source = copied(tmp_path / "source")
    code = f"import os, packing; os.chdir({str(source)!r}); packing.build_sdist({str(tmp_path)!r})"
    environ = {**os.environ, "PYTHONPATH": str(source / "docs" / "site")}
    subprocess.run([sys.executable, "-c", code], env=environ, check=True, capture_output=True, timeout=240)
    (archive,) = tmp_path.glob("potluck-*.tar.gz")
    (wheel,) = (packed / "wheel").glob("potluck-*.whl")
    again = built(archive, tmp_path / "again")
    assert sorted(zipfile.ZipFile(again).namelist()) == sorted(zipfile.ZipFile(wheel).namelist())
