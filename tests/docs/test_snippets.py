"""Every snippet runs: Python blocks, TOML blocks with a file name, lines that begin with `$ potluck` or its path."""

import re
import shlex
import shutil
import tomllib
from importlib.util import find_spec

import pytest

from potluck.cli import potluck
from potluck.cli.door import run
from support.docs import variants
from support.docs.pages import PAGES, ROOT, fences

ELSEWHERE = {"three-hospitals.md", "confidential-vm.md", "first-run.md", "upgrade.md", "backup.md", "air-gap.md"}
"""Pages for several machines: tests/guides runs them as they are written."""
NETWORKS = pytest.mark.skipif(find_spec("torch") is None, reason="the networks extra is missing")
TORCH = {"own-network.md": [NETWORKS, pytest.mark.torch]}
LONG = {"enrolment.md", "own-network.md", "private-training.md", "thousand-phones.md", "tuning.md"}
LONG |= {"own-data.md", "evaluate-elsewhere.md", "scikit-learn.md", "students.md", "survival.md", "library.md"}
LONG |= {"add-a-model.md", "add-a-method.md", "add-an-optimizer.md"}
"""Pages that take seconds: `make test-all` runs them. The README and the quickstart are run in both."""
ADDING = {page.name for page in variants.PAGES}
LIVE = [
    page
    for page in PAGES
    if page.name not in ELSEWHERE and any(kind == "python" or "$ potluck" in body for kind, _, body in fences(page))
]


@pytest.fixture
def tables():
    """Some pages register a variant: afterwards the tables hold what they held before."""
    with variants.forgotten():
        yield


@pytest.mark.usefixtures("tables", "repeatable")
@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=[*TORCH.get(page.name, []), *[pytest.mark.slow] * (page.name in LONG)], id=page.stem)
        for page in LIVE
    ],
)
def test_every_snippet_of_a_page_runs_in_order(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "src" / "potluck" / "demo", tmp_path / "src" / "potluck" / "demo")
    shutil.copytree(ROOT / "examples" / "lung", tmp_path / "examples" / "lung")
    names: dict[str, object] = {"__name__": "__main__"}
    for kind, name, body in fences(page):
        if kind == "python":
            exec(compile(body, page.name, "exec"), names)
        elif kind == "toml" and name:
            (tmp_path / name).write_text(body, encoding="utf-8")
        for line in re.findall(r"^\$ (?:\.venv/bin/)?potluck (.*)$", body, re.MULTILINE):
            assert run(potluck, shlex.split(line)) == 0, f"{line}\n{capsys.readouterr().err}"


def test_the_pages_that_must_have_snippets_have_them():
    assert {page.name for page in LIVE} >= {"README.md", "quickstart.md", *ADDING}
    assert len(ADDING) == len(variants.ADDING)


def test_a_page_that_is_not_run_here_is_run_elsewhere():
    others = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "guides").glob("test_*.py"))
    assert all(name in others for name in ELSEWHERE)


def test_every_toml_block_is_toml():
    found = [body for page in PAGES for kind, _, body in fences(page) if kind == "toml"]
    assert found
    for body in found:
        tomllib.loads(body)


def test_the_demo_in_the_readme_is_what_the_demo_prints(tmp_path, monkeypatch, capsys):
    """All lines but those that noise, time or place change."""
    monkeypatch.chdir(tmp_path)
    said = next(body for _, _, body in fences(ROOT / "README.md") if body.startswith("$ potluck demo"))
    assert run(potluck, ["demo"]) == 0
    printed = [line.strip() for line in capsys.readouterr().out.splitlines()]
    for line in said.splitlines()[1:]:
        if not line.startswith(("│ federated  ", "│ auc", "│ accuracy", "│ rows", "model: ", "report: ", "rounds: ")):
            assert line.strip() in printed, line
