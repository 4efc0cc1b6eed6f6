"""Every example runs, and writes nothing but runs and ledgers into the working directory."""

import runpy
from importlib.util import find_spec

import pytest

from support.docs.pages import ROOT

QUICK = ("statistics_heart",)
EXAMPLES = [
    pytest.param(path, id=path.stem, marks=() if path.stem in QUICK else pytest.mark.slow)
    for path in sorted((ROOT / "examples").glob("*.py"))
]


@pytest.mark.parametrize("path", EXAMPLES)
def test_an_example_runs(path, tmp_path, monkeypatch, capsys, request):
    if path.stem == "network" and find_spec("torch") is None:
        pytest.skip("needs the networks extra")
    if path.stem == "predict_heart":
        request.getfixturevalue("he_engine")
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(path), run_name="__main__")
    assert capsys.readouterr().out
    assert {item.name for item in tmp_path.iterdir()} <= {"runs", "ledger"}


def test_every_example_is_listed():
    page = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    for path in (ROOT / "examples").rglob("*"):
        if path.is_file() and path.name != "README.md" and "__pycache__" not in path.parts:
            assert f"({path.relative_to(ROOT / 'examples')})" in page
